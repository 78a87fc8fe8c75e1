"""What an engine is made of, and which cards it fits: no TensorRT is needed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.converters.spec import Range, Signature, TensorSpec
from mlpack_toolkit.packager.accuracy.asked import asked_of
from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.engines import card as driver
from mlpack_toolkit.packager.engines.card import Card, card, check_fits, opening
from mlpack_toolkit.packager.engines.process import version_in
from mlpack_toolkit.packager.engines.profiles import narrowed, profiles
from mlpack_toolkit.packager.engines.recipe import CAPABILITIES, MEBIBYTE, Plan, plan_from, plan_of
from mlpack_toolkit.packager.errors import DamagedError, MissingToolError, UsageError
from mlpack_toolkit.packager.variant_options import apart, with_own
from tests.packager.conftest import Made
from tests.packager.engines.facts import with_engine

SHA = "a" * 64
PICTURE = Signature(
    "graph",
    (TensorSpec("x", "float32", ("N", 3, "H", "W")), TensorSpec("scale", "float32", ("N",))),
    (TensorSpec("y", "float32", ("N", 5)),),
    ranges=(Range("H", 8, 32), Range("W", 4)),
)
SHAPES = {"min": [1, 16], "opt": [5, 16], "max": [64, 16]}
PLAN = Plan("rtx", "float32", {"x": SHAPES}, CAPABILITIES)


def batch(rows: int, height: int, width: int) -> dict[str, Any]:
    return {"x": np.zeros((rows, 3, height, width), np.float32), "scale": np.zeros(rows, np.float32)}


def test_profiles_come_from_ranges_and_golden_cases() -> None:
    seen = [batch(5, 12, 10), batch(1, 12, 10), batch(0, 12, 10), batch(5, 12, 20)]
    found = profiles(PICTURE, seen, {})
    assert found["x"] == {"min": [1, 3, 8, 4], "opt": [5, 3, 12, 10], "max": [64, 3, 32, 20]}
    assert found["scale"] == {"min": [1], "opt": [5], "max": [64]}
    ranges = {each.name: (each.least, each.most) for each in narrowed(PICTURE, found).ranges}
    assert ranges == {"N": (1, 64), "H": (8, 32), "W": (4, 20)}
    free = Signature("graph", (TensorSpec("x", "float32", ("N", 3, "H", "W")),), PICTURE.outputs)
    assert profiles(free, seen, {})["x"]["min"] == [1, 3, 12, 10]
    given = profiles(PICTURE, seen, {"N": "2:4:8", "W": 10.0})
    assert given["x"] == {"min": [2, 3, 8, 10], "opt": [4, 3, 12, 10], "max": [8, 3, 32, 10]}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"H": "8:16:64"}, "the model takes 8 to 32"),
        ({"W": "1:8:9"}, "the model takes 4"),
        ({"Z": "1:2:3"}, "'Z' is no free dimension of the model; there are: N, H, W"),
        ({"N": "8:4:16"}, "in rising order"),
        ({"N": "1:4"}, "must be N=MIN:OPT:MAX, or N=SIZE"),
        ({"N": "0:4:8"}, "1 or more"),
        ({"N": "1:2:9999999999"}, "must be N=MIN"),
    ],
)
def test_a_profile_that_cannot_be(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        profiles(PICTURE, [batch(1, 12, 10)], given)


def test_a_size_that_nothing_shows_must_be_given() -> None:
    with pytest.raises(UsageError, match=r"no golden case shows a size of 'N': give -O tensorrt\.profile=N="):
        profiles(PICTURE, [], {})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"flavour": "lean"}, "tensorrt.flavour must be one of rtx, tensorrt, not 'lean'"),
        ({"precision": "int8"}, "tensorrt.precision must be one of float32, fp16"),
        ({"capabilities": "ampere"}, "must be like sm86,sm89, and 'ampere' is not one"),
        ({"capabilities": "sm89", "flavour": "tensorrt"}, "for the flavour rtx"),
        ({"flags": "STRICT_NANS,TF32"}, "tensorrt.flags must be one of"),
        ({"workspace": 0.5}, "whole number of MiB"),
        ({"profile": {"N": "many"}}, "must be N=MIN:OPT:MAX"),
    ],
)
def test_options_that_no_engine_is_made_with(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plan_from(options, {})


def test_a_recipe_is_its_plan() -> None:
    options = {"capabilities": "sm89, sm86", "flags": "STRICT_NANS,SPARSE_WEIGHTS", "workspace": 256.0}
    plan = plan_from(options, {"x": SHAPES})
    assert plan.flags == ("SPARSE_WEIGHTS", "STRICT_NANS") and plan.workspace == 256 * MEBIBYTE
    recipe = plan.recipe("1.7.1.116", [SHA], None)
    assert plan_of("tensorrt", {"kind": "tensorrt", "parent": [SHA], **recipe}) == plan
    assert recipe["strongly_typed"] is True and recipe["timing_cache"] is None


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("flavour", "/tmp/evil", "flavour must be one of"),
        ("version", "$(reboot)", "version must be"),
        ("capabilities", [], "capabilities must be a list"),
        ("capabilities", ["sm86 -x"], r"capabilities\[0\] must be like sm89"),
        ("capabilities", ["sm86", "sm86"], "names one twice"),
        ("flags", ["TF32"], r"flags\[0\] must be one of"),
        ("strongly_typed", False, "strongly_typed must be true"),
        ("precision", "int8", "precision must be one of"),
        ("workspace", -1, "workspace must be a whole number"),
        ("network", ["../model.onnx"], r"network\[0\] must be a sha256"),
        ("timing_cache", "x", "timing_cache must be"),
        ("profiles", {"x": {**SHAPES, "more": []}}, "a field 'more'"),
        ("profiles", {"x": {**SHAPES, "min": [1 << 40, 16]}}, "min"),
        ("profiles", {"x": {**SHAPES, "opt": [65, 16]}}, "in that order"),
        ("profiles", {"x": {**SHAPES, "opt": [5]}}, "of one rank"),
    ],
)
def test_a_hostile_recipe_is_refused(field: str, value: Any, said: str) -> None:
    recipe = {**PLAN.recipe("1.7.1.116", [SHA], None), field: value}
    with pytest.raises(DamagedError, match=f"the variant tensorrt has no recipe of an engine: .*{said}"):
        plan_of("tensorrt", recipe)
    del recipe[field]
    with pytest.raises(DamagedError, match=f"{field} is missing"):
        plan_of("tensorrt", recipe)


def test_an_engine_for_other_cards_is_refused_with_the_command() -> None:
    check_fits("tensorrt", PLAN, Card("Made-up 90", "sm89"))
    with pytest.raises(MissingToolError) as error:
        check_fits("fast", PLAN, Card("Made-up 100", "sm90"))
    assert "was made for sm86, sm89, sm120, and this machine's Made-up 100 is sm90" in str(error.value)
    assert "`mlpack engine BUNDLE --variant fast --capability sm90 -o DIR` makes it again" in str(error.value)
    with pytest.raises(MissingToolError, match="`mlpack engine BUNDLE --variant fast -o DIR`"):
        check_fits("fast", Plan("tensorrt", "fp16", {}, ("sm80",)), Card("Made-up 100", "sm90"))


def test_an_engine_that_this_tensorrt_does_not_take_is_refused_with_the_command(flowers: Made, tmp_path: Path) -> None:
    """TensorRT's own word on another version reaches the user; on a graph that is no engine it stays what it was."""
    bundle = open_bundle(with_engine(flowers.folder, tmp_path / "bundle", "rtx"))
    with pytest.raises(MissingToolError) as error, opening(bundle.variant("engine")):
        raise DamagedError("ONNX Runtime cannot load the graph: version tag does not match")
    assert "was made by TensorRT for RTX 10.9, and cannot be opened here (ONNX Runtime" in str(error.value)
    assert "`mlpack engine BUNDLE --variant engine -o DIR` makes it again from its recipe" in str(error.value)
    with pytest.raises(DamagedError), opening(bundle.variant()):
        raise DamagedError("ONNX Runtime cannot load the graph")


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """A driver with a card of that capability, compiled."""
    folder = tmp_path_factory.mktemp("driver")

    def compiled(capability: str) -> str:
        place = folder / f"libcuda-{capability}.so"
        flags = [f"-DMAJOR={capability[:-1] or 0}", f"-DMINOR={capability[-1]}"]
        source = Path(__file__).with_name("fake_driver.c")
        subprocess.run(["cc", "-shared", "-fPIC", *flags, str(source), "-o", str(place)], check=True)
        return str(place)

    return compiled


