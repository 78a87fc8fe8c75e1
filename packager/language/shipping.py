"""What ships of a model of text beside its graph: facts for the manifest, golden files, the proof of its sequences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpack_toolkit.converters.spec import Table

from ..bundle.manifest import canonical
from .decoding import Array, decoder_of
from .sequences import proved

if TYPE_CHECKING:
    from mlpack_toolkit.converters.messages import Spoken

    from ..equivalence.prove import Proven

FOLDER = "text/golden/"
TOKENS, CHATS, SEQUENCES = f"{FOLDER}tokenizer.json", f"{FOLDER}chat.json", f"{FOLDER}sequences.json"
TEMPLATE = "model/chat_template.jinja"
REPORT = "reports/text/generation.json"
SOURCE = "model/source/"
LOGITS = "logits"


@dataclass(frozen=True)
class Shipping:
    """`facts`: for the manifest; `files`: by their paths in the bundle."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


def shipping(said: Spoken, proven: Proven, ask: Callable[[Table], Table]) -> Shipping:
    """What ships. `said`: by the model's process; `ask`: the original's answers to tensors.

    Raises `MismatchError` where the graph continues a text otherwise than the original.
    """
    facts: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    if said.text:
        facts["text"], found = _text(dict(said.text))
        files |= found
    if said.generation:
        facts["generation"], found = _generation(dict(said.generation), proven, ask)
        files |= found
    return Shipping(facts, files)


def _text(said: dict[str, Any]) -> tuple[dict[str, Any], dict[str, bytes]]:
    goldens, chat = said.pop("golden"), said.pop("chat")
    files = {TOKENS: canonical(goldens)}
    facts = {**said, "tokenizer": SOURCE + said["tokenizer"], "golden": TOKENS}
    if chat:
        files |= {CHATS: canonical(chat["golden"]), TEMPLATE: chat["template"].encode()}
        facts["chat"] = {"template": TEMPLATE, "tokens": chat["tokens"], "golden": CHATS}
    return facts, files


def _generation(
    said: dict[str, Any], proven: Proven, ask: Callable[[Table], Table]
) -> tuple[dict[str, Any], dict[str, bytes]]:
    from ..equivalence.session import Session

    sequences = said.pop("sequences")
    session = Session(proven.model.path, proven.signature)
    decoder = decoder_of(session.run, said)

    def original(ids: Sequence[int]) -> Array:
        row = np.array([ids], np.int64)
        inputs = {"input_ids": row, "attention_mask": np.ones_like(row), "position_ids": np.arange(len(ids))[None]}
        return np.asarray(ask({**inputs, **decoder.empty(1)})[LOGITS][0])

    report = proved(decoder, sequences, original, proven.report.tolerances[LOGITS])
    files = {SEQUENCES: canonical(sequences), REPORT: canonical(report)}
    return {**said, "golden": SEQUENCES, "report": REPORT}, files
