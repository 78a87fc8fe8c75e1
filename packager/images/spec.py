"""What a kind of image is, and what it is made from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bundle.reader import Bundle
from ..errors import UsageError
from ._layers import Layer

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"[A-Za-z0-9.-]+(?::[0-9]+)?/"
_REFERENCE = re.compile(rf"((?:{_HOST})?{_PART}(?:/{_PART})*)(?::(\w[\w.-]{{0,127}}))?", re.ASCII)


@dataclass(frozen=True)
class Tag:
    """An image's name and its version, as container engines write them: `NAME:VERSION`."""

    name: str
    version: str

    @classmethod
    def read(cls, text: str) -> Tag:
        """The tag that a user wrote; without a version it is `latest`. Raises `UsageError`."""
        found = _REFERENCE.fullmatch(text)
        if found is None or len(text) > 255:
            raise UsageError(f"{text!r} is no name of an image: lower-case letters, digits and ._-/, then :VERSION")
        return cls(found[1], found[2] or "latest")

    @classmethod
    def of(cls, name: str, version: str) -> Tag:
        """The tag of a bundle, without what a tag cannot hold."""
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "model"
        return cls(plain, re.sub(r"[^A-Za-z0-9._-]", "-", version)[:128].lstrip(".-") or "latest")

    @property
    def title(self) -> str:
        """The last part of the name with the version, fit for a file's name."""
        return f"{self.name.rpartition('/')[2]}-{self.version}"

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"


@dataclass(frozen=True)
class Request:
    """What an image is made of. `base`: what lies below the packages; `scratch`: a folder that will be removed."""

    bundle: Bundle
    tag: Tag
    base: str
    scratch: Path
    progress: Callable[[str], None]


@dataclass(frozen=True)
class Built:
    """An image in an archive. `image`: digest of its configuration, as engines know it; `digest`: of its manifest.

    `nameless`: writes the same image without a name to a path, for an engine that must not lose a name that it has.
    """

    archive: Path
    image: str
    digest: str
    layers: tuple[Layer, ...]
    packages: Mapping[str, tuple[str, ...]]
    nameless: Callable[[Path], object]

    @property
    def unpacked(self) -> int:
        """Bytes of all files."""
        return sum(layer.unpacked for layer in self.layers)

    def to_json(self) -> dict[str, Any]:
        """What `--json` prints of it."""
        layers = [{"title": e.title, "digest": f"sha256:{e.digest}", "bytes": e.size} for e in self.layers]
        facts = {"image": self.image, "digest": self.digest, "bytes": self.archive.stat().st_size}
        return {**facts, "unpacked": self.unpacked, "layers": layers, "packages": dict(self.packages)}


@dataclass(frozen=True)
class Image:
    """A kind of image: `build` writes it below the request's scratch folder."""

    name: str
    build: Callable[[Request], Built]
