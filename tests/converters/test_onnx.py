"""ONNX files as they come: the models of the onnx package, maps, external data, odd shapes and types, refusals."""

from __future__ import annotations

import os
import pickle
import shutil
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from mlpack_toolkit.converters import names
from mlpack_toolkit.converters import onnx as own
from mlpack_toolkit.converters._graph.proto import begins_a_model
from mlpack_toolkit.converters._worker.model_input import original_input
from mlpack_toolkit.converters._worker.signature import inputs_of
from mlpack_toolkit.converters.graph_file import locations
from mlpack_toolkit.converters.onnx import CONVERTER, OnnxFile
from mlpack_toolkit.converters.spec import Signature, Table, Unreadable, Unsupported
from tests.converters.files import for_file

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
NOTHING = Signature("graph", (), ())


def opened(path: Path) -> OnnxFile:
    assert CONVERTER.source.load is not None
    model: OnnxFile = CONVERTER.source.load(path, {})
    return model


def shipped(model: OnnxFile) -> tuple[bytes, ort.InferenceSession]:
    out = Path(tempfile.mkdtemp()) / "model.onnx"
    CONVERTER.export.convert(model, CONVERTER.original.describe(model), NOTHING, "float32", out)
    content = (out if out.exists() else model.path).read_bytes()
    shutil.rmtree(out.parent)
    return content, ort.InferenceSession(content, providers=["CPUExecutionProvider"])


def both(model: OnnxFile, table: Table) -> tuple[Table, Table]:
    """The answers of the original and of what ships, both by output name."""
    _, session = shipped(model)
    got = session.run(None, {t.name: np.asarray(table[t.name]) for t in model.inputs})
    return CONVERTER.original.predict(model, table), dict(
        zip((o.name for o in session.get_outputs()), got, strict=True)
    )


def same(got: Any, want: Any) -> None:
    """Equal in type and shape; floats as the onnx package's own tests hold them."""
    assert got.shape == want.shape and got.dtype == want.dtype
    if want.dtype.kind == "f":
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-7)
    else:
        np.testing.assert_array_equal(got, want)


def tensor(path: Path) -> Any:
    return numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes()))


def _cases(family: str) -> list[Path]:
    return sorted((DATA / family).glob("*/model.onnx"))


@pytest.mark.parametrize(("family", "loads"), [("pytorch-converted", 59), ("pytorch-operator", 24), ("simple", 17)])
def test_models_of_the_onnx_package(family: str, loads: int) -> None:
    """What loads answers as expected, as shipped and as the reference evaluator does; the rest is refused by name."""
    count: Counter[str] = Counter()
    for path in _cases(family):
        try:
            model = opened(path)
        except Unsupported as error:
            assert any(
                w in str(error) for w in ("NOT_IMPLEMENTED", "not a registered", "StringNormalizer", "locale")
            ), path
            count["refused"] += 1
            continue
        count["loads"] += 1
        for data in sorted(path.parent.glob("test_data_set_*")):
            table = {t.name: tensor(data / f"input_{i}.pb") for i, t in enumerate(model.inputs)}
            want, got = both(model, table)
            reference = ReferenceEvaluator(str(path)).run(None, table)
            for i, output in enumerate(model.outputs):
                same(want[output.ships_as], tensor(data / f"output_{i}.pb"))
                same(got[output.ships_as], want[output.ships_as])
                told = np.asarray(reference[i])
                same(told.astype(object) if told.dtype.kind == "U" else told, want[output.ships_as])
    assert count["loads"] >= loads and count["loads"] + count["refused"] == len(_cases(family))


def _architectures() -> list[Any]:
    heavy = ("light_vgg19",)
    paths = sorted((DATA / "light").glob("*.onnx"))
    return [pytest.param(p, id=p.stem, marks=[pytest.mark.slow] if p.stem in heavy else []) for p in paths]


