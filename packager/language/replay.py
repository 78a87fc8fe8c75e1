"""The goldens of text of a bundle, replayed: tokeniser, chats, sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import MissingToolError
from . import chats
from .decoding import decoder_of
from .sequences import replayed
from .tokens import Tokens

if TYPE_CHECKING:
    from ..bundle.reader import Bundle


def replay_text(bundle: Bundle) -> dict[str, Any]:
    """How many goldens of each kind hold, or the sentence on why they were not asked; nothing of a model of no text.

    Raises `MismatchError` for one that does not hold.
    """
    text, generation = bundle.facts.get("text"), bundle.facts.get("generation")
    found: dict[str, Any] = {}
    if text:
        try:
            found["tokenizer"] = tokens_of(bundle).check(bundle.json(text["golden"]))
        except MissingToolError as error:
            found["tokenizer"] = f"not replayed: {error}"
        if chat := text.get("chat"):
            template = bundle.read(chat["template"]).decode()
            found["chat"] = chats.check(template, chat["tokens"], bundle.json(chat["golden"]))
    if generation:
        from ..equivalence.session import session_of

        decoder = decoder_of(session_of(bundle).run, generation)
        found["sequences"] = replayed(decoder, bundle.json(generation["golden"]), bundle.json(generation["report"]))
    return found


def tokens_of(bundle: Bundle) -> Tokens:
    """The tokeniser of a bundle of text. Raises `MissingToolError` where its library is not installed."""
    text = bundle.facts["text"]
    return Tokens(bundle.read(text["tokenizer"]), text)
