"""From tensors by name to the arguments of `forward`."""

from __future__ import annotations

from typing import Any

import pytest

from mlpack_toolkit.converters.spec import Unreadable
from mlpack_toolkit.converters.torch.call import call_of_module


class Plain:
    def forward(self, x: Any, mask: Any = None, *, scale: Any = 1) -> None: ...


class Nested:
    def forward(self, batch: Any, state: Any) -> None: ...


class Rest:
    def forward(self, x: Any, *others: Any) -> None: ...


@pytest.mark.parametrize(
    ("module", "given", "names", "args", "kwargs"),
    [
        (Plain, "x mask", "x mask", ("x", "mask"), {}),
        (Plain, "mask x", "x mask", ("x", "mask"), {}),
        (Plain, "arr_0 arr_1", "x mask", ("arr_0", "arr_1"), {}),
        (Plain, "arr_0 mask", "x mask", ("arr_0", "mask"), {}),
        (Plain, "x scale", "x scale", ("x",), {"scale": "scale"}),
        (Nested, "state.1 state.0 batch.a", "batch.a state.1 state.0", ({"a": "batch.a"}, ("state.0", "state.1")), {}),
        (Rest, "x others.0 others.1", "x others.0 others.1", ("x", "others.0", "others.1"), {}),
    ],
)
def test_arguments(module: type, given: str, names: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    call = call_of_module(module(), given.split())
    assert call.names == tuple(names.split())
    assert call.arguments({name: name for name in given.split()}) == (args, kwargs)
    assert list(call.renamed({name: name for name in given.split()})) == names.split()


@pytest.mark.parametrize("given", ["a b c", "x a b"])
def test_more_tensors_than_parameters(given: str) -> None:
    with pytest.raises(Unreadable, match="name the tensors of the npz after those parameters"):
        call_of_module(Plain(), given.split())


def test_a_name_that_is_the_start_of_another() -> None:
    with pytest.raises(Unreadable, match="rename one"):
        call_of_module(Nested(), ["batch", "batch.a", "state"]).arguments(dict.fromkeys(["batch", "batch.a", "state"]))
