"""`mlpack build --reuse`: the bundle that is there is taken where it was made of the same inputs, and only there."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from mlpack_toolkit.packager import reuse
from mlpack_toolkit.packager.built import Built
from mlpack_toolkit.packager.bundle.manifest import canonical
from mlpack_toolkit.packager.bundle.reader import Bundle
from mlpack_toolkit.packager.commands import build as flow
from mlpack_toolkit.packager.commands.verify import check_bundle
from mlpack_toolkit.packager.errors import LatencyError
from mlpack_toolkit.packager.original.source import take_source
from mlpack_toolkit.packager.request import Request
from mlpack_toolkit.packager.reuse import NOTE
from tests.make import build_model
from tests.packager.conftest import Made

Change = Callable[[Path], dict[str, Any]]


@pytest.fixture
def inputs(flowers: Made, tmp_path: Path) -> tuple[Path, Path]:
    """A model and rows of one's own, to change."""
    model = Path(shutil.copy(flowers.folder.parents[1] / "flowers.joblib", tmp_path / "flowers.joblib"))
    np.save(tmp_path / "rows.npy", flowers.rows)
    return model, tmp_path / "rows.npy"


def built(inputs: tuple[Path, Path], **options: Any) -> Built:
    return build_model(*inputs, inputs[0].parent / "dist", reuse=True, **options)


def test_the_same_inputs_give_the_bundle_that_is_there(
    inputs: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = built(inputs)
    assert NOTE not in first.remarks
    monkeypatch.setattr(flow, "_build", lambda *given: pytest.fail("it was built again"))
    again = built(inputs)
    assert again.to_json() == first.to_json() and again.environment == first.environment
    assert NOTE in again.remarks and again.notes == first.notes
    with pytest.raises(LatencyError):
        built(inputs, max_p99_ms=1e-9)
    (tmp_path / "elsewhere").mkdir()
    moved = tuple(Path(shutil.copy(path, tmp_path / "elsewhere")) for path in inputs)
    shutil.copytree(first.bundle, tmp_path / "elsewhere/dist" / first.bundle.name)
    assert built((moved[0], moved[1])).identity == first.identity


def other_rows(bundle: Path) -> dict[str, Any]:
    rows = np.load(bundle.parents[1] / "rows.npy")
    np.save(bundle.parents[1] / "rows.npy", rows + 1)
    return {}


def damage(bundle: Path) -> dict[str, Any]:
    (bundle / "model/model.onnx").write_bytes(b"another model")
    return {}


def damaged_list(bundle: Path) -> dict[str, Any]:
    (bundle / "evidence/measurements/inputs.json").write_text("{}")
    return {}


CHANGES: dict[str, Change] = {
    "another option": lambda bundle: {"rtol": 1e-3},
    "other rows": other_rows,
    "a damaged graph": damage,
    "a changed list of inputs": damaged_list,
    "more trust": lambda bundle: {"allow": ("builtins.print",)},
}


@pytest.mark.parametrize("name", CHANGES)
def test_other_inputs_are_built(name: str, inputs: tuple[Path, Path]) -> None:
    first = built(inputs)
    again = built(inputs, **CHANGES[name](first.bundle))
    assert NOTE not in again.remarks
    assert check_bundle(again.bundle, (), None, lambda step: None)["identity"] == again.identity
    same = name in ("a damaged graph", "a changed list of inputs")
    assert (again.identity == first.identity) == same


SAME = {"format": 1, "sha256": "forged", "environment": {}, "variants": []}
FORGED: dict[str, Any] = {
    "no object": [],
    "no digest": {"format": 1},
    "no variants": {**SAME, "variants": 3},
    "another model": SAME,
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_digest_gives_no_bundle(
    name: str, flowers: Made, copy: Path, inputs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_evidence(copy, "evidence/measurements/inputs.json", canonical(FORGED[name]))
    monkeypatch.setattr(reuse, "inputs", lambda *given: "forged")
    if name == "another model":
        joblib.dump(flowers.fitted, inputs[0], compress=3)
    request = Request(inputs[0], inputs[1], copy.parent, reuse=True)
    source = take_source(request.model, inputs[0].parent / "source", ())
    assert reuse.reused(request, source, copy) is None


def replace_evidence(place: Path, path: str, content: bytes) -> None:
    """A file outside the identity, with its entry in the list of those."""
    (place / path).write_bytes(content)
    listed = json.loads((place / "evidence/manifest.json").read_text("utf-8"))
    listed["files"][path] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    (place / "evidence/manifest.json").write_bytes(canonical(listed))


@pytest.mark.parametrize(
    ("installed", "may_differ"),
    [
        ({"origin": "index", "altered": [], "needed": True}, False),
        ({"origin": "editable", "altered": [], "needed": False}, False),
        ({"origin": "editable", "altered": [], "needed": True}, True),
        ({"origin": "index", "altered": ["own/model.py"], "needed": True}, True),
    ],
)
def test_code_that_no_digest_covers_is_built_again(
    installed: dict[str, Any], may_differ: bool, flowers: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bundle, "json", lambda bundle, path: {"distributions": [installed]})
    assert reuse._code_may_differ(flowers.bundle) == may_differ
