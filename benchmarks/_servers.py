"""Servers of one model, each set up in an environment of its own as its documentation says, one worker each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mlpack_toolkit.packager.environments.python.uv import last_words, uv

from ._process import MLPACK, ROOT

FEATURES = 30
PROGRAM = "usr/bin/mlpack-server"
QUIET = {
    "ORT_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "BENTOML_DO_NOT_TRACK": "True",
    "DO_NOT_TRACK": "1",
    "OMP_NUM_THREADS": "1",
}
TRAIN = """
import sys, joblib, numpy as np
from sklearn.linear_model import LogisticRegression
rows = np.random.default_rng(0).normal(size=(500, int(sys.argv[1])))
model = LogisticRegression().fit(rows, rows[:, 0] + rows[:, 1] > 0)
joblib.dump(model, "model.joblib")
np.save("rows.npy", rows)
np.savez("answer.npz", label=model.predict(rows[:1]), probabilities=model.predict_proba(rows[:1]))
"""
MLFLOW = """
import joblib, onnx, mlflow.onnx, mlflow.sklearn
model = joblib.load("model.joblib")
mlflow.sklearn.save_model(model, "mlflow-sklearn", pip_requirements=[], serialization_format="cloudpickle")
mlflow.onnx.save_model(onnx.load("model.onnx"), "mlflow-onnx", pip_requirements=[])
"""
BENTO = """
import bentoml, numpy as np, onnxruntime as ort

@bentoml.service(workers=1, metrics={"enabled": False})
class Model:
    def __init__(self):
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession("model.onnx", options)

    @bentoml.api
    def infer(self, rows: list[list[float]]) -> dict:
        label, probabilities = self.session.run(None, {"X": np.asarray(rows, np.float32)})
        return {"label": label.tolist(), "probabilities": probabilities.tolist()}
"""


@dataclass(frozen=True)
class Server:
    """A way to serve the model. `requirements`: of its own environment; `image`: kind of image of ours, which has none.

    `body`: a request from a row; `read`: the label from an answer.
    """

    name: str
    command: Callable[[Path, int], Sequence[str]]
    path: str
    body: Callable[[list[float]], Any]
    read: Callable[[Any], Any]
    requirements: tuple[str, ...] = ()
    image: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[Path, int], None] = lambda folder, port: None


def servers() -> tuple[Server, ...]:
    """Ours first, then the peers."""
    return (_python(), _native(), _mlserver(), _mlflow("sklearn"), _mlflow("onnx"), _bentoml())


def set_up(folder: Path) -> None:
    """Lays the model out in `folder`, as each server wants it; environments that are there already stay."""
    _ran([sys.executable, "-c", TRAIN, str(FEATURES)], folder)
    build = ("build", "model.joblib", "--example", "rows.npy", "--name", "m", "--version", "1", "-o", "dist")
    if not (folder / "dist" / "m-1").is_dir():
        _ran([*MLPACK, *build], folder)
    (folder / "model.onnx").write_bytes((folder / "dist/m-1/model/model.onnx").read_bytes())
    for server in servers():
        if server.requirements and not (folder / _place(server) / "ready").is_file():
            _make(folder / _place(server), server.requirements)
    (folder / "bento_service.py").write_text(BENTO)
    for server in filter(lambda each: each.image, servers()):
        _make_image(folder, server.image)
    if not (folder / "mlflow-onnx").is_dir():
        _ran([_bin(folder, "mlflow", "python"), "-c", MLFLOW], folder)


def environment_of(folder: Path, server: Server) -> dict[str, str]:
    """What the server's process finds: its own programs first."""
    first = [str(folder / _place(server) / "bin")] if server.requirements else []
    path = os.pathsep.join([*first, os.environ["PATH"]])
    return {
        **os.environ,
        **QUIET,
        **server.environment,
        "PYTHONPATH": str(folder if server.requirements else ROOT),
        "PATH": path,
    }


def installed(folder: Path, server: Server) -> int:
    """Bytes of what is installed for the server, without the interpreter."""
    site = folder / _place(server) / "lib"
    return sum(p.stat().st_size for p in site.rglob("*") if p.is_file() and not p.is_symlink())


def _make(place: Path, requirements: Sequence[str]) -> None:
    for arguments in (("venv", "--quiet", "--clear", "--python", sys.executable, place), _install(place, requirements)):
        done = uv(*arguments)
        if done.returncode:
            raise RuntimeError(f"{place.name} cannot be installed: {last_words(done)}")
    (place / "ready").touch()


def _install(place: Path, requirements: Sequence[str]) -> tuple[str | Path, ...]:
    return ("pip", "install", "--quiet", "--compile-bytecode", "--python", place / "bin" / "python", *requirements)


