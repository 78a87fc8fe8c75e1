"""Which axes are free, as the user says."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mlpack_toolkit.converters.spec import Range, Unreadable
from mlpack_toolkit.converters.torch.dims import axes_between, axes_of, free_axes

RANKS = {"x": 4, "state.0": 3, "scale": 0}


def test_the_first_axis_of_every_input_by_default() -> None:
    assert axes_of("", RANKS) == {"x": {0: Range("N")}, "state.0": {0: Range("N")}}


def test_names_axes_and_ranges() -> None:
    found = axes_of("x.0:batch, x.2:height[32..512] ,state.0.1:batch_size,state.0.2:width[2..]", RANKS)
    assert found == {
        "x": {0: Range("N"), 2: Range("height", 32, 512)},
        "state.0": {1: Range("N"), 2: Range("width", 2)},
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x:batch", "must be INPUT.AXIS:NAME"),
        ("y.0:batch", "no input 'y'"),
        ("x.4:length", "none at 4"),
        ("x.0:a[5..2]", "is empty"),
        ("x.0:a[1..2],x.1:a[1..3]", "two ranges"),
        ("x.0:1st", "must be INPUT.AXIS:NAME"),
    ],
)
def test_what_cannot_be_meant(text: str, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        axes_of(text, RANKS)


def test_a_second_example_shows_the_free_axes_and_those_that_are_one_size() -> None:
    own, other = {"x": (3, 7, 4), "mask": (3, 7), "scale": ()}, {"a": (5, 9, 4), "b": (5, 9), "c": ()}
    found = axes_between(own, {"x": "a", "mask": "b", "scale": "c"}, other)
    assert found == {"x": {0: Range("N"), 1: Range("x_1")}, "mask": {0: Range("N"), 1: Range("x_1")}}


def test_a_program_takes_no_second_example() -> None:
    model = SimpleNamespace(program=object(), given={"other": {"x": ["4"]}})
    with pytest.raises(Unreadable, match="says itself which axes are free"):
        free_axes(model, {"x": (3,)})
