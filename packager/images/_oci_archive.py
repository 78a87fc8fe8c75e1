"""Writes an image's archive, and loads it into an engine without its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from ._archive import Configuration, write_archive
from ._engine import Engine, archived
from ._layers import Layer
from .spec import Built, Request


def written(
    request: Request, configuration: Configuration, layers: Sequence[Layer], packages: Mapping[str, tuple[str, ...]]
) -> Built:
    """Writes the image of these layers, the lowest first, as an archive in the scratch folder."""
    archive = request.scratch / "image.tar"
    digests = write_archive(archive, configuration, layers, str(request.tag))

    @contextmanager
    def loaded(engine: Engine) -> Iterator[str]:
        nameless = request.scratch / "nameless.tar"
        write_archive(nameless, configuration, layers, None)
        with archived(engine, nameless) as image:
            nameless.unlink()
            yield image

    facts = tuple({"title": e.title, "digest": f"sha256:{e.digest}", "bytes": e.size} for e in layers)
    unpacked = sum(layer.unpacked for layer in layers)
    return Built(digests.image, facts, packages, unpacked, loaded, digests.manifest, archive)
