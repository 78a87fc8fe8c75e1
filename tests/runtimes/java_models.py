"""Small models for the Java project, one per kind of signature, with the answers of ONNX Runtime for Python."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from mlpack_toolkit.converters.spec import Cells, Signature, TensorSpec
from mlpack_toolkit.runtimes.spec import Package
from tests.artifacts import artifact_of

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

ONNX_TYPE = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "int64": TensorProto.INT64,
    "int32": TensorProto.INT32,
    "uint8": TensorProto.UINT8,
    "bool": TensorProto.BOOL,
    "string": TensorProto.STRING,
}
WIRE = {"string": "BYTES", "bool": "BOOL", "float32": "FP64", "float64": "FP64"}
ML = "ai.onnx.ml"
Request = dict[str, tuple[tuple[int, ...], list[Any]]]


def model(nodes: list[Any], signature: Signature, constants: dict[str, Any] | None = None) -> bytes:
    """A serialised graph with the signature's inputs and outputs."""
    ins = [helper.make_tensor_value_info(t.name, ONNX_TYPE[t.dtype], t.shape) for t in signature.inputs]
    outs = [helper.make_tensor_value_info(t.name, ONNX_TYPE[t.dtype], t.shape) for t in signature.outputs]
    held = [_constant(name, value) for name, value in (constants or {}).items()]
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(ML, 3)]
    graph = helper.make_graph(nodes, "g", ins, outs, held)
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString(deterministic=True)


def _constant(name: str, value: Any) -> Any:
    if isinstance(value, list) and isinstance(value[0], str):
        return helper.make_tensor(name, TensorProto.STRING, [len(value)], [v.encode() for v in value])
    return numpy_helper.from_array(np.asarray(value), name)


def package(name: str, signature: Signature, graph: bytes, cases: Iterable[Any]) -> Package:
    """A package whose golden cases hold what ONNX Runtime for Python answers; a reason beside a request: a refusal."""
    golden = {}
    for number, (request, refused) in enumerate(cases):
        key = f"case-{number:03d}"
        response = {"id": key, "error": refused} if refused else _answer(key, signature, graph, request)
        golden[f"{key}.request.json"] = canonical({"id": key, "inputs": _wire(signature, request)})
        golden[f"{key}.response.json"] = canonical(response)
    return Package(name, "1.2.0", signature, artifact_of(graph), golden)


