"""Execution providers: what was asked for is what ran, or exit 9; the proof is evidence that names the machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.packager import providers
from mlpack_toolkit.packager.bundle.proofs import add_proof
from mlpack_toolkit.packager.bundle.reader import Bundle, check_files, open_bundle
from mlpack_toolkit.packager.commands.proving import written
from mlpack_toolkit.packager.commands.verify import check_bundle
from mlpack_toolkit.packager.environments.system import machine
from mlpack_toolkit.packager.equivalence.placed import Placed, _counted, check_placed, placed
from mlpack_toolkit.packager.equivalence.session import Session, options_of
from mlpack_toolkit.packager.errors import MissingToolError, UsageError
from tests.conftest import Run
from tests.packager.conftest import Made

CPU, AZURE, CUDA = "CPUExecutionProvider", "AzureExecutionProvider", "CUDAExecutionProvider"
OPENVINO = "MLPACK_OPENVINO_SITE"
"""The variable with a folder that has the `onnxruntime` of onnxruntime-openvino and nothing else."""


def test_each_provider_has_its_options() -> None:
    assert providers.names() == ("cpu", "cuda", "openvino", "tensorrt", "tensorrt_rtx")
    cuda = providers.load("cuda")
    assert cuda.options["use_tf32"] == 0 and cuda.options["cudnn_conv_algo_search"] == "HEURISTIC"
    assert providers.of("OpenVINOExecutionProvider") == providers.load("openvino")
    assert providers.of("NoSuchExecutionProvider") is None
    with pytest.raises(UsageError, match="no provider 'rocm'; there are: cpu, cuda, openvino, tensorrt, tensorrt_rtx"):
        providers.load("rocm")


def test_a_variant_keeps_the_options_of_its_own_provider(flowers: Made) -> None:
    variant = flowers.bundle.variant()
    assert options_of(variant, "") == options_of(variant, CPU) == {}
    assert options_of(variant, CUDA) == providers.load("cuda").options


def test_a_session_that_falls_back_is_refused(flowers: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime itself answers on the CPU here, with a warning."""
    import onnxruntime as ort

    real = ort.get_available_providers()
    monkeypatch.setattr(ort, "get_available_providers", lambda: [*real, CUDA])
    with pytest.warns(UserWarning, match="CUDAExecutionProvider"), pytest.raises(MissingToolError, match="on the CPU"):
        Session(flowers.bundle.graph.path, flowers.bundle.signature, provider=CUDA)


def test_nodes_are_counted_where_they_ran(flowers: Made) -> None:
    """Azure's provider is in every ONNX Runtime, opens every graph, and leaves all nodes to the CPU."""
    bundle = flowers.bundle
    case = next(case for case in bundle.golden() if not case.error)
    for provider in (CPU, AZURE):
        session = Session(bundle.graph.path, bundle.signature, provider=provider)
        found = placed(bundle.loadable(), session, {}, case.rows)
        assert set(found.nodes) == {CPU} and sum(found.nodes.values()) > 2
        if provider == CPU:
            check_placed(found, CPU)
            continue
        with pytest.raises(
            MissingToolError, match=f"{AZURE} was asked for, and it did not run the whole graph"
        ) as error:
            check_placed(found, AZURE)
        assert error.value.exit_code == 9 and error.value.facts["nodes"] == dict(found.nodes)


def test_shapes_may_be_computed_on_the_cpu_and_fractions_not() -> None:
    def event(provider: str, name: str, kind: str) -> dict[str, Any]:
        return {"args": {"provider": provider, "op_name": name, "output_type_shape": [{kind: [2]}]}}

    shapes = [event(CUDA, "MatMul", "float"), event(CPU, "Shape", "int64")]
    check_placed(_counted(shapes, CUDA), CUDA)
    strayed = _counted([*shapes, event(CPU, "Erf", "float")], CUDA)
    assert strayed == Placed({CPU: 2, CUDA: 1}, {"Erf": 1})
    with pytest.raises(MissingToolError, match="1 Erf ran on the CPU"):
        check_placed(strayed, CUDA)
    with pytest.raises(MissingToolError, match="it ran no node"):
        check_placed(Placed({}, {}), CUDA)


