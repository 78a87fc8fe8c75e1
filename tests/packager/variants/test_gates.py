"""Variants in bundles: made with the build, held to their gates, held again by every command."""

from __future__ import annotations

import json
import math
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.packager.accuracy.asked import Asked, asked_of
from mlpack_toolkit.packager.accuracy.gate import Gate, judge
from mlpack_toolkit.packager.accuracy.making import MadeOf
from mlpack_toolkit.packager.accuracy.metrics import METRICS, upper_bound
from mlpack_toolkit.packager.accuracy.own_metric import asker
from mlpack_toolkit.packager.accuracy.rows import FOLDER, check_apart, read_rows
from mlpack_toolkit.packager.accuracy.speed import is_slower
from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.commands import variants as flow
from mlpack_toolkit.packager.commands.bench import bench_bundle
from mlpack_toolkit.packager.commands.inspect import inspect
from mlpack_toolkit.packager.commands.predict import predict
from mlpack_toolkit.packager.commands.verify import check_bundle
from mlpack_toolkit.packager.errors import ConversionError, DamagedError, MismatchError, ModelError, UsageError
from mlpack_toolkit.packager.original.worker import Limits
from tests.conftest import Run
from tests.make import build_model
from tests.packager.variants.deep import flow_of
from tests.packager.variants.nets import SIGNATURE, rows
from tests.seal import seal


@pytest.fixture
def bundle(made: Path) -> Path:
    return made / "dist" / "net-1.0.0"


def test_what_the_manifest_and_the_reports_say(bundle: Path, made: Path) -> None:
    found = open_bundle(bundle)
    assert [v.name for v in found.variants] == ["reference", "fp16", "int8", "int8_static", "own", "small"]
    assert [v.weights for v in found.variants[1:]] == ["float16", "int8", "int8", "uint8", "uint4"]
    for variant in found.variants[1:]:
        gate, report = found.proof(variant.name).gate, found.json(found.proof(variant.name).report)
        assert report["verdict"] == "within the limit" and report["bytes"] == variant.artifact.size
        assert report["bytes"] < report["parent"]["bytes"] and sum(report["nodes"].values()) > 0
        assert report["gate"]["worst"]["inputs"]["x"] and "worst" not in gate
        assert gate["rows"] == (24 if variant.name == "fp16" else 100) and gate["path"].startswith(FOLDER)
        assert variant.recipe["parent"] == [file.sha256 for file in found.variant().artifact.files]
        assert variant.signature.outputs == found.signature.outputs and variant.io == "float32"
    own = found.proof("own").gate
    assert own["metric"] == "own:worst" and 0 < own["value"] <= 2
    (limited,) = found.variant("int8").signature.inputs  # a scale of numbers beyond it is infinite
    assert limited.limit == 1e30 and found.signature.inputs[0].limit is None
    assert found.json("reports/variants/int8.json")["nodes"] == {"MatMulInteger": 2}
    assert found.json("reports/variants/fp16.json")["gate"]["metric"] == "half"
    assert len(found.listed(FOLDER)) == 2  # those of the example, and those that four variants share
    printed = json.loads((made / "built.json").read_text())["variants"]
    assert [each["variant"] for each in printed] == ["fp16", "int8", "int8_static", "small", "own"]
    assert all(one["speedup"] > 0 for each in printed for one in each["latency"])
    measured = json.loads((bundle / "evidence/measurements/variants.json").read_text())
    assert sorted(measured) == ["fp16", "int8", "int8_static", "own", "small"]
    assert all(each["shipped"] and each["latency"] for each in measured.values())
    page = (bundle / "evidence/report.html").read_text()
    assert "<h2>Variants</h2>" in page and "2 MatMulInteger" in page and "least cosine" in page


def test_accuracy_control_puts_the_worst_nodes_back(bundle: Path) -> None:
    """With all nodes of 4 bits the least cosine is below the limit; the report lists what went back."""
    found = open_bundle(bundle)
    report = found.json("reports/variants/small.json")
    assert report["put_back"] and set(report["put_back"]) < {"layer0", "layer1"}
    assert report["gate"]["limit"] == pytest.approx(0.96) and report["gate"]["value"] >= 0.96
    assert report["nodes"] == {"MatMulNBits": 1} and found.variant("small").recipe["put_back"] == report["put_back"]
    assert report["put_back"][0] in (bundle / "evidence/report.html").read_text()


def test_the_same_input_gives_the_same_bytes(bundle: Path, made: Path, tmp_path: Path) -> None:
    again = flow_of(made, tmp_path)
    assert again.identity == open_bundle(bundle).identity


