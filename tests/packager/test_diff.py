"""`mlpack diff`: what changed from one bundle to another, told so that a reviewer can act on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.spec import Cells, Signature, TensorSpec
from mlpack_toolkit.converters.variant import Variant
from mlpack_toolkit.packager.bundle.golden import GoldenCase, Tolerance
from mlpack_toolkit.packager.diff import diff
from mlpack_toolkit.packager.diff.answers import answers
from mlpack_toolkit.packager.diff.environment import environment_changes, unproved_changes
from mlpack_toolkit.packager.diff.graph import graph_changes
from mlpack_toolkit.packager.diff.signature import signature_changes
from mlpack_toolkit.packager.diff.text import lines
from mlpack_toolkit.packager.errors import DamagedError, UsageError
from tests.artifacts import artifact_of
from tests.packager.conftest import HOSTILE, Made, made_once, make

Facts = dict[str, Any]
Run = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture(scope="session")
def tamer(flowers: Made, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The flowers' model, fitted with a stronger penalty."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=500, C=0.01).fit(flowers.rows, flowers.fitted.predict(flowers.rows))
    return made_once(tmp_path_factory, "tamer", model, flowers.rows, "flowers", version="2.0.0")


def text(facts: Facts) -> str:
    return "\n".join(lines(facts))


def test_the_same_model_built_twice_is_the_same_bundle(flowers: Made, tmp_path: Path) -> None:
    again = make(flowers.fitted, flowers.rows, tmp_path, "flowers")
    facts = diff(flowers.folder, again.folder)
    assert facts["same"] and facts["bundle"] == [] and facts["graph"]["same"]
    assert facts["files"] == {"added": [], "removed": [], "changed": []}
    assert [(o["differ"], a["why"]) for a in facts["answers"] for o in a["outputs"]] == [(0, "")] * 4
    assert text(facts) == f"no differences: both are flowers 1.0.0 ({again.bundle.identity})"


def test_a_refitted_model_answers_otherwise(flowers: Made, tamer: Made) -> None:
    facts = diff(flowers.folder, tamer.folder)
    assert not facts["same"]
    assert [c["field"] for c in facts["bundle"]] == ["version", "source sha256"]
    assert facts["environment"]["distributions"] == {"added": [], "removed": [], "changed": []}
    assert facts["signature"]["inputs"]["changed"] == [] == facts["graph"]["nodes"]
    assert not facts["graph"]["same"] and facts["graph"]["constants"]["changed"]["count"] > 0
    for asked, cases in zip(facts["answers"], (flowers, tamer), strict=True):
        assert (asked["why"], asked["asked"]) == ("", len(list(cases.bundle.golden())))
        label, probabilities = asked["outputs"]
        assert 0 < label["differ"] < label["rows"] and label["max_abs"] is None and label["worst"]
        assert probabilities["differ"] > label["differ"] and 0.01 < probabilities["max_abs"] <= 1
        assert asked["both_refuse"] > 0 and not asked["refused"]


def test_the_largest_difference_is_that_of_the_named_case(flowers: Made, tamer: Made) -> None:
    """Reckoned anew with the models themselves."""
    told = diff(flowers.folder, tamer.folder)["answers"][0]["outputs"][1]
    largest = {
        case.identifier: np.abs(tamer.fitted.predict_proba(case.rows["X"]) - case.answers["probabilities"]).max()
        for case in flowers.bundle.golden()
        if not case.error and len(case.rows["X"])
    }
    assert told["max_abs"] == pytest.approx(max(largest.values()), rel=1e-4)
    assert largest[told["worst"]] == max(largest.values())


def test_models_of_other_kinds_say_why_nothing_is_asked(flowers: Made, crew: Made) -> None:
    facts = diff(flowers.folder, crew.folder)
    assert [a["why"] for a in facts["answers"]] == [
        "it takes the input 'mood', which the cases do not have",
        "it takes the input 'X', which the cases do not have",
    ]
    assert {"field": "classes", "from": [0, 1, 2], "to": ["<b>aye</b>", 'no "way"']} in facts["signature"]["facts"]


@pytest.fixture(scope="session")
def watch(crew: Made, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The crew's model without their age; it knows one mood less, and takes a missing number."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    rows = crew.rows[crew.rows["mood"] != "日本"].reset_index(drop=True)
    columns = ColumnTransformer([("text", OneHotEncoder(), ["mood"])], remainder=SimpleImputer())
    fitted = make_pipeline(columns, LogisticRegression()).fit(rows.drop(columns="age"), crew.fitted.predict(rows))
    return made_once(tmp_path_factory, "watch", fitted, rows.drop(columns="age"), "crew")


def test_another_column_is_another_signature(crew: Made, watch: Made) -> None:
    facts = diff(watch.folder, crew.folder)
    inputs = facts["signature"]["inputs"]
    assert [t["name"] for t in inputs["added"]] == ["age"] and inputs["removed"] == []
    rules = {t["name"]: {c["field"] for c in t["changes"]} for t in inputs["changed"]}
    assert rules["mood"] == {"values"} and "nullable" in rules[HOSTILE]
    asked = facts["answers"][0]
    assert (asked["graph"], asked["cases"], asked["asked"]) == ("b", "a", 0)
    assert asked["why"] == "it takes the input 'age', which the cases do not have"
    said = text(facts)
    assert "+ input age: int" in said and "the cases of A do not fit the graph of B: it takes the input" in said


def test_a_graph_that_is_not_the_signatures_is_not_asked() -> None:
    other = replace(small(X, Y), signature=Signature("regressor", (X,), (tensor("y", "float32"),)))
    why = "the graph is not the one that the signature describes: the output 'y' is tensor(double), "
    assert answers(other, small(X, Y, 1.0))["why"] == why + "and the signature says float32"


def test_a_case_that_only_one_side_refuses_is_named(crew: Made, watch: Made) -> None:
    asked = diff(crew.folder, watch.folder)["answers"][0]
    assert asked["why"] == "" and asked["outputs"][0]["rows"] > 0
    assert any("a value that the model does not know" in each["reason"] for each in asked["refused"])
    errors = {case.identifier: case.error for case in crew.bundle.golden() if case.error}
    assert asked["no_longer_refused"] and asked["both_refuse"] > 0
    assert all(errors[each["case"]] == each["reason"] for each in asked["no_longer_refused"])
    assert len(asked["no_longer_refused"]) + asked["both_refuse"] == len(errors)


@dataclass(frozen=True)
class Small:
    """What `answers` takes of a bundle: a graph of one node from `x` to `y`, and cases."""

    signature: Signature
    model: bytes = b""
    cases: tuple[GoldenCase, ...] = ()

    def golden(self) -> tuple[GoldenCase, ...]:
        return self.cases

    def variant(self, name: str = "reference") -> Variant:
        return Variant(name, Artifact(Path(), "model.onnx", ()), self.signature, "float64", "float64")

    def loadable(self, name: str = "reference") -> bytes:
        return self.model


def small(x: TensorSpec, y: TensorSpec, *values: float, operator: str = "Cast", **settings: Any) -> Small:
    """A graph that gives its input, in the output's type; one case per value, whose answer is the value itself."""
    import onnx
    from onnx import helper

    kinds = {"float32": onnx.TensorProto.FLOAT, "float64": onnx.TensorProto.DOUBLE}
    kinds |= {"int64": onnx.TensorProto.INT64, "string": onnx.TensorProto.STRING}
    settings = settings or {"to": kinds[y.dtype]}
    places = [helper.make_tensor_value_info(t.name, kinds[t.dtype], t.shape) for t in (x, y)]
    made = helper.make_graph([helper.make_node(operator, [x.name], [y.name], **settings)], "g", places[:1], places[1:])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    arrays = [np.array([v], x.dtype) for v in values]
    same = {"y": Tolerance(1e-5, 1e-6)}
    cases = [GoldenCase(f"case-{i}", "", {"x": a}, {"y": a.reshape(1, 1)}, "", same) for i, a in enumerate(arrays)]
    return Small(Signature("regressor", (x,), (y,)), model.SerializeToString(), tuple(cases))


