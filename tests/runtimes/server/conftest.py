"""Servers of small bundles: real processes on a free port, ended after the tests."""

from __future__ import annotations

import http.client
import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from mlpack_toolkit.runtimes.engine.binary import arrays_of, bytes_of_array
from mlpack_toolkit.runtimes.engine.tensors import array_of, plain_cells
from tests.make import build_model, save
from tests.once import once

settings.register_profile("loaded machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("loaded machine")

ROOT = Path(__file__).parents[3]
HOSTILE = "</script><script>alert(1)</script>"
SECONDS = 60
ROW = {
    "island": "Biscoe",
    "sex": None,
    "bill_length_mm": 39.1,
    "bill_depth_mm": 18.7,
    "flipper_length_mm": 181,
    "body_mass_g": 3750.0,
    "year": 2007,
}
OTHER = {**ROW, "island": "Dream", "sex": "male", "bill_length_mm": None, "year": 2008.0}


@dataclass
class Answer:
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Served:
    """A server that runs."""

    process: subprocess.Popen[str]
    port: int
    bundle: Path
    facts: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.facts["name"])

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request on a connection of its own; a body that is not bytes goes as JSON."""
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, sent, {k.replace("_", "-"): v for k, v in headers.items()})
            reply = connection.getresponse()
            return Answer(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        return self.ask("POST", path, body, **headers)

    def metric(self, line: str) -> float:
        """The value of a line of `/metrics`; 0 where there is none."""
        lines = self.get("/metrics").body.decode().splitlines()
        return next((float(each.rpartition(" ")[2]) for each in lines if each.rpartition(" ")[0] == line), 0.0)


Serve = Callable[..., Any]


@contextmanager
def serving(bundle: Path, *options: object, **variables: str) -> Iterator[Served]:
    """`mlpack serve` on a free port."""
    command = [sys.executable, "-m", "mlpack_toolkit", "serve", bundle, "--port", 0, "--json", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    process = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    alarm = threading.Timer(SECONDS, process.kill)
    alarm.start()
    try:
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        alarm.cancel()
        assert line, process.stderr.read()
        facts = json.loads(line)
        assert "address" in facts, facts
        yield Served(process, int(facts["address"].rpartition(":")[2]), bundle, facts)
    finally:
        alarm.cancel()
        process.terminate()
        try:
            process.communicate(timeout=35)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def golden(bundle: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Every golden case, its request and its response, with raw numbers as data."""
    requests = sorted((bundle / "golden").glob("*.request.json"))
    return [(_half(p, "inputs"), _half(Path(str(p).replace(".request.", ".response.")), "outputs")) for p in requests]


def _half(path: Path, key: str) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(path.read_bytes())
    raw = path.with_suffix(".bin")
    if raw.exists():
        arrays = arrays_of(plain[key], raw.read_bytes())
        for tensor in plain[key]:
            if tensor.get("parameters", {}).pop("binary_data_size", None) is not None:
                tensor["data"] = plain_cells(arrays[tensor["name"]])
            if not tensor.get("parameters", True):
                del tensor["parameters"]
    return plain


def raw_of(tensor: dict[str, Any]) -> bytes:
    """A tensor's data in the binary form."""
    return bytes_of_array(array_of(tensor), "bfloat16" if tensor["datatype"] == "BF16" else "")


def broken_requests(count: int) -> Iterator[bytes]:
    """A good request with a few bytes of chance, cut anywhere: the same ones each time."""
    chance = random.Random(0)
    good = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]"
    for _ in range(count):
        broken = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        yield bytes(broken[: chance.randint(1, len(broken))])


@pytest.fixture(scope="session")
def penguin_bundle(penguins: Path) -> Path:
    return penguins / "dist" / "penguins-1.0.0"