def facts(**changes: Any) -> dict[str, Any]:
    """A proof as `mlpack verify` makes it."""
    plain = {"variant": "reference", "provider": "openvino", "options": {}, "versions": {}, "machine": machine()}
    return plain | changes


def test_proofs_are_evidence_of_their_machine(copy: Path) -> None:
    bundle, before = open_bundle(copy), open_bundle(copy).identity
    first = add_proof(bundle, "verify", facts())
    assert add_proof(bundle, "verify", facts()) == first != add_proof(bundle, "verify", facts(options={"a": 1}))
    assert json.loads((copy / first).read_text())["identity"] == before
    assert len(check_files(open_bundle(copy))) == 2 and open_bundle(copy).identity == before
    found = check_bundle(copy, (), None, lambda step: None)
    assert first in found["evidence"]["added"] and "proof" not in found


def test_a_bundle_that_takes_no_evidence_says_so(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = open_bundle(copy)
    monkeypatch.setattr("os.replace", _read_only)
    assert "cannot be written into" in written(bundle, "verify", facts())["not_written"]
    monkeypatch.undo()
    monkeypatch.setattr(Bundle, "layout", property(lambda self: _Closed()))
    assert "takes no evidence" in written(bundle, "verify", facts())["not_written"]


class _Closed:
    is_open = False


def _read_only(*given: Any) -> None:
    raise OSError(30, "Read-only file system")


def test_a_provider_that_is_not_there(flowers: Made, mlpack: Run) -> None:
    code, found, _ = mlpack("bench", flowers.folder, "--provider", "openvino")
    if OPENVINO not in os.environ:
        assert code == 9 and "pip install onnxruntime-openvino in the place of onnxruntime" in found["error"]["message"]
    code, found, _ = mlpack("verify", flowers.folder, "--provider", "rocm")
    assert code == 2 and "no provider 'rocm'" in found["error"]["message"]


@pytest.mark.skipif(OPENVINO not in os.environ, reason=f"{OPENVINO} names no folder with onnxruntime-openvino")
def test_openvino_runs_what_it_was_asked_for(made: Path, tmp_path: Path) -> None:
    """A network on OpenVINO, the proof of it, and its GPU, which is not here: there ONNX Runtime takes the CPU."""
    copy = Path(shutil.copytree(made / "dist" / "net-1.0.0", tmp_path / "net-1.0.0"))
    path = os.pathsep.join([os.environ[OPENVINO], *sys.path])
    environment = {**os.environ, "PYTHONPATH": path}

    def run(*command: str) -> tuple[int, dict[str, Any]]:
        line = [sys.executable, "-m", "mlpack_toolkit", *command, "--json"]
        done = subprocess.run(line, env=environment, capture_output=True, text=True, cwd=tmp_path)
        return done.returncode, json.loads(done.stdout.splitlines()[-1])

    code, found = run("verify", str(copy), "--provider", "openvino")
    assert code == 0 and set(found["proof"]["nodes"]) == {"OpenVINOExecutionProvider"}
    kept = json.loads((copy / found["proof"]["file"]).read_text())
    assert kept["options"] == {"device_type": "CPU", "precision": "ACCURACY"} and kept["from_original"]["logits"] < 1e-3
    code, found = run("verify", str(copy), "--provider", "openvino", "--variant", "int8")
    assert code == 0 and found["proof"]["gates"]["int8"]["value"] >= 0.9
    code, found = run("bench", str(copy), "--provider", "openvino", "--seconds", "0.05")
    assert code == 0 and found["provider"] == "OpenVINOExecutionProvider" and found["proof"]["file"]
    code = f"""
from pathlib import Path
from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.equivalence.session import Session
bundle = open_bundle(Path({str(copy)!r}))
Session(bundle.graph.path, bundle.signature, 0, "OpenVINOExecutionProvider", {{"device_type": "GPU"}})
"""
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode and "OpenVINOExecutionProvider cannot be started here" in done.stderr
