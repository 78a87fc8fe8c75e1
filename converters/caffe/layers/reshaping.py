"""Layers that put the same numbers in another shape, cut a part out, repeat or reduce."""

from __future__ import annotations

from math import prod

from ...spec import Unreadable
from ..building import Known, Site, Size, Value, shown

OPERATIONS = ("", "SUM", "ASUM", "SUMSQ", "MEAN")


def flatten(site: Site) -> list[Value]:
    """Several axes as one."""
    x = site.bottom()
    fields = site.layer.parameters.of("flatten_param")
    first, last = (site.axis(x, fields.integer(name, at, -32)) for name, at in (("axis", 1), ("end_axis", -1)))
    fields.check_all_read()
    if last < first:
        raise Unreadable(f"{site.layer} flattens from axis {first} to {last}: end_axis comes behind axis")
    if first == 0 and last > 0:
        raise site.refused("joins the images of a batch (axis 0), so no answer is that of one image")
    middle = x.shape[first : last + 1]
    joined = None if None in middle else prod(size or 1 for size in middle)
    rest = site.known(x, last + 1, "the sizes behind the axes that it joins")
    return [site.reshaped(x, (*x.shape[:first], joined, *rest), copied=first)]


def reshape(site: Site) -> list[Value]:
    """Sizes as given: 0 keeps that of the axis, -1 is what remains."""
    x = site.bottom()
    fields = site.layer.parameters.of("reshape_param")
    holder = fields.message("shape")
    dims, start = holder.integers("dim", -1), fields.integer("axis", 0, -32)
    count = fields.integer("num_axes", -1, -1)
    holder.check_all_read()
    fields.check_all_read()
    first = start if start >= 0 else len(x.shape) + start + 1
    end = len(x.shape) if count == -1 else first + count
    if not 0 <= first <= end <= len(x.shape):
        raise Unreadable(f"{site.layer} reshapes axes {first} to {end} of a blob {shown(x.shape)}")
    shape = _shape(site, x, dims, first, end)
    return [Value(_written(site, x, dims, first, shape), site.checked(shape))]


