"""The Java project: its files, and real Maven runs, green where the answers are right and red where they are not."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mlpack_toolkit.converters.spec import Signature, Unsupported
from mlpack_toolkit.runtimes import load
from mlpack_toolkit.runtimes.java import answers, fields, names
from mlpack_toolkit.runtimes.java.text import escape, java_graph
from mlpack_toolkit.runtimes.spec import Package
from tests.artifacts import artifact_of
from tests.runtimes.java_models import ALL, canonical, emoji, features, ids, model, penguins, spec, tokens

GOLDEN = Path(__file__).parent.parent / "golden" / "java"


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
    response.write_bytes(canonical(answer))
    response = tmp_path / "nan" / golden / "case-000.response.json"
    answer = json.loads(response.read_text())
    answer["outputs"][1]["data"][2] = "NaN"
    response.write_bytes(canonical(answer))
    refusal = json.dumps({"id": "case-000", "error": "refused"}).encode()
    (tmp_path / "accepted" / golden / "case-000.response.json").write_bytes(refusal)
    _swap(tmp_path / "rule" / resources / "columns.tsv", b"1000000.0", b"9000000.0")
    modules = ["weight", "label", "number", "nan", "accepted", "rule"]
    assert verify_all(tmp_path, modules) == dict.fromkeys(modules, False)


def _bundle(made: Package, folder: Path) -> None:
    write(made, folder / "deploy" / "java")
    (folder / "manifest.json").write_text("{}")
    (folder / "model").mkdir()
    (folder / "model" / "model.onnx").write_bytes(made.model.path.read_bytes())
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
    assert names.identifiers(given) == [
        "billLengthMm", "classValue", "column1st", "naïve", "aB", "aB2", "hashCodeValue", "toStringValue", "billLength",
        "url", "column11", "column12",
    ]  # fmt: skip
    assert names.identifiers(["aB", "a b", "aB2", "classValue", "class"]) == [
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
    assert (names.class_name(name), names.package_name(name), names.artifact(name)) == expected


def test_literals_and_comments_hold_anything() -> None:
    assert names.literal('a"\\\n\u000be\u0301😀') == '"a\\"\\\\\\012\\013e\\u0301\\ud83d\\ude00"'
    assert names.javadoc("C:\\users */ <b> {@code}") == "C:&#92;users &#42;&#47; &#60;b&#62; &#123;&#64;code&#125;"


def test_text_is_escaped_injectively() -> None:
    texts = ["", "é", "\uffff", "😀", "\ue0fe", "\ue0fe01F600", "\0", "a😀b"]
    assert len({escape(t) for t in texts}) == len(texts)
    assert all(c <= "\uffff" and c != "\0" for t in texts for c in escape(t))
    assert escape("é\uffff") == "é\uffff"


def test_the_graph_is_touched_only_where_text_needs_it() -> None:
    assert java_graph(penguins().model.path).model == b""
    assert not java_graph(ids().model.path).rewritten
    mood = java_graph(emoji().model.path)
    assert mood.rewritten and escape("mood 😀") in mood.escaped
    read = java_graph(tokens().model.path)
    assert read.rewritten and "text" not in read.escaped and "label" in read.escaped


def test_text_that_java_cannot_read_is_refused_when_written() -> None:
    signature = Signature("graph", (spec("text", "string", "N"),), (spec("out", "string", "N"),))
    graph = model([helper.make_node("StringConcat", ["text", "tail"], ["out"])], signature, {"tail": ["😀"]})
    with pytest.raises(Unsupported, match="U\\+FFFF"):
        java_graph(artifact_of(graph).path)
    plain = model([helper.make_node("StringConcat", ["text", "tail"], ["out"])], signature, {"tail": ["é"]})
    found = java_graph(artifact_of(plain).path)
    assert not found.model and found.escaped == frozenset()


def test_branches_carry_text_too() -> None:
    signature = Signature("graph", (spec("flag", "bool"),), (spec("out", "string", 1),))
    branches = {}
    for name, text in (("then_branch", "😀"), ("else_branch", "no")):
        held = helper.make_node("Constant", [], [name], value_strings=[text])
        out = helper.make_tensor_value_info(name, TensorProto.STRING, [1])
        branches[name] = helper.make_graph([held], name, [], [out])
    copy = java_graph(artifact_of(model([helper.make_node("If", ["flag"], ["out"], **branches)], signature)).path)
    assert copy.rewritten and "out" in copy.escaped
    assert escape("😀").encode() in copy.model and "😀".encode() not in copy.model


def test_an_element_type_that_java_lacks_is_refused() -> None:
    made = ids()
    unsigned = replace(made.signature.inputs[0], dtype="uint64")
    with pytest.raises(Unsupported, match="uint64"):
        load("java").render(replace(made, signature=replace(made.signature, inputs=(unsigned,))))


def test_a_graph_with_text_keeps_working_in_python() -> None:
    """The rewritten copy is a valid model still."""
    onnx.checker.check_model(onnx.load_from_string(java_graph(emoji().model.path).model))


def test_several_targets_are_an_array_of_labels_and_a_map_per_target() -> None:
    columns = {"label": (), "probabilities_0": ("0", "10"), "probabilities_1": ("0", "1", "2")}
    outputs = tuple(
        spec(name, "float64" if known else "int64", "N", len(known) or 2, columns=known)
        for name, known in columns.items()
    )
    signature = Signature("classifier", (spec("X", "float64", "N", 1),), outputs)
    found = [(a["field"], a["java"]) for a in answers.answers(signature)]
    assert found == [
        ("label", "long[]"), ("probabilities0", "Map<Long, Double>"), ("probabilities1", "Map<Long, Double>"),
    ]  # fmt: skip
    assert answers.output_table(signature) == b"label\nprobabilities_0\t0\t10\nprobabilities_1\t0\t1\t2\n"


def test_the_bounds_of_a_column_are_in_its_line_and_in_its_words() -> None:
    rule = spec("a", "float64", "N", 1, least=5e-324, most=2.0)
    signature = Signature("regressor", (rule,), (spec("prediction", "float32", "N"),))
    found = fields.columns(signature)
    line = fields.column_table(found, frozenset(), signature).decode().rstrip("\n").split("\t")
    assert line[8:11] == ["NaN", "5e-324", "2.0"]
    (field,) = answers.fields(found, signature)
    assert field["says_rule"] == "a number, not below 5e-324, not above 2.0"


def test_columns_carry_their_own_rules_and_names() -> None:
    rule = spec("only", "float64", nullable=True, limit=5.0)
    matrix_of_one = replace(features().signature.inputs[0], shape=("N", 1)).with_cells(columns=(), features=(rule,))
    signature = Signature("regressor", (matrix_of_one,), (spec("prediction", "float32", "N"),))
    (column,) = fields.columns(signature)
    assert (column.name, column.input, column.width, column.rule) == ("only", "X", 1, rule)
    with pytest.raises(Unsupported, match="3 columns"):
        fields.columns(replace(signature, inputs=(replace(matrix_of_one, shape=("N", 3)),)))
    twice = replace(matrix_of_one, shape=("N", 2)).with_cells(features=(), columns=("a", "a"))
    assert [c.name for c in fields.columns(replace(signature, inputs=(twice,)))] == ["a", "a (2)"]