def test_the_card_is_the_drivers(fake: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    for capability in ("89", "120"):
        monkeypatch.setattr(driver, "DRIVER", fake(capability))
        assert card() == Card("Made-up 100", f"sm{capability}")
    monkeypatch.setattr(driver, "DRIVER", fake("0"))
    with pytest.raises(MissingToolError, match="finds none here"):
        card()
    monkeypatch.setattr(driver, "DRIVER", "libcuda-of-no-machine.so.1")
    with pytest.raises(MissingToolError, match="no driver of NVIDIA's") as error:
        card()
    assert error.value.exit_code == 9


def test_options_of_a_kind_in_tables_and_on_the_command_line() -> None:
    folder = Path()
    tables = [({"kind": "tensorrt", "name": "a", "profile": {"N": "1:2:4"}, "flags": "STRICT_NANS"}, folder)]
    tables += [({"kind": "tensorrt", "name": "b", "precision": "fp16"}, folder), ({"kind": "fp16"}, folder)]
    others, own = apart(tables)
    assert own == {"a": {"profile": {"N": "1:2:4"}, "flags": "STRICT_NANS"}, "b": {"precision": "fp16"}}
    found = with_own(asked_of(others, (), {}), own, {"tensorrt": {"flags": ""}})
    assert [each.options for each in found] == [
        {"profile": {"N": "1:2:4"}, "flags": ""},
        {"precision": "fp16", "flags": ""},
        {},
    ]
    with pytest.raises(UsageError, match="give --variant tensorrt"):
        with_own(asked_of([({"kind": "fp16"}, folder)], (), {}), {}, {"tensorrt": {"flags": ""}})
    with pytest.raises(UsageError, match="unknown key 'precision' in"):
        asked_of(apart([({"kind": "fp16", "precision": "fp16"}, folder)])[0], (), {})
    with pytest.raises(UsageError, match="unknown key 'options'"):
        asked_of(apart([({"kind": "tensorrt", "options": {}}, folder)])[0], (), {})


def test_what_nothing_here_can_hold_is_refused(tmp_path: Path) -> None:
    rows = tmp_path / "rows.npz"
    rows.write_bytes(b"")
    gate = {"kind": "tensorrt", "metric": "top1", "limit": 0.99, "rows": "rows.npz"}
    assert asked_of([(gate, tmp_path)], (), {})[0].metric == "top1"
    with pytest.raises(UsageError, match="max_drop needs answers of the variant, which nothing here runs"):
        asked_of([({**gate, "max_drop": 0.01}, tmp_path)], (), {})
    with pytest.raises(UsageError, match="runs no function of yours; take one of top1"):
        asked_of([({**gate, "metric": "own:worst"}, tmp_path)], (), {})


def test_without_tensorrt_the_command_that_brings_it() -> None:
    import sys

    with pytest.raises(MissingToolError, match="pip install tensorrt-rtx-cu13, and name the interpreter") as error:
        version_in(sys.executable, "rtx")
    assert error.value.exit_code == 9
    with pytest.raises(MissingToolError, match="cannot be started"):
        version_in("/no/such/python", "rtx")