def _shape(site: Site, x: Value, dims: list[int], first: int, end: int) -> tuple[Size, ...]:
    if dims.count(-1) > 1 or any(dim == 0 and first + at >= end for at, dim in enumerate(dims)):
        raise Unreadable(f"{site.layer} has the dims {dims}: one may be -1, and 0 stands for an axis that is there")
    body: list[Size] = [x.shape[first + at] if dim == 0 else dim for at, dim in enumerate(dims)]
    kept = [first + at for at, dim in enumerate(dims) if dim == 0]
    replaced = [x.shape[at] for at in range(first, end) if at not in kept]
    if None in replaced:
        body = [None if size == -1 else size for size in body]
        if 0 in range(first, end) and 0 not in kept:
            raise site.refused(
                f"gives the batch a size of its own ({dims}), so it takes one batch alone: write 0 there"
            )
    else:
        total, rest = prod(size or 1 for size in replaced), prod(d for d in dims if d > 0)
        if total % rest or (-1 not in dims and total != rest):
            raise Unreadable(f"{site.layer} reshapes {shown(x.shape)} to {dims}, which holds other numbers")
        body = [total // rest if size == -1 else size for size in body]
    return (*x.shape[:first], *body, *x.shape[end:])


def _written(site: Site, x: Value, dims: list[int], first: int, shape: tuple[Size, ...]) -> str:
    """The node, in which 0 copies the axis in the same place."""
    import numpy as np

    kept = {*range(first), *(first + at for at, dim in enumerate(dims) if dim == 0)}
    target = [0 if at in kept and size is None else -1 if size is None else size for at, size in enumerate(shape)]
    if target.count(-1) > 1:
        raise site.refused("needs sizes that are free here: leave caffe.size out")
    return site.op("Reshape", x.name, site.whole(np.array(target, np.int64)))


def permute(site: Site) -> list[Value]:
    """The axes in another order."""
    x = site.bottom()
    fields = site.layer.parameters.of("permute_param")
    order = fields.integers("order")
    fields.check_all_read()
    if len(set(order)) != len(order) or any(axis >= len(x.shape) for axis in order):
        raise Unreadable(f"{site.layer} has the order {order} for a blob {shown(x.shape)}: name each axis once")
    order = [*order, *(axis for axis in range(len(x.shape)) if axis not in order)]
    return [Value(site.op("Transpose", x.name, perm=order), tuple(x.shape[axis] for axis in order))]


def crop(site: Site) -> list[Value]:
    """A part of the first blob, as large as the second."""
    x, like = site.takes(2)
    fields = site.layer.parameters.of("crop_param")
    axis, offsets = site.axis(x, fields.integer("axis", 2, -32)), fields.integers("offset")
    fields.check_all_read()
    count = len(x.shape) - axis
    if len(like.shape) != len(x.shape) or len(offsets) not in (0, 1, count):
        raise Unreadable(f"{site.layer} has {len(offsets)} offset for {count} axes: give one, or one for each")
    if axis == 0:
        raise site.refused("cuts a batch (axis 0), so no answer is that of one image")
    starts = offsets if len(offsets) == count else (offsets or [0]) * count
    for start, size, room in zip(starts, like.shape[axis:], x.shape[axis:]):
        if size is not None and room is not None and start + size > room:
            raise Unreadable(f"{site.layer} cuts {shown(like.shape)} from {shown(x.shape)}, which is too small")
    begin, axes = site.whole(starts), site.whole(list(range(axis, len(x.shape))))
    end = site.op("Add", site.op("Shape", like.name, start=axis), begin)
    return [Value(site.op("Slice", x.name, begin, end, axes), (*x.shape[:axis], *like.shape[axis:]))]


def tile(site: Site) -> list[Value]:
    """The blob several times along an axis."""
    import numpy as np

    x = site.bottom()
    fields = site.layer.parameters.of("tile_param")
    axis, times = site.axis(x, fields.integer("axis", 1, -32)), fields.integer("tiles", least=1)
    fields.check_all_read()
    if axis == 0:
        raise site.refused("repeats the images of a batch (axis 0), so no answer is that of one image")
    repeats = np.ones(len(x.shape), np.int64)
    repeats[axis] = times
    size = x.shape[axis]
    shape = (*x.shape[:axis], None if size is None else size * times, *x.shape[axis + 1 :])
    return [Value(site.op("Tile", x.name, site.whole(repeats)), site.checked(shape))]


def reduction(site: Site) -> list[Value]:
    """One number for all from an axis on: their sum, that of their magnitudes or squares, or their mean."""
    import numpy as np

    x = site.bottom()
    fields = site.layer.parameters.of("reduction_param")
    how, axis = fields.word("operation", "SUM", OPERATIONS), site.axis(x, fields.integer("axis", 0, -32))
    share = fields.number("coeff", 1.0)
    fields.check_all_read()
    if axis == 0:
        raise site.refused("joins the images of a batch (axis 0), so no answer is that of one image: give axis: 1")
    kind = {"SUM": "ReduceSum", "ASUM": "ReduceL1", "SUMSQ": "ReduceSumSquare", "MEAN": "ReduceMean"}[how]
    axes = site.whole(np.arange(axis, len(x.shape)))
    found = site.op(kind, x.name, axes, keepdims=0)
    return [Value(found if share == 1 else site.op("Mul", found, site.scalar(share)), x.shape[:axis])]


def arg_max(site: Site) -> list[Value]:
    """Where the largest numbers are, or these numbers; both, of all numbers of an image, where no axis is given."""
    x = site.bottom()
    fields = site.layer.parameters.of("argmax_param")
    values, count = fields.flag("out_max_val", False), fields.integer("top_k", 1, 1)
    axis = site.axis(x, fields.integer("axis", least=-32)) if fields.has("axis") else None
    fields.check_all_read()
    if axis == 0:
        raise site.refused("compares the images of a batch (axis 0), so no answer is that of one image")
    flat = x if axis is not None else site.reshaped(x, (x.shape[0], _all(x)), copied=1)
    along = 1 if axis is None else axis
    (size,) = site.known(Value(flat.name, flat.shape[: along + 1]), along, "the size of the axis that it compares")
    if count > size:
        raise Unreadable(f"{site.layer} asks for the {count} largest of {size} numbers")
    top, places = _largest(site, flat, along, size, count)
    if axis is not None:
        return [Value(top if values else places, (*x.shape[:axis], count, *x.shape[axis + 1 :]))]
    parts = [places, top] if values else [places]
    rows = [site.op("Unsqueeze", each, site.whole([1])) for each in parts]
    joined = Value(site.op("Concat", *rows, axis=1) if values else rows[0], (x.shape[0], len(parts), count))
    return [site.reshaped(joined, (*joined.shape, *(1 for _ in x.shape[3:])), copied=1)]


def _largest(site: Site, x: Value, axis: int, size: int, count: int) -> tuple[str, str]:
    """The largest numbers and their places, of equal ones the last first, as Caffe sorts pairs of both."""
    backwards = [site.whole(value) for value in ([-1], [-size - 1], [axis], [-1])]
    turned = site.op("Slice", x.name, *backwards)
    top, places = site.graph.ops("TopK", (turned, site.whole([count])), 2, stem=site.layer.name, axis=axis)
    return top, site.op("Cast", site.op("Sub", site.whole(size - 1), places), to=1)


def _all(x: Value) -> Size:
    return None if None in x.shape[1:] else prod(size or 1 for size in x.shape[1:])


KNOWN: Known = {
    "Flatten": flatten,
    "Reshape": reshape,
    "Permute": permute,
    "Crop": crop,
    "Tile": tile,
    "Reduction": reduction,
    "ArgMax": arg_max,
}
