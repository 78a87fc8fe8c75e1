"""Java and C++ compile what mlpack wrote and answer every golden case as the original did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.packager.bundle.reader import check_files, open_bundle
from mlpack_toolkit.packager.commands.verify import check_bundle
from mlpack_toolkit.packager.equivalence.session import Session
from tests.cases.models import MODELS
from tests.converters.check import table_of
from tests.make import build_model, save
from tests.tiers import sixth

TARGETS = ("cpp", "java")


def _built(name: str, folder: Path) -> Path:
    """The bundle of a model, with both projects; its graph answers as the model does."""
    model, example = MODELS[name]()
    bundle = build_model(*save(model, example, folder), folder / "dist", targets=TARGETS).bundle
    _assert_kind(name, open_bundle(bundle).signature)
    _assert_graph_is_right(bundle, model, example)
    return bundle


@pytest.mark.parametrize("name", MODELS)
def test_the_bundle_replays_its_golden_cases(name: str, tmp_path: Path) -> None:
    bundle = _built(name, tmp_path)
    golden = check_bundle(bundle, (), "cpu", lambda step: None)["golden"]
    assert golden == {"CPUExecutionProvider": len(list((bundle / "golden").glob("*.request.json")))}
    assert {"pom.xml", "CMakeLists.txt"} <= {path.name for path in (bundle / "deploy").glob("*/*")}


@pytest.mark.slow
@pytest.mark.parametrize("name", sixth(MODELS))
def test_the_projects_replay_the_golden_cases(name: str, tmp_path: Path) -> None:
    """Of a sixth in `make test`; other tests there compile projects of every kind of input and output."""
    bundle = _built(name, tmp_path)
    golden = check_bundle(bundle, TARGETS, "cpu", lambda step: None)["golden"]
    assert set(golden) == {"CPUExecutionProvider", *TARGETS}
    assert set(golden.values()) == {len(list((bundle / "golden").glob("*.request.json")))}
    assert min(golden.values()) >= 6
    assert check_files(open_bundle(bundle)) == (), "the projects' tests wrote into the bundle"


def _assert_graph_is_right(bundle: Path, model: Any, example: Any) -> None:
    got = Session(bundle / "model" / "model.onnx", open_bundle(bundle).signature).run(table_of(example))
    if "label" in got:
        np.testing.assert_array_equal(got["label"], model.predict(example))
    else:
        np.testing.assert_allclose(got["prediction"], model.predict(example), rtol=1e-4, atol=1e-6)


def _assert_kind(name: str, signature: Any) -> None:
    """The case is what its name says: nothing slips away unseen."""
    kinds = {
        "text_and_numbers": lambda s: "string" in {t.dtype for t in s.inputs} and "groß 😀" in s.classes,
        "forest_with_holes": lambda s: len(s.classes) == 5 and s.inputs[0].nullable,
        "regressor": lambda s: s.outputs[0].name == "prediction" and s.outputs[0].shape == ("N", 2),
        "booster_with_categories": lambda s: [t.frame_dtype for t in s.inputs] == ["", "category", "category"],
        "several_targets_and_bounds": lambda s: (
            [(o.name, o.shape) for o in s.outputs]
            == [("label", ("N", 2)), ("probabilities_0", ("N", 3)), ("probabilities_1", ("N", 2))]
            and {t.name: t.least for t in s.inputs} == {"width": 5e-324, "count": 1.0, "mood": None}
        ),
        "flags": lambda s: (s.outputs[0].dtype, s.outputs[0].shape) == ("bool", ("N", 3)),
        "large_identifiers": lambda s: {t.dtype for t in s.inputs} == {"int64"},
    }
    assert kinds[name](signature)
