"""R's factors are enums in the Java and C++ projects: their names, and that a wrong level does not compile."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mlpack_toolkit.converters.spec import MOST_LEVELS, Signature, TensorSpec
from mlpack_toolkit.packager.commands.verify import check_bundle
from mlpack_toolkit.runtimes import cpp, load
from mlpack_toolkit.runtimes.cpp import levels, usage
from mlpack_toolkit.runtimes.java import answers
from mlpack_toolkit.runtimes.java import levels as _java_levels
from mlpack_toolkit.runtimes.spec import Package
from tests.make import build_model
from tests.runtimes.factors import CONSUMER, FLAT, GOOD, ODD, SAID, USAGE, factor, factory
from tests.runtimes.java_models import spec
from tests.runtimes.test_cpp import NAME, follow_steps, log, run, tools, write  # noqa: F401
from tests.runtimes.test_java import verify

JAVA = "src/main/java/model/factory"


def one_column(tensor: TensorSpec) -> Package:
    """A package that is good for its text alone."""
    signature = Signature("regressor", (tensor, spec("x", "float64", "N", 1)), (spec("prediction", "float64", "N"),))
    return replace(factory(), name="one", signature=signature, golden={})


def java_types(signature: Signature) -> list[str]:
    """The types of a Java row."""
    row = load("java").render(replace(factory(), signature=signature))[f"{JAVA}/Row.java"].decode()
    return re.findall(r"^        (\S+) \S+[,)]", row.partition("record Row(")[2].partition("{")[0], re.MULTILINE)


def test_which_columns_are_enums() -> None:
    assert factor("f", ("a",)).is_enum
    assert not factor("f", ()).is_enum
    assert not factor("f", ("a",)).with_cells(values=None).is_enum
    assert not factor("f", ("a",)).with_cells(frame_dtype="category").is_enum
    assert not replace(factor("f", ("a",)), dtype="int64").is_enum
    assert not replace(factor("f", ("a",)), shape=("N", 2)).is_enum
    assert factor("f", tuple(map(str, range(MOST_LEVELS)))).is_enum
    assert not factor("f", tuple(map(str, range(MOST_LEVELS + 1)))).is_enum


def test_java_names_of_levels() -> None:
    names = _java_levels.constants(ODD)
    assert names == [
        "ADELIE", "ADELIE_2", "EMPTY", "NA", "B_C", "D_E", "B_C_2", "LEVEL_1ST", "NAÏVE", "漢字", "LEVEL_11", "QU_O_TE",
        "CLASS", "LEVEL_14", "A_B", "BY_LEVEL_2", "TWO_LINES", "LEVEL_18", "LEVEL_19", "NULL", "STD", "VERY_GOOD",
        "LEVEL_15", "F", "T",
    ]  # fmt: skip
    assert _java_levels.constants(["A_B", "a b", "A_B_2", "LEVEL_5", "+"]) == [
        "A_B",
        "A_B_2",
        "A_B_2_2",
        "LEVEL_5",
        "LEVEL_5_2",
    ]


def test_java_names_of_types() -> None:
    columns = dict(enumerate(FLAT))
    assert list(_java_levels.type_names(columns, "Factory").values()) == [
        "F", "SizeClass", "RowLevel", "FactoryLevel", "StringLevel", "SizeClass2", "ClassLevel", "T", "Level", "I",
        "Column11", "Column1st",
    ]  # fmt: skip
    odd = ["prediction", "map", "error", "a b", "A B", "ab", "wrongThreadException", "column"]
    assert list(_java_levels.type_names(dict(enumerate(odd)), "M").values()) == [
        "PredictionLevel", "MapLevel", "ErrorLevel", "AB", "AB2", "Ab3", "WrongThreadExceptionLevel", "ColumnLevel",
    ]  # fmt: skip


def test_cpp_names_of_levels_and_types() -> None:
    names = levels.enumerators(ODD)
    assert len(set(names)) == len(ODD) and all(re.fullmatch("[a-z][a-z0-9_]*", n) for n in names)
    assert names[:9] == ["adelie", "adelie_2", "empty", "na", "b_c", "d_e", "b_c_2", "level_1st", "naive"]
    assert names[12] == "class_" and names[19:22] == ["null", "std_", "very_good"]
    assert list(levels.type_names(dict(enumerate(FLAT)), "factory").values()) == [
        "F", "SizeClass", "RowLevel", "FactoryLevel", "String", "SizeClass2", "Class", "T", "Level", "ILevel",
        "Column11", "Column1st",
    ]  # fmt: skip


def test_the_rows_are_typed() -> None:
    expected = ["F", "SizeClass", "RowLevel", "FactoryLevel", "StringLevel", "SizeClass2", "ClassLevel", "T", "Level"]
    assert java_types(factory().signature) == [*expected, "I", "Column11", "Column1st", "double"]
    header = cpp.RUNTIME.render(factory())["include/factory/factory.hpp"].decode()
    assert "    std::optional<F> f{};\n" in header and "    SizeClass size_class{};\n" in header
    assert 'enum class SizeClass {\n    low = 1,  // "low"\n    mid,  // "mid"\n    high,  // "high"\n};' in header


@pytest.mark.parametrize(
    "tensor",
    [
        factor("f", tuple(map(str, range(MOST_LEVELS + 1)))),
        factor("f", ("a", "\uffff"), nullable=True, missing="\uffff"),
        factor("f", ("a",)).with_cells(frame_dtype=""),
    ],
    ids=["many", "mark", "text"],
)
def test_what_stays_text(tensor: TensorSpec) -> None:
    made = one_column(tensor)
    assert java_types(made.signature) == ["String", "double"]
    rendered = cpp.RUNTIME.render(made)
    assert b"enum class F" not in rendered["include/one/one.hpp"] and b"put_level" not in rendered["src/rows.hpp"]


def test_a_level_that_cannot_travel_keeps_its_column_text() -> None:
    signature = one_column(factor("f", ("a", "b\0"))).signature
    assert java_types(signature) == ["F", "double"], "where it travels escaped"
    assert b"enum class F" not in cpp.RUNTIME.render(one_column(signature.inputs[0]))["include/one/one.hpp"]
    opened = _java_levels.enums(load_columns(signature), frozenset(), "M")
    assert opened == {}, "where the graph looks inside the text"


def load_columns(signature: Signature) -> tuple[_java_levels.Column, ...]:
    """The columns of a Java row."""
    from mlpack_toolkit.runtimes.java import fields

    return fields.columns(signature)


def test_a_wide_table_stays_text() -> None:
    inputs = tuple(factor(f"f{i}", ("a", "b")) for i in range(101))
    made = replace(one_column(inputs[0]), signature=replace(one_column(inputs[0]).signature, inputs=inputs))
    assert not [path for path in load("java").render(made) if path.endswith("F1.java")]


def test_readmes_use_the_enum() -> None:
    assert "        F.ADELIE, // f\n        SizeClass.LOW, // sizeClass\n" in (
        load("java").render(factory())["README.md"].decode()
    )
    assert "row.f = factory::F::adelie;\nrow.size_class = factory::SizeClass::low;\n" in (
        cpp.RUNTIME.render(factory())["README.md"].decode()
    )


# Real projects.


@dataclass(frozen=True)
class Built:
    """A project, and the folder where it was built."""

    project: Path
    work: Path


@pytest.fixture(scope="module")
def java_project(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("java")
    project = write(load("java").render(factory()), folder / "project")
    (project / "src/test/java/model/factory/UsageTest.java").write_text(USAGE, "utf-8")
    done = verify(project, folder / "work")
    assert done.returncode == 0, done.stdout[-4000:]
    return Built(project, folder / "work" / "java")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("level", "fault"), [("F.ADELIE", ""), ("F.ADELY", "cannot find symbol"), ('"Adelie"', "incompatible types")]
)
def test_a_wrong_level_is_no_java(java_project: Built, tmp_path: Path, level: str, fault: str) -> None:
    source = tmp_path / "Mine.java"
    source.write_text(f"import model.factory.*; class Mine {{ Row row = {GOOD % level}; }}", "utf-8")
    command = ["javac", "-encoding", "UTF-8", "-cp", java_project.work / "classes", "-d", tmp_path, source]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode == 0) == (not fault) and fault in done.stderr, done.stderr


@pytest.fixture(scope="module")
def cpp_project(tools: None, tmp_path_factory: pytest.TempPathFactory) -> Built:  # noqa: F811
    folder = tmp_path_factory.mktemp("cpp")
    made = Built(write(cpp.RUNTIME.render(factory()), folder / "project"), folder / "work" / "cpp")
    done = follow_steps(made.project, folder / "work")
    assert done.returncode == 0, log(done)
    assert "100% tests passed, 0 tests failed out of 2" in done.stdout
    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    ("level", "fault"),
    [
        ("f::F::adelie", ""),
        ("f::F::adely", "is not a member of"),
        ('"Adelie"', "no match for"),
        ("f::T::x", "no match for"),
    ],
)
def test_a_wrong_level_is_no_cpp(cpp_project: Built, tmp_path: Path, level: str, fault: str) -> None:
    (tmp_path / "app.cpp").write_text(CONSUMER.replace("FIRST", level), "utf-8")
    command = ("g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{cpp_project.project}/include")
    more = (str(cpp_project.work / "libfactory.a"), "-ldl", "-pthread", "-o", str(tmp_path / "app"))
    done = run(*command, str(tmp_path / "app.cpp"), *more)
    assert (done.returncode == 0) == (not fault) and fault in done.stderr, log(done)
    if not fault:
        told = run(str(tmp_path / "app"), str(cpp_project.project / "model/model.onnx"), **cpp._environment())
        assert told.stdout == SAID, log(told)


def readme(project: Path) -> str:
    """The block of code that uses the model."""
    found = re.findall(r"```(?:java|cpp)\n(.*?)```", (project / "README.md").read_text("utf-8"), re.DOTALL)
    return str(found[0])


@pytest.mark.slow
def test_the_readmes_compile(java_project: Built, cpp_project: Built, tmp_path: Path) -> None:
    head, body = readme(java_project.project).split("\n", 1)
    (tmp_path / "Mine.java").write_text(f"{head} class Mine {{ static {{ {body} }} }}", "utf-8")
    jars = list((Path.home() / ".m2").rglob("onnxruntime-1.28.0.jar"))
    paths = ":".join(map(str, [java_project.work / "classes", *jars]))
    done = run("javac", "-encoding", "UTF-8", "-cp", paths, "-d", str(tmp_path), str(tmp_path / "Mine.java"))
    assert done.returncode == 0, log(done)
    head, body = readme(cpp_project.project).split("\n", 1)
    (tmp_path / "mine.cpp").write_text(f"{head}\nvoid f() {{\n{body}\n(void)answer;\n}}\n", "utf-8")
    command = ("g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", '-DFACTORY_MODEL_PATH="m"')
    done = run(*command, f"-I{cpp_project.project}/include", str(tmp_path / "mine.cpp"))
    assert done.returncode == 0, log(done)


FIT = """
folder <- commandArgs(TRUE)[[1]]
set.seed(3)
odd <- c("Adelie", "adelie", "", "NA", "b:c", "d e", "1st", "na\\u00efve", "\\u6f22\\u5b57", "\\U1F600", "class")
d <- data.frame(f = factor(sample(odd, 200, TRUE), odd), x = rnorm(200),
    o = factor(sample(c("low", "mid", "high"), 200, TRUE), c("low", "mid", "high"), ordered = TRUE))
