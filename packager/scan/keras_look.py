"""What a configuration of Keras says, for `mlpack inspect`; and the scan of its names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlpack_toolkit.converters._trust.keras_config import Names

from .allowlist import Trust
from .result import Scan


def scanned(kind: str, found: Names, trust: Trust, version: str) -> Scan:
    """The scan of a file whose loader would look up the names."""
    names = {(module or "UNREGISTERED", name) for module, name in found.asked}
    own = {pair for pair in names if trust.use(*pair) == "own"}
    packages = sorted({module.partition(".")[0] for module, _ in names} | {"keras"})
    return Scan(
        kind,
        _dotted(names),
        _dotted(names - own),
        tuple(packages),
        versions={"keras": version} if version else {},
        own=_dotted(own),
    )


def _dotted(pairs: set[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(sorted(f"{module}.{name}" for module, name in pairs))


def told(found: Names, version: str) -> Mapping[str, Any]:
    """The classes and how many there are of each."""
    return {
        "made by": f"Keras {version}".strip(),
        "layers": [f"{count} x {name}" for name, count in found.layers.items()],
    }
