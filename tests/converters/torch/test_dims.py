"""Which axes are free, as the user says."""

from __future__ import annotations

import pytest

from mlpack_toolkit.converters.spec import Range, Unreadable
from mlpack_toolkit.converters.torch.dims import axes_of

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