@pytest.mark.parametrize("path", _architectures())
def test_known_architectures(path: Path) -> None:
    from onnx.backend.test.runner import Runner

    model = opened(path)
    infos = {i.name: i for i in model.proto.graph.input}
    table = {t.name: Runner.generate_dummy_data(infos[t.name], seed=0, random=False) for t in model.inputs}
    want, got = both(model, table)
    (name,) = want
    same(want[name], tensor(path.with_name(f"{path.stem}_output_0.pb")))
    same(got[name], want[name])


def graph(
    nodes: list[Any], inputs: list[Any], outputs: list[Any], path: Path, opset: int = 21, ir: int = 10, **more: Any
) -> Path:
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    made = helper.make_graph(nodes, "tested", inputs, outputs, **more)
    path.write_bytes(helper.make_model(made, opset_imports=opsets, ir_version=ir).SerializeToString())
    return path


def info(name: str, kind: int = TensorProto.FLOAT, shape: Any = ("N", 2)) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def identity(path: Path, kind: int = TensorProto.FLOAT, shape: Any = ("N", 2), **more: Any) -> Path:
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    return graph(nodes, [info("x", kind, shape)], [info("y", kind, shape)], path, **more)


CLASSES = {"texts": ["c", "å", "b"], "numbers": [7, 3, 5], "two": [0, 1], "two texts": ["no", "yes"]}


@pytest.mark.parametrize("case", CLASSES)
def test_maps_of_probabilities_become_a_tensor(case: str, tmp_path: Path) -> None:
    skl2onnx = pytest.importorskip("skl2onnx")
    linear = pytest.importorskip("sklearn.linear_model")
    x = np.random.default_rng(0).normal(size=(90, 4)).astype(np.float32)
    y = np.array(CLASSES[case])[np.arange(90) % len(CLASSES[case])]
    fitted = linear.LogisticRegression().fit(x, y)
    path = tmp_path / "m.onnx"
    path.write_bytes(skl2onnx.to_onnx(fitted, x[:1], target_opset={"": 18, "ai.onnx.ml": 3}).SerializeToString())
    model = opened(path)
    assert "ZipMap" in {n.op_type for n in model.proto.graph.node}
    content, session = shipped(model)
    assert "ZipMap" not in {n.op_type for n in onnx.load_from_string(content).graph.node}
    assert [o.name for o in session.get_outputs()] == ["output_label", "probabilities"]
    assert CONVERTER.original.describe(model).classes == tuple(fitted.classes_.tolist())
    for rows in (x, x[:1], x[:0]):
        want, got = both(model, {"X": rows})
        np.testing.assert_array_equal(got["output_label"], want["output_label"])
        assert got["probabilities"].shape == (len(rows), len(CLASSES[case]))
        np.testing.assert_array_equal(got["probabilities"], want["probabilities"])
    np.testing.assert_allclose(both(model, {"X": x})[1]["probabilities"], fitted.predict_proba(x), atol=1e-5)


def test_a_map_keeps_its_own_name_where_the_usual_one_is_taken(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Softmax", ["x"], ["p"]),
        helper.make_node("ZipMap", ["p"], ["zipped"], domain="ai.onnx.ml", classlabels_int64s=[4, 2]),
        helper.make_node("Neg", ["x"], ["probabilities"]),
    ]
    element = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    zipped = helper.make_value_info("zipped", helper.make_sequence_type_proto(element))
    model = opened(graph(nodes, [info("x")], [zipped, info("probabilities")], tmp_path / "m.onnx"))
    want, got = both(model, {"x": np.array([[1, 2], [3, 0]], np.float32)})
    assert list(got) == ["zipped", "probabilities"] == list(want)
    np.testing.assert_array_equal(got["zipped"], want["zipped"])
    np.testing.assert_array_equal(got["probabilities"], [[-1, -2], [-3, 0]])