def test_every_command_takes_a_variant(bundle: Path, made: Path, tmp_path: Path) -> None:
    facts = check_bundle(bundle, (), None, lambda step: None)
    cases = len(list(bundle.glob("golden/*.request.json")))
    assert facts["golden"]["int8 on CPUExecutionProvider"] == cases == facts["golden"]["CPUExecutionProvider"]
    assert "which verify does not run" in facts["gates"]["own"]["not_held"]
    assert facts["gates"]["int8"]["value"] >= 0.95 and facts["gates"]["small"]["metric"] == "cosine"
    alone = check_bundle(bundle, (), "cpu", lambda step: None, "int8_static")
    assert list(alone["gates"]) == ["int8_static"]
    for name in (None, "int8"):
        predict(bundle, made / "rows.npz", tmp_path / f"{name}.npz", name)
    want, got = (np.load(tmp_path / f"{name}.npz")["logits"] for name in (None, "int8"))
    assert 0 < np.abs(want - got).max() < 0.1 * np.abs(want).max()
    measured = bench_bundle(bundle, "reference", "", 0.01, variant="int8")
    assert measured["variant"] == "int8" and measured["against"] == "reference" and measured["speedup"]
    line = next(line for line in inspect(bundle)["variants"] if line.startswith("small"))
    assert "uint4 weights, float32 values" in line and "held by cosine: 0.9" in line


def test_verify_holds_the_gate_again(bundle: Path, made: Path, tmp_path: Path) -> None:
    """A limit that this variant misses, its rows away, other rows in their place."""
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    plain = json.loads((copy / "manifest.json").read_bytes())["variants"]
    gate = plain["int8_static"]["gate"]
    gate["limit"] = 1e-12
    seal(copy, variants=plain)
    with pytest.raises(MismatchError, match="the variant int8_static misses its gate on this machine: kl is"):
        check_bundle(copy, (), None, lambda step: None)
    gate["limit"] = 0.5
    np.savez(copy / gate["path"], x=np.zeros(3))
    seal(copy, variants=plain)
    with pytest.raises(DamagedError, match="holds no rows"):
        check_bundle(copy, (), None, lambda step: None, "int8_static")
    for each in plain.values():
        each.get("gate", {}).pop("path", None)
    shutil.rmtree(copy / FOLDER)
    seal(copy, variants=plain)
    facts = check_bundle(copy, (), None, lambda step: None, "int8")
    assert facts["gates"]["int8"]["not_held"].endswith("give them with --rows")
    facts = check_bundle(copy, (), None, lambda step: None, "int8", made / "rows.npz")
    assert facts["gates"]["int8"]["value"] >= 0.95
    with pytest.raises(MismatchError, match=r"the rows in calibration\.npz are not those that the variant was held on"):
        check_bundle(copy, (), None, lambda step: None, "int8", made / "calibration.npz")
    gate = plain["int8"]["gate"]
    gate["path"] = "gates/none.npz"
    with pytest.raises(DamagedError, match="gate"):
        seal(copy, variants=plain)
        check_bundle(copy, (), None, lambda step: None)


def asked(made: Path, kind: str, **given: Any) -> Asked:
    table = {"kind": kind, "rows": "rows.npz", "ship_slower": True, **given}
    return asked_of([(table, made)], (), {})[0]


def build_of(made: Path, output: Path, *variants: Asked, **options: Any) -> Any:
    return build_model(made / "net.onnx", made / "example.npz", output, variants=variants, **options)


def test_a_missed_limit_writes_nothing(made: Path, tmp_path: Path) -> None:
    with pytest.raises(MismatchError, match=r"the variant int8 is not good enough: max_abs is .* limit is 0\.001") as e:
        build_of(made, tmp_path, asked(made, "int8", metric="max_abs", limit=0.001))
    assert e.value.exit_code == 5 and e.value.facts["gate"]["beyond"] > 0 and not list(tmp_path.iterdir())


def outcome_of(made: Path, folder: Path, *asked: Asked) -> flow.Outcome:
    """What a build does about variants, without the rest of it."""
    report = SimpleNamespace(tolerances={})
    proven = SimpleNamespace(model=Artifact.of(made / "net.onnx"), signature=SIGNATURE, report=report)
    example = rows(24, 1)
    probes = SimpleNamespace(kinds=np.full(24, "example", object), keep=lambda kinds: (example, {}, kinds), others=())
    nothing = lambda *given: None  # noqa: E731
    return flow.make_variants(asked, MadeOf(proven, probes, (), folder, nothing, nothing), 0.001, nothing)


