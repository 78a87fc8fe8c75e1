"""What sentence-transformers does to a text before its tokeniser ships, or is refused by name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.converters.spec import Unsupported
from mlpack_toolkit.converters.transformers.sentences import PROMPTS, SETTINGS, check_texts, most_tokens

HUGE = 1000000000000000019884624838656
"""What transformers writes for no bound."""


def written(folder: Path, **files: dict[str, Any]) -> Path:
    for name, plain in files.items():
        (folder / {"settings": SETTINGS, "prompts": PROMPTS}.get(name, f"{name}.json")).write_text(json.dumps(plain))
    return folder


@pytest.mark.parametrize(
    ("settings", "tokeniser", "most", "found"),
    [
        ({"max_seq_length": 128}, {"model_max_length": 512}, 512, 128),
        ({"max_seq_length": 1024}, {}, 512, 512),
        ({"max_seq_length": 128}, {}, 0, 128),
        ({"max_seq_length": None}, {"model_max_length": 256}, 512, 256),
        ({}, {"model_max_length": HUGE}, 512, 512),
        ({}, {}, 0, 0),
    ],
)
def test_a_text_has_as_many_tokens_as_the_folder_says(
    settings: dict[str, Any], tokeniser: dict[str, Any], most: int, found: int, tmp_path: Path
) -> None:
    assert most_tokens(written(tmp_path, settings=settings, tokenizer_config=tokeniser), most) == found


def cased(texts: Sequence[str]) -> list[str]:
    return [text.strip() for text in texts]


def uncased(texts: Sequence[str]) -> list[str]:
    return [text.strip().lower() for text in texts]


def test_a_change_of_the_text_that_does_not_ship_is_refused(tmp_path: Path) -> None:
    texts = ("UPPER", " lower ")
    check_texts(tmp_path, texts, cased)
    check_texts(written(tmp_path, settings={"do_lower_case": True}), texts, uncased)
    with pytest.raises(Unsupported, match="do_lower_case"):
        check_texts(tmp_path, texts, cased)
    prompts = {"prompts": {"query": "Query: ", "passage": ""}}
    written(tmp_path, settings={}, prompts={**prompts, "default_prompt_name": None})
    check_texts(tmp_path, texts, cased)
    check_texts(written(tmp_path, prompts={**prompts, "default_prompt_name": "passage"}), texts, cased)
    with pytest.raises(Unsupported, match="puts 'Query: ' before each text"):
        check_texts(written(tmp_path, prompts={**prompts, "default_prompt_name": "query"}), texts, cased)
