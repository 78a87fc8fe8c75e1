"""The schemas of what the model's process says of text, of the manifest's facts about it, and of its golden files."""

from __future__ import annotations

from typing import Any

from mlpack_toolkit.runtimes.engine.schema import (
    MOST_PATH,
    Check,
    Fault,
    flag,
    listing,
    mapping,
    number,
    one_of,
    record,
    text,
    whole,
)

MOST_ID = 2**31 - 1
MOST_IDS = 1 << 20
MOST_LETTERS = 1 << 20
_id = whole(0, MOST_ID)
_ids = listing(_id, MOST_IDS)
_letters = text(MOST_LETTERS)
golden_texts: Check = listing(record({"text": _letters, "ids": _ids}), 1000, 1)
_message = record({"role": text(), "content": _letters})
_chat = record({"messages": listing(_message), "add_generation_prompt": flag, "text": _letters})
golden_chats: Check = listing(_chat, 100, 1)
_sequence = record({"prompt": listing(_id, MOST_IDS, 1), "ids": _ids, "margins": listing(number(0), MOST_IDS)})
golden_sequences: Check = listing(_sequence, 100, 1)
_report = record({"verdict": one_of("equal"), "logit_error": number(0)})
_pad = record({"id": _id, "token": text(), "side": one_of("left", "right")})
_text = {
    "task": text(),
    "library": text(),
    "version": text(),
    "inputs": listing(text(), 8, 1),
    "pad": _pad,
    "max_length": whole(0, MOST_ID),
    "labels": listing(text(), MOST_IDS),
}
_tokens = mapping(text())
_contract = {
    "max_length": whole(0, MOST_ID),
    "max_new_tokens": whole(0, MOST_ID),
    "min_new_tokens": whole(0, MOST_ID),
    "do_sample": flag,
    "num_beams": whole(1, 1000),
    "temperature": number(0),
    "top_k": whole(0, MOST_ID),
    "top_p": number(0),
    "repetition_penalty": number(0),
}
_generation = {
    "layers": whole(1, 10_000),
    "heads": listing(whole(1, 10_000), 10_000, 1),
    "sizes": listing(listing(whole(1, 1 << 20), 2, 2), 10_000, 1),
    "eos_token_id": _ids,
    "pad_token_id": _id,
    "max_position": whole(0, MOST_ID),
}
_path = text(MOST_PATH, least=1)
text_facts: Check = record(
    {**_text, "tokenizer": _path, "golden": _path},
    {"chat": record({"template": _path, "tokens": _tokens, "golden": _path})},
)
generation_facts: Check = record({**_generation, "golden": _path, "report": _path}, _contract)
_said_text = record(
    {**_text, "tokenizer": one_of("tokenizer.json"), "golden": golden_texts, "chat": lambda value, where: None}
)
_said_chat = record({"template": _letters, "tokens": _tokens, "golden": golden_chats})
_said_generation = record({**_generation, "sequences": golden_sequences}, _contract)


def spoken(value: Any, where: str) -> None:
    """The reply of the model's process: `text` and `generation`, either empty."""
    record({"text": mapping(_anything), "generation": mapping(_anything)})(value, where)
    if value["text"]:
        _said_text(value["text"], f"{where}.text")
        if value["text"]["chat"]:
            _said_chat(value["text"]["chat"], f"{where}.text.chat")
    if value["generation"]:
        _said_generation(value["generation"], f"{where}.generation")
        _alike(value["generation"], f"{where}.generation")


def _anything(value: Any, where: str) -> None:
    """What a closer look follows."""


def _alike(value: Any, where: str) -> None:
    """Raises `Fault` where lists that belong together have other lengths."""
    if not value["layers"] == len(value["heads"]) == len(value["sizes"]):
        raise Fault(f"{where}.heads and sizes must have an entry for each layer")
    if any(len(each["ids"]) != len(each["margins"]) for each in value["sequences"]):
        raise Fault(f"{where}.sequences must have a margin for each id")


DOCUMENTS = {
    r"text/golden/tokenizer\.json": golden_texts,
    r"text/golden/chat\.json": golden_chats,
    r"text/golden/sequences\.json": golden_sequences,
    r"reports/text/generation\.json": _report,
}
