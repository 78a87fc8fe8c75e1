"""Continues ids with a graph and its cache: what a runtime does, in numpy. One graph takes the prompt and each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlpack_toolkit.converters.spec import Table

Run = Callable[[Table], Table]
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Continued:
    """The ids that were added by row `[n, steps]`, and the logits of each step `[n, steps, vocabulary]`."""

    ids: Array
    logits: Array


@dataclass(frozen=True)
class Decoder:
    """A graph that continues ids. `heads`, `sizes`: of its cache, by layer; `pad`: the id that fills up rows.

    `real`: the type of the cache's numbers.
    """

    run: Run
    heads: Sequence[int]
    sizes: Sequence[Sequence[int]]
    pad: int
    real: str = "float32"

    def empty(self, rows: int) -> Table:
        """The cache before the first token."""
        shapes = zip(self.heads, self.sizes, strict=True)
        found = {}
        for place, (heads, (key, value)) in enumerate(shapes):
            found[f"past_key_values.{place}.key"] = np.zeros((rows, heads, 0, key), self.real)
            found[f"past_key_values.{place}.value"] = np.zeros((rows, heads, 0, value), self.real)
        return found

    def step(self, ids: Array, mask: Array, past: Table) -> tuple[Array, Table]:
        """The logits of the new ids, and the cache with them. `mask`: of all ids, the new ones last."""
        positions = np.maximum(np.cumsum(mask, 1) - 1, 0)[:, -ids.shape[1] :]
        answers = self.run({"input_ids": ids, "attention_mask": mask, "position_ids": positions, **past})
        return answers["logits"], {name: answers[name.replace("past_key_values", "present")] for name in past}

    def whole(self, ids: Sequence[int]) -> Array:
        """The logits of each id, all at once and without a cache: `[ids, vocabulary]`."""
        row = np.array([ids], np.int64)
        return np.asarray(self.step(row, np.ones_like(row), self.empty(1))[0][0])

    def one_by_one(self, ids: Sequence[int]) -> Array:
        """The logits of each id, given one after another."""
        past, found = self.empty(1), []
        for place, each in enumerate(ids):
            logits, past = self.step(np.array([[each]], np.int64), np.ones((1, place + 1), np.int64), past)
            found.append(logits[0, 0])
        return np.stack(found)

    def greedy(self, prompts: Sequence[Sequence[int]], steps: int, more: int = 0) -> Continued:
        """The most likely ids after each prompt; shorter prompts, and `more` places, are filled up on the left."""
        length = max(map(len, prompts)) + more
        ids = np.array([[self.pad] * (length - len(each)) + list(each) for each in prompts], np.int64)
        mask = np.array([[0] * (length - len(each)) + [1] * len(each) for each in prompts], np.int64)
        past, found, logits = self.empty(len(prompts)), [], []
        for _ in range(steps):
            answer, past = self.step(ids, mask, past)
            logits.append(answer[:, -1])
            ids = logits[-1].argmax(-1).astype(np.int64)[:, None]
            found.append(ids)
            mask = np.concatenate([mask, np.ones_like(ids)], 1)
        return Continued(np.concatenate(found, 1), np.stack(logits, 1))


def decoder_of(run: Run, facts: Mapping[str, Any]) -> Decoder:
    """The decoder of a graph, by the facts about its generation."""
    return Decoder(run, facts["heads"], facts["sizes"], facts["pad_token_id"])
