"""Implements `mlpack image`; one module per kind of container image, each ending in `IMAGE = Image(...)`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..registry import names_in

if TYPE_CHECKING:
    from .spec import Image, Tag

DEFAULT = "oci"


def names() -> tuple[str, ...]:
    """The names of the kinds, sorted; imports none of their modules."""
    return names_in(__path__, "spec")


def load(name: str) -> Image:
    """The kind of that name; raises `UsageError`."""
    from ..errors import UsageError

    if name not in names():
        raise UsageError(f"unknown kind of image {name!r}; choose one of: {', '.join(names())}")
    image: Image = import_module(f"{__name__}.{name}").IMAGE
    return image


def engine(seconds: int) -> tuple[str, str]:
    """The version of the container engine, where one answers within so many seconds, else the reason; two strings."""
    from ._engine import Engine, find

    found = find(seconds)
    return (found.version, "") if isinstance(found, Engine) else ("", found)


def make(
    folder: Path,
    tag: str | None,
    kind: str | None,
    output: Path | None,
    base: str,
    replays: bool,
    progress: Callable[[str], None],
    provider: str | None = None,
) -> dict[str, Any]:
    """Makes the image, as the tar `output` or in the container engine that builds it; returns its description.

    `provider`: the one that answers in it; None: the CPU's.

    Raises `MismatchError`, and removes the image, where its answers differ from the original's.
    """
    from ..bundle.reader import check_files, open_bundle
    from ..errors import UsageError
    from ..kernels import preferred
    from ..paths import beside
    from ._accelerated import check_provider
    from ._replay import replay
    from .spec import Request, Tag, check_base

    image, bundle = load(kind or DEFAULT), open_bundle(folder)
    check_base(base)
    on = check_provider(provider)
    if on and not image.takes_provider:
        kinds = ", ".join(name for name in names() if load(name).takes_provider)
        raise UsageError(f"an image of kind {image.name} answers on the CPU only; with {provider}: --kind {kinds}")
    named = Tag.read(tag) if tag else Tag.of(bundle.name, bundle.version)
    place = _place(image, named, output)
    progress("checking every file's digest")
    check_files(bundle)
    with beside(place) if place else tempfile.TemporaryDirectory(prefix="mlpack-") as scratch:
        graphs = (*bundle.graph_files, *bundle.paths_of(preferred(bundle)[0]))
        bundle = bundle.held(Path(scratch) / "bundle", "golden/", *graphs, "deploy/")
        built = image.build(Request(bundle, named, base, Path(scratch), progress, on))
        try:
            replayed: dict[str, Any] = {"replayed": None, "why": "--no-replay"}
            if replays:
                progress("replaying the golden cases in a container")
                replayed = replay(bundle, built, on_gpu=on is not None)
            built.keep()
        except BaseException:
            built.discard()
            raise
        facts = {"archive": place and str(place), "tag": str(named), "kind": image.name, "base": base}
        facts |= {"provider": on.name} if on else {}
        facts |= built.to_json()
        if built.archive and place:
            _settle(built.archive, place)
    return {**facts, **replayed}


def _place(image: Image, named: Tag, output: Path | None) -> Path | None:
    """The archive's path; None for an image that stays in its engine."""
    from ..errors import UsageError

    if image.archives:
        place = output or Path(f"{named.title}.tar")
        _check_place(place)
        return place
    if output:
        words = f"kind {image.name} leaves the image in the container engine, under its tag"
        raise UsageError(f"{words}: leave out --output, and docker save {named} -o {output} afterwards")
    return None


def _check_place(place: Path) -> None:
    from ..errors import UsageError
    from ..paths import check_writable

    if place.is_dir():
        raise UsageError(f"{place} is a folder: name the archive's file with --output")
    check_writable(place)
    place.parent.mkdir(parents=True, exist_ok=True)


def _settle(made: Path, place: Path) -> None:
    """Flushes the archive to disk, then renames it to its final path."""
    with made.open("rb") as file:
        os.fsync(file.fileno())
    made.replace(place)
