"""`mlpack prove`: several providers side by side, the proof as evidence, the page of all proofs, the exit codes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.converters.spec import Table
from mlpack_toolkit.packager import output_machine
from mlpack_toolkit.packager.bundle.golden import GoldenCase
from mlpack_toolkit.packager.bundle.proofs_page import page_of, proofs_of, write_page
from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.commands import prove
from mlpack_toolkit.packager.commands.prove import ProveRequest, prove_bundle
from mlpack_toolkit.packager.equivalence.side_by_side import RECORDED, side_by_side
from mlpack_toolkit.packager.errors import LatencyError, MismatchError, UsageError
from mlpack_toolkit.packager.latency.limits import Limits
from mlpack_toolkit.runtimes.engine.bound import DEVICES
from tests.conftest import Run
from tests.packager.conftest import Made
from tests.packager.environments.test_nvidia import SMI, program
from tests.packager.providers.test_providers import OPENVINO

QUICK = 0.005
REPORT = "evidence/report.html"


@pytest.fixture(autouse=True)
def few_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlpack_toolkit.packager.latency.curve.MOST_ROWS", 64)


def test_a_proof_of_the_cpu(copy: Path) -> None:
    before, page = open_bundle(copy).identity, (copy / REPORT).read_bytes()
    facts = prove_bundle(copy, ProveRequest(("cpu",), seconds=QUICK))
    (proof,) = facts["proofs"]
    kept = json.loads((copy / proof["file"]).read_text())
    assert kept == {"format": 1, "identity": before, **{k: v for k, v in proof.items() if k != "file"}}
    assert set(kept["nodes"]) == {"CPUExecutionProvider"} and kept["golden"] == len(list(copy.glob("golden/*request*")))
    assert [p["batch"] for p in kept["latency"]["points"]] == [1, 8, 32, 64]
    assert all(p["bound_p50_ms"] > 0 and "copy_there_p50_ms" not in p for p in kept["latency"]["points"])
    assert kept["versions"]["onnxruntime"] and kept["machine"]["cpu"] and len(kept["state"]["after"]["load"]) == 3
    apart = kept["apart"][RECORDED]
    assert apart["numbers"] > 0 and kept["from_original"] == apart["largest"] and apart["differing"] == {}
    assert "from_cpu" not in kept and "cpu" not in kept and "gpus" not in kept
    assert open_bundle(copy).identity == before and (copy / REPORT).read_bytes() == page
    drawn = (copy / facts["page"]).read_text()
    assert "<polyline" in drawn and "reference, cpu, " in drawn and before in drawn
    again = prove_bundle(copy, ProveRequest(("cpu",), seconds=QUICK))
    assert again["evidence"]["added"] == sorted([proof["file"], facts["page"]])


def test_what_people_read(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a device beside the CPU, whose copies are apart: the numbers are made up, as no device is here."""
    facts = prove_bundle(copy, ProveRequest(("cpu",), seconds=QUICK))
    (proof,) = facts["proofs"]
    place = {"case": "case-007", "probe": "example", "index": [0, 2], "first": 0.5, "second": 0.25}
    far = {"numbers": 9, "largest": {"y": 0.25}, "where": {"y": place}}
    far |= {"differing": {"label": 3}, "finite_on_one_side": {"y": 1}}
    points = [{**p, "copy_there_p50_ms": 0.5, "copy_back_p50_ms": 0.25} for p in proof["latency"]["points"]]
    there = {**proof, "provider": "cuda", "gpus": [{"name": "NVIDIA H200"}], "apart": {RECORDED: far}}
    there |= {"latency": {**proof["latency"], "points": points, "limit_ms": 5.0}, "cpu": {"latency": proof["latency"]}}
    output_machine.proved({**facts, "proofs": [proof, there]})
    said = capsys.readouterr().out
    assert "reference on cuda: " in said and "NVIDIA H200, " in said and "copies 0.7500 ms" in said
    assert "y 0.25 (case-007, [0, 2]: 0.5 and 0.25); label differs at 3 places; y is finite on one side at 1" in said
    assert "cpu p50 " in said and "(1.00x)" in said and "with a p99 within 5 ms" in said and facts["page"] in said


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU provider as if it had a device: its memory under another name, and a driver that names a card."""
    import onnxruntime as ort

    value, bind = ort.OrtValue.ortvalue_from_numpy, ort.IOBinding.bind_output
    monkeypatch.setitem(DEVICES, "CPUExecutionProvider", "cuda")  # type: ignore[arg-type]
    monkeypatch.setattr(ort.OrtValue, "ortvalue_from_numpy", staticmethod(lambda values, *where: value(values)))
    monkeypatch.setattr(ort.IOBinding, "bind_output", lambda self, name, *where: bind(self, name))
    program(tmp_path, SMI)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def test_a_device_has_copies_and_names_itself(device: None, copy: Path) -> None:
    facts = prove_bundle(copy, ProveRequest(("cpu",), seconds=QUICK))
    (proof,) = facts["proofs"]
    points = proof["latency"]["points"]
    assert len(points) == 4 and all(p["copy_there_p50_ms"] > 0 and p["copy_back_p50_ms"] > 0 for p in points)
    assert proof["gpus"][0]["name"] == "NVIDIA H200" and proof["gpus"][0]["compute_cap"] == "9.0"
    assert proof["state"]["before"]["gpus"][0]["clocks.sm"] == "1980 MHz"
    page = (copy / facts["page"]).read_text()
    assert "NVIDIA H200, driver 580.65.06, compute capability 9.0" in page and "P0 1980 MHz" in page


def test_a_missed_limit_is_said_and_the_proof_stays(copy: Path) -> None:
    limits = Limits({"cpu": 1e-6}, {"cuda": 1e-9})
    with pytest.raises(LatencyError, match=r"above the gate of 1e-06 ms .* on cpu") as error:
        prove_bundle(copy, ProveRequest(("cpu",), seconds=QUICK, limits=limits))
    (missed,), (place,) = error.value.facts["missed"], error.value.facts["proofs"]
    assert missed["provider"] == "cpu" and missed["p99_ms"] > 1e-6
    kept = json.loads((copy / place).read_text())
    assert kept["missed"] == missed and kept["latency"]["limit_ms"] == 1e-6 and kept["latency"]["best"] is None


def test_the_command(flowers: Made, tmp_path: Path, mlpack: Run) -> None:
    own = Path(shutil.copytree(flowers.folder, tmp_path / "own"))
    given = ("--seconds", "0.002", "--against", "original")
    code, found, error = mlpack("prove", own, "--provider", "cpu", *given)
    assert code == 0, error
    (proof,) = found["proofs"]
    assert set(proof["apart"]) == {RECORDED, "the original"} and proof["apart"]["the original"]["numbers"] > 0
    (tmp_path / "limits.toml").write_text('[limits]\ncpu = "0.001us"\n')
    code, found, _ = mlpack("prove", own, "--provider", "cpu", "--seconds", "0.002", "--config", "limits.toml")
    assert code == 6 and found["error"]["missed"][0]["max_p99_ms"] == 1e-6
    code, found, _ = mlpack("prove", own, "--provider", "cuda")
    assert code == 9 and "pip install onnxruntime-gpu" in found["error"]["message"]
    code, found, _ = mlpack("prove", own, "--provider", "cpu", "--provider", "cpu")
    assert code == 2 and "the provider cpu was named twice" in found["error"]["message"]
    (own / "sbom.cdx.json").write_text("{}")
    assert mlpack("prove", own, "--provider", "cpu")[0] == 8


def test_an_answer_that_differs_is_exit_5_and_says_how_far(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(bundle: Any, *given: Any) -> int:
        raise MismatchError("case-000: the graph does not answer like the original", worst=[])

    monkeypatch.setattr(prove, "replay_held", wrong)
    with pytest.raises(MismatchError) as error:
        prove_bundle(copy, ProveRequest(("cpu",), seconds=QUICK))
    assert error.value.exit_code == 5 and error.value.facts["provider"] == "cpu"
    assert error.value.facts["apart"][RECORDED]["numbers"] > 0 and not (copy / "evidence/proofs").exists()


class Says:
    """A runner that gives fixed answers."""

    takes_no_rows = True

    def __init__(self, name: str, **answers: Any) -> None:
        self.name, self.answers, self.signature = name, answers, None

    def run(self, rows: Table) -> Table:
        return {name: np.array(values) for name, values in self.answers.items()}


def test_runners_side_by_side() -> None:
    answers = {"y": np.array([1.0, np.nan, 3.0, np.inf]), "label": np.array(["a", "b", "c", "d"], object)}
    case = GoldenCase("case-000", "example", {}, answers)
    same = Says("same", **{name: values.copy() for name, values in answers.items()})
    other = Says("other", y=[1.0, 2.0, 3.5, -np.inf], label=["a", "x", "c", "d"])
    found = side_by_side((same, other), [case, replace(case, identifier="case-001")])  # type: ignore[arg-type]
    assert list(found) == [(RECORDED, "same"), (RECORDED, "other"), ("same", "other")]
    assert found[RECORDED, "same"].equal and found[RECORDED, "same"].numbers == 16
    far = found["same", "other"].to_json()
    assert far["largest"] == {"y": 0.5} and far["differing"] == {"label": 2} and far["finite_on_one_side"] == {"y": 4}
    assert far["where"]["y"] == {"case": "case-000", "probe": "example", "index": [2], "first": 3.0, "second": 3.5}
    with pytest.raises(UsageError, match="same was named twice"):
        side_by_side((same, same), [case])  # type: ignore[arg-type]


def test_the_page_draws_what_fits_and_escapes_it(copy: Path) -> None:
    """Anyone may add a file: markup stays text, and what cannot be drawn is named."""
    facts = prove_bundle(copy, ProveRequest(("cpu",), seconds=QUICK))
    good = copy / facts["proofs"][0]["file"]
    plain = json.loads(good.read_text())
    evil = {**plain, "provider": "cuda", "gpus": [{"name": "<script>alert(1)</script>"}], "cpu": plain}
    folder = good.parent
    (folder / "prove.evil.json").write_text(json.dumps(evil))
    huge = json.loads(good.read_text())
    huge["latency"]["points"][0]["p99_ms"] = 1e300
    for name, text in {
        "huge": json.dumps(huge),
        "none": "{}",
        "other": json.dumps({**plain, "identity": "sha256:0"}),
    }.items():
        (folder / f"prove.{name}.json").write_text(text)
    (folder / "prove.link.json").symlink_to(good)
    bundle = open_bundle(copy)
    proofs, others = proofs_of(bundle)
    assert len(proofs) == 2 and others == [f"prove.{n}.json" for n in ("huge", "link", "none", "other")]
    page = page_of(bundle, proofs, others).decode()
    assert "<script>" not in page and "&lt;script&gt;" in page and "prove.huge.json" in page
    assert page.count("<polyline") == 2 * 2, "the CPU beside it has a proof of its own"
    alone = page_of(bundle, [evil]).decode()
    assert alone.count("<polyline") == 2 * 2 and "reference, cpu, " in alone
    shutil.rmtree(folder)
    assert write_page(bundle) == ""


@pytest.mark.skipif(OPENVINO not in os.environ, reason=f"{OPENVINO} names no folder with onnxruntime-openvino")
def test_two_providers_side_by_side(made: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(made / "dist" / "net-1.0.0", tmp_path / "net-1.0.0"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.environ[OPENVINO], *sys.path])}
    asked = ["prove", str(copy), "--provider", "cpu", "--provider", "openvino", "--seconds", "0.01", "--json"]
    asked += ["--variant", "reference", "--variant", "int8"]
    line = [sys.executable, "-m", "mlpack_toolkit", *asked]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert [(p["variant"], p["provider"]) for p in found["proofs"]] == [
        (variant, provider) for variant in ("reference", "int8") for provider in ("cpu", "openvino")
    ]
    there = found["proofs"][1]
    assert set(there["nodes"]) == {"OpenVINOExecutionProvider"} and there["versions"]["onnxruntime-openvino"]
    assert set(there["apart"]) == {RECORDED, "cpu"} and 0 <= there["from_cpu"]["logits"] < 1e-4
    assert there["cpu"]["latency"]["points"][0]["p50_ms"] > 0 and found["proofs"][3]["gates"]["int8"]["value"] >= 0.9
    assert (copy / found["page"]).read_text().count("<polyline") == 2 * 4