def tensor(name: str, dtype: str = "float64", *shape: int | str, **facts: Any) -> TensorSpec:
    return TensorSpec(name, dtype, shape or ("N", 1), Cells(**facts))


X, Y = tensor("x"), tensor("y")
SUMS = {"operator": "ReduceMax", "axes": [1], "keepdims": 0}


def test_the_case_of_the_largest_difference_is_named() -> None:
    """A graph that cuts fractions off, asked for what keeps them."""
    cut = small(X, tensor("y", "int64"))
    (told,) = answers(cut, small(X, Y, 1.0, 2.25, 8.75, 4.5))["outputs"]
    assert told == {"output": "y", "rows": 4, "differ": 3, "max_abs": 0.75, "max_rel": 1 / 9, "worst": "case-2"}


def test_a_fraction_is_not_cut_off_to_be_asked() -> None:
    whole = small(tensor("x", "int64"), tensor("y", "int64"))
    asked = answers(whole, small(X, Y, 1.0, 2.5, float("nan")))
    reason = "column 'x': a number that int64 cannot represent"
    assert asked["refused"] == [{"case": "case-1", "reason": reason}, {"case": "case-2", "reason": reason}]
    assert asked["outputs"][0]["rows"] == 1


def test_a_batch_that_the_graph_does_not_take_is_refused() -> None:
    two = small(tensor("x", "float64", 2, 1), tensor("y", "float64", 2, 1))
    (refused,) = answers(two, small(X, Y, 1.0))["refused"]
    assert refused["reason"] == "input 'x': the shape [1, 1], and the graph takes [2, 1]"


