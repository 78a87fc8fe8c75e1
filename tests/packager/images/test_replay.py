"""An answer over HTTP held against the original's, without a container; and what is said where there is no engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.packager.bundle.golden import GoldenCase
from mlpack_toolkit.packager.errors import MismatchError
from mlpack_toolkit.packager.images import _engine
from mlpack_toolkit.packager.images._replay import hold, replay
from tests.packager.conftest import Made


def _cases(made: Made) -> list[tuple[GoldenCase, bytes]]:
    folder = made.folder / "golden"
    return [(case, (folder / f"{case.identifier}.response.json").read_bytes()) for case in made.bundle.golden()]


def _answered(made: Made) -> tuple[GoldenCase, dict[str, Any]]:
    case, body = next((c, b) for c, b in _cases(made) if not c.error and len(next(iter(c.answers.values()))))
    return case, json.loads(body)


def test_the_originals_own_answers_hold(crew: Made) -> None:
    cases = _cases(crew)
    assert any(case.error for case, _ in cases)
    for case, body in cases:
        hold(case, crew.bundle.signature, 400 if case.error else 200, body)


@pytest.mark.parametrize("status", [200, 500, 503])
def test_a_refusal_that_is_none_is_a_difference(status: int, crew: Made) -> None:
    case, body = next((case, body) for case, body in _cases(crew) if case.error)
    with pytest.raises(MismatchError, match="refuses the rows"):
        hold(case, crew.bundle.signature, status, body)


def test_a_wrong_number_and_a_wrong_label_show_the_row(crew: Made) -> None:
    for name, wrong in (("probabilities", 0.123), ("label", "someone else")):
        case, plain = _answered(crew)
        next(t for t in plain["outputs"] if t["name"] == name)["data"][0] = wrong
        with pytest.raises(MismatchError, match="does not answer like the original") as caught:
            hold(case, crew.bundle.signature, 200, json.dumps(plain).encode())
        assert caught.value.facts["worst"][0]["inputs"] and caught.value.exit_code == 5


def test_a_refusal_where_there_are_answers_quotes_it(crew: Made) -> None:
    case, _ = _answered(crew)
    with pytest.raises(MismatchError, match=r"answers 400.*too many rows"):
        hold(case, crew.bundle.signature, 400, b'{"error": "too many rows"}')


@pytest.mark.parametrize("body", [b"", b"{}", b'{"outputs": [{}]}', b'{"outputs": []}', b"[1]"])
def test_what_is_no_answer_is_a_difference(body: bytes, crew: Made) -> None:
    case, _ = _answered(crew)
    with pytest.raises(MismatchError):
        hold(case, crew.bundle.signature, 200, body)


def test_no_engine_is_said(crew: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("docker")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing")
    assert isinstance(_engine.find(), str)
    said = replay(crew.bundle, None, tmp_path)  # type: ignore[arg-type]
    assert said["replayed"] is None and said["why"].startswith("no container engine answers")


def test_an_engine_elsewhere_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("docker")
    monkeypatch.setenv("DOCKER_HOST", "tcp://engine.example:2375")
    assert "runs on engine.example" in str(_engine.find())


def test_no_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "docker", None)
    assert "mlpack-toolkit[image]" in str(_engine.find())
