"""Changes to the pickles of real models: values replaced by others, arrays spoiled, instructions moved about."""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import Any

import numpy as np

from .pickle_grammar import WORDS, Grammar


class Code:
    """Instructions that stand where an object would."""

    def __init__(self, code: bytes) -> None:
        self.code = code


class Changing(pickle._Pickler):  # type: ignore[name-defined,misc]
    """A pickler that now and then writes another value than the one that a container or a state holds."""

    def __init__(self, file: Any, protocol: int, chance: Random, pool: Sequence[Any], rate: float) -> None:
        super().__init__(file, protocol)
        self.chance, self.pool, self.rate = chance, pool, rate
        self.grammar = Grammar(chance, protocol, chance.choice((0.0, 0.0, 0.05)), loose=True)

    def save(self, obj: Any, *options: Any) -> None:
        if type(obj) is Code:
            self.write(obj.code)
        else:
            super().save(obj, *options)

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is not np.ndarray or obj.dtype.hasobject or self.chance.random() > self.rate:
            return NotImplemented
        made, args, state = np.array(obj).__reduce__()[:3]
        return made, args, _spoiled(self.chance, state)

    def _batch_setitems(self, items: Iterable[tuple[Any, Any]], *rest: Any) -> None:
        changed = {self._key(key): self._other(value) for key, value in items}
        super()._batch_setitems(changed.items(), *rest)

    def _batch_appends(self, items: Iterable[Any], *rest: Any) -> None:
        super()._batch_appends([self._other(value) for value in items], *rest)

    def _key(self, key: Any) -> Any:
        return self.chance.choice(WORDS) if type(key) is str and self.chance.random() < self.rate / 4 else key

    def _other(self, value: Any) -> Any:
        if self.chance.random() > self.rate:
            return value
        if self.chance.random() < 0.5:
            return Code(self.grammar.value(3))
        return self.chance.choice(self.pool)


def _spoiled(chance: Random, state: Any) -> Any:
    """The state of an array with other bytes, another shape, or another dtype of the same size."""
    version, shape, dtype, order, data = state
    raw = bytearray(data)
    for _ in range(chance.choice((1, 1, 4, 40)) if raw else 0):
        place = chance.randrange(len(raw))
        raw[place : place + 1] = chance.choice((b"\0", b"\xff", b"\x7f", chance.randbytes(1)))
    if chance.random() < 0.2:
        shape = chance.choice((shape[::-1], (*shape, 1), (int(np.prod(shape)),), (1, *shape)))
    if chance.random() < 0.2 and dtype.kind in "iuf":
        dtype = np.dtype(f"{chance.choice('iuf') if dtype.itemsize > 1 else 'u'}{dtype.itemsize}")
    return version, shape, dtype, order, bytes(raw)


def changed(model: Any, chance: Random, pool: Sequence[Any]) -> bytes:
    """A pickle of the model in which some values are others."""
    file = io.BytesIO()
    Changing(file, chance.choice((0, 1, 2, 3, 4)), chance, pool, chance.choice((0.01, 0.03, 0.1))).dump(model)
    return file.getvalue()


def instructions(data: bytes) -> list[bytes]:
    """The pickle by instructions, without frames: what is moved about still reads."""
    places = [place for _, _, place in pickletools.genops(data)]
    parts = [data[a:b] for a, b in zip(places, [*places[1:], len(data)], strict=True)]
    return [part for part in parts if part[:1] != pickle.FRAME]


def spliced(parts: Sequence[bytes], chance: Random, others: Sequence[Sequence[bytes]]) -> bytes:
    """The instructions with some doubled, left out, replaced, swapped, or followed by those of another pickle."""
    made = list(parts)
    for _ in range(chance.choice((1, 1, 2, 5))):
        _splice(made, chance, others)
    return b"".join(made)


def _splice(made: list[bytes], chance: Random, others: Sequence[Sequence[bytes]]) -> None:
    place, size, kind = chance.randrange(1, len(made)), chance.choice((1, 1, 2, 5, 20)), chance.randrange(6)
    if kind == 0:
        made[place:place] = made[place : place + size]
    elif kind == 1 and len(made) > size + 2:
        del made[place : place + size]
    elif kind == 2:
        made[place] = chance.choice(
            (b"0", b"2", b"a", b"b", b"e", b"s", b"u", b"R", b"\x81", b"\x90", b"t", b"(", b"N")
        )
    elif kind == 3:
        other = chance.choice(others)
        start = chance.randrange(1, len(other))
        made[place:place] = other[start : start + size]
    elif kind == 4:
        made[place : place + 1] = [Grammar(chance, 4, 0.05, loose=True).value(3)]
    else:
        second = chance.randrange(1, len(made))
        made[place], made[second] = made[second], made[place]


def programs(seed: int, first: int, models: Sequence[Any], pool: Sequence[Any]) -> Iterator[tuple[int, str, bytes]]:
    """Numbered pickles without end, and of which sort they are; a number stands for the same pickle each time.

    Without models all are the grammar's own.
    """
    real = [instructions(pickle.dumps(model, protocol)) for model in models for protocol in (2, 4)]
    number = first
    while True:
        chance = Random(f"{seed} {number}")
        sort = chance.choice(("grammar", "grammar", "changed", "spliced")) if real else "grammar"
        if sort == "grammar":
            data = Grammar(chance, chance.randrange(6), chance.choice((0.0, 0.0, 0.02, 0.1, 0.3))).pickle()
        elif sort == "changed":
            data = changed(chance.choice(models), chance, pool)
        else:
            data = spliced(chance.choice(real), chance, real)
        yield number, sort, data
        number += 1
