"""A chat template rendered as transformers renders it: jinja2 in its sandbox, in a process with little time and memory.

The template comes with the model, and a loop in it may never end.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import DamagedError, MismatchError
from .chat_program import SECONDS

PROGRAM = Path(__file__).with_name("chat_program.py")


def rendered(template: str, tokens: Mapping[str, str], chats: Sequence[Mapping[str, Any]]) -> list[str]:
    """The text of each chat (`messages`, `add_generation_prompt`); `DamagedError` where there is none in time."""
    asked = json.dumps({"template": template, "tokens": tokens, "chats": list(chats)})
    command = [sys.executable, "-I", str(PROGRAM)]
    try:
        done = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=2 * SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise DamagedError(f"the chat template takes more than {SECONDS} s: it may never end") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise DamagedError(f"the chat template cannot be rendered: {last[:200]}")
    return [str(each) for each in json.loads(done.stdout)]


def check(template: str, tokens: Mapping[str, str], goldens: Sequence[Mapping[str, Any]]) -> int:
    """How many golden chats become the recorded text; raises `MismatchError` for one that does not."""
    chats = [{key: each[key] for key in ("messages", "add_generation_prompt")} for each in goldens]
    for each, got in zip(goldens, rendered(template, tokens, chats), strict=True):
        if each["text"] != got:
            raise MismatchError(
                f"the chat template gives another text for {str(each['messages'])[:80]} than transformers gave: "
                f"{got[:80]!r} and {each['text'][:80]!r}"
            )
    return len(goldens)
