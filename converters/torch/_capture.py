"""The program of a module: what `torch.export` records of one call at sizes that stand for all others.

A size that two axes share, or that the module has as a constant, would be taken for one thing: the example is brought
to sizes of its own first, by repeating what it has.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .._worker.tensor_probes import summed
from ..spec import SUM, Range, Unsupported
from . import _lines
from ._fixes.detecting import detectors_recorded
from ._fixes.layers import as_in_eager
from ._fixes.packed import packed_as_padded
from ._fixes.recurrent import kept_whole

Promise = Mapping[int, Range]
"""Of an input: by axis, the free size that is promised."""
MOST_TRIED = 4096
"""How far above the example's own size another is looked for."""


class AxisBound(Unsupported):
    """An axis that the module does not leave free. `axis`: its name."""

    def __init__(self, axis: str, message: str) -> None:
        super().__init__(message)
        self.axis = axis


@dataclass(frozen=True)
class Captured:
    """A program, with the tensors that it was recorded with. `axes`: per input."""

    program: Any
    tensors: tuple[Any, ...]
    axes: tuple[Promise, ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Given:
    """A call of a module: its arguments as flat tensors with their names, and how they become arguments again."""

    module: Any
    tensors: tuple[Any, ...]
    axes: tuple[Promise, ...]
    names: tuple[str, ...]
    structure: Any

    def arguments(self, tensors: Sequence[Any]) -> Any:
        """The arguments and keyword arguments of `forward`."""
        from torch.utils import _pytree as pytree

        return pytree.tree_unflatten(list(tensors), self.structure)


def given(module: Any, args: Any, kwargs: Any, axes: Sequence[Promise], names: Sequence[str]) -> Given:
    """The call, flat."""
    from torch.utils import _pytree as pytree

    tensors, structure = pytree.tree_flatten((args, dict(kwargs)))
    return Given(module, tuple(tensors), tuple(axes), tuple(names), structure)


def captured(call: Given) -> Captured:
    """The program of a call, at sizes of its own where the module takes them. Raises `Unsupported`."""
    own = resized(call.tensors, call.axes, apart(call))
    try:
        return _program(call, own)
    except Exception:
        if all(a is b for a, b in zip(own, call.tensors)):
            raise
    return _program(call, call.tensors)  # some sizes are not the module's: the example's own are


def _program(call: Given, tensors: Sequence[Any]) -> Captured:
    import torch

    try:
        program = _exported(call, tensors, torch.export.Dim.DYNAMIC)
    except Unsupported:
        raise
    except Exception as error:
        raise _refusal(call, tensors, error) from error
    return Captured(program, tuple(tensors), call.axes, call.names)


def _exported(call: Given, tensors: Sequence[Any], kind: Any) -> Any:
    with kept_whole(), as_in_eager(), packed_as_padded(), detectors_recorded():
        return plain_program(call, tensors, kind)


def plain_program(call: Given, tensors: Sequence[Any], kind: Any) -> Any:
    """What `torch.export` itself records of the call, every free axis a dimension of that kind."""
    import torch

    args, kwargs = call.arguments(tensors)
    shapes = torch.export.ShapesCollection()
    for tensor, axes in zip(tensors, call.axes):
        if axes:
            shapes[tensor] = dict.fromkeys(axes, kind)
    with quiet(), torch.no_grad(), sizes_stay_open():
        dynamic = shapes.dynamic_shapes(call.module, args, kwargs)
        return torch.export.export(call.module, args, kwargs, dynamic_shapes=dynamic, strict=False)


@contextmanager
def quiet() -> Iterator[None]:
    """The warnings of torch are no news to a user of mlpack."""
    import logging

    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextmanager
def sizes_stay_open() -> Iterator[None]:
    """A size is not taken to be other than 0 and 1, where this version of torch can do without."""
    import torch.fx.experimental._config as config

    if not hasattr(config, "backed_size_oblivious"):
        yield
        return
    with config.patch(backed_size_oblivious=True):  # type: ignore[no-untyped-call, unused-ignore]
        yield


def apart(call: Given) -> dict[str, int]:
    """By name of a free size, one that no other axis and no constant of the module has."""
    taken = set(_constants(call.module))
    taken |= {size for t, axes in zip(call.tensors, call.axes) for axis, size in enumerate(t.shape) if axis not in axes}
    found: dict[str, int] = {}
    for tensor, axes in zip(call.tensors, call.axes):
        for axis, free in axes.items():
            if free.name in found or SUM in free.name:
                continue
            size = int(tensor.shape[axis])
            above = range(max(size, free.least, 2), min(size + MOST_TRIED, free.largest) + 1)
            below = range(size, max(free.least, 2) - 1, -1)
            found[free.name] = next((n for n in (*above, *below) if n not in taken), size)
            taken.add(found[free.name])
    return found


def _sums(tensors: Sequence[Any], axes: Sequence[Promise], sizes: Mapping[str, int]) -> dict[str, int]:
    """The sizes of axes that are the sum of others (`past + new`), some of which are changed."""
    own = {free.name: int(t.shape[axis]) for t, by in zip(tensors, axes) for axis, free in by.items()}
    return summed(own, own, sizes)


def _constants(module: Any) -> Iterator[int]:
    """Sizes of the module's tensors, and whole numbers that it and those inside it keep."""
    for tensor in (*module.parameters(), *module.buffers()):
        yield from (int(size) for size in tensor.shape)
    for part in module.modules():
        for value in vars(part).values():
            values = value if isinstance(value, (tuple, list)) else (value,)
            yield from (each for each in values if isinstance(each, int) and not isinstance(each, bool))


def resized(tensors: Sequence[Any], axes: Sequence[Promise], sizes: Mapping[str, int]) -> tuple[Any, ...]:
    """The tensors at other sizes: each axis repeats what it has, or is cut."""
    sizes = {**sizes, **_sums(tensors, axes, sizes)}
    own = ({axis: sizes[free.name] for axis, free in by.items() if free.name in sizes} for by in axes)
    return tuple(map(_resized, tensors, own))


def _resized(tensor: Any, sizes: Mapping[int, int]) -> Any:
    import torch

    for axis, size in sizes.items():
        own = tensor.shape[axis]
        if size != own:
            places = torch.arange(size) % own if own else torch.zeros(0, dtype=torch.int64)
            tensor = tensor.index_select(axis, places) if own else tensor.new_zeros(_with(tensor.shape, axis, size))
    return tensor


def _with(shape: Sequence[int], axis: int, size: int) -> tuple[int, ...]:
    return (*shape[:axis], size, *shape[axis + 1 :])


def _refusal(call: Given, tensors: Sequence[Any], error: Exception) -> Unsupported:
    """What to say of a module that cannot be recorded."""
    import torch

    try:
        loose = _exported(call, tensors, torch.export.Dim.AUTO)
    except Exception as other:
        return _untraceable(other)
    for name, axes, node in zip(call.names, call.axes, inputs_of(loose)):
        for axis, free in axes.items():
            size = expression(node.meta["val"].shape[axis])
            if size.isdigit():
                return AxisBound(free.name, _fixed(call, free.name, name, axis, size, _guard_of(loose, size)))
    return _untraceable(error)


def _fixed(call: Given, free: str, name: str, axis: int, size: str, line: str) -> str:
    import torch

    if isinstance(call.module, torch.fx.GraphModule):
        return (
            f"the size {free!r} (axis {axis} of {name!r}) cannot be free: the program was exported for size {size} "
            "alone: fix that axis, or export the module again with dynamic_shapes that name it"
        )
    return (
        f"the size {free!r} (axis {axis} of {name!r}) cannot be free: the module records as one for size {size} "
        f"alone{line}: fix that axis (leave it out of -O torch.dynamic; none is no free axis at all), or replace "
        "Python's loops and branches over it by operators on whole tensors"
    )


def _guard_of(program: Any, size: str) -> str:
    """The line that fixed a size."""
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    env: ShapeEnv | None = shape_env(program)
    guards = [] if env is None else [g for g in env.guards if str(g.expr).endswith(f", {size})")]
    return next(filter(None, map(_lines.of_guard, guards)), "")


def shape_env(program: Any) -> Any:
    """What the tracer assumed of sizes; None: there is no free one."""
    for node in program.graph.nodes:
        for size in getattr(node.meta.get("val"), "shape", ()):
            if not isinstance(size, int):
                return size.node.shape_env
    return None


def expression(size: Any) -> str:
    """The tracer's word for a size: a number, a symbol, or what it is made of."""
    return str(getattr(getattr(size, "node", None), "expr", size))


def inputs_of(program: Any) -> list[Any]:
    """The nodes of a program's own inputs, in order."""
    names = set(program.graph_signature.user_inputs)
    return [node for node in program.graph.nodes if node.op == "placeholder" and node.name in names]


def _untraceable(error: Exception) -> Unsupported:
    line = _lines.of_error(error)
    first = next((text.strip() for text in str(error).splitlines() if text.strip()), type(error).__name__)
    if "data-dependent" in str(error) or "GuardOnDataDependent" in type(error).__name__:
        return Unsupported(
            f"the module branches on the values of a tensor{line}, of which a graph records one side: "
            "write torch.where(condition, a, b), or torch.cond(condition, f, g, arguments)"
        )
    return Unsupported(f"torch.export cannot record the module{line}: {first}")
