"""Layers that join blobs, cut them, or apply one to another."""

from __future__ import annotations

from collections.abc import Sequence

from ...spec import Unreadable
from ..building import Known, Site, Size, Value, shown

PROD, SUM, MAX = OPERATIONS = ("PROD", "SUM", "MAX")


def eltwise(site: Site) -> list[Value]:
    """Blobs of one shape, number by number."""
    values = site.bottoms
    if len(values) < 2:
        raise Unreadable(f"{site.layer} takes {len(values)} blobs (bottom), and its type takes two or more")
    fields = site.layer.parameters.of("eltwise_param")
    how, shares = fields.word("operation", SUM, OPERATIONS), fields.numbers("coeff")
    fields.check_all_read()
    if any(not _alike(each.shape, values[0].shape) for each in values):
        raise Unreadable(f"{site.layer} joins blobs of other sizes: {', '.join(shown(each.shape) for each in values)}")
    if shares and (how != SUM or len(shares) != len(values)):
        raise Unreadable(f"{site.layer} has {len(shares)} coeff: give one for each bottom, and for SUM alone")
    names = [each.name for each in values]
    if any(share != 1 for share in shares):
        names = [site.op("Mul", name, site.scalar(share)) for name, share in zip(names, shares)]
    return [Value(_folded(site, {PROD: "Mul", SUM: "Add", MAX: "Max"}[how], names), values[0].shape)]


def _folded(site: Site, kind: str, names: Sequence[str]) -> str:
    found = names[0]
    for each in names[1:]:
        found = site.op(kind, found, each)
    return found


def _alike(one: Sequence[Size], other: Sequence[Size]) -> bool:
    return len(one) == len(other) and all(None in (a, b) or a == b for a, b in zip(one, other))


def scale(site: Site) -> list[Value]:
    """Times a factor for each channel, or times another blob; then a term may be added."""
    fields = site.layer.parameters.of("scale_param")
    values = site.takes(1, 2)
    axis, bias = site.axis(values[0], fields.integer("axis", 1, -32)), fields.flag("bias_term", False)
    count = fields.integer("num_axes", 1, -1)
    fields.check_all_read()
    factors, shape = _spread(site, values, axis, count, "factors")
    found = site.op("Mul", values[0].name, factors)
    learned = int(len(values) == 1)
    if bias:
        if shape is None:
            raise site.refused("adds a term to the product of two blobs: put a layer Bias behind it")
        terms = site.array(learned, [size for size in shape if size != 1] or [1], "terms").reshape(shape)
        found = site.op("Add", found, site.const(terms))
    site.has_no_more(learned + int(bias))
    return [Value(found, values[0].shape)]


def bias(site: Site) -> list[Value]:
    """Plus a term for each channel, or plus another blob."""
    fields = site.layer.parameters.of("bias_param")
    values = site.takes(1, 2)
    axis, count = site.axis(values[0], fields.integer("axis", 1, -32)), fields.integer("num_axes", 1, -1)
    fields.check_all_read()
    terms, _ = _spread(site, values, axis, count, "terms")
    site.has_no_more(int(len(values) == 1))
    return [Value(site.op("Add", values[0].name, terms), values[0].shape)]


def _spread(
    site: Site, values: tuple[Value, ...], axis: int, count: int, what: str
) -> tuple[str, tuple[int, ...] | None]:
    """Factors or terms, learned or the second blob, that fit the first from the axis on; the shape of learned ones."""
    x = values[0]
    if len(values) == 2:
        rest = len(x.shape) - axis - len(values[1].shape)
        if rest < 0 or not _alike(values[1].shape, x.shape[axis : len(x.shape) - rest]):
            raise Unreadable(
                f"{site.layer}: {shown(values[1].shape)} does not fit {shown(x.shape)} from axis {axis} on"
            )
        if not rest:
            return values[1].name, None
        behind = site.whole(list(range(len(values[1].shape), len(values[1].shape) + rest)))
        return site.op("Unsqueeze", values[1].name, behind), None
    if axis == 0:
        raise site.refused("has factors for each image of a batch (axis 0), so an answer depends on its place")
    end = len(x.shape) if count == -1 else axis + count
    if end > len(x.shape):
        raise Unreadable(f"{site.layer} has factors for {count} axes from {axis} on, of a blob {shown(x.shape)}")
    sizes = site.known(Value(x.name, x.shape[:end]), axis, "the number of factors")
    shape = (*sizes, *(1 for _ in x.shape[end:]))
    return site.const(site.array(0, sizes or (1,), what).reshape(shape or (1,))), shape


