"""`mlpack tune`: what is tried, what may be taken, where the choice is used, and where it is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.packager import output_machine
from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.commands import tune
from mlpack_toolkit.packager.commands.predict import predict
from mlpack_toolkit.packager.commands.tune import changes, tune_bundle, within_proof
from mlpack_toolkit.packager.equivalence.session import session_of
from mlpack_toolkit.packager.errors import MismatchError, UsageError
from mlpack_toolkit.runtimes.engine import tuning
from mlpack_toolkit.runtimes.engine.engine import Engine
from mlpack_toolkit.runtimes.engine.tuning import LEVELS, PROOFS, Tuning, key_of, kind_of_machine, tuning_in
from mlpack_toolkit.runtimes.server.bundle_info import describe
from mlpack_toolkit.runtimes.server.model import Model
from mlpack_toolkit.runtimes.server.settings import is_tuned
from mlpack_toolkit.runtimes.server.transport import worker
from tests.conftest import Run
from tests.packager.conftest import Made
from tests.runtimes.server.conftest import golden, serving


@pytest.fixture
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of four processors, for the choice and for its use."""
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1, 2, 3})


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, float]]:
    """Candidates whose speed is given: by thing and value."""
    speeds: dict[str, float] = {}

    def beside(first: Any, second: Any, rows: Any, seconds: float, batches: Any) -> Any:
        old, new = first.tuning, second.tuning
        changed = next(f"{k} {v}" for k, v in vars(new).items() if v != getattr(old, k))
        speed = speeds.get(changed, 0.9)
        return [{"batch": batches[0], "parent_p50_ms": speed, "variant_p50_ms": 1.0, "speedup": speed}]

    monkeypatch.setattr(tune, "beside", beside)
    monkeypatch.setattr("mlpack_toolkit.packager.latency.curve.MOST_ROWS", 4)
    yield speeds


def test_what_is_tried() -> None:
    assert list(changes(1)) == [("level", "extended"), ("level", "basic")]
    assert [value for thing, value in changes(6) if thing == "threads"] == [2, 4, 6]
    assert [thing for thing, _ in changes(2)] == ["threads", "level", "level", "inter", "spinning"]


