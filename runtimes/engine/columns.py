"""Checks a request's arrays against the kinds, shapes and rules of inputs, prepared once for many requests."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from mlpack_toolkit.converters.spec import INTEGERS, REALS, Signature, Table, TensorSpec

from .engine import feed
from .errors import Refusal
from .rules import violations
from .tensors import Array, beyond


class Column:
    """One input: `fit` converts a request's array to its kind and shape, `sound` accepts an array that clearly fits.

    `sound` is a shortcut: where it does not accept, the rules decide.
    """

    def __init__(self, spec: TensorSpec) -> None:
        self.spec = spec
        self.name = spec.name
        rules = spec.features or (spec,)
        self._open = None if spec.is_text else np.array([r.nullable for r in rules])
        self._some_open = any(r.nullable for r in rules)
        self._low = np.array([low_of(r) for r in rules])
        self._high = np.array([high_of(r) for r in rules])
        self._symmetric = bool((self._low == -self._high).all()) and spec.dtype in REALS
        self._bounds = (self._low.item(), self._high.item()) if len(rules) == 1 else None
        self._known = {i: frozenset(r.values) for i, r in enumerate(rules) if r.values is not None}
        self._free = not self._known and bool((self._low <= 0).all() and (self._high >= 1).all())
        self._trailing = spec.shape[1:]
        self._quick_kind = "f" if spec.dtype in REALS else "O" if spec.is_text else ""
        """Arrays of this kind need only the right shape; whole numbers and booleans are checked further."""
        self._dtype = None if spec.is_text else np.dtype(spec.in_numpy)
        self._fits = spec.dtype == "float32" and np.abs([self._low, self._high]).max() < 3e38

    def fit(self, values: Array) -> Array:
        """The array in the input's kind and shape; raises `Refusal`."""
        if values.dtype.kind == self._quick_kind and values.ndim == 2 and values.shape[1:] == self._trailing:
            return values
        dtype, kind = self.spec.dtype, values.dtype.kind
        if dtype in REALS and (kind in "fiu" or (kind == "b" and self.spec.is_truth)):
            values = values.astype(np.float64) if kind == "b" else values
        elif dtype in INTEGERS and kind in "fiu":
            values = self._whole(values)
        elif not (kind == "b" if dtype == "bool" else kind == "O" and self.spec.is_text):
            raise Refusal(f"column {self.name!r}: it holds {_KINDS[kind]}, the model takes {self._wanted()} there")
        return self._shaped(values)

    def _wanted(self) -> str:
        if self.spec.is_text:
            return "text"
        return "true or false" if self.spec.dtype == "bool" else "numbers"

    def _whole(self, values: Array) -> Array:
        if values.dtype.kind == "f":
            self._refuse_where(~np.isfinite(values), "a missing value, and the model takes whole numbers here")
            self._refuse_where(values != np.floor(values), "a fraction, and the model takes whole numbers here")
        bounds = np.iinfo(self.spec.dtype)
        if values.dtype != self.spec.dtype and values.size:
            above = values >= float(bounds.max) + 1 if values.dtype.kind == "f" else values > bounds.max
            out = (values < bounds.min) | above
            if out.any():
                raise beyond(self.name, _row(out), bounds)
        return values.astype(self.spec.dtype, copy=False)

    def _refuse_where(self, mask: Array, reason: str) -> None:
        if mask.any():
            raise Refusal(f"row {_row(mask)}, column {self.name!r}: {reason}")

    def _shaped(self, values: Array) -> Array:
        shape, wanted = values.shape, self.spec.shape
        if len(shape) == 1 == len(self._trailing) and self._trailing[0] == 1:
            return values.reshape(-1, 1)
        if len(shape) == len(wanted) + 1 and shape[-1] == 1 and wanted:
            values, shape = values.reshape(shape[:-1]), shape[:-1]
        if len(shape) != len(wanted) or any(type(w) is int and w != s for w, s in zip(wanted, shape, strict=True)):
            shown = [d if isinstance(d, int) else -1 for d in wanted]
            raise Refusal(f"input {self.name!r}: its shape is {list(values.shape)}, the model takes {shown}")
        return values

    def sound(self, values: Array) -> bool:
        """Whether no rule forbids any cell; False where a quick check cannot tell."""
        if self._open is None:
            return self._sound_text(values)
        if values.dtype.kind == "b":
            return self._free
        if values.size == 1 and self._bounds is not None:
            value = values.item()
            if value != value:
                return bool(self._open[0])
            return self._bounds[0] <= value <= self._bounds[1] and (not self._known or value in self._known[0])
        if self._known:
            return False
        real = values.dtype.kind == "f"
        if real and self._symmetric:
            inside: Array = np.abs(values) <= self._high
        else:
            inside = (values >= self._low) & (values <= self._high)
        if real and self._some_open:
            inside |= np.isnan(values) & self._open
        return b"\0" not in inside.tobytes()  # several times as fast as .all() where there are few

    def _sound_text(self, values: Array) -> bool:
        known, missing, nullable = self._known.get(0), self.spec.missing or None, self.spec.nullable
        if known is None:
            return all(nullable if v is None else v != missing for v in values.ravel())
        return all(nullable if v is None else v in known and v != missing for v in values.ravel())

    def feed(self, values: Array) -> Array:
        """The array as the graph takes it."""
        if self._dtype is None:
            return feed(self.spec, values)
        if values.dtype == self._dtype or self._fits:
            return values.astype(self._dtype, order="C", copy=False)
        return feed(self.spec, values)


