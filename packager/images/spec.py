"""Values for kinds of images: `Image`, its `Request` and its `Built` result."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.needs import Need

from ..bundle.reader import Bundle
from ..errors import UsageError
from ..providers.spec import Provider
from ._engine import Engine

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"[A-Za-z0-9.-]+(?::[0-9]+)?/"
_REFERENCE = re.compile(rf"((?:{_HOST})?{_PART}(?:/{_PART})*)(?::(\w[\w.-]{{0,127}}))?", re.ASCII)

_PINNED = re.compile(rf"(?:{_REFERENCE.pattern}@)?sha256:[0-9a-f]{{64}}", re.ASCII)
DEBIAN = "debian"
"""The name of the base made of Debian's packages."""


def check_base(text: str) -> None:
    """Raises `UsageError` unless the base is pinned: Debian's packages, or an image by its digest."""
    if text != DEBIAN and not _PINNED.fullmatch(text):
        raise UsageError(f"the base {text!r} is not pinned: give its digest, like NAME@sha256:…, or {DEBIAN}")


@dataclass(frozen=True)
class Tag:
    """An image's name and version in the form of container engines: `NAME:VERSION`."""

    name: str
    version: str

    @classmethod
    def read(cls, text: str) -> Tag:
        """Parses a user's tag; the default version is `latest`. Raises `UsageError`."""
        found = _REFERENCE.fullmatch(text)
        if found is None or len(text) > 255:
            raise UsageError(f"{text!r} is not an image name: use lower-case letters, digits and ._-/, then :VERSION")
        return cls(found[1], found[2] or "latest")

    @classmethod
    def of(cls, name: str, version: str) -> Tag:
        """The tag of a bundle, without characters that a tag cannot contain."""
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "model"
        return cls(plain, re.sub(r"[^A-Za-z0-9._-]", "-", version)[:128].lstrip(".-") or "latest")

    @property
    def title(self) -> str:
        """The last part of the name with the version, for a file name."""
        return f"{self.name.rpartition('/')[2]}-{self.version}"

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"


@dataclass(frozen=True)
class Request:
    """The parts of an image. `base`: the image below the packages; `scratch`: a temporary folder. `provider`: the one
    that answers; None: the CPU's."""

    bundle: Bundle
    tag: Tag
    base: str
    scratch: Path
    progress: Callable[[str], None]
    provider: Provider | None = None


def nothing() -> None:
    """Does nothing."""


@dataclass(frozen=True)
class Built:
    """An image. `image`: digest of its configuration, the engines' image id; `unpacked`: bytes of all its files.

    For an image that needs no engine, `digest`: of its manifest, the registries' id, and `archive`: its file.
    `loaded(engine)`: a context with the image's id in a container engine, without a name, so that the engine's names
    stay as they are. `keep`: names an image that an engine made; `discard`: removes it.
    """

    image: str
    layers: tuple[Mapping[str, Any], ...]
    packages: Mapping[str, tuple[str, ...]]
    unpacked: int
    loaded: Callable[[Engine], AbstractContextManager[str]]
    digest: str | None = None
    archive: Path | None = None
    keep: Callable[[], None] = nothing
    discard: Callable[[], None] = nothing

    def to_json(self) -> dict[str, Any]:
        """The image's part of the `--json` output."""
        size = self.archive.stat().st_size if self.archive else None
        facts = {"image": self.image, "digest": self.digest, "bytes": size, "unpacked": self.unpacked}
        return {**facts, "layers": list(self.layers), "packages": dict(self.packages)}


@dataclass(frozen=True)
class Image:
    """A kind of image. `build` makes it; `archives`: it writes a file, else it leaves the image in an engine.

    `needs`: packages and tools that it is made with. `takes_provider`: it can answer on another provider than the
    CPU's.
    """

    name: str
    build: Callable[[Request], Built]
    archives: bool = True
    takes_provider: bool = False
    needs: tuple[Need, ...] = ()