def test_a_graph_that_stops_is_told() -> None:
    two = small(tensor("x", "float64", 2, 1), tensor("y", "float64", 2, 1))
    (refused,) = answers(replace(two, signature=Signature("regressor", (X,), (Y,))), small(X, Y, 1.0))["refused"]
    assert refused["case"] == "case-0" and refused["reason"].startswith("the graph stops")


@pytest.mark.parametrize(
    ("own", "node", "why"),
    [
        (tensor("z"), {}, "the graph has no such output"),
        (tensor("y", "float64", "N"), SUMS, "['N'] from the graph, ['N', 1] in the cases"),
        (
            tensor("y", columns=("no",)),
            {},
            "its columns are other classes than in the cases, or in another order",
        ),
        (tensor("y", "string"), {}, "string from the graph, float64 in the cases"),
    ],
)
def test_an_output_that_cannot_be_compared_says_why(own: TensorSpec, node: dict[str, Any], why: str) -> None:
    asked = answers(small(X, own, **node), small(X, tensor("y", columns=("yes",))))
    assert asked["not_compared"] == [{"output": "y", "why": why}] and asked["outputs"] == []


@pytest.mark.parametrize(
    ("x", "why"),
    [
        (tensor("x", "string"), "the input 'x' takes numbers, and the cases contain text"),
        (tensor("x", "float64", "N", 3), "the input 'x' has the shape ['N', 1], in the cases ['N', 3]"),
        (tensor("x", columns=("b",)), "the columns of the input 'x' differ in the cases, or are in another order"),
    ],
)
def test_requests_that_do_not_suit_say_why(x: TensorSpec, why: str) -> None:
    asked = answers(small(tensor("x", columns=("a",)), Y), Small(Signature("regressor", (x,), (Y,))))
    assert asked["why"] == why


def test_a_graph_that_this_onnx_runtime_cannot_load_says_so() -> None:
    asked = answers(replace(small(X, Y), model=b"newer"), small(X, Y, 1.0))
    assert asked["why"].startswith("ONNX Runtime cannot load the graph") and asked["asked"] == 0


def distribution(name: str, version: str, **facts: Any) -> Facts:
    plain = {"origin": "index", "source": "", "commit": "", "tags": ["py3-none-any"], "licence": "MIT"}
    return {"name": name, "version": version, **plain, "needed": False, "altered": [], "record": "sha256:1", **facts}


def environment(*distributions: Facts, version: str = "3.11.7", libc: str = "glibc 2.36") -> Facts:
    interpreter = {"implementation": "CPython", "version": version, "platform": "linux-x86_64"}
    return {"format": 2, "interpreter": interpreter, "libc": libc, "distributions": list(distributions)}


