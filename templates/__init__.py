"""Templates in each target's own language, and the function that renders them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Template

Filter = tuple[str, Callable[..., Any]]


def render(
    target: str, values: Mapping[str, Any], filters: Mapping[str, Callable[..., Any]] | None = None
) -> dict[str, bytes]:
    """Path to content for every file below `templates/TARGET`: `NAME.j2` is filled, all else is copied as it stands.

    Paths may hold `{{ }}` too. An unknown value is an error (`StrictUndefined`).
    """
    own, filled = tuple((filters or {}).items()), {}
    for path, content in _walk(files(__name__).joinpath(target), ""):
        if path.endswith(".j2"):
            path, content = path[:-3], _compiled(content.decode(), own).render(values).encode()
        filled[_compiled(path, own).render(values)] = content
    return dict(sorted(filled.items()))


@cache
def _compiled(text: str, filters: tuple[Filter, ...]) -> Template:
    """Compiled once a process: it takes ten times as long as filling it in."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(filters)
    return environment.from_string(text)


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        elif not entry.name.endswith((".pyc", ".py")):
            yield prefix + entry.name, entry.read_bytes()
