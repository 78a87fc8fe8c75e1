"""Whether a graph continues texts as the original does, and as itself: cached, in batches, padded, step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..bundle.golden import Tolerance
from ..errors import MismatchError
from .decoding import Array, Decoder

MARGIN = 10.0
"""A step is decided where the best logit is ahead of the next by this many times the measured error of logits."""
PADDED = 3
"""Places that are filled up in front of a prompt for the proof that they change nothing."""
Whole = Callable[[Sequence[int]], Array]


@dataclass(frozen=True)
class Compared:
    """Of one way to ask the graph: the largest difference of its logits from those of another way."""

    name: str
    error: float
    logits: int


def proved(
    decoder: Decoder, sequences: Sequence[Mapping[str, Any]], original: Whole, allowed: Tolerance
) -> dict[str, Any]:
    """The report of the proof. Raises `MismatchError` for other logits than allowed, or another id at a decided step.

    `original`: the original's logits of ids, without a cache.
    """
    found = [_alone(decoder, each, original, allowed) for each in sequences]
    error = max(each["error"] for each in found)
    undecided = [
        _same_ids(f"sequence {place}", each, one["continued"].ids[0], error)
        for place, (each, one) in enumerate(zip(sequences, found, strict=True))
    ]
    compared = [*_ways(decoder, sequences, found, allowed)]
    return {
        "verdict": "equal",
        "sequences": len(sequences),
        "steps": sum(len(each["ids"]) for each in sequences),
        "logit_error": error,
        "decided_by": MARGIN * error,
        "first_undecided": [{"sequence": i, "step": step} for i, step in enumerate(undecided) if step is not None],
        "tolerance": {"rtol": allowed.rtol, "atol": allowed.atol},
        "compared": [{"ways": each.name, "error": each.error, "logits": each.logits} for each in compared],
    }


def _alone(decoder: Decoder, sequence: Mapping[str, Any], original: Whole, allowed: Tolerance) -> dict[str, Any]:
    """The graph's own continuation of a prompt, and how far its logits are from the original's of the same ids."""
    prompt, steps = sequence["prompt"], len(sequence["ids"])
    continued = decoder.greedy([prompt], steps)
    want = original([*prompt, *continued.ids[0, :-1].tolist()])[len(prompt) - 1 :]
    error = _held("cached, against the original without a cache", want, continued.logits[0], allowed)
    return {"continued": continued, "error": error.error}


def _ways(
    decoder: Decoder, sequences: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]], allowed: Tolerance
) -> list[Compared]:
    """The same logits asked in other ways."""
    first = max(range(len(sequences)), key=lambda i: len(sequences[i]["prompt"]))
    prompt, own = sequences[first]["prompt"], found[first]["continued"]
    ids = [*prompt, *own.ids[0, :-1].tolist()]
    whole = decoder.whole(ids)
    steps = min(len(each["ids"]) for each in sequences)
    together = decoder.greedy([each["prompt"] for each in sequences], steps)
    padded = decoder.greedy([prompt], own.ids.shape[1], PADDED)
    rows = [_until(one["continued"], together.ids[i], together.logits[i]) for i, one in enumerate(found)]
    return [
        _held("the prompt at once, against token by token", whole, decoder.one_by_one(ids), allowed),
        _held("with a cache, against without", whole[len(prompt) - 1 :], own.logits[0], allowed),
        _held("padded on the left, against not", *_until(own, padded.ids[0], padded.logits[0]), allowed),
        _held(
            "in a batch, against alone",
            np.concatenate([r[0] for r in rows]),
            np.concatenate([r[1] for r in rows]),
            allowed,
        ),
    ]


def _until(alone: Any, ids: Array, logits: Array) -> tuple[Array, Array]:
    """The logits of both up to the first id that differs, that step included: what follows is about other texts."""
    own = alone.ids[0, : len(ids)]
    other = np.flatnonzero(own != ids)
    end = int(other[0]) + 1 if other.size else len(own)
    return alone.logits[0, :end], logits[:end]


def _held(name: str, want: Array, got: Array, allowed: Tolerance) -> Compared:
    error = np.abs(want.astype(np.float64) - got.astype(np.float64))
    beyond = ~(error <= allowed.atol + allowed.rtol * np.abs(want))
    if want.shape != got.shape or beyond.any():
        step = int(np.flatnonzero(beyond.any(-1))[0]) if want.shape == got.shape else 0
        raise MismatchError(
            f"the graph's logits differ ({name}): by {float(np.nanmax(error)):.3g} at step {step}, and "
            f"{allowed.atol:.3g} is allowed",
            worst=[{"ways": name, "step": step, "error": float(np.nanmax(error))}],
        )
    return Compared(name, float(error.max(initial=0.0)), int(want.shape[0]))


def _same_ids(name: str, sequence: Mapping[str, Any], got: Array, error: float) -> int | None:
    """The first undecided step, or None. Raises `MismatchError` for another id before it."""
    margins = sequence["margins"]
    undecided = next((i for i, margin in enumerate(margins) if margin < MARGIN * error), None)
    for step, (want, own) in enumerate(zip(sequence["ids"], got.tolist(), strict=False)):
        if undecided is not None and step >= undecided:
            break
        if want != own:
            raise MismatchError(
                f"{name}: at step {step} the graph continues with the id {own}, the original with {want}, which is "
                f"ahead by {margins[step]:.3g}; logits differ by {error:.3g}",
                worst=[{"sequence": name, "step": step, "want": want, "got": own}],
            )
    return undecided


def replayed(decoder: Decoder, sequences: Sequence[Mapping[str, Any]], report: Mapping[str, Any]) -> int:
    """How many golden sequences the graph continues as recorded, up to the first undecided step."""
    error = float(report["logit_error"])
    for place, each in enumerate(sequences):
        got = decoder.greedy([each["prompt"]], len(each["ids"])).ids[0]
        _same_ids(f"golden sequence {place}", each, got, error)
    return len(sequences)
