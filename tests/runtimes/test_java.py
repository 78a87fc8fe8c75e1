"""The Java project: its files, and real Maven runs, green where the answers are right and red where they are not."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converters.spec import Signature, TensorSpec, Unsupported
from runtimes import _java_names, load
from runtimes._java_text import escape, java_graph
from runtimes.spec import Package

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

GOLDEN = Path(__file__).parent.parent / "golden" / "java"
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
Inputs = dict[str, list[Any]]
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
        golden[f"{key}.request.json"] = _json({"id": key, "inputs": _wire(signature, request)})
        golden[f"{key}.response.json"] = _json(response)
    return Package(name, "1.2.0", signature, graph, golden)


def _json(value: Any) -> bytes:
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
    return {name.replace("__", " "): ((len(data), 1), data) for name, data in values.items()}


def spec(name: str, dtype: str, *shape: Any, **rules: Any) -> TensorSpec:
    return TensorSpec(name, dtype, shape, **rules)


def penguins() -> Package:
    """Text, a number, an integer and a boolean; labels of text; every rule."""
    signature = Signature(
        "classifier",
        (
            spec("species", "string", "N", 1, nullable=True, missing="\uffff", values=("", "Adelie", "Gentoo")),
            spec("bill length (mm)", "float32", "N", 1, nullable=True, limit=1e6),
            spec("class", "int64", "N", 1),
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
        spec("a b", "float32", limit=10.0),
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


def write(made: Package, folder: Path) -> Path:
    for name, content in load("java").render(made).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def verify(project: Path, work: Path) -> subprocess.CompletedProcess[str]:
    (step,) = load("java").steps(project, work)
    environment = {**os.environ, **(step.environment or {})}
    return subprocess.run((step.tool, *step.arguments), cwd=project, env=environment, capture_output=True, text=True)


AGGREGATOR = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>all</groupId>
<artifactId>all</artifactId><version>1</version><packaging>pom</packaging><modules>{}</modules></project>"""


def verify_all(folder: Path, modules: list[str]) -> dict[str, bool]:
    """Whether each project below the folder is green, from one run of Maven; every one of them must have run."""
    (folder / "pom.xml").write_text(AGGREGATOR.format("".join(f"<module>{m}</module>" for m in modules)))
    for number, module in enumerate(modules):
        pom = folder / module / "pom.xml"
        pom.write_text(re.sub("<artifactId>.*?<", f"<artifactId>module{number}<", pom.read_text(), count=1))
    command = ["mvn", "-q", "-B", "-fae", "verify"]
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    green = {}
    for module in modules:
        reports = [p.read_text() for p in (folder / module / "target" / "surefire-reports").glob("*.txt")]
        assert reports, f"{module} was not tested:\n{done.stdout[-4000:]}"
        green[module] = not any("FAILURE!" in r for r in reports)
    assert (done.returncode == 0) == all(green.values()), done.stdout[-4000:]
    return green


USAGE = """package model.penguinssex;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class UsageTest {
    @Test
    void isTyped() {
        try (PenguinsSex model = PenguinsSex.open()) {
            Prediction prediction = model.predict(new Row(null, Double.NaN, 1L, true));
            String label = prediction.label();
            Map<String, Double> probabilities = prediction.probabilities();
            assertEquals(List.of("female", "male"), List.copyOf(probabilities.keySet()));
            assertTrue(probabilities.get(label) >= 0.5);
            Row good = new Row("Adelie", 39.1, 1L, true);
            IllegalArgumentException refusal = assertThrows(IllegalArgumentException.class,
                    () -> model.predict(List.of(good, new Row("Emperor", 1.0, 1L, true))));
            assertEquals("row 1, column \\"species\\" is \\"Emperor\\","
                    + " and the model takes only \\"\\", \\"Adelie\\", \\"Gentoo\\"",
                    refusal.getMessage());
        }
    }
}
"""


@pytest.mark.slow
def test_every_kind_of_project_is_green(tmp_path: Path) -> None:
    for make in ALL:
        write(make(), tmp_path / make.__name__)
    (tmp_path / "penguins/src/test/java/model/penguinssex/UsageTest.java").write_text(USAGE)
    green = verify_all(tmp_path, [make.__name__ for make in ALL])
    assert green == {make.__name__: True for make in ALL}