_KINDS = {"f": "numbers", "i": "numbers", "u": "numbers", "b": "true or false", "O": "text"}


def low_of(rule: TensorSpec) -> float:
    """The least number that the rule allows."""
    return max(-np.inf if rule.limit is None else -rule.limit, -np.inf if rule.least is None else rule.least)


def high_of(rule: TensorSpec) -> float:
    """The largest number that the rule allows."""
    return min(np.inf if rule.limit is None else rule.limit, np.inf if rule.most is None else rule.most)


def _row(mask: Array) -> int:
    """The first row with a cell of the mask."""
    return int(np.flatnonzero(mask.reshape(len(mask), -1).any(axis=1))[0]) if mask.ndim else 0


class Columns:
    """All inputs of a model; `asked`: those that its graph reads, the others are allowed and ignored."""

    def __init__(self, signature: Signature, asked: Signature) -> None:
        self.asked = asked
        self.columns = {t.name: Column(t) for t in asked.inputs}
        self.known = frozenset(t.name for t in signature.inputs)

    def feeds(self, table: Mapping[str, Array]) -> dict[str, Any]:
        """The session's feeds, after all columns are checked; raises `Refusal`."""
        fitted: Table = {}
        sound = True
        for name, column in self.columns.items():
            values = table.get(name)
            if values is None:
                raise self.lacking(table)
            fitted[name] = values = column.fit(values)
            sound = sound and column.sound(values)
        if len(table) != len(fitted):
            self._no_strangers(table)
        if len(fitted) > 1:
            self._same_sizes(fitted)
        if not sound:
            broken = next(violations(self.asked, fitted), None)
            if broken is not None:
                raise Refusal(str(broken))
        return {name: column.feed(fitted[name]) for name, column in self.columns.items()}

    def lacking(self, table: Mapping[str, Any]) -> Refusal:
        """The refusal that names the missing columns."""
        absent = [name for name in self.columns if name not in table]
        return Refusal(f"{missing(absent)}; there are: {_some(table)}")

    def _no_strangers(self, table: Mapping[str, Any]) -> None:
        for name in table:
            if name not in self.known:
                raise self.stranger(name)

    def stranger(self, name: str, where: str = "") -> Refusal:
        """The refusal of a column that the model does not have."""
        return Refusal(f"{where}the model has no column {name[:80]!r}; it takes: {_some(self.columns)}")

    def _same_sizes(self, fitted: Table) -> None:
        """Raises `Refusal` unless dimensions of one name have one size in all inputs."""
        sizes: dict[str, int] = {}
        for name, values in fitted.items():
            for dim, size in zip(self.columns[name].spec.shape, values.shape, strict=True):
                if isinstance(dim, str) and sizes.setdefault(dim, size) != size:
                    raise Refusal(f"input {name!r}: its dimension {dim} is {size}, that of another is {sizes[dim]}")


def missing(names: Sequence[str]) -> str:
    """The missing columns in words."""
    return f"the column {_some(names)} is missing" if len(names) == 1 else f"the columns {_some(names)} are missing"


def _some(names: Collection[str]) -> str:
    shown = [repr(name[:80]) for name in list(names)[:20]]
    return ", ".join(shown) + (f", … ({len(names)} in all)" if len(names) > len(shown) else "")
