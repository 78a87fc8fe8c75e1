"""Texts of a file as batches of a graph that takes tokens, and what a graph that continues texts makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpack_toolkit.converters.spec import BATCH, Signature, Table, TensorSpec

from ..errors import UsageError
from .decoding import decoder_of
from .replay import tokens_of

if TYPE_CHECKING:
    from ..bundle.reader import Bundle
    from ..equivalence.session import Session

TENSORS = (".npz", ".npy")
COLUMN = "text"
GENERATED = "generated"
ROWS = 8
"""Texts that are continued at once."""
STEPS = 64
"""New tokens, where the model's own contract names no number."""


def takes_texts(bundle: Bundle, file: Path) -> bool:
    """Whether the file has texts for the bundle's tokeniser; a file of tensors, or a request, has ids."""
    return bool(bundle.facts.get("text")) and file.suffix.lower() not in TENSORS and not _has_ids(file)


def _has_ids(file: Path) -> bool:
    """Whether a file of JSON is a request with tensors."""
    if file.suffix.lower() != ".json" or not file.is_file():
        return False
    with file.open("rb") as opened:
        return b'"input_ids"' in opened.read(1 << 20)


def texts_in(file: Path) -> list[str]:
    """The texts of a file: its only column, or the one called `text`; a missing cell is empty. Raises `UsageError`."""
    from ..data.readers import read_example

    table = read_example(file).table
    names = [COLUMN] if COLUMN in table else [name for name, each in table.items() if each.dtype.kind in "OU"]
    if len(names) != 1:
        raise UsageError(
            f"{file.name} must have one column of texts, or one called {COLUMN!r}; it has: {', '.join(table)}"
        )
    return ["" if each is None else str(each) for each in table[names[0]].reshape(-1).tolist()]


def tables(bundle: Bundle, file: Path, alike: bool) -> Iterator[Table]:
    """The inputs of the graph for the texts of a file. `alike`: all batches of one length."""
    yield from tokens_of(bundle).tables(texts_in(file), alike)


def in_columns(signature: Signature) -> Signature:
    """The signature with the outputs that are a row of numbers for each text; all where there is none."""
    kept = tuple(t for t in signature.outputs if len(t.shape) < 3 and not any(isinstance(d, str) for d in t.shape[1:]))
    return replace(signature, outputs=kept or signature.outputs)


CONTINUED = Signature("graph", (), (TensorSpec(GENERATED, "string", (BATCH,)),))
"""Of what `continued` gives."""


def continued(bundle: Bundle, session: Session, file: Path) -> Iterator[Table]:
    """The greedy continuations of the texts, up to the first token that ends a text."""
    tokens, facts = tokens_of(bundle), bundle.facts["generation"]
    decoder, texts = decoder_of(session.run, facts), texts_in(file)
    for start in range(0, len(texts), ROWS):
        prompts = [ids or [facts["pad_token_id"]] for ids in tokens.ids(texts[start : start + ROWS])]
        steps = _steps(facts, prompts, file)
        ids = decoder.greedy(prompts, steps).ids.tolist()
        found = [tokens.text(_until(row, facts["eos_token_id"])) for row in ids]
        yield {GENERATED: np.array(found, object)}


def _steps(facts: Any, prompts: Sequence[Sequence[int]], file: Path) -> int:
    longest, most = max(map(len, prompts)), facts["max_position"]
    wanted = int(facts.get("max_new_tokens", STEPS))
    if most and longest >= most:
        raise UsageError(f"{file.name} has a text of {longest} tokens, and the model takes {most} with what it adds")
    return max(1, min(wanted, most - longest) if most else wanted)


def _until(row: Sequence[int], ends: Sequence[int]) -> Sequence[int]:
    """The ids before the first that ends a text."""
    return row[: next((place for place, each in enumerate(row) if each in ends), len(row))]