def with_data_beside(path: Path) -> Any:
    path.parent.mkdir(exist_ok=True)
    weights = np.random.default_rng(1).normal(size=(2, 500)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    made = helper.make_graph(
        nodes, "wide", [info("x")], [info("y", shape=("N", 500))], [numpy_helper.from_array(weights, "w")]
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(model, path, save_as_external_data=True, location="wide.data", size_threshold=0)
    return weights


def test_external_data_moves_into_the_file(tmp_path: Path) -> None:
    weights = with_data_beside(tmp_path / "m.onnx")
    model = opened(tmp_path / "m.onnx")
    content, _ = shipped(model)
    assert weights.tobytes() in content
    assert "wide.data" in " ".join(CONVERTER.original.describe(model).notes)
    x = np.random.default_rng(2).normal(size=(5, 2)).astype(np.float32)
    want, got = both(model, {"x": x})
    np.testing.assert_allclose(got["y"], want["y"], rtol=1e-6)
    np.testing.assert_allclose(got["y"], x @ weights, rtol=1e-5)


def test_large_data_stay_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph that ships refers to the source's own file, and one session at a time is held."""
    monkeypatch.setattr(own, "LARGE", 1000)
    weights = with_data_beside(tmp_path / "source" / "m.onnx")
    model = opened(tmp_path / "source" / "m.onnx")
    CONVERTER.export.convert(model, CONVERTER.original.describe(model), NOTHING, "float32", tmp_path / "model.onnx")
    assert locations(tmp_path / "model.onnx") == ("source/wide.data",)
    assert (tmp_path / "model.onnx").stat().st_size < 1000
    x = np.random.default_rng(2).normal(size=(5, 2)).astype(np.float32)
    got = ort.InferenceSession(tmp_path / "model.onnx").run(None, {"x": x})[0]
    np.testing.assert_array_equal(got, CONVERTER.original.predict(model, {"x": x})["y"])
    np.testing.assert_allclose(got, x @ weights, rtol=1e-5)
    assert CONVERTER.original.quick is not None
    CONVERTER.original.quick(model, {"x": x})
    assert list(model.sessions.held) == [True]


def test_data_that_are_absent_are_named(tmp_path: Path) -> None:
    with_data_beside(tmp_path / "m.onnx")
    (tmp_path / "wide.data").unlink()
    with pytest.raises(Unreadable, match=r"wide\.data"):
        opened(tmp_path / "m.onnx")


def test_what_needs_no_change_ships_byte_for_byte(tmp_path: Path) -> None:
    path = identity(tmp_path / "m.onnx")
    assert shipped(opened(path))[0] == path.read_bytes()


def test_dimensions_keep_their_names_and_free_ones_get_one(tmp_path: Path) -> None:
    names_in = [
        info("a", shape=("batch", "seq", 3)),
        info("b", shape=(None, None, "N")),
        info("c", shape=("other", "batch")),
    ]
    nodes = [helper.make_node("Identity", [n], [n + "2"]) for n in "abc"]
    outputs = [info(n + "2", shape=[None] * r) for n, r in (("a", 3), ("b", 3), ("c", 2))]
    model = opened(graph(nodes, names_in, outputs, tmp_path / "m.onnx"))
    description = CONVERTER.original.describe(model)
    assert [t.shape for t in description.inputs] == [("N", "seq", 3), ("N", "b_1", "N_"), ("other", "N")]
    assert (description.task, description.features, description.named) == ("graph", (), False)


def test_the_shared_floor_hands_the_inputs_through(tmp_path: Path) -> None:
    model = opened(identity(tmp_path / "m.onnx", shape=("N", 2, 3)))
    description = CONVERTER.original.describe(model)
    table = {"x": np.zeros((4, 2, 3), np.float32)}
    assert inputs_of(description, table, {}) == model.inputs
    assert original_input(description, model.inputs, table) is table


def test_a_fixed_batch_works_at_that_size_and_is_noted(tmp_path: Path) -> None:
    model = opened(identity(tmp_path / "m.onnx", shape=(1, 2)))
    assert any("exactly 1 rows" in note for note in CONVERTER.original.describe(model).notes)
    want, got = both(model, {"x": np.ones((1, 2), np.float32)})
    np.testing.assert_array_equal(got["y"], want["y"])


@pytest.mark.parametrize(("how", "noted"), [({}, False), ({"reduction": "none"}, False), ({"reduction": "add"}, True)])
def test_numbers_that_threads_join_are_noted(how: dict[str, str], noted: bool, tmp_path: Path) -> None:
    node = helper.make_node("ScatterND", ["x", "places", "updates"], ["y"], **how)
    places = info("places", TensorProto.INT64, ("M", 1))
    model = opened(
        graph([node], [info("x"), places, info("updates", shape=("M", 2))], [info("y")], tmp_path / "m.onnx")
    )
    assert any("ScatterElements loses none" in note for note in CONVERTER.original.describe(model).notes) == noted


KINDS = {
    "float16": TensorProto.FLOAT16,
    "float64": TensorProto.DOUBLE,
    "int8": TensorProto.INT8,
    "int32": TensorProto.INT32,
    "uint8": TensorProto.UINT8,
    "uint64": TensorProto.UINT64,
    "bool": TensorProto.BOOL,
    "string": TensorProto.STRING,
}


@pytest.mark.parametrize("dtype", KINDS)
def test_inputs_of_every_type(dtype: str, tmp_path: Path) -> None:
    model = opened(identity(tmp_path / "m.onnx", KINDS[dtype], ("N", 2, 1)))
    assert [(t.dtype, t.nullable) for t in model.inputs] == [(dtype, dtype.startswith("float"))]
    plain = np.array([[["ä"], [""]]], object) if dtype == "string" else np.array([[[0], [1]]], dtype)
    want, got = both(model, {"x": plain})
    np.testing.assert_array_equal(want["y"], plain)
    np.testing.assert_array_equal(got["y"], want["y"])
    if dtype != "string":
        assert CONVERTER.original.predict(model, {"x": plain.astype("float64")})["y"].dtype == dtype


def test_inputs_with_a_default_are_not_asked_for(tmp_path: Path) -> None:
    half = numpy_helper.from_array(np.float32([0.5]), "half")
    nodes = [helper.make_node("Mul", ["x", "half"], ["y"])]
    inputs = [info("x"), info("half", shape=[1])]
    model = opened(graph(nodes, inputs, [info("y")], tmp_path / "m.onnx", opset=9, ir=3, initializer=[half]))
    assert [t.name for t in model.inputs] == ["x"]
    want, got = both(model, {"x": np.full((3, 2), 4, np.float32)})
    np.testing.assert_array_equal(want["y"], np.full((3, 2), 2))
    np.testing.assert_array_equal(got["y"], want["y"])


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="input 'x'"):
        CONVERTER.original.predict(opened(identity(tmp_path / "m.onnx")), {"z": np.zeros((1, 2))})


def _sequence(path: Path) -> Path:
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    return graph(
        [helper.make_node("SequenceConstruct", ["x"], ["y"])], [info("x")], [helper.make_value_info("y", kind)], path
    )


def _reads_a_sequence(path: Path) -> Path:
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    nodes = [helper.make_node("SequenceLength", ["x"], ["y"])]
    return graph(nodes, [helper.make_value_info("x", kind)], [info("y", TensorProto.INT64, [])], path)


def _constant(path: Path) -> Path:
    value = numpy_helper.from_array(np.float32([[1, 2]]), "v")
    return graph([helper.make_node("Constant", [], ["y"], value=value)], [], [info("y")], path)


def _unknown_operator(path: Path) -> Path:
    return graph([helper.make_node("Fancy", ["x"], ["y"])], [info("x")], [info("y")], path)


REFUSED = {
    "IR version 14": lambda p: identity(p, ir=14),
    "opset ai.onnx 27": lambda p: identity(p, opset=27),
    "FLOAT8E4M3FN": lambda p: identity(p, TensorProto.FLOAT8E4M3FN, ir=10),
    "'x' has no declared shape": lambda p: identity(p, shape=None),
    "output 'y' is a sequence": _sequence,
    "input 'x' is a sequence": _reads_a_sequence,
    "no inputs": _constant,
    "Fancy": _unknown_operator,
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_ship_is_refused_by_name(reason: str, tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match=reason):
        opened(REFUSED[reason](tmp_path / "m.onnx"))


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x0a\x3a\xff\xff\x7f", pickle.dumps({"a": 1})])
def test_what_is_no_model_is_unreadable(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=r"m\.onnx"):
        opened(path)


def test_a_file_cut_short_is_unreadable(tmp_path: Path) -> None:
    path = identity(tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises((Unreadable, Unsupported)):
        opened(path)


def test_files_are_known_by_their_suffix_or_their_start(tmp_path: Path) -> None:
    path = identity(tmp_path / "m.onnx")
    bare = tmp_path / "model"
    bare.write_bytes(path.read_bytes())
    for each in (path, bare):
        found = for_file(each)
        assert found is not None and found.name == "onnx"
    assert "onnx" in names()
    assert all(begins_a_model(p.read_bytes()[:4096]) for p in DATA.rglob("*.onnx"))


@pytest.mark.parametrize(
    "head",
    [b"", b"PK\x03\x04" + b"\0" * 60, pickle.dumps([1.5] * 50), b"CBM1\xf0(\0\0" + b"\0" * 40, b'{"learner": {}}',
     b"tree\nversion=v4\n", b"\x08\x01\x12\x80\x90\x02" + b"\x0a\x05serve" * 20, b"\x1f\x8b\x08" + b"\0" * 30],
    ids=["nothing", "zip", "pickle", "catboost", "json", "lightgbm", "SavedModel", "gzip"],
)  # fmt: skip
def test_other_files_do_not_begin_a_model(head: bytes) -> None:
    assert not begins_a_model(head)


def test_a_single_number_and_answers_without_rows(tmp_path: Path) -> None:
    nodes = [helper.make_node("Mul", ["x", "s"], ["y"]), helper.make_node("ReduceSum", ["y"], ["all"], keepdims=0)]
    outputs = [info("y", shape=("n", 2)), info("all", shape=())]
    model = opened(graph(nodes, [info("x", shape=("n", 2)), info("s", shape=())], outputs, tmp_path / "m.onnx"))
    table = {"x": np.ones((3, 2), np.float32), "s": np.array(2, np.float32)}
    found = CONVERTER.probing.adapt(model, replace(CONVERTER.original.describe(model), example=table))
    assert [t.shape for t in found.inputs] == [("N", 2), ()] and dict(found.outputs) == {"y": ("N", 2), "all": ()}
    assert CONVERTER.original.predict(model, table)["all"] == 12


def test_the_batch_is_where_rows_do_not_depend_on_each_other(tmp_path: Path) -> None:
    node = helper.make_node("CumSum", ["x", "axis"], ["y"])
    axis = numpy_helper.from_array(np.array(0), "axis")
    dims = ("time", "batch", 2)
    path = graph([node], [info("x", shape=dims)], [info("y", shape=dims)], tmp_path / "m.onnx", initializer=[axis])
    for name in ("batch", "people"):
        proto = onnx.load(path)
        proto.graph.input[0].type.tensor_type.shape.dim[1].dim_param = name
        onnx.save(proto, path)
        model = opened(path)
        table = {"x": np.ones((3, 4, 2), np.float32)}
        found = CONVERTER.probing.adapt(model, replace(CONVERTER.original.describe(model), example=table))
        assert [t.shape for t in found.inputs] == [("time", "N", 2)] == list(found.outputs.values())