def test_bfloat16_is_refused_where_the_provider_cannot_run_it(made: Path, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="variant bf16 is of no use here: CPUExecutionProvider cannot run it"):
        outcome_of(made, tmp_path, asked(made, "bf16", metric="top1", limit=0.9))


def test_a_slower_variant_is_left_out_and_said(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = [{"batch": 1, "variant_p50_ms": 2.0, "parent_p50_ms": 1.0, "speedup": 0.5}]
    monkeypatch.setattr(flow, "beside", lambda *given: slow)
    variant = asked(made, "int8", metric="top1", limit=0.9)
    kept = outcome_of(made, tmp_path / "kept", variant)
    assert [each.variant.name for each in kept.shipped] == ["int8"] and kept.to_json()[0]["shipped"]
    assert kept.remarks == ("the variant int8 is not faster at each batch size: 0.5x at batch 1",)
    found = outcome_of(made, tmp_path / "left", replace(variant, ship_slower=False))
    (plain,), (said,) = found.to_json(), found.remarks
    assert not found.shipped and not plain["shipped"] and plain["latency"] == slow and plain["gate"]["value"] >= 0.9
    assert said.startswith("the variant int8 passed its gate and is not in the bundle, because it is slower than")
    assert "0.5x at batch 1" in said and "ship_slower = true" in said
    assert is_slower(slow, 1.0) and not is_slower([*slow, {"speedup": 1.0}], 1.0)


def test_what_a_metric_of_the_users_own_may_not_do(made: Path, tmp_path: Path) -> None:
    """It may write nothing beyond its folder; it must be there, and give numbers."""
    ask = asker(sys.executable, tmp_path, Limits(), [made / "code"])
    table = {"logits": np.ones((3, 2), np.float32)}
    assert ask("own:worst", table, {"logits": np.zeros((3, 2), np.float32)}).tolist() == [1, 1, 1]
    for name, said in (("greedy", "ermission"), ("words", "must give a number"), ("none", "no function own:none")):
        with pytest.raises(ModelError, match=said):
            ask(f"own:{name}", table, table)
    assert not Path("/tmp/own-metric-was-here").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kind": "int8"}, "needs metric, limit, rows"),
        ({"kind": "int4", "metric": "kl", "limit": 0.1}, "needs rows: nothing but a metric on rows of your own"),
        ({"kind": "fp16", "metric": "kl"}, "needs limit, rows"),
        ({"kind": "int9"}, "no kind of variant 'int9'"),
        ({"kind": "int8", "metric": "top1", "limit": 0.01, "rows": "rows.npz"}, "from 0.5 to 1, and 0.01 is not"),
        ({"kind": "int8", "metric": "kl", "limit": -1, "rows": "rows.npz"}, "is below 0"),
        ({"kind": "int8", "metric": "f1", "limit": 0.9, "rows": "rows.npz"}, "no metric 'f1'; there are: top1, kl"),
        ({"kind": "int8", "metric": "kl", "limit": 0.9, "rows": "none.npz"}, "there is no file"),
        ({"kind": "int8_static", "metric": "kl", "limit": 0.9, "rows": "rows.npz"}, "needs calibration"),
        (
            {"kind": "int8_static", "metric": "kl", "limit": 1, "rows": "rows.npz", "calibration": "rows.npz"},
            "calibration and rows are the same file",
        ),
        ({"kind": "fp16", "name": "reference"}, "needs another name"),
        ({"kind": "fp16", "speed": 1}, "unknown key 'speed' in"),
        ({"kind": "fp16", "block": "a"}, "wrong type"),
        ({"kind": "int4", "metric": "kl", "limit": 1, "rows": "rows.npz", "block": 7}, "block must be one of 16, 32"),
        ({"name": "x"}, "needs a kind"),
    ],
)
def test_what_cannot_be_asked_for(given: dict[str, Any], said: str, made: Path) -> None:
    with pytest.raises(UsageError, match=said) as error:
        asked_of([(given, made)], (), {})
    assert error.value.exit_code == 2


def test_the_command_line_over_the_file(made: Path, mlpack: Run) -> None:
    tables = [({"kind": "int4", "name": "small", "metric": "kl", "limit": 0.1, "rows": "rows.npz"}, made)]
    over = {"metric": "top1", "limit": 0.9, "max_drop": 0.2, "block": 64.0}
    (small,) = asked_of(tables, ("small",), over)
    assert (small.kind, small.metric, small.limit, small.block) == ("int4", "top1", 0.9, 64)
    (half,) = asked_of(tables, ("fp16",), {})
    assert half == Asked("fp16", "fp16")
    with pytest.raises(UsageError, match="name one with --variant"):
        asked_of((), (), {"limit": 1.0})
    code, found, _ = mlpack("build", made / "net.onnx", "--example", made / "example.npz", "--variant", "int8")
    assert code == 2 and found["error"]["message"].startswith("the variant int8 needs metric, limit, rows")


