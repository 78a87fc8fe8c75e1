"""Hostile ONNX files through `mlpack build` up to the lock, and `mlpack inspect`: a sentence each, or a build."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from mlpack_toolkit.converters._graph.proto import check_functions
from mlpack_toolkit.converters._sandbox import facts
from mlpack_toolkit.converters._worker import session
from mlpack_toolkit.converters.messages import Request as Asked
from mlpack_toolkit.converters.messages import line_of
from mlpack_toolkit.converters.spec import Unsupported
from mlpack_toolkit.packager import environments
from mlpack_toolkit.packager.commands import build as flow
from mlpack_toolkit.packager.commands.build import Request, build
from mlpack_toolkit.packager.commands.inspect import inspect
from mlpack_toolkit.packager.errors import ConversionError, MlpackError, ModelError
from mlpack_toolkit.packager.original.worker import Limits, Worker
from tests import mutation
from tests.converters import hostile_onnx

FILES = hostile_onnx.files()
CASES = int(os.environ.get("MLPACK_ONNX_CASES", "24"))
"""Official node tests, chosen by a seed; all 1884 of them by hand."""
HARMLESS = {
    "IR version 0", "IR version -1", "a batch of -1", "a width of -5", "words for training", "words that turn",
    "100,000 nodes",
}  # fmt: skip
"""What ONNX Runtime loads, and answers as the original: the file is the original."""


class Built(Exception):
    """The graph was converted, proved and measured: what follows hangs on no model."""


class _Recording:
    def __init__(self, python: str) -> None:
        pass

    def result(self, *given: Any) -> None:
        raise Built


class _Inline(Worker):
    """The worker's session in this process: what costs a second for each start."""

    def __init__(self, python: str, scratch: Path, limits: Limits) -> None:
        self._session = session.ModelSession()
        self._session.sandbox = facts(0, False, False, False)  # which would hold the tests' own process for good
        self._said = b""

    def kill(self) -> None:
        pass

    def send(self, request: Asked[Any]) -> None:
        line = json.loads(json.dumps(line_of(request)))
        self._said = json.dumps(session._reply(self._session, line)).encode()

    def _line(self, request: Asked[Any]) -> bytes:
        return self._said


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends a build where the environment would be locked, and measures for less time."""
    monkeypatch.setattr(environments, "record", _Recording)
    monkeypatch.setattr(flow, "SECONDS_PER_BATCH_SIZE", 0.002)


def outcome(model: Path, example: Path) -> str:
    """`built`, or the kind of error; its words are a sentence. Anything else is a traceback, which fails the test."""
    try:
        build(Request(model, example, model.parent / "dist", targets=(), limits=Limits(seconds=60)))
    except Built:
        return "built"
    except MlpackError as error:
        assert error.exit_code in (2, 3, 4, 5) and str(error)
        return type(error).__name__
    raise AssertionError("a build without a lock")


def written(content: bytes, folder: Path) -> tuple[Path, Path]:
    """The model and an example for it."""
    (folder / "x.onnx").write_bytes(content)
    np.save(folder / "x.npy", np.arange(6, dtype=np.float32).reshape(3, 2))
    return folder / "x.onnx", folder / "x.npy"


@pytest.mark.parametrize("name", [n for n in FILES if n != "100,000 nodes"])
def test_every_attack_ends_in_a_sentence(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "Worker", _Inline)
    model, example = written(FILES[name], tmp_path)
    try:
        assert inspect(model)
    except MlpackError as error:
        assert isinstance(error, ModelError)
    assert (outcome(model, example) == "built") == (name in HARMLESS)


@pytest.mark.slow
def test_a_graph_of_100_000_nodes_builds(tmp_path: Path) -> None:
    assert outcome(*written(FILES["100,000 nodes"], tmp_path)) == "built"


def test_a_graph_that_never_ends_is_stopped(tmp_path: Path) -> None:
    """In its own process, by the clock."""
    model, example = written(hostile_onnx.LOOP, tmp_path)
    with pytest.raises(ModelError, match="no answer within 5 s"):
        build(Request(model, example, tmp_path / "dist", targets=(), limits=Limits(seconds=5)))


@pytest.mark.parametrize("name", ["a function that calls itself", "functions in a ring"])
def test_functions_that_call_themselves(name: str) -> None:
    with pytest.raises(Unsupported, match="calls itself"):
        check_functions(onnx.load_from_string(FILES[name]))


def test_functions_that_grow_without_end(tmp_path: Path) -> None:
    """A file of 8 KB that ONNX Runtime would inline for as long as it may."""
    assert len(FILES["functions that grow to 10^8 nodes"]) < 10_000
    with pytest.raises(ConversionError, match="grows to more than 1000000 nodes"):
        build(Request(*written(FILES["functions that grow to 10^8 nodes"], tmp_path), tmp_path / "dist", targets=()))


def official() -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """ONNX's own node tests: name, model, and the inputs that can be an example."""
    from onnx.backend.test.case.node import collect_testcases

    cases = [c for c in collect_testcases(None) if c.model is not None]
    random.Random(12).shuffle(cases)
    for case in cases[:CASES]:
        arrays = zip([i.name for i in case.model.graph.input], case.data_sets[0][0])
        plain = {n: np.asarray(a) for n, a in arrays if isinstance(a, (np.ndarray, np.generic))}
        yield case.name, case.model, {n: a.astype(str) if a.dtype == object else a for n, a in plain.items()}


@pytest.mark.filterwarnings("ignore")
def test_official_models_build_or_end_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scalars, inputs of other lengths than each other, outputs that no batch leads, types that numpy has not."""
    monkeypatch.setattr(flow, "Worker", _Inline)
    found = Counter[str]()
    for name, model, arrays in official():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "x.onnx").write_bytes(model.SerializeToString())
        np.savez(folder / "x.npz", **(arrays or {"X": np.zeros((2, 2))}))
        found[outcome(folder / "x.onnx", folder / "x.npz")] += 1
    assert found["built"] >= CASES // 2 and found["ConversionError"], found


@pytest.mark.parametrize("name", ["outputs", "scalar"])
def test_outputs_that_no_batch_leads_are_whole(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "Worker", _Inline)
    axes = {"outputs": {"axes": [0], "keepdims": 1}, "scalar": {"keepdims": 0}}[name]
    node = onnx.helper.make_node("ReduceL2" if name == "scalar" else "ReduceL1", ["x"], ["y"])
    node.attribute.append(onnx.helper.make_attribute("keepdims", axes["keepdims"]))
    model = hostile_onnx.plain([node], outputs=[hostile_onnx.value("y", None)])
    with pytest.raises(Built):
        build(Request(*written(bytes(model.SerializeToString()), tmp_path), tmp_path / "dist", targets=()))


def test_fuzz(tmp_path: Path) -> None:
    """Mutations of good files, as far as mlpack's own process reads them: the scan, and `inspect`."""
    good = [hostile_onnx.plain().SerializeToString(), FILES["functions in a ring"], FILES["an optional"]]
    path, found = tmp_path / "x.onnx", Counter[str]()
    for content in mutation.mutants(good):
        path.write_bytes(content)
        try:
            inspect(path)
            found["read"] += 1
        except MlpackError as error:
            found[type(error).__name__] += 1
    assert found["read"] and found["ModelError"], found  # how many there are hangs on the machine
