"""What torch's exporter gets wrong, mended: operators of torch written with others, before they are translated.

One file per kind of fault; each says what it requires and ensures.
"""

from __future__ import annotations

from typing import Any

from .fix import Fix


def fixes() -> tuple[Fix, ...]:
    """All of them, in order."""
    return ()


def fixed(program: Any) -> Any:
    """The program without the operators that the exporter gets wrong."""
    return program


def translations() -> dict[Any, Any]:
    """Translations of ours, by operator of torch."""
    return {}