d$y <- as.integer(d$f) / 3 + d$x + as.integer(d$o) + rnorm(200)
saveRDS(lm(y ~ f * x + o, d), file.path(folder, "m.rds"))
write.csv(d[1:40, c("f", "x", "o")], file.path(folder, "rows.csv"), row.names = FALSE, fileEncoding = "UTF-8")
"""


@pytest.mark.slow
@pytest.mark.usefixtures("tools")
def test_a_model_of_r_has_its_levels_in_both_languages(tmp_path: Path) -> None:
    (tmp_path / "fit.R").write_text(FIT)
    utf8 = {**os.environ, "LC_ALL": "C.UTF-8"}
    subprocess.run(["Rscript", "--vanilla", tmp_path / "fit.R", tmp_path], check=True, env=utf8, timeout=120)
    made = build_model(
        tmp_path / "m.rds", tmp_path / "rows.csv", tmp_path / "dist", targets=("cpp", "java"), name=NAME[0]
    )
    deploy = made.bundle / "deploy"
    order = (deploy / "java/src/main/java/model/model/O.java").read_text()
    assert re.findall(r'^    (\w+)\("', order, re.MULTILINE) == ["LOW", "MID", "HIGH"]
    assert "enum class O {\n    low = 1," in (deploy / "cpp/include/model/model.hpp").read_text()
    golden = check_bundle(made.bundle, ("cpp", "java"), "cpu", lambda step: None)["golden"]
    assert set(golden) == {"CPUExecutionProvider", "cpp", "java"} and len(set(golden.values())) == 1


def test_the_readme_shows_a_case_whose_numbers_are_in_the_json() -> None:
    raw = b'{"inputs":[{"name":"a","datatype":"FP32","shape":[9,1],"parameters":{"binary_data_size":36}}]}'
    plain = b'{"inputs":[{"name":"a","datatype":"FP32","shape":[1,1],"data":[1.5]}]}'
    golden = {"case-000.request.json": raw, "case-001.request.json": plain}
    golden |= {name.replace("request", "response"): b'{"outputs":[]}' for name in golden}
    assert usage.first_row(golden, ["a"]) == [1.5] and answers.first_row(golden) == {"a": [1.5]}