def test_the_choice_is_evidence_and_is_used(
    copy: Path, four_cores: None, quick: dict[str, float], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    quick |= {"threads 2": 1.5, "threads 4": 1.04, "level extended": 1.2, "spinning True": 1.3}
    facts = tune_bundle(copy, None, 1, 4.0)
    kept = json.loads((copy / facts["file"]).read_text())
    assert kept["choice"] | {"batch": 0} == Tuning(2, 1, "extended", True).to_json() and kept["choice"]["batch"] >= 1
    taken = [(each["tuning"]["threads"], each["tuning"]["level"]) for each in kept["tried"] if each["taken"]]
    assert taken == [(2, "all"), (2, "extended"), (2, "extended")] and len(kept["tried"]) == 6
    assert "not 1.05 times as fast" in next(each["why"] for each in kept["tried"] if each["tuning"]["threads"] == 4)
    assert kept["throughput"]["largest"]["batch"] <= tune.proved_rows(open_bundle(copy), "reference")
    assert kept["kind"] == key_of(kept["kind_of_machine"]) and kept["state"]["after"]["load"]

    described = describe(copy, tuned=True)
    found = worker.tuning_of(described, 1)
    assert found == Tuning(**kept["choice"]) and "threads 2" in capsys.readouterr().err
    assert Model(described, 1, tuning=found).session.tuning == found and Model(described).session.tuning == Tuning(1)
    output_machine.tuned({"bundle": str(copy), **facts})
    said = capsys.readouterr().out
    assert "threads 2, nodes at a time 1, level extended, spinning" in said and facts["file"] in said
    assert worker.tuning_of(described, 3) is None, "three workers of two threads are more than four processors"
    assert worker.tuning_of(describe(copy), 1) is None
    assert is_tuned({}) and not is_tuned({"MLPACK_TUNING": "0"}) and not is_tuned({"MLPACK_THREADS": "2"})

    asked: list[int] = []
    np.save(tmp_path / "x.npy", np.ones((5, 4)))
    plain = json.loads((copy / facts["file"]).read_text())
    plain["choice"]["batch"] = 2
    (copy / facts["file"]).write_text(json.dumps(plain))
    with pytest.MonkeyPatch.context() as patch:
        real = Engine.run
        patch.setattr(Engine, "run", lambda self, table: (asked.append(self.tuning.batch), real(self, table))[1])
        predict(copy, tmp_path / "x.npy", tmp_path / "tuned.npz")
        assert asked == [2, 2, 2]
        predict(copy, tmp_path / "x.npy", tmp_path / "plain.npz", tuned=False)
        assert asked == [2, 2, 2, 0]
    first, second = (np.load(tmp_path / f"{name}.npz") for name in ("tuned", "plain"))
    assert all(np.array_equal(first[name], second[name]) for name in first.files)


def test_a_choice_of_another_machine_or_bundle_is_left(copy: Path, four_cores: None, quick: dict[str, float]) -> None:
    quick["threads 2"] = 1.5
    facts = tune_bundle(copy, "reference", 1, 4.0)
    place, identity = copy / PROOFS, facts["identity"]
    assert tuning_in(place, identity, "reference") is not None
    assert tuning_in(place, "sha256:0", "reference") is None and tuning_in(place, identity, "compiled") is None
    assert tuning_in(copy / "none", identity, "reference") is None
    path = copy / facts["file"]
    plain = json.loads(path.read_text())
    other = dict(kind_of_machine(), cpu="another processor")
    for wrong in (
        {**plain, "kind": key_of(other)},
        {**plain, "choice": {**plain["choice"], "threads": 64}},  # more than there are here
        {**plain, "choice": {**plain["choice"], "level": "reckless"}},
        {**plain, "choice": {**plain["choice"], "library": "/tmp/evil.so"}},
        {**plain, "format": 2},
    ):
        path.write_text(json.dumps(wrong))
        assert tuning_in(place, identity, "reference") is None
    path.write_text("{")
    assert tuning_in(place, identity, "reference") is None
    path.unlink()
    path.symlink_to(copy / "manifest.json")
    assert tuning_in(place, identity, "reference") is None


def test_a_candidate_beyond_the_proof_is_never_taken(
    copy: Path, four_cores: None, quick: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick |= {"threads 2": 9.0, "level basic": 9.0}
    real = tune.replay_graph

    def strict(bundle: Any, graph: Any, variant: str) -> int:
        if graph.session.tuning.threads == 2:
            raise MismatchError("case-000: the graph does not answer like the original", worst=[])
        return real(bundle, graph, variant)

    monkeypatch.setattr(tune, "replay_graph", strict)
    facts = tune_bundle(copy, None, 1, 4.0)
    assert facts["choice"]["threads"] == 1 and facts["choice"]["level"] == "basic"
    assert "beyond the proof: case-000" in facts["tried"][0]["why"] and facts["tried"][0]["p50_ms"] == 0


def test_no_more_time_than_was_given(copy: Path, four_cores: None, quick: dict[str, float]) -> None:
    facts = tune_bundle(copy, None, 1, 1e-6)
    assert {each["why"] for each in facts["tried"]} == {"no time left"}
    assert facts["choice"] | {"batch": 0} == Tuning(1).to_json()


def test_a_batch_that_is_answered_otherwise_ends_the_sizes(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = open_bundle(copy)
    session = session_of(bundle)
    assert tune._beyond(bundle, session, "reference", 100) == ""
    real = session.run
    off = {"probabilities": np.float32(0.01)}
    monkeypatch.setattr(session, "run", lambda rows: {n: v + off[n] if n in off else v for n, v in real(rows).items()})
    assert "repeated to 100 rows: beyond the tolerance" in tune._beyond(bundle, session, "reference", 100)


def test_every_level_is_within_the_proof(flowers: Made) -> None:
    for level in LEVELS:
        for inter in (1, 2):
            session = session_of(flowers.bundle, tuning=Tuning(1, inter, level))
            assert within_proof(flowers.bundle, session, "reference") == ""


def test_a_gated_variant_keeps_its_gate(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = open_bundle(made / "dist" / "net-1.0.0")
    session = session_of(bundle, variant="int8", tuning=Tuning(2))
    assert within_proof(bundle, session, "int8") == ""
    monkeypatch.setattr(tune, "hold_again", lambda *given: (_ for _ in ()).throw(MismatchError("it misses its gate")))
    assert within_proof(bundle, session, "int8") == "beyond the proof: it misses its gate"


def test_the_command(copy: Path, mlpack: Run) -> None:
    code, found, error = mlpack("tune", copy, "--seconds", "0.2")
    assert code == 0, error
    assert found["file"].startswith("evidence/proofs/tune.reference.cpu.") and found["tried"]
    code, found, _ = mlpack("tune", copy, "--batch", "1000000")
    assert code == 2 and "proved with batches of at most" in found["error"]["message"]
    assert mlpack("verify", copy)[0] == 0


@pytest.mark.parametrize(("options", "said"), [((), True), (("--no-tuning",), False)])
def test_a_server_uses_the_choice_and_answers_as_recorded(
    options: tuple[str, ...], said: bool, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlpack_toolkit.packager.latency.curve.MOST_ROWS", 4)
    tune_bundle(copy, None, 1, 1e-6)
    with serving(copy, *options) as server:
        for request, response in golden(copy):
            if "error" not in response:
                (want,) = [o["data"] for o in response["outputs"] if o["name"] == "probabilities"]
                found = server.post("/v2/models/flowers/infer", request).json["outputs"]
                (got,) = [o["data"] for o in found if o["name"] == "probabilities"]
                assert np.allclose(got, want, atol=1e-5)
        server.process.terminate()
        _, errors = server.process.communicate(timeout=35)
    assert ("tuned for this kind of machine: threads 1, nodes at a time 1, level all" in errors) == said


def test_another_provider_is_refused(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = open_bundle(copy)
    there = replace(bundle.variant(), provider="CUDAExecutionProvider")
    monkeypatch.setattr(type(bundle), "variant", lambda self, name="reference": there)
    with pytest.raises(UsageError, match=r"mlpack tune is for the CPU's"):
        tune_bundle(copy, "reference", 1, 0.05)


def test_the_kind_of_machine_names_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = kind_of_machine()
    assert set(kind) == {"cpu", "architecture", "cores_usable", "onnxruntime"} and kind["cpu"]
    monkeypatch.setattr(tuning, "_model", lambda: "")
    assert kind_of_machine()["cpu"] == kind["architecture"] and key_of(kind) != key_of(kind_of_machine())