def _bundle_of(fitted: Any, rows: Any, name: str, factory: pytest.TempPathFactory) -> Path:
    folder = once(
        factory, f"{name}-served", lambda folder: build_model(*save(fitted, rows, folder, name), folder / "dist")
    )
    return folder / "dist" / f"{name}-1.0.0"


@pytest.fixture(scope="session")
def flower_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A matrix of four numbers to three classes."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    x, y = load_iris(return_X_y=True)
    return _bundle_of(LogisticRegression(max_iter=500).fit(x, y), x, "flowers", tmp_path_factory)


@pytest.fixture(scope="session")
def crew_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Text that must be known, a flag, a whole number and a number with a hostile name, to two text classes."""
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    rng = np.random.default_rng(0)
    moods = rng.choice(["😀", "naïve", "日本", ""], 120)
    rows = pd.DataFrame({"mood": moods, HOSTILE: rng.normal(size=120).round(3), "age": rng.integers(18, 80, 120)})
    rows["aboard"] = rng.random(120) > 0.5
    label = np.where(np.isin(moods, ["😀", "naïve"]) ^ (rows[HOSTILE] > 0), "<b>aye</b>", 'no "way"')
    columns = ColumnTransformer([("text", OneHotEncoder(), ["mood"])], remainder="passthrough")
    fitted = make_pipeline(columns, LogisticRegression(max_iter=2000)).fit(rows, label)
    return _bundle_of(fitted, rows, "crew", tmp_path_factory)


@pytest.fixture(scope="session")
def typed_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX file with an input and an output of every other kind, one of them of two dimensions of any size."""
    import onnx
    from onnx import TensorProto, helper

    shapes = {
        "half": ["N", 2],
        "byte": ["N", 1],
        "flag": ["N"],
        "words": ["N", 2],
        "grid": ["N", "H", 3],
        "wide": ["N"],
        "brain": ["N", 2],
    }
    kinds = ("FLOAT16", "UINT8", "BOOL", "STRING", "FLOAT", "UINT64", "BFLOAT16")
    inputs = [
        helper.make_tensor_value_info(n, getattr(TensorProto, k), s)
        for (n, s), k in zip(shapes.items(), kinds, strict=True)
    ]
    outputs = [
        helper.make_tensor_value_info(f"{n}_out", getattr(TensorProto, k), s)
        for (n, s), k in zip(shapes.items(), kinds, strict=True)
    ]
    nodes = [helper.make_node("Identity", [n], [f"{n}_out"]) for n in shapes]
    graph = helper.make_graph(nodes, "typed", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder = tmp_path_factory.mktemp("typed")
    onnx.save(model, folder / "typed.onnx")
    example = {
        "half": np.ones((3, 2), np.float16),
        "byte": np.array([[1], [2], [3]], np.uint8),
        "flag": np.array([True, False, True]),
        "words": np.array([["a", "b"], ["c", "d"], ["e", "f"]]),
        "grid": np.arange(18, dtype=np.float32).reshape(3, 2, 3),
        "wide": np.array([1, 2, 3], np.uint64),
        "brain": np.array([[1, -0.3], [2**-130, 3e38], [0.1, 0]]),
    }
    np.savez(folder / "rows.npz", **example)  # type: ignore[arg-type]
    return build_model(folder / "typed.onnx", folder / "rows.npz", folder / "dist").bundle


@pytest.fixture(scope="session")
def penguin_server(penguin_bundle: Path) -> Iterator[Served]:
    with serving(penguin_bundle) as server:
        yield server


@pytest.fixture(scope="session")
def flower_server(flower_bundle: Path) -> Iterator[Served]:
    with serving(flower_bundle) as server:
        yield server


@pytest.fixture(scope="session")
def crew_server(crew_bundle: Path) -> Iterator[Served]:
    with serving(crew_bundle) as server:
        yield server


@pytest.fixture(scope="session")
def typed_server(typed_bundle: Path) -> Iterator[Served]:
    with serving(typed_bundle) as server:
        yield server