def test_calibration_rows_are_none_of_those_that_judge(made: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "mixed.npz", x=np.concatenate([rows(300, 3)["x"], rows(100, 2)["x"][40:41]]))
    judging = read_rows(made / "rows.npz", SIGNATURE)
    check_apart(read_rows(made / "calibration.npz", SIGNATURE), judging)
    with pytest.raises(UsageError, match=r"row 300 of mixed\.npz is row 40 of rows\.npz"):
        check_apart(read_rows(tmp_path / "mixed.npz", SIGNATURE), judging)


def test_the_metrics_by_themselves() -> None:
    want = np.array([[[2.0, 1.0], [0.0, 3.0]], [[1.0, 0.0], [5.0, 4.0]]])
    got = np.array([[[2.0, 1.0], [3.0, 0.0]], [[1.0, 0.5], [5.0, 4.0]]])
    assert METRICS["top1"].per_row(want, got).tolist() == [0.5, 1.0]
    assert METRICS["max_abs"].per_row(want, got).tolist() == [3.0, 0.5]
    assert METRICS["cosine"].per_row(want, got)[0] == 0 and METRICS["cosine"].per_row(
        want, want
    ).min() == pytest.approx(1)
    odds = np.array([[0.25, 0.75]])
    other = np.array([[0.5, 0.5]])
    wanted = 0.25 * np.log(0.5) + 0.75 * np.log(1.5)
    assert METRICS["kl"].per_row(odds, other)[0] == pytest.approx(wanted)
    assert METRICS["kl"].per_row(np.log(odds), np.log(other) + 7)[0] == pytest.approx(wanted)
    assert METRICS["kl"].per_row(odds, odds)[0] == 0
    assert METRICS["top1"].of_all(np.array([0.5, 1.0])) == 0.75 and METRICS["kl"].of_all(np.array([0.5, 1.0])) == 1
    assert not METRICS["kl"].holds(float("nan"), 1) and not METRICS["top1"].holds(float("nan"), 0.5)


def test_the_bound_at_95_percent() -> None:
    """Of none among n: 3/n. Else Clopper and Pearson's: the share at which so few are seen with 5 %."""
    assert upper_bound(0, 300) == 0.01 and upper_bound(0, 2) == 1.0 and upper_bound(4, 4) == 1.0
    for beyond, count in ((1, 100), (5, 50), (40, 41)):
        p = upper_bound(beyond, count)
        seen = sum(math.comb(count, k) * p**k * (1 - p) ** (count - k) for k in range(beyond + 1))
        assert seen == pytest.approx(0.05, abs=1e-9)


class Fixed:
    """A runner with an answer to each row of `x`."""

    name, takes_no_rows = "fixed", True

    def __init__(self, signature: Any, **answers: Any) -> None:
        self.signature, self._answers = signature, answers

    def run(self, table: dict[str, Any]) -> dict[str, Any]:
        return {name: values[table["x"].astype(int)] for name, values in self._answers.items()}


def test_not_finite_fails_whatever_the_metric_says() -> None:
    from mlpack_toolkit.converters.spec import Signature, TensorSpec

    outputs = (TensorSpec("y", "float32", ("N", 2)), TensorSpec("label", "int64", ("N",)))
    signature = Signature("graph", (TensorSpec("x", "int64", ("N",)),), outputs)
    scores = np.array([[1, 0], [0.5, 0.5001], [np.nan, 1]], np.float32)
    parent = Fixed(signature, y=scores, label=np.array([0, 1, 1]))
    table = [{"x": np.arange(3)}]
    for bad, holds in ((scores, True), (np.array([[1, 0], [np.inf, 0], [0, 1]], np.float32), False)):
        found = judge(Gate("top1", 0.5), parent, Fixed(signature, y=bad, label=np.array([0, 1, 1])), table)
        assert found.holds is holds and (holds or "not finite where the parent's is" in found.words)
    half = Gate("half", 2.0**-10)
    near = Fixed(signature, y=scores, label=np.array([0, 0, 1]))
    assert judge(half, parent, near, table).holds
    far = judge(half, parent, Fixed(signature, y=scores, label=np.array([1, 1, 1])), table)
    assert not far.holds and "the output 'label' differs in row 0" in far.words
    moved = judge(half, parent, Fixed(signature, y=scores + np.float32(0.01), label=np.array([0, 1, 1])), table)
    assert not moved.holds and moved.beyond == 3