def _swap(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert content.count(old) >= 1 and len(old) == len(new)
    path.write_bytes(content.replace(old, new, 1))


@pytest.mark.slow
def test_a_changed_weight_or_answer_turns_the_project_red(tmp_path: Path) -> None:
    golden, resources = "src/test/resources/golden", "src/main/resources/model/penguinssex"
    for name in ("weight", "label", "number", "nan", "accepted", "rule"):
        write(penguins(), tmp_path / name)
    weight, other = np.float32([3.0]).tobytes(), np.float32([3.001]).tobytes()
    _swap(tmp_path / "weight" / resources / "model.onnx", weight, other)
    response = tmp_path / "label" / golden / "case-000.response.json"
    _swap(response, b'["male"', b'["mule"')
    response = tmp_path / "number" / golden / "case-000.response.json"
    answer = json.loads(response.read_text())
    answer["outputs"][1]["data"][2] += 1e-4
    response.write_bytes(_json(answer))
    response = tmp_path / "nan" / golden / "case-000.response.json"
    answer = json.loads(response.read_text())
    answer["outputs"][1]["data"][2] = "NaN"
    response.write_bytes(_json(answer))
    refusal = json.dumps({"id": "case-000", "error": "refused"}).encode()
    (tmp_path / "accepted" / golden / "case-000.response.json").write_bytes(refusal)
    _swap(tmp_path / "rule" / resources / "columns.tsv", b"1000000.0", b"9000000.0")
    modules = ["weight", "label", "number", "nan", "accepted", "rule"]
    assert verify_all(tmp_path, modules) == dict.fromkeys(modules, False)


def _bundle(made: Package, folder: Path) -> None:
    write(made, folder / "deploy" / "java")
    (folder / "manifest.json").write_text("{}")
    (folder / "model").mkdir()
    (folder / "model" / "model.onnx").write_bytes(made.model)
    (folder / "golden").mkdir()
    for name, content in made.golden.items():
        (folder / "golden" / name).write_bytes(content)


@pytest.mark.slow
def test_inside_a_bundle_it_compares_itself_with_the_bundle(tmp_path: Path) -> None:
    for name in ("whole", "model", "golden", "extra"):
        _bundle(ids(), tmp_path / name)
    _bundle(emoji(), tmp_path / "emoji")
    with (tmp_path / "model" / "model" / "model.onnx").open("ab") as model_file:
        model_file.write(b"\0")
    _swap(tmp_path / "golden" / "golden" / "case-000.request.json", b"case-000", b"case-001")
    (tmp_path / "extra" / "golden" / "case-001.request.json").write_text("{}")
    modules = {"whole": True, "model": False, "golden": False, "extra": False, "emoji": True}
    found = verify_all(tmp_path, [f"{m}/deploy/java" for m in modules])
    assert found == {f"{m}/deploy/java": green for m, green in modules.items()}


@pytest.mark.slow
def test_the_steps_leave_the_project_as_it_is(tmp_path: Path) -> None:
    project = write(ids(), tmp_path / "project")
    before = {p: p.read_bytes() for p in sorted(project.rglob("*")) if p.is_file()}
    done = verify(project, tmp_path / "work")
    assert done.returncode == 0, done.stdout
    assert {p: p.read_bytes() for p in sorted(project.rglob("*")) if p.is_file()} == before
    assert list((tmp_path / "work").rglob("ids-1.2.0.jar"))


def test_the_files_are_the_golden_ones() -> None:
    """Set MLPACK_WRITE_GOLDEN=1 to write them anew, then read the difference."""
    files = load("java").render(features())
    if os.environ.get("MLPACK_WRITE_GOLDEN"):
        shutil.rmtree(GOLDEN, ignore_errors=True)
        write(features(), GOLDEN)
    held = {p.relative_to(GOLDEN).as_posix(): p.read_bytes() for p in GOLDEN.rglob("*") if p.is_file()}
    assert sorted(files) == sorted(held)
    assert [name for name in files if files[name] != held[name]] == []


def test_rendering_twice_gives_the_same_bytes() -> None:
    for make in (penguins, emoji):
        assert load("java").render(make()) == load("java").render(make())


def test_identifiers_are_valid_and_unique() -> None:
    given = [
        "bill length (mm)",
        "class",
        "1st",
        "naïve",
        "a-b",
        "a b",
        "hashCode",
        "toString",
        "BILL_LENGTH",
        "URL",
        "😀",
        "_",
    ]
    assert _java_names.identifiers(given) == [
        "billLengthMm", "classValue", "column1st", "naïve", "aB", "aB2", "hashCodeValue", "toStringValue", "billLength",
        "url", "column11", "column12",
    ]  # fmt: skip
    assert _java_names.identifiers(["aB", "a b", "aB2", "classValue", "class"]) == [
        "aB",
        "aB2",
        "aB22",
        "classValue",
        "classValue2",
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("penguins-sex", ("PenguinsSex", "model.penguinssex", "penguins-sex")),
        ("1st try", ("Model1stTry", "model.m1sttry", "1st-try")),
        ("row", ("RowModel", "model.row", "row")),
        ("switch", ("Switch", "model.mswitch", "switch")),
        ("naïve", ("Naive", "model.naive", "naive")),
        ("😀", ("Model", "model.unnamed", "unnamed")),
    ],
)
def test_names_of_a_model(name: str, expected: tuple[str, str, str]) -> None:
    assert (_java_names.class_name(name), _java_names.package_name(name), _java_names.artifact(name)) == expected


