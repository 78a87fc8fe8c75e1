"""The proof of sequences, with decoders that are wrong in one way each: every one of them is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.converters.spec import Table
from mlpack_toolkit.packager.bundle.golden import Tolerance
from mlpack_toolkit.packager.errors import MismatchError
from mlpack_toolkit.packager.language.decoding import Decoder
from mlpack_toolkit.packager.language.sequences import proved

WORDS, SIZE = 23, 4
ALLOWED = Tolerance(1e-6, 1e-6)
TABLE = np.random.default_rng(3).standard_normal((WORDS, SIZE))
OUT = np.random.default_rng(4).standard_normal((SIZE, WORDS))
Fault = Callable[[Table], Table]


def graph(x: Table, seen: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]] = lambda mask: mask) -> Table:
    """Logits of the mean of all tokens so far that the mask shows, which the cache holds."""
    new = TABLE[x["input_ids"]][:, None] + 0.1 * np.sin(x["position_ids"])[:, None, :, None]
    keys = np.concatenate([x["past_key_values.0.key"], new], 2)
    mask, steps, total = seen(x["attention_mask"]), x["input_ids"].shape[1], keys.shape[2]
    causal = np.tril(np.ones((total, total)))[total - steps :]
    weights = causal[None] * mask[:, None, :]
    mean = (weights @ keys[:, 0]) / np.maximum(weights.sum(-1, keepdims=True), 1)
    return {"logits": (mean @ OUT).astype(np.float32), "present.0.key": keys, "present.0.value": keys}


def decoder(run: Callable[[Table], Table]) -> Decoder:
    return Decoder(run, [1], [[SIZE, SIZE]], 0, "float64")


RIGHT = decoder(graph)
PROMPTS = ([3, 7, 1], [5], [2, 2, 9, 11, 4])


def sequences(steps: int = 6) -> list[dict[str, Any]]:
    found = [RIGHT.greedy([prompt], steps) for prompt in PROMPTS]
    ahead = [np.sort(one.logits[0], -1) for one in found]
    return [
        {"prompt": prompt, "ids": one.ids[0].tolist(), "margins": (a[:, -1] - a[:, -2]).tolist()}
        for prompt, one, a in zip(PROMPTS, found, ahead, strict=True)
    ]


def test_what_answers_alike_in_every_way_passes() -> None:
    report = proved(RIGHT, sequences(), RIGHT.whole, ALLOWED)
    assert (report["verdict"], report["sequences"], report["steps"]) == ("equal", 3, 18)
    assert {each["ways"]: each["logits"] for each in report["compared"]}["in a batch, against alone"] == 18


def forgets(x: Table) -> Table:
    """The first token of the cache is lost once there are many."""
    if x["past_key_values.0.key"].shape[2] < 6:
        return graph(x)
    return graph(x, lambda mask: np.concatenate([mask[:, :1] * 0, mask[:, 1:]], 1))


def sees_padding(x: Table) -> Table:
    return graph(x, np.ones_like)


def counts_from_the_padding(x: Table) -> Table:
    past, new = x["past_key_values.0.key"].shape[2], x["input_ids"].shape[1]
    return graph({**x, "position_ids": np.arange(past, past + new)[None].repeat(len(x["input_ids"]), 0)})


def mixes_rows(x: Table) -> Table:
    found = graph(x)
    return {**found, "logits": found["logits"] + (0.01 if len(x["input_ids"]) > 1 else 0)}


def differs_step_by_step(x: Table) -> Table:
    found = graph(x)
    alone = x["input_ids"].shape[1] == 1
    return {**found, "logits": found["logits"] * (1.001 if alone else 1)}


@pytest.mark.parametrize("wrong", [forgets, sees_padding, counts_from_the_padding, mixes_rows, differs_step_by_step])
def test_a_graph_that_is_wrong_in_one_way_is_found(wrong: Callable[[Table], Table]) -> None:
    with pytest.raises(MismatchError, match="logits differ"):
        proved(decoder(wrong), sequences(), RIGHT.whole, ALLOWED)


def test_another_id_is_found_and_a_step_that_is_too_close_ends_the_comparison() -> None:
    given = sequences()
    other = [{**given[0], "ids": [*given[0]["ids"][:2], (given[0]["ids"][2] + 1) % WORDS, *given[0]["ids"][3:]]}]
    with pytest.raises(MismatchError, match="sequence 0: at step 2 the graph continues with the id"):
        proved(RIGHT, other, RIGHT.whole, ALLOWED)

    def rounded(ids: Any) -> Any:
        return RIGHT.whole(ids) + 1e-7  # so that there is an error to measure

    close = [{**other[0], "margins": [*given[0]["margins"][:2], 1e-9, *given[0]["margins"][3:]]}]
    report = proved(RIGHT, close, rounded, Tolerance(1e-5, 1e-5))
    assert report["first_undecided"] == [{"sequence": 0, "step": 2}] and report["decided_by"] > 1e-9
