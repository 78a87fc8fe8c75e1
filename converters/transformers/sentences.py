"""How sentence-transformers prepares a text for the tokeniser: its length ships, and what does not ship is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

from ..spec import Unsupported
from .loading import MOST_SIZE, json_in

SETTINGS, PROMPTS = "sentence_bert_config.json", "config_sentence_transformers.json"


def most_tokens(folder: Path, most: int) -> int:
    """The tokens of a text: of those that the module takes (0: any number), as many as the folder says."""
    own = json_in(folder, SETTINGS).get("max_seq_length") or json_in(folder, "tokenizer_config.json").get(
        "model_max_length"
    )
    if not isinstance(own, int) or not 0 < own < MOST_SIZE:
        return most
    return min(own, most) if most else own


def check_texts(folder: Path, texts: Sequence[str], ids: Callable[[Sequence[str]], Any]) -> None:
    """Raises `Unsupported` where texts are changed before the tokeniser. `ids`: of texts, by the tokeniser."""
    found = json_in(folder, PROMPTS)
    name, prompts = found.get("default_prompt_name"), found.get("prompts")
    prompt = prompts.get(name) if isinstance(prompts, dict) and isinstance(name, str) else None
    if prompt:
        raise Unsupported(
            f"{PROMPTS} puts {str(prompt)[:60]!r} before each text, which a bundle does not do: set "
            "default_prompt_name to null there, and write the prompt into the texts"
        )
    lowered = [text.strip().lower() for text in texts]
    if json_in(folder, SETTINGS).get("do_lower_case") and ids(texts) != ids(lowered):
        raise Unsupported(
            f"{SETTINGS} says do_lower_case, which the tokeniser itself does not do: add the normaliser Lowercase to "
            "tokenizer.json"
        )
