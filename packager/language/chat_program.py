"""A program of its own: renders the chats that it reads, as transformers does, with little time and memory."""

from __future__ import annotations

import json
import resource
import sys
from typing import Any, NoReturn

SECONDS = 20
MEMORY = 2 << 30


def main() -> None:
    """Reads `{"template", "tokens", "chats"}` and writes the list of texts."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    asked = json.load(sys.stdin)
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _as_json
    environment.globals["raise_exception"] = _refuse
    template = environment.from_string(asked["template"])
    words = {**asked["tokens"], "tools": None, "documents": None}
    json.dump([template.render(**words, **each) for each in asked["chats"]], sys.stdout)


def _as_json(
    value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _refuse(message: str) -> NoReturn:
    raise ValueError(message)


if __name__ == "__main__":
    main()