def test_an_environment_names_what_the_model_needs_first() -> None:
    a = environment(distribution("attrs", "1"), distribution("zope", "1", needed=True), distribution("old", "1"))
    b = environment(
        distribution("attrs", "2"), distribution("Zope", "2", needed=True), distribution("new", "3"), version="3.12.1"
    )
    found = environment_changes(a, b)
    assert found["interpreter"] == [{"field": "version", "from": "3.11.7", "to": "3.12.1"}]
    assert found["distributions"]["added"] == [{"name": "new", "needed": False, "version": "3"}]
    assert found["distributions"]["removed"] == [{"name": "old", "needed": False, "version": "1"}]
    changed = found["distributions"]["changed"]
    assert [(d["name"], d["needed"], d["from"], d["to"]) for d in changed] == [
        ("Zope", True, "1", "2"),
        ("attrs", False, "1", "2"),
    ]
    assert not any(d["other_content"] for d in changed)


@pytest.mark.parametrize("field", [{"record": "sha256:2"}, {"altered": ["x/y.py"]}])
def test_the_same_version_with_other_content_is_said(field: Facts) -> None:
    a, b = environment(distribution("numpy", "2.0")), environment(distribution("numpy", "2.0", **field))
    (changed,) = environment_changes(a, b)["distributions"]["changed"]
    assert (changed["from"], changed["to"], changed["other_content"]) == ("2.0", "2.0", True)
    assert [c["field"] for c in changed["changes"]] == list(field)


def test_another_origin_is_no_other_content() -> None:
    moved = {"origin": "vcs", "source": "https://git.example/x", "commit": "abc"}
    a, b = environment(distribution("x", "1")), environment(distribution("x", "1", **moved), libc="glibc 2.41")
    found = environment_changes(a, b)
    (changed,) = found["distributions"]["changed"]
    assert not changed["other_content"] and {c["field"]: c["to"] for c in changed["changes"]} == moved
    assert found["system"] == [{"field": "libc", "from": "glibc 2.36", "to": "glibc 2.41"}]


def test_an_older_capture_is_compared_in_what_it_says() -> None:
    old = environment({"name": "numpy", "version": "2.0", "installer": "pip"})
    found = environment_changes(old, environment(distribution("numpy", "2.0")))
    assert found["distributions"]["changed"] == []
    assert {"field": "record", "side": "a"} in found["untold"]
    assert environment_changes(old, old)["untold"] == []


def test_what_could_not_be_proved_comes_and_goes() -> None:
    gone = {"name": "x", "version": "1", "why": "the index has no wheel of this version (any more)"}
    assert unproved_changes({}, {"unproved": [gone]}) == {"added": [gone], "removed": []}
    assert unproved_changes({"unproved": [gone]}, {"unproved": [gone]}) == {"added": [], "removed": []}


def manifest(*inputs: TensorSpec, **facts: Any) -> Facts:
    signature = Signature("regressor", inputs, (TensorSpec("prediction", "float32", ("N",)),))
    return {"signature": signature.to_json(), "precision": "float32", "tolerances": {}, **facts}


def test_a_signature_tells_every_rule() -> None:
    rules: Facts = {"nullable": True, "limit": 9.0, "least": 1.0, "most": 2.0, "values": (1, 2)}
    plain: Facts = {"nullable": False, "limit": None, "least": None, "most": None, "values": None}
    a = manifest(TensorSpec("x", "float32", ("N", 1), Cells(**plain)), precision="float64")
    held = {"tolerances": {"prediction": {"rtol": 1e-3, "atol": 0.0}}}
    b = manifest(TensorSpec("x", "int64", ("N", 1), Cells(**rules)), **held)
    rules, plain = rules | {"dtype": "int64"}, plain | {"dtype": "float32"}
    found = signature_changes(a, b)
    (changed,) = found["inputs"]["changed"]
    assert {c["field"]: (c["from"], c["to"]) for c in changed["changes"]} == {
        rule: (plain[rule], [1, 2] if rule == "values" else value) for rule, value in rules.items()
    }
    assert found["facts"] == [{"field": "precision", "from": "float64", "to": "float32"}]
    assert found["tolerances"] == [{"output": "prediction", "from": None, "to": {"rtol": 1e-3, "atol": 0.0}}]


def test_a_rule_of_one_column_of_a_matrix_names_the_column() -> None:
    def matrix(limit: float | None) -> Facts:
        columns = tuple(
            TensorSpec(name, "float32", ("N", 1), Cells(limit=limit if name == "v" else None)) for name in "uv"
        )
        return manifest(TensorSpec("X", "float32", ("N", 2), Cells(features=columns)))

    (changed,) = signature_changes(matrix(None), matrix(8.0))["inputs"]["changed"]
    assert changed["changes"] == [{"column": "v", "field": "limit", "from": None, "to": 8.0}]