def canonical(value: Any) -> bytes:
    """The JSON of a golden case."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False, separators=(",", ":")).encode()


def _wire(signature: Signature, request: Request) -> list[Any]:
    return [
        {
            "name": t.name,
            "shape": list(shape),
            "datatype": WIRE.get(t.dtype, "INT64"),
            "data": [_number(v) for v in data],
        }
        for t in signature.inputs
        if t.name in request
        for shape, data in [request[t.name]]
    ]


def _number(value: Any) -> Any:
    if isinstance(value, float) and not np.isfinite(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    return value


def _answer(key: str, signature: Signature, graph: bytes, request: Request) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    feeds = {}
    for t in signature.inputs:
        shape, data = request[t.name]
        text = [t.missing or "" if v is None else v for v in data]
        feeds[t.name] = np.array(text, dtype=object if t.is_text else t.dtype).reshape(shape)
    outputs = []
    for t, got in zip(signature.outputs, session.run([t.name for t in signature.outputs], feeds), strict=True):
        flat = [_number(v) for v in got.ravel().tolist()]
        tolerance = {"parameters": {"atol": 1e-6, "rtol": 1e-5}} if t.is_float else {}
        wire = WIRE.get(t.dtype, "INT64")
        outputs.append({"name": t.name, "shape": list(got.shape), "datatype": wire, "data": flat, **tolerance})
    return {"id": key, "model_name": "m", "model_version": "1", "outputs": outputs}


def columns(**values: list[Any]) -> Request:
    """A request of one column per name."""
    return {name: ((len(data), 1), data) for name, data in values.items()}


def spec(name: str, dtype: str, *shape: Any, **rules: Any) -> TensorSpec:
    """A tensor, in short."""
    return TensorSpec(name, dtype, shape, Cells(**rules))


def penguins() -> Package:
    """Text, a number, an integer and a boolean; labels of text; every rule."""
    signature = Signature(
        "classifier",
        (
            spec("species", "string", "N", 1, nullable=True, missing="\uffff", values=("", "Adelie", "Gentoo")),
            spec("bill length (mm)", "float32", "N", 1, nullable=True, limit=1e6),
            spec("class", "int64", "N", 1, least=1.0, most=3.0),
            spec("wet", "bool", "N", 1),
        ),
        (spec("label", "string", "N"), spec("probabilities", "float32", "N", 2)),
        ("female", "male"),
    )
    nodes = [
        helper.make_node(
            "LabelEncoder", ["species"], ["s"], domain=ML, keys_strings=["Adelie", "Gentoo", "", "\uffff"],
            values_floats=[1.0, -2.0, 0.25, 0.5], default_float=9.0,
        ),
        helper.make_node("IsNaN", ["bill length (mm)"], ["gone"]),
        helper.make_node("Where", ["gone", "zero", "bill length (mm)"], ["bill"]),
        helper.make_node("Cast", ["class"], ["c"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["wet"], ["w"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["s", "bill", "c", "w"], ["x"], axis=1),
        helper.make_node(
            "LinearClassifier", ["x"], ["label", "raw"], domain=ML, multi_class=0, post_transform="SOFTMAX",
            coefficients=[0.5, -0.125, 0.25, 1.0, -0.5, 0.125, -0.25, -1.0], intercepts=[3.0, -3.0],
            classlabels_strings=["female", "male"],
        ),
        helper.make_node("Identity", ["raw"], ["probabilities"]),
    ]  # fmt: skip
    graph = model(nodes, signature, {"zero": np.zeros((1, 1), np.float32)})
    good = {"species": ["Adelie", None, ""], "class": [1, 2, 3], "wet": [True, False, True]}

    def case(**changed: list[Any]) -> Request:
        return columns(**{**good, "bill length (mm)": [39.1, float("nan"), 50.0], **changed})

    cases = [
        (case(), ""),
        (columns(**{k: [] for k in case()}), ""),
        (case(species=["Adelie", "\uffff", ""]), "the mark of a missing cell"),
        (case(species=["Adelie", "Emperor", ""]), "unknown category"),
        (case(**{"bill length (mm)": [1.0, 2e6, 3.0]}), "beyond the limit"),
        (case(**{"class": [1, None, 3]}), "a missing integer"),
        (case(**{"class": [1, 0, 3]}), "below the least"),
        (case(**{"class": [1, 4, 3]}), "above the most"),
    ]
    return package("penguins-sex", signature, graph, cases)


def matrix() -> Package:
    """A matrix of 24 features, two targets, no missing number, text in no place."""
    signature = Signature(
        "regressor",
        (spec("X", "float64", "N", 24, columns=tuple(f"f {i}" for i in range(24)), limit=1e12),),
        (spec("prediction", "float64", "N", 2),),
    )
    weights = np.random.default_rng(7).normal(size=(24, 2))
    graph = model([helper.make_node("MatMul", ["X", "W"], ["prediction"])], signature, {"W": weights})
    x = np.random.default_rng(8).normal(size=(5, 24))
    bad = x.ravel().tolist()
    bad[30] = float("nan")
    cases = [({"X": ((5, 24), x.ravel().tolist())}, ""), ({"X": ((0, 24), [])}, ""), ({"X": ((5, 24), bad)}, "NaN")]
    cases.append(({"X": ((5, 23), x[:, :23].ravel().tolist())}, "wrong width"))
    return package("1st matrix", signature, graph, cases)


def features() -> Package:
    """A matrix of three named features with rules of their own: a record. One target, labels of numbers."""
    rules = (
        spec("a-b", "float32", nullable=True),
        spec("a b", "float32", limit=10.0, least=-9.5, most=2.0),
        spec("getClass", "float32", values=(0.0, 1.0)),
    )
    signature = Signature(
        "regressor",
        (spec("X", "float32", "N", 3, columns=("a-b", "a b", "getClass"), features=rules),),
        (spec("prediction", "float32", "N"),),
    )
    nodes = [helper.make_node("MatMul", ["X", "W"], ["y"]), helper.make_node("Reshape", ["y", "s"], ["prediction"])]
    graph = model(nodes, signature, {"W": np.ones((3, 1), np.float32), "s": np.array([-1])})
    rows = [1.5, -9.5, 0.0, float("nan"), 2.0, 1.0]
    cases = [({"X": ((2, 3), rows)}, ""), ({"X": ((1, 3), [1.0, 11.0, 0.0])}, "limit")]
    cases.append(({"X": ((1, 3), [1.0, 1.0, 0.5])}, "unknown value"))
    cases.append(({"X": ((1, 3), [1.0, -9.500000000000002, 0.0])}, "below the least"))
    cases.append(({"X": ((1, 3), [1.0, 2.0000000000000004, 0.0])}, "above the most"))
    return package("List", signature, graph, cases)


def ids() -> Package:
    """Integers beyond 2^53 in and out, exactly."""
    signature = Signature(
        "classifier",
        (spec("id", "int64", "N", 1),),
        (spec("label", "int64", "N"), spec("probabilities", "float64", "N", 2)),
        (2**60 + 1, 2**60 + 3),
    )
    nodes = [
        helper.make_node("Equal", ["id", "key"], ["same"]),
        helper.make_node("Where", ["same", "one", "two"], ["picked"]),
        helper.make_node("Reshape", ["picked", "flat"], ["label"]),
        helper.make_node("Cast", ["same"], ["p"], to=TensorProto.DOUBLE),
        helper.make_node("Sub", ["unit", "p"], ["q"]),
        helper.make_node("Concat", ["p", "q"], ["probabilities"], axis=1),
    ]
    held = {"key": [[2**53 + 1]], "one": [[2**60 + 1]], "two": [[2**60 + 3]], "flat": [-1], "unit": [[1.0]]}
    graph = model(nodes, signature, held)
    return package("ids", signature, graph, [(columns(id=[2**53, 2**53 + 1, 2**53 + 2, -(2**63)]), "")])


def emoji() -> Package:
    """Categories, labels and column names beyond U+FFFF, the empty string and U+FFFF among them."""
    signature = Signature(
        "classifier",
        (spec("mood 😀", "string", "N", 1, nullable=True, missing="\uffff"),),
        (spec("label", "string", "N"), spec("probabilities", "float32", "N", 2), spec("echo", "string", "N", 1)),
        ("🐧", "no"),
    )
    keys = ["😀", "é", "", "\uffff", "\ue0fe", "\ue0fe01F600"]
    nodes = [
        helper.make_node(
            "LabelEncoder",
            ["mood 😀"],
            ["at"],
            domain=ML,
            keys_strings=keys,
            values_int64s=[0, 1, 2, 3, 4, 5],
            default_int64=6,
        ),
        helper.make_node("Reshape", ["at", "flat"], ["i"]),
        helper.make_node("Gather", ["labels", "i"], ["label"]),
        helper.make_node("Gather", ["p", "i"], ["probabilities"], axis=0),
        helper.make_node("Equal", ["mood 😀", "mask"], ["is"]),
        helper.make_node("Where", ["is", "hidden", "mood 😀"], ["echo"]),
    ]
    labels = ["🐧", "no", "🐧🐧", "\uffff", "\ue0fe", "", "🦉?"]
    p = np.array([[i / 8, 1 - i / 8] for i in range(7)], np.float32)
    graph = model(nodes, signature, {"labels": labels, "p": p, "flat": [-1], "mask": ["𝄞"], "hidden": ["was 𝄞"]})
    cases = [(columns(**{"mood 😀": [*keys[:3], None, *keys[4:], "😁", "ð", "𝄞", "漢字"]}), "")]
    return package("emoji-😀", signature, graph, cases)


def wide() -> Package:
    """300 columns of mixed types: rows by name."""
    inputs = [spec(f"c{i}", "string" if i % 3 == 0 else "float32", "N", 1) for i in range(300)]
    signature = Signature("regressor", tuple(inputs), (spec("prediction", "float32", "N", 1),))
    nodes, parts = [], []
    for t in inputs:
        parts.append(t.name)
        if t.is_text:
            parts[-1] = f"n{t.name}"
            encode = helper.make_node(
                "LabelEncoder",
                [t.name],
                [parts[-1]],
                domain=ML,
                keys_strings=["a", "𝔟"],
                values_floats=[1.0, 2.0],
                default_float=0.0,
            )
            nodes.append(encode)
    nodes.append(helper.make_node("Sum", parts, ["prediction"]))
    row = {t.name: ["𝔟" if t.is_text else float(i)] for i, t in enumerate(inputs)}
    return package("wide", signature, model(nodes, signature), [(columns(**row), "")])


def hundred() -> Package:
    """As many columns as a record takes, each a double, of two slots."""
    inputs = tuple(spec(f"Größe {i}", "float64", "N", 1) for i in range(100))
    signature = Signature("regressor", inputs, (spec("prediction", "float64", "N", 1),))
    graph = model([helper.make_node("Sum", [t.name for t in inputs], ["prediction"])], signature)
    return package("hundred", signature, graph, [({t.name: ((2, 1), [1.5, 2.0]) for t in inputs}, "")])


def tokens() -> Package:
    """A model that looks inside its text, with labels beyond U+FFFF."""
    signature = Signature("classifier", (spec("text", "string", "N"),), (spec("label", "string", "N"),), ("🐧", "no"))
    nodes = [
        helper.make_node("RegexFullMatch", ["text"], ["hit"], pattern="a+b?"),
        helper.make_node("Where", ["hit", "yes", "no"], ["label"]),
    ]
    graph = model(nodes, signature, {"yes": ["🐧"], "no": ["no"]})
    cases = [({"text": ((3,), ["aaab", "né", ""])}, ""), ({"text": ((2,), ["a", "a😀"])}, "")]
    return package("tokens", signature, graph, cases)


def tensors() -> Package:
    """A graph as it came: several inputs of three dimensions, of two batch dimensions, bytes and text."""
    signature = Signature(
        "graph",
        (
            spec("image", "float32", "N", 2, "W", nullable=True),
            spec("weight", "float32", "W"),
            spec("mask", "uint8", "N"),
            spec("word", "string", "K"),
        ),
        (
            spec("out put", "float32", "N", 2, "W"),
            spec("bits", "uint8", "N"),
            spec("on", "bool", "N"),
            spec("said", "string", "K", 1),
        ),
    )
    nodes = [
        helper.make_node("Mul", ["image", "weight"], ["out put"]),
        helper.make_node("Identity", ["mask"], ["bits"]),
        helper.make_node("Cast", ["mask"], ["on"], to=TensorProto.BOOL),
        helper.make_node("Reshape", ["word", "tall"], ["said"]),
    ]
    graph = model(nodes, signature, {"tall": [-1, 1]})
    x = [float(v) for v in range(12)]
    good = {"image": ((2, 2, 3), [*x[:-1], float("nan")]), "weight": ((3,), [1.0, 0.5, -2.0])}
    good |= {"mask": ((2,), [0, 200]), "word": ((2,), ["é", "😀"])}
    empty = good | {"image": ((0, 2, 3), []), "mask": ((0,), [])}
    cases = [(good, ""), (empty, ""), (good | {"mask": ((1,), [1])}, "batches differ")]
    cases += [
        (good | {"mask": ((2,), [1, 300])}, "no byte"),
        (good | {"weight": ((3,), [1.0, float("nan"), 1.0])}, "NaN"),
    ]
    return package("tensors", signature, graph, cases)


ALL = (penguins, matrix, features, ids, emoji, wide, hundred, tokens, tensors)
