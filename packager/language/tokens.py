"""The tokeniser of a bundle in this process: its goldens replayed, and texts as the inputs of its graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import util
from typing import Any

import numpy as np

from mlpack_toolkit.converters.spec import Table

from ..errors import DamagedError, MismatchError, MissingToolError

PACKAGE = "tokenizers"
LACKING = (
    "the package tokenizers is not installed, which makes tokens of texts: pip install 'mlpack-toolkit[transformers]'"
)
ROWS = 32
"""Texts in a batch."""


def is_there() -> bool:
    """Whether the library of tokenisers is installed here."""
    return util.find_spec(PACKAGE) is not None


class Tokens:
    """A tokeniser. `facts`: the manifest's, about text. Raises `MissingToolError` without the library."""

    def __init__(self, content: bytes, facts: Mapping[str, Any]) -> None:
        if not is_there():
            raise MissingToolError(LACKING)
        import tokenizers

        self.version, self._facts = str(tokenizers.__version__), facts
        try:
            self._rust = tokenizers.Tokenizer.from_buffer(content)
        except Exception as error:  # the library raises bare exceptions
            raise DamagedError(f"{facts['tokenizer']} is no tokeniser of {PACKAGE} {self.version}: {error}") from error
        self._rust.no_padding()
        self._rust.no_truncation()

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text."""
        return [each.ids for each in self._rust.encode_batch(list(texts))]

    def text(self, ids: Sequence[int]) -> str:
        """The text of ids, without special tokens."""
        return str(self._rust.decode(list(ids)))

    def check(self, goldens: Sequence[Mapping[str, Any]]) -> int:
        """How many golden texts become the recorded ids; raises `MismatchError` for one that does not."""
        for each, got in zip(goldens, self.ids([each["text"] for each in goldens]), strict=True):
            if list(each["ids"]) != got:
                raise MismatchError(
                    f"the tokeniser makes other ids of {each['text'][:40]!r} with {PACKAGE} {self.version} than with "
                    f"{self._facts['version']}, with which it was built: {got[:12]} and {list(each['ids'])[:12]}"
                )
        return len(goldens)

    def tables(self, texts: Sequence[str], alike: bool) -> Iterator[Table]:
        """The inputs of the graph, batch by batch; `alike`: all batches of one length."""
        found = [self._rows(each) for each in self._cut(texts)]
        longest = max((len(each["input_ids"]) for each in found), default=1)
        for start in range(0, len(found), ROWS):
            part = found[start : start + ROWS]
            length = max(1, longest if alike else max(len(each["input_ids"]) for each in part))
            yield {name: self._filled(name, part, length) for name in self._facts["inputs"]}

    def _cut(self, texts: Sequence[str]) -> list[Any]:
        """The encoded texts, a long one cut to what the graph takes, as the tokeniser itself cuts."""
        if self._facts["max_length"]:
            self._rust.enable_truncation(self._facts["max_length"])
        try:
            return list(self._rust.encode_batch(list(texts)))
        finally:
            self._rust.no_truncation()

    @staticmethod
    def _rows(encoded: Any) -> dict[str, list[int]]:
        ids = encoded.ids
        return {"input_ids": ids, "attention_mask": [1] * len(ids), "token_type_ids": encoded.type_ids}

    def _filled(self, name: str, rows: Sequence[Mapping[str, list[int]]], length: int) -> np.ndarray[Any, Any]:
        pad = self._facts["pad"]
        fill = pad["id"] if name == "input_ids" else 0
        left = pad["side"] == "left"
        found = np.full((len(rows), length), fill, np.int64)
        for place, row in enumerate(rows):
            values = row[name]
            target = slice(length - len(values), length) if left else slice(0, len(values))
            found[place, target] = values
        return found
