"""Batches of tensors worth trying: other sizes, extreme and broken values, masks, tokens."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from ..bfloat16 import LARGEST
from ..spec import BATCH, BFLOAT16, INTEGERS, REALS, SUM, Range, Signature, Table, TensorSpec
from ..table import take
from .probes import LADDER

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

ROWS = 4
"""Of the example, in a batch whose other sizes or values are tried."""
INPUTS = 16
"""Most inputs whose values are tried."""
MOST_BYTES = 16 << 20
TEXTS = ("", "😀 日本", "a" * 300)


@dataclass(frozen=True)
class Tried:
    """A batch that is tried. `kind`: in words. `name`: the input or the dimension that it changes; `value`: its size,
    or the one value that the input is full of."""

    kind: str
    batch: Table
    name: str = ""
    value: Any = None


def tensor_probes(signature: Signature, rows: Table) -> Iterator[Tried]:
    """Each free dimension at other sizes, all of them at once, then each input with other values."""
    base = base_of(signature, rows)
    yield from _other_sizes(signature.inputs, base)
    for spec in signature.inputs[:INPUTS]:
        yield from _other_values(spec, base)


def base_of(signature: Signature, rows: Table) -> Table:
    """The rows of the example that the probes change."""
    return take(rows, slice(0, ROWS), signature.batch_axes) if signature.has_rows else rows


def _other_sizes(inputs: tuple[TensorSpec, ...], base: Table) -> Iterator[Tried]:
    sizes = {dim: size_of(inputs, base, dim) for dim in free_dims(inputs)}
    for dim, size in sizes.items():
        for other in dict.fromkeys((1, 0, size + 1, 2 * size, 2 * size + 1)):
            if size and other != size and _fits(base, other / size):
                yield Tried(f"size {other} of {dim}", resized(inputs, base, {dim: other}), dim, other)
    several = _apart(sizes, {d for t in inputs for d in t.shape if isinstance(d, int)})
    if len(several) > 1 and _fits(base, 2.0 ** len(several)):
        yield Tried("other sizes of all", resized(inputs, base, several))


def _apart(sizes: dict[str, int], taken: set[int]) -> dict[str, int]:
    """A larger size for each dimension, which no other dimension has."""
    found: dict[str, int] = {}
    for dim, size in sizes.items():
        found[dim] = next(n for n in range(size + 1, size + 2 + len(taken)) if n not in taken)
        taken = {*taken, found[dim]}
    return found if all(sizes.values()) else {}


def free_dims(inputs: Iterable[TensorSpec]) -> list[str]:
    """The names of the dimensions that take several sizes, without those that follow from others."""
    return list(dict.fromkeys(d for t in inputs for d in t.shape if isinstance(d, str) and SUM not in d))


def size_of(inputs: Iterable[TensorSpec], table: Table, dim: str) -> int:
    """The size of a free dimension in the tensors."""
    return int(next(table[t.name].shape[t.shape.index(dim)] for t in inputs if dim in t.shape))


def others_than(inputs: tuple[TensorSpec, ...], ranges: Iterable[Range], example: Table) -> Iterator[Table]:
    """The example with another size of every free dimension, twice as large and one more, as far as its range allows;
    then with its own batch. Leaves out tensors that are too large."""
    largest = {each.name: each.largest for each in ranges}
    sizes = {dim: size for dim in free_dims(inputs) if (size := size_of(inputs, example, dim))}
    others = {dim: min(2 * size + 1, largest.get(dim, 2 * size + 1)) for dim, size in sizes.items()}
    for dims in (others, {dim: size for dim, size in others.items() if dim != BATCH}):
        changed = {dim: size for dim, size in dims.items() if size != sizes[dim]}
        if changed and _fits(example, prod(size / sizes[dim] for dim, size in changed.items())):
            yield resized(inputs, example, changed)


def _fits(base: Table, times: float) -> bool:
    return times * sum(values.nbytes for values in base.values()) <= MOST_BYTES


def resized(inputs: Iterable[TensorSpec], table: Table, sizes: dict[str, int]) -> Table:
    """The tensors with other sizes of some dimensions: cut, or begun again from the start."""
    import numpy as np

    found, inputs = dict(table), tuple(inputs)
    sizes = {**sizes, **_sums(inputs, table, sizes)}
    for spec in inputs:
        for axis, dim in enumerate(spec.shape):
            if isinstance(dim, str) and dim in sizes:
                own = found[spec.name]
                found[spec.name] = np.take(own, np.arange(sizes[dim]) % own.shape[axis], axis)
    return found


def _sums(inputs: tuple[TensorSpec, ...], table: Table, sizes: dict[str, int]) -> dict[str, int]:
    """The sizes of the dimensions that are the sum of others, some of which are changed."""
    own = {dim: size_of(inputs, table, dim) for dim in free_dims(inputs)}
    return summed((d for t in inputs for d in t.shape if isinstance(d, str)), own, sizes)


def summed(dims: Iterable[str], own: Mapping[str, int], changed: Mapping[str, int]) -> dict[str, int]:
    """The sizes of those dimensions that are the sum of others (`past + new`), some of which are changed."""
    sizes = {**own, **changed}
    sums = {dim: dim.split(SUM) for dim in dims if SUM in dim}
    return {dim: sum(sizes[part] for part in parts) for dim, parts in sums.items() if set(parts) & changed.keys()}


def _other_values(spec: TensorSpec, base: Table) -> Iterator[Tried]:
    own = base[spec.name]
    for words, value in values_of(spec):
        yield Tried(f"{words} in {spec.name}", {**base, spec.name: filled(spec, own.shape, value)}, spec.name, value)
    for words, values in _patterns(spec, own):
        yield Tried(f"{words} in {spec.name}", {**base, spec.name: values})


def values_of(spec: TensorSpec) -> Iterator[tuple[str, Any]]:
    """Values that are tried in a whole input: texts; both truths; bounds of a type or a rule; ever larger floats."""
    if spec.is_text:
        yield from ((f"text of {len(text)} letters", text) for text in TEXTS)
    elif spec.dtype == "bool":
        yield from (("true", True), ("false", False))
    elif spec.dtype in INTEGERS:
        yield from ((f"{value}", value) for value in dict.fromkeys((0, 1, *_ends(spec))))
    else:
        yield from ((f"{value:g}", value) for value in _floats(spec.dtype))


def _ends(spec: TensorSpec) -> Iterator[int]:
    """The least and the largest number that the input takes, and those right beyond."""
    least, most = bounds_of(spec.dtype)
    low, high = (least if spec.least is None else int(spec.least)), (most if spec.most is None else int(spec.most))
    yield from (each for each in (low, high, low - 1, high + 1, least, most) if least <= each <= most)


def bounds_of(dtype: str) -> tuple[int, int]:
    """The least and the largest number of a type of whole numbers."""
    import numpy as np

    bounds = np.iinfo(dtype)
    return int(bounds.min), int(bounds.max)


def _floats(dtype: str) -> Iterator[float]:
    largest = largest_of(dtype)
    steps = [step for step in (*LADDER, float("inf")) if step < largest or step == float("inf")]
    yield from (0.0, 1.0, *steps, -largest, float("nan"))


def largest_of(dtype: str) -> float:
    """The largest finite number of a type of floats."""
    import numpy as np

    return LARGEST if dtype == BFLOAT16 else float(np.finfo(dtype).max)


def filled(spec: TensorSpec, shape: tuple[int, ...], value: Any) -> Array:
    """An array full of one value; of a positive float every other cell is its negative."""
    import numpy as np

    found = np.full(shape, value, spec.in_numpy)
    if isinstance(value, float) and value > 1:
        found.reshape(-1)[1::2] *= -1
    return found


def _patterns(spec: TensorSpec, own: Array) -> Iterator[tuple[str, Array]]:
    """Arrays of several values: noise, one cell changed, masks, tokens in other orders."""
    import numpy as np

    if spec.is_text or not own.size:
        return
    random = np.random.default_rng(zlib.crc32(spec.name.encode()))  # the same for the same input
    if spec.dtype in REALS:
        yield "noise", np.asarray(random.standard_normal(own.shape), own.dtype)
        for place in _places(own):
            yield f"one cell ({place}) moved", _with(own, place, own.reshape(-1)[place] + 1)
        yield "one missing cell", _with(own, own.size // 2, np.nan)
        yield "one infinite cell", _with(own, own.size // 2, np.inf)
    elif _is_mask(spec, own):
        yield from _masks(own)
    elif spec.dtype in INTEGERS:
        yield from _tokens(spec, own, random)


def _places(own: Array) -> tuple[int, ...]:
    """The first cell, one in the middle, and the last."""
    return tuple(dict.fromkeys((0, own.size // 2, own.size - 1)))


def _with(own: Array, place: int, value: Any) -> Array:
    found = own.copy()
    found.reshape(-1)[place] = value
    return found


def _is_mask(spec: TensorSpec, own: Array) -> bool:
    """Whether the input holds true and false, by its type, or by the example: whole numbers 0 and 1 alone."""
    return spec.dtype == "bool" or (spec.dtype in INTEGERS and own.ndim > 1 and bool(((own == 0) | (own == 1)).all()))


def _masks(own: Array) -> Iterator[tuple[str, Array]]:
    """Along the last axis: one position, all but one, and the halves; and one row with none among rows with all."""
    import numpy as np

    length = own.shape[-1]
    positions = np.broadcast_to(np.arange(length), own.shape)
    for words, chosen in (
        ("only the first", positions == 0),
        ("only the last", positions == length - 1),
        ("all but the first", positions != 0),
        ("the first half (padded right)", positions < (length + 1) // 2),
        ("the last half (padded left)", positions >= length // 2),
    ):
        yield words, chosen.astype(own.dtype)
    none = np.ones(own.shape, own.dtype)
    none.reshape(-1, length)[0] = 0
    yield "none in the first row", none


def _tokens(spec: TensorSpec, own: Array, random: np.random.Generator) -> Iterator[tuple[str, Array]]:
    """Numbers within the rules: random ones, both ends in turn, the example backwards, one number everywhere."""
    import numpy as np

    low = int(own.min()) if spec.least is None else int(spec.least)
    high = int(own.max()) if spec.most is None else int(spec.most)
    yield "random numbers", random.integers(low, high, own.shape, spec.dtype, endpoint=True)
    ends = np.full(own.shape, low, own.dtype)
    ends.reshape(-1)[1::2] = high
    yield "both ends in turn", ends
    if own.ndim:
        yield "the example backwards", np.ascontiguousarray(np.flip(own, -1))
        yield "one number repeated", np.full(own.shape, own.reshape(-1)[0], own.dtype)