def concat(site: Site) -> list[Value]:
    """Blobs one behind the other along an axis."""
    values = site.bottoms
    if not values:
        raise Unreadable(f"{site.layer} takes no blob (bottom)")
    fields = site.layer.parameters.of("concat_param")
    axis = _axis(site, values[0], fields, "concat_dim")
    fields.check_all_read()
    rests = [(*each.shape[:axis], *each.shape[axis + 1 :]) for each in values]
    if any(len(v.shape) != len(values[0].shape) or not _alike(rest, rests[0]) for v, rest in zip(values, rests)):
        raise Unreadable(f"{site.layer} joins blobs of other sizes: {', '.join(shown(each.shape) for each in values)}")
    sizes = [each.shape[axis] for each in values]
    whole = None if None in sizes else sum(size or 0 for size in sizes)
    shape = site.checked((*values[0].shape[:axis], whole, *values[0].shape[axis + 1 :]))
    return [Value(site.op("Concat", *(each.name for each in values), axis=axis), shape)]


def _axis(site: Site, x: Value, fields: object, old: str) -> int:
    """The axis, under its name of today or under the old one."""
    from ..parameters import Fields

    assert isinstance(fields, Fields)
    if fields.has(old) and fields.has("axis"):
        raise Unreadable(f"{site.layer} gives both axis and {old}: give axis alone")
    if fields.integer(old, 1) != 1:
        raise site.refused(f"gives its axis as {old}, which OpenCV does not read: write axis in its place")
    return site.axis(x, fields.integer("axis", 1, -32))


def slices(site: Site) -> list[Value]:
    """Pieces along an axis, alike or cut at given points."""
    x = site.bottom()
    fields = site.layer.parameters.of("slice_param")
    axis, points = _axis(site, x, fields, "slice_dim"), fields.integers("slice_point", 1)
    fields.check_all_read()
    (size,) = site.known(Value(x.name, x.shape[: axis + 1]), axis, "the size of the axis that it cuts")
    count = len(site.layer.tops)
    if points and len(points) != count - 1:
        raise Unreadable(f"{site.layer} has {len(points)} slice_point for {count} tops: give one less than tops")
    if not points and size % count:
        raise Unreadable(f"{site.layer} cuts {size} into {count} equal pieces, which it cannot: give slice_point")
    ends = [*points, size] if points else [size // count * (n + 1) for n in range(count)]
    sizes = [end - start for start, end in zip([0, *ends], ends)]
    if min(sizes) < 1:
        raise Unreadable(f"{site.layer} cuts an axis of {size} at {points}: the points rise, and stay inside")
    names = site.graph.ops("Split", (x.name, site.whole(sizes)), count, stem=site.layer.name, axis=axis)
    return [Value(name, (*x.shape[:axis], part, *x.shape[axis + 1 :])) for name, part in zip(names, sizes)]


def split(site: Site) -> list[Value]:
    """The blob, once for each top."""
    return [site.bottom()] * len(site.layer.tops)


def silence(site: Site) -> list[Value]:
    """Nothing: the layer takes blobs so that they are no outputs."""
    return []


KNOWN: Known = {
    "Eltwise": eltwise,
    "Scale": scale,
    "Bias": bias,
    "Concat": concat,
    "Slice": slices,
    "Split": split,
    "Silence": silence,
}
