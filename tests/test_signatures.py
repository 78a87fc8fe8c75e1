"""A graph of any signature (rank, type, dimensions, names) through build, verify, predict, the server, Java and C++."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from onnx import helper

from mlpack_toolkit.converters.bfloat16 import rounded
from mlpack_toolkit.packager.built import Built
from mlpack_toolkit.packager.commands.predict import predict
from mlpack_toolkit.packager.commands.verify import check_bundle
from mlpack_toolkit.runtimes.engine.binary import arrays_of
from mlpack_toolkit.runtimes.server.bundle_info import describe
from mlpack_toolkit.runtimes.server.model import Model
from mlpack_toolkit.runtimes.server.protocol.infer import infer
from tests.make import build_model

SIZES = {"batch": 4, "T": 3, "N": 2, "größe": 1}
NAMES = ("X", "N", "class", "def", "label", "größe", "日本", "a.b", "two words", "0", "null", "probabilities")
SHARED = ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool", "string", "float16", "bfloat16")
"""What Java and C++ have too."""
DTYPES = (*SHARED, "uint16", "uint32", "uint64")
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Given:
    """One input. `turned`: its output has its axes in reverse order."""

    name: str
    dtype: str
    dims: tuple[str | int, ...]
    turned: bool

    @property
    def kind(self) -> int:
        if self.dtype == "bfloat16":
            return int(onnx.TensorProto.BFLOAT16)
        return int(helper.np_dtype_to_tensor_dtype(np.dtype(object if self.dtype == "string" else self.dtype)))

    def output(self, values: Array) -> Array:
        return values.T if self.turned else values

    def values(self, rng: np.random.Generator) -> Array:
        shape = [SIZES[d] if isinstance(d, str) else d for d in self.dims]
        numbers = np.asarray(rng.integers(0, 100, shape))
        if self.dtype == "string":
            return np.array([f"{v}ü" for v in numbers.ravel()], object).reshape(shape)
        if self.dtype == "bfloat16":
            return rounded(numbers / 7)
        if self.dtype == "float16":
            return np.asarray(numbers / 7, np.float16)
        return np.asarray(numbers % 2 == 0 if self.dtype == "bool" else numbers.astype(self.dtype))


@st.composite
def signatures(draw: st.DrawFn) -> tuple[Given, ...]:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=5, unique=True))
    dim = st.sampled_from([*SIZES, "batch", "batch", 1, 2])
    own = st.lists(dim, min_size=draw(st.integers(0, 1)), max_size=4)
    dims = own.filter(lambda ds: all(ds.count(d) < 2 for d in SIZES)).map(tuple)
    return tuple(Given(n, draw(st.sampled_from(DTYPES)), draw(dims), draw(st.booleans())) for n in names)


def _built(given: tuple[Given, ...], folder: Path, **options: Any) -> tuple[Built, dict[str, Array]]:
    """The bundle of a graph with an output for each input, and the tensors of its example."""
    kinds = {True: "Transpose", False: "Identity"}
    nodes = [helper.make_node(kinds[g.turned], [g.name], [f"{g.name} out"], name=f"n{i}") for i, g in enumerate(given)]
    takes = [helper.make_tensor_value_info(g.name, g.kind, list(g.dims)) for g in given]
    shapes = [list(g.dims[::-1] if g.turned else g.dims) for g in given]
    gives = [helper.make_tensor_value_info(f"{g.name} out", g.kind, s) for g, s in zip(given, shapes, strict=True)]
    model = helper.make_model(
        helper.make_graph(nodes, "g", takes, gives), opset_imports=[helper.make_opsetid("", 21)], ir_version=10
    )
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    rng = np.random.default_rng(1)
    rows = {g.name: g.values(rng) for g in given}
    plain = {n: v.astype(str) if v.dtype.kind == "O" else v for n, v in rows.items()}
    np.savez(folder / "rows.npz", **plain)  # type: ignore[arg-type]
    return build_model(folder / "model.onnx", folder / "rows.npz", folder / "dist", **options), rows


def _same(found: Array, want: Array) -> bool:
    return found.shape == want.shape and bool((found.astype(want.dtype) == want).all())


def _served(bundle: Path) -> None:
    """Every golden case, as the server answers it."""
    model = Model(describe(bundle))
    assert json.dumps(model.metadata())
    for path in sorted((bundle / "golden").glob("*.request.json")):
        raw = path.with_suffix(".bin")
        body = path.read_bytes()
        length = str(len(body)).encode() if raw.exists() else None
        reply = infer(model, body + (raw.read_bytes() if raw.exists() else b""), length)
        recorded = path.with_name(path.name.replace(".request.", ".response."))
        beside = recorded.with_suffix(".bin").read_bytes() if recorded.with_suffix(".bin").exists() else None
        want = arrays_of(json.loads(recorded.read_bytes())["outputs"], beside)
        found = arrays_of(json.loads(reply.body)["outputs"], None)
        for name, values in want.items():
            np.testing.assert_array_equal(found[name], values)
            assert found[name].dtype == values.dtype


@given(signatures())
@settings(
    max_examples=4, derandomize=True, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
def test_any_signature(tmp_path_factory: pytest.TempPathFactory, given: tuple[Given, ...]) -> None:
    folder = tmp_path_factory.mktemp("signature")
    built, rows = _built(given, folder)
    assert [t.name for t in built.signature.inputs] == [g.name for g in given]
    assert [t.dtype for t in built.signature.inputs] == [g.dtype for g in given]
    pairs = zip(built.signature.inputs, given, strict=True)
    named = {pair for spec, g in pairs for pair in zip(spec.shape, g.dims, strict=True)}
    assert len(named) == len(dict(named)) == len({own for _, own in named}), "a name is one name in all inputs"
    check_bundle(built.bundle, (), "cpu", lambda step: None)
    predict(built.bundle, folder / "rows.npz", folder / "out.npz")
    with np.load(folder / "out.npz") as found:
        assert all(_same(found[f"{g.name} out"], g.output(rows[g.name])) for g in given)
    _served(built.bundle)


EVERYTHING = (
    *(Given(f"{dtype} {rank}", dtype, ("batch", "T", 2)[:rank], True) for rank, dtype in enumerate(SHARED[:4])),
    Given("X", "float32", (2, "batch", "past", 40), False),
    Given("class", "int64", (), False),
    Given("日本", "string", ("T", "batch"), True),
    Given("N", "bool", ("batch",), False),
    Given("half words", "uint8", (3, 90, 90, "batch"), True),
    Given("half", "float16", ("batch", "T"), True),
    Given("brain", "bfloat16", ("T", "batch", 3), False),
)


@pytest.mark.skipif(not which("cmake") or not which("mvn"), reason="there is no CMake, or no Maven")
def test_every_kind_of_tensor_in_java_and_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "past", 5)
    built, rows = _built(EVERYTHING, tmp_path, targets=("cpp", "java"))
    assert (built.bundle / "golden" / "case-000.request.bin").stat().st_size > 90 * 90
    predict(built.bundle, tmp_path / "rows.npz", tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as found:
        assert all(_same(found[f"{g.name} out"], g.output(rows[g.name])) for g in EVERYTHING)
    _served(built.bundle)
    replayed = check_bundle(built.bundle, ("cpp", "java"), "cpu", lambda step: None)["golden"]
    assert set(replayed) == {"CPUExecutionProvider", "cpp", "java"}