def _ran(command: Sequence[str], folder: Path) -> str:
    """What it printed."""
    environment = {**os.environ, **QUIET, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)[:200]} fails:\n{done.stderr[-3000:]}")
    return done.stdout


def _place(server: Server) -> str:
    return server.name.split()[0].lower()


def _bin(folder: Path, environment: str, program: str) -> str:
    return str(folder / environment / "bin" / program)


def _v2(row: list[float]) -> Any:
    return {"inputs": [{"name": "X", "shape": [1, FEATURES], "datatype": "FP64", "data": row}]}


def _label_of_v2(answer: Any) -> Any:
    return answer["outputs"][0]["data"][0]


def _python() -> Server:
    command = ("serve", "dist/m-1", "--port")
    return Server(
        "mlpack, kind oci",
        lambda _, port: [*MLPACK, *command, str(port)],
        "/v2/models/m/infer",
        _v2,
        _label_of_v2,
        image="oci",
    )


def _native() -> Server:
    """The program out of the image, with the library that is installed beside mlpack."""
    return Server(
        "mlpack, kind native",
        lambda folder, port: ["env", f"PORT={port}", str(folder / "native" / PROGRAM), "dist/m-1"],
        "/v2/models/m/infer",
        _v2,
        _label_of_v2,
        image="native",
        environment={"ONNXRUNTIME_LIBRARY": _library()},
    )


def _library() -> str:
    package = find_spec("onnxruntime")
    assert package is not None and package.origin is not None
    return str(next(Path(package.origin).with_name("capi").glob("libonnxruntime.so.*")))


def _make_image(folder: Path, kind: str) -> None:
    """The archive of our image and what was said of it; of its files those of the server."""
    command = [*MLPACK, "image", "dist/m-1", "--kind", kind, "-o", f"{kind}.tar", "--no-replay", "--json"]
    said = _ran(command, folder).splitlines()[-1]
    (folder / f"{kind}.json").write_text(said)
    (folder / kind).mkdir(exist_ok=True)
    with tarfile.open(folder / f"{kind}.tar") as archive:
        for layer in json.loads(said)["layers"]:
            blob = archive.extractfile("blobs/sha256/" + layer["digest"].removeprefix("sha256:"))
            with tarfile.open(fileobj=blob) as files:
                if PROGRAM in files.getnames():
                    files.extract(PROGRAM, folder / kind, filter="data")


def _mlserver() -> Server:
    def prepare(folder: Path, port: int) -> None:
        ports = {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2}
        settings = {"parallel_workers": 0, "host": "127.0.0.1", "metrics_endpoint": None, **ports}
        model = {"uri": str(folder / "model.joblib"), "version": "1"}
        described = {"name": "m", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": model}
        (folder / "mls").mkdir(exist_ok=True)
        (folder / "mls" / "settings.json").write_text(json.dumps(settings))
        (folder / "mls" / "model-settings.json").write_text(json.dumps(described))

    def command(folder: Path, port: int) -> Sequence[str]:
        return [_bin(folder, "mlserver", "mlserver"), "start", "mls"]

    requirements = ("mlserver==1.7.1", "mlserver-sklearn==1.7.1", "scikit-learn==1.9.1")
    return Server(
        "MLServer (scikit-learn)", command, "/v2/models/m/infer", _v2, _label_of_v2, requirements, prepare=prepare
    )


def _mlflow(flavour: str) -> Server:
    def command(folder: Path, port: int) -> Sequence[str]:
        options = ("--env-manager", "local", "-h", "127.0.0.1", "-w", "1", "-p", str(port))
        return [_bin(folder, "mlflow", "mlflow"), "models", "serve", "-m", f"mlflow-{flavour}", *options]

    def label(answer: Any) -> Any:
        found = answer["predictions"]
        return found["label"][0] if isinstance(found, dict) else found[0]

    title = {"sklearn": "scikit-learn", "onnx": "ONNX"}[flavour]
    requirements = ("mlflow==3.17.2", "scikit-learn==1.9.1", "onnx", "onnxruntime==1.31.1")
    inputs = (lambda row: {"inputs": [row]}) if flavour == "sklearn" else (lambda row: {"inputs": {"X": [row]}})
    return Server(f"MLflow ({title})", command, "/invocations", inputs, label, requirements)


def _bentoml() -> Server:
    def command(folder: Path, port: int) -> Sequence[str]:
        options = ("--working-dir", str(folder), "--host", "127.0.0.1", "--port", str(port))
        return [_bin(folder, "bentoml", "bentoml"), "serve", "bento_service:Model", *options]

    requirements = ("bentoml==1.4.39", "onnxruntime==1.31.1", "numpy")
    return Server(
        "BentoML (ONNX)", command, "/infer", lambda row: {"rows": [row]}, lambda a: a["label"][0], requirements
    )