def test_literals_and_comments_hold_anything() -> None:
    assert _java_names.literal('a"\\\n\u000be\u0301😀') == '"a\\"\\\\\\012\\013e\\u0301\\ud83d\\ude00"'
    assert (
        _java_names.javadoc("C:\\users */ <b> {@code}") == "C:&#92;users &#42;&#47; &#60;b&#62; &#123;&#64;code&#125;"
    )


def test_text_is_escaped_injectively() -> None:
    texts = ["", "é", "\uffff", "😀", "\ue0fe", "\ue0fe01F600", "\0", "a😀b"]
    assert len({escape(t) for t in texts}) == len(texts)
    assert all(c <= "\uffff" and c != "\0" for t in texts for c in escape(t))
    assert escape("é\uffff") == "é\uffff"


def test_the_graph_is_touched_only_where_text_needs_it() -> None:
    assert java_graph(penguins().model).model == penguins().model
    assert not java_graph(ids().model).rewritten
    mood = java_graph(emoji().model)
    assert mood.rewritten and escape("mood 😀") in mood.escaped
    read = java_graph(tokens().model)
    assert read.rewritten and "text" not in read.escaped and "label" in read.escaped


def test_text_that_java_cannot_read_is_refused_when_written() -> None:
    signature = Signature("graph", (spec("text", "string", "N"),), (spec("out", "string", "N"),))
    graph = model([helper.make_node("StringConcat", ["text", "tail"], ["out"])], signature, {"tail": ["😀"]})
    with pytest.raises(Unsupported, match="U\\+FFFF"):
        java_graph(graph)
    plain = model([helper.make_node("StringConcat", ["text", "tail"], ["out"])], signature, {"tail": ["é"]})
    assert java_graph(plain).model == plain and java_graph(plain).escaped == frozenset()


def test_branches_carry_text_too() -> None:
    signature = Signature("graph", (spec("flag", "bool"),), (spec("out", "string", 1),))
    branches = {}
    for name, text in (("then_branch", "😀"), ("else_branch", "no")):
        held = helper.make_node("Constant", [], [name], value_strings=[text])
        out = helper.make_tensor_value_info(name, TensorProto.STRING, [1])
        branches[name] = helper.make_graph([held], name, [], [out])
    copy = java_graph(model([helper.make_node("If", ["flag"], ["out"], **branches)], signature))
    assert copy.rewritten and "out" in copy.escaped
    assert escape("😀").encode() in copy.model and "😀".encode() not in copy.model


def test_an_element_type_that_java_lacks_is_refused() -> None:
    made = ids()
    unsigned = replace(made.signature.inputs[0], dtype="uint64")
    with pytest.raises(Unsupported, match="uint64"):
        load("java").render(replace(made, signature=replace(made.signature, inputs=(unsigned,))))


def test_a_graph_with_text_keeps_working_in_python() -> None:
    """The rewritten copy is a valid model still."""
    onnx.checker.check_model(onnx.load_from_string(java_graph(emoji().model).model))
