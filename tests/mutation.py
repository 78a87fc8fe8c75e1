"""Seeded mutations of files: what a fuzzer writes, and for how long it runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from random import Random
from time import monotonic

SECONDS = float(os.environ.get("MLPACK_FUZZ_SECONDS", "2.5"))
"""For each kind of file; hours by hand: `MLPACK_FUZZ_SECONDS=3600 pytest -k fuzz`."""
SEED = int(os.environ.get("MLPACK_FUZZ_SEED", "12"))
PIECES = [
    b'"', b",", b"\n", b"\0", b"[", b"]", b"{", b"}", b":", b"NaN", b"1e999", b"-1", b"9" * 25, b"null", b"true",
    b"\\u0000", b"\\ud800", b"\xff\xfe", b"\xef\xbb\xbf", b"(", b")", b"|O", b"<M8", b"shape", b"data", b"False",
    b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\2\0", b"\x93NUMPY", b"\xff" * 9 + b"\1",
]  # fmt: skip
NUMBERS = (0, 1, 2**31 - 1, 2**31, 2**32 - 1)


def mutants(seeds: Sequence[bytes], seconds: float = SECONDS) -> Iterator[bytes]:
    """Changed files without end, until the time is over; the same ones for the same seed."""
    chance, end = Random(SEED), monotonic() + seconds
    while monotonic() < end:
        content = bytearray(chance.choice(seeds))
        for _ in range(chance.choice((1, 1, 2, 4, 16))):
            _change(content, chance, seeds)
        yield bytes(content)


def _change(content: bytearray, chance: Random, seeds: Sequence[bytes]) -> None:
    place, kind = chance.randrange(len(content) + 1), chance.randrange(7)
    if kind == 0:
        content[place : place + 1] = bytes([chance.randrange(256)])
    elif kind == 1:
        content[place:place] = chance.choice(PIECES)
    elif kind == 2:
        piece = chance.choice(PIECES)
        content[place : place + len(piece)] = piece
    elif kind == 3:
        del content[place : place + chance.choice((1, 2, 8, 64, len(content) // 3))]
    elif kind == 4:
        start = chance.randrange(len(content) + 1)
        content[place:place] = content[start : start + chance.choice((1, 4, 16, 64))]
    elif kind == 5:
        other = chance.choice(seeds)
        content[place:] = other[chance.randrange(len(other) + 1) :]
    else:
        number = chance.choice((*NUMBERS, chance.randrange(2**32)))
        content[place : place + 4] = number.to_bytes(4, chance.choice(("big", "little")))
