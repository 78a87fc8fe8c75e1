"""What held a model while it was loaded and asked, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from converters._sandbox import expected

WORDS = {
    "programs": "start programs or processes",
    "network": "open connections",
    "writing": "write outside a folder of its own",
    "secrets": "read keys and credentials in the home folder",
    "processes": "reach other processes",
    "memory": "use memory or write files without bound",
}


def sandbox_words(facts: Mapping[str, Any]) -> str:
    """The sentence of the report for what was in force (`sandbox` in `measurements/machine.json`)."""
    means = _means(facts)
    by = f" ({means})" if means else ""
    held, free = (", ".join(WORDS[name] for name in facts[kind]) for kind in ("held", "open"))
    could_not = f"While it was loaded and asked, the model could not: {held}{by}." if held else ""
    could = f"This machine did not keep it from the following: {free}." if free else ""
    return f"{could_not} {could}".strip()


def sandbox_found() -> str:
    """What a model is kept from on this machine; empty where no part of the sandbox is there."""
    facts = expected()
    means = _means(facts)
    if not means:
        return ""
    free = "; not here: " + ", ".join(facts["open"]) if facts["open"] else ""
    return f"{means}: {', '.join(facts['held'])}{free}"


def _means(facts: Mapping[str, Any]) -> str:
    landlock = [f"Landlock {facts['landlock']}"] if facts["landlock"] else []
    return ", ".join([*landlock, *(["seccomp"] if facts["seccomp"] else [])])
