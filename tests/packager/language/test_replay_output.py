"""The lines of `mlpack verify` on the goldens of text."""

from __future__ import annotations

import pytest

from mlpack_toolkit.packager.output import verified


def test_verify_says_which_goldens_of_text_were_replayed_and_which_not(capsys: pytest.CaptureFixture[str]) -> None:
    text = {"tokenizer": "not replayed: the package tokenizers is not installed", "chat": 2, "sequences": 4}
    facts = {"bundle": "b", "files": 9, "identity": "sha256:0", "golden": {"CPUExecutionProvider": 3}, "gates": {}}
    verified({**facts, "text": text, "not_replayed": {}, "evidence": {"added": []}})
    assert capsys.readouterr().out.splitlines()[2:] == [
        "  tokenizer: not replayed: the package tokenizers is not installed",
        "  chat: 2 chats became the recorded texts",
        "  sequences: 4 texts continued with the recorded ids",
    ]
