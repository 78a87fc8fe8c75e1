"""The tokeniser of a folder: texts become ids, the same ones in every language that reads `tokenizer.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..spec import Table, Unreadable, Unsupported
from .loading import json_in, offline

FILE = "tokenizer.json"
AWKWARD = (
    "",
    " ",
    "A plain sentence, with a comma.",
    "  several   spaces\tand\n\nlines  ",
    "😀👩‍👩‍👧 and 🇨🇭",
    "e\u0301 is not é, ﬁ is a ligature, Ⅳ",
    "日本語とकन्नड़ and עברית",
    "UPPER lower 1234567890 3.14 -2e10",
    "don't can't I'll we've",
    "https://anna.example/a?b=c&d#e <tag> &amp; \\n",
    "\u0000\u200b\ufeff\u00a0 odd ones \U0010ffff",
    "word " * 200,
    "x" * 1000,
)
"""Texts on which tokenisers differ. The special tokens of each tokeniser are tried besides."""
MOST_SPECIAL = 8


@dataclass(frozen=True)
class Tokeniser:
    """The Rust library's tokeniser of a folder. `pad`: the id and the token that fill up, `side`: where.

    `chat`: the template of chats; empty: none.
    """

    rust: Any
    pad: int
    pad_token: str
    side: str
    chat: str
    special: tuple[str, ...]

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text, special tokens as the tokeniser itself adds them."""
        return [each.ids for each in self.rust.encode_batch(list(texts))]

    def table(self, texts: Sequence[str], names: Sequence[str], most: int) -> Table:
        """The inputs for texts, each of at most `most` tokens, filled up to the longest."""
        import numpy as np

        found = list(self.rust.encode_batch(list(texts)))
        rows = {"input_ids": [each.ids[:most] for each in found]}
        rows["token_type_ids"] = [each.type_ids[:most] for each in found]
        rows["attention_mask"] = [[1] * len(ids) for ids in rows["input_ids"]]
        length = max(1, *map(len, rows["input_ids"]))
        fill = {"input_ids": self.pad, "token_type_ids": 0, "attention_mask": 0}
        return {
            name: np.array([padded(row, length, fill[name], self.side) for row in rows[name]], np.int64)
            for name in names
        }


def padded(row: Sequence[int], length: int, fill: int, side: str) -> list[int]:
    """The row with as many fillers as it lacks, on that side."""
    more = [fill] * (length - len(row))
    return [*more, *row] if side == "left" else [*row, *more]


def tokeniser_of(folder: Path, config: Any, side: str = "") -> Tokeniser | None:
    """The folder's tokeniser; None where there is no `tokenizer.json`. Raises `Unreadable` for a broken one.

    `side`: where rows are filled up, whatever the folder says.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        import tokenizers
    except ImportError as error:
        raise Unreadable(f"{FILE} needs the package tokenizers, which this interpreter lacks: install it") from error
    try:
        rust = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare exceptions
        raise Unreadable(f"{FILE} cannot be read by tokenizers {tokenizers.__version__}: {str(error)[:200]}") from error
    rust.no_padding()
    rust.no_truncation()
    settings = json_in(folder, "tokenizer_config.json")
    token = _pad_token(settings, json_in(folder, "special_tokens_map.json"))
    own = rust.token_to_id(token) if token else None
    pad = filler(config, own, getattr(config, "pad_token_id", None), getattr(config, "eos_token_id", None))
    special = tuple(each.content for _, each in sorted(rust.get_added_tokens_decoder().items()) if each.special)
    where = side or str(settings.get("padding_side") or "right")
    return Tokeniser(rust, pad, rust.id_to_token(pad) or "", where, _chat(folder, settings), special)


def filler(config: Any, *ids: Any) -> int:
    """The first id that the module has a row for; 0 where there is none: the mask hides what fills up."""
    most = getattr(config, "vocab_size", None) or 1 << 30
    for each in ids:
        number = each[0] if isinstance(each, (list, tuple)) and each else each
        if isinstance(number, int) and 0 <= number < most:
            return number
    return 0


def _pad_token(*settings: Mapping[str, Any]) -> str:
    for each in settings:
        token = each.get("pad_token")
        token = token.get("content") if isinstance(token, Mapping) else token
        if isinstance(token, str):
            return token
    return ""


def _chat(folder: Path, settings: Mapping[str, Any]) -> str:
    path = folder / "chat_template.jinja"
    if path.is_file():
        return path.read_text("utf-8")
    found = settings.get("chat_template")
    return found if isinstance(found, str) else ""


def goldens(tokeniser: Tokeniser) -> list[dict[str, Any]]:
    """Awkward texts with their ids."""
    special = tokeniser.special[:MOST_SPECIAL]
    texts = [*AWKWARD, *(f"before {token} after{token}" for token in special)]
    return [{"text": text, "ids": ids} for text, ids in zip(texts, tokeniser.ids(texts))]


def check_agrees(folder: Path, tokeniser: Tokeniser) -> None:
    """Raises `Unsupported` where transformers makes another tokeniser of the folder than the file that ships."""
    import transformers

    texts = [each["text"] for each in goldens(tokeniser)]
    try:
        with offline():
            own = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            ids = [own(text, truncation=False)["input_ids"] for text in texts]
    except Exception as error:  # whatever a tokeniser's class raises on a folder that was cut down
        raise Unreadable(
            f"transformers cannot make the tokeniser of the folder: {str(error).splitlines()[0]}"
        ) from error
    for text, want, got in zip(texts, ids, tokeniser.ids(texts)):
        if list(want) != list(got):
            raise Unsupported(
                f"{FILE} gives other ids than transformers' own {type(own).__name__} for {text[:40]!r}: "
                f"{got[:12]} and {list(want)[:12]}: save the tokeniser again with save_pretrained"
            )
