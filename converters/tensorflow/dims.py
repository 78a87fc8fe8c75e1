"""Which axes of the inputs are free: those that the model leaves open, under names of the user's or of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Callable

from .._worker.free_axes import NONE, Axes, axes_between, axes_of
from .._worker.tensor_probes import resized
from ..spec import BATCH, Range, Table, TensorSpec, Unreadable

FRAMEWORK = "tensorflow"


def free_axes(model: Any, shapes: Mapping[str, tuple[int, ...]]) -> Axes:
    """The free axes by input: those that the model declares open; of a model without declared inputs, the first ones.

    `model`: a `TensorflowModel`. Raises `Unreadable`.
    """
    dynamic, other = model.given.get("dynamic", "").strip(), model.given.get("other")
    if dynamic and other is not None:
        raise Unreadable("-O tensorflow.other and -O tensorflow.dynamic both say which axes are free: give one of them")
    ranks = {name: len(shape) for name, shape in shapes.items()}
    if dynamic == NONE:
        return {}
    if other is not None:
        there = {name: tuple(map(int, each)) for name, each in other.items()}
        if set(there) != set(shapes):
            raise Unreadable(f"-O tensorflow.other: give the inputs of the example in it: {', '.join(shapes)}")
        return axes_between(FRAMEWORK, shapes, {name: name for name in shapes}, there)
    given = axes_of(FRAMEWORK, dynamic, ranks) if dynamic else {}
    declared = {each.name: each.shape for each in model.inputs}
    if all(declared.get(name) is None for name in shapes):
        return given or axes_of(FRAMEWORK, "", ranks)
    return {name: _free(name, declared.get(name), shape, given.get(name, {})) for name, shape in shapes.items()}


def _free(name: str, declared: Any, shape: tuple[int, ...], given: Mapping[int, Range]) -> dict[int, Range]:
    sizes = declared if declared is not None else (None,) * len(shape)
    if len(sizes) != len(shape):
        raise Unreadable(f"the example's {name!r} has {len(shape)} dimensions, the model takes {len(sizes)}")
    fixed = [axis for axis in given if sizes[axis] is not None]
    if fixed:
        raise Unreadable(
            f"-O tensorflow.dynamic: the model has the fixed size {sizes[fixed[0]]} at {name}.{fixed[0]}: "
            "make it with a free one there (None in its Input)"
        )
    own = {axis: Range(BATCH if axis == 0 else f"{_plain(name)}_{axis}") for axis, s in enumerate(sizes) if s is None}
    return {axis: given.get(axis, free) for axis, free in own.items()}


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name)


def axes_for(axes: Axes, shapes: Mapping[str, tuple[int, ...]]) -> Axes:
    """The axes that the example has at least two sizes for, so to say: one of size 0 shows nothing and stays fixed."""
    return {name: {a: free for a, free in by.items() if shapes[name][a]} for name, by in axes.items()}


def sizes_that_agree(
    ask: Callable[[Table], Table], inputs: tuple[TensorSpec, ...], example: Table
) -> tuple[TensorSpec, ...]:
    """The inputs, two free sizes under one name where the model refuses one without the other (a text and its mask)."""
    first: dict[int, str] = {}
    for spec in inputs:
        for axis, dim in enumerate(spec.shape):
            if not isinstance(dim, str) or dim == BATCH:
                continue
            size = int(example[spec.name].shape[axis])
            known = first.setdefault(size, dim)
            if known != dim and _go_together(ask, inputs, example, known, dim, size):
                inputs = tuple(replace(t, shape=tuple(known if d == dim else d for d in t.shape)) for t in inputs)
    return inputs


def _go_together(
    ask: Callable[[Table], Table], inputs: tuple[TensorSpec, ...], example: Table, one: str, other: str, size: int
) -> bool:
    def takes(sizes: dict[str, int]) -> bool:
        try:
            ask(resized(inputs, example, sizes))
        except Exception:  # whatever the model raises
            return False
        return True

    return not takes({one: size + 1}) and takes({one: size + 1, other: size + 1})