def test_columns_in_another_order_are_said() -> None:
    u, v = (TensorSpec(name, "float32", ("N", 1)) for name in "uv")
    found = signature_changes(manifest(u, v), manifest(v, u))["inputs"]
    assert found == {"added": [], "removed": [], "changed": [], "reordered": True}


def graph(
    path: Path, opset: int, operators: tuple[str, ...], constants: dict[str, list[float]], **settings: Any
) -> Path:
    import onnx
    from onnx import TensorProto, helper

    nodes = [helper.make_node(op, ["x"], [f"y{i}"], **settings) for i, op in enumerate(operators)]
    kept = [helper.make_tensor(name, TensorProto.FLOAT, [len(v)], v) for name, v in constants.items()]
    made = helper.make_graph(nodes, "g", [], [], kept)
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)]), path)
    return path


def test_a_graph_is_told_in_numbers(tmp_path: Path) -> None:
    a = graph(tmp_path / "a", 17, ("Relu", "Elu"), {"w": [1, 2], "gone": [0]}, alpha=1.0)
    b = graph(tmp_path / "b", 18, ("Relu", "Relu", "Elu"), {"w": [1, 3], "new": [4, 5, 6]}, alpha=2.0)
    found = graph_changes(Artifact.of(a), Artifact.of(b))
    assert found["opsets"] == [{"domain": "ai.onnx", "from": 17, "to": 18}]
    assert found["nodes"] == [{"operator": "Relu", "from": 1, "to": 2}] and found["settings"] == ["Elu"]
    assert found["constants"] == {
        "from": {"count": 2, "bytes": 12},
        "to": {"count": 2, "bytes": 20},
        "added": {"count": 1, "bytes": 12},
        "removed": {"count": 1, "bytes": 4},
        "changed": {"count": 1, "bytes": 8},
    }


def test_a_graph_opens_no_other_file(tmp_path: Path) -> None:
    import onnx

    a = graph(tmp_path / "a", 17, ("Relu",), {"w": [1, 2]})
    model = onnx.load(a)
    tensor = model.graph.initializer[0]
    tensor.ClearField("float_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/nowhere/at/all")
    assert graph_changes(Artifact.of(a), artifact_of(model.SerializeToString()))["constants"]["changed"] == {
        "count": 1,
        "bytes": 8,
    }


def test_an_edited_environment_is_damage(flowers: Made, copy: Path, mlpack: Run) -> None:
    path = copy / "environment/python/environment.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "libc": "glibc 2.99"}))
    with pytest.raises(DamagedError, match=r"changed: environment/python/environment\.json"):
        diff(copy, flowers.folder)
    code, said, _ = mlpack("diff", flowers.folder, copy)
    assert (code, said["error"]["kind"]) == (8, "DamagedError")


def test_what_is_no_bundle(flowers: Made, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a bundle"):
        diff(flowers.folder, tmp_path)


def test_the_text_moves_no_cursor(flowers: Made, tamer: Made) -> None:
    facts = diff(flowers.folder, tamer.folder)
    facts["b"] = {**facts["b"], "name": "\x1b[2Jflowers\r"}
    assert next(line for line in lines(facts) if line.startswith("B")).startswith(r"B  \x1b[2Jflowers\r 2.0.0")


def test_long_lists_are_told_by_what_came_and_went(flowers: Made, tamer: Made) -> None:
    facts = diff(flowers.folder, tamer.folder)
    towns = [f"town number {i}" for i in range(20)]
    facts["signature"]["facts"] = [{"field": "classes", "from": towns, "to": [*towns[1:], "village"]}]
    assert "  classes: + village; - town number 0" in text(facts).splitlines()


def test_the_command(flowers: Made, tamer: Made, mlpack: Run) -> None:
    code, facts, error = mlpack("diff", flowers.folder, tamer.folder)
    assert (code, error) == (0, "") and facts == diff(flowers.folder, tamer.folder)
    command = [sys.executable, "-m", "mlpack_toolkit", "diff", str(flowers.folder), str(tamer.folder)]
    root = str(Path(__file__).parents[2])
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": root})
    assert (done.returncode, done.stdout) == (0, text(facts) + "\n")
