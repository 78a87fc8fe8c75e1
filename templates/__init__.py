"""Templates in each target's own language, and the function that renders them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any


def render(
    target: str, values: Mapping[str, Any], filters: Mapping[str, Callable[..., Any]] | None = None
) -> dict[str, bytes]:
    """Path to content for every file below `templates/TARGET`: `NAME.j2` is filled, all else is copied as it stands.

    Paths may hold `{{ }}` too. An unknown value is an error (`StrictUndefined`).
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(filters or {})
    filled = {}
    for path, content in _walk(files(__name__).joinpath(target), ""):
        if path.endswith(".j2"):
            path, content = path[:-3], environment.from_string(content.decode()).render(values).encode()
        filled[environment.from_string(path).render(values)] = content
    return dict(sorted(filled.items()))


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        elif not entry.name.endswith((".pyc", ".py")):
            yield prefix + entry.name, entry.read_bytes()
