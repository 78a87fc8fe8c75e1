"""Writes one tar that is both an OCI layout and a docker-archive, for docker, podman, skopeo and containerd."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._layers import Layer

MEDIA = "application/vnd.oci.image"
BLOBS = "blobs/sha256/"
EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Configuration:
    """An image's runtime configuration in OCI's terms: `Entrypoint`, `Env`, `User` and the like."""

    architecture: str
    runs: Mapping[str, Any]
    annotations: Mapping[str, str]


@dataclass(frozen=True)
class Digests:
    """`image`: digest of the configuration, docker's image id. `manifest`: digest of the manifest, for registries."""

    image: str
    manifest: str


def write_archive(path: Path, configuration: Configuration, layers: Sequence[Layer], name: str | None) -> Digests:
    """Writes the archive at `path` and returns the image's digests. `name`: NAME:VERSION, or None."""
    config = _json(_config(configuration, layers))
    manifest = _json(_manifest(configuration, config, layers))
    reference = _descriptor("manifest", manifest) | _named(name)
    content: dict[str, bytes | Path] = {
        "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
        "index.json": _json({"schemaVersion": 2, "mediaType": f"{MEDIA}.index.v1+json", "manifests": [reference]}),
        "manifest.json": _json([_docker(config, layers, name)]),
        BLOBS + _sha256(config): config,
        BLOBS + _sha256(manifest): manifest,
        **{BLOBS + layer.digest: layer.path for layer in layers},
    }
    _write(path, content)
    return Digests(f"sha256:{_sha256(config)}", f"sha256:{_sha256(manifest)}")


def _config(configuration: Configuration, layers: Sequence[Layer]) -> dict[str, Any]:
    """The image's config; `created` is the epoch, as docker 20 requires a time and a real one would vary."""
    return {
        "architecture": configuration.architecture,
        "os": "linux",
        "created": EPOCH,
        "config": dict(configuration.runs),
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.digest}" for layer in layers]},
        "history": [{"created": EPOCH, "created_by": f"mlpack: {layer.title}"} for layer in layers],
    }


def _manifest(configuration: Configuration, config: bytes, layers: Sequence[Layer]) -> dict[str, Any]:
    """The manifest; layers stay uncompressed, as compressed bytes, and so digests, vary between zlib versions."""
    media = f"{MEDIA}.layer.v1.tar"
    return {
        "schemaVersion": 2,
        "mediaType": f"{MEDIA}.manifest.v1+json",
        "config": _descriptor("config", config),
        "layers": [{"mediaType": media, "digest": f"sha256:{e.digest}", "size": e.size} for e in layers],
        "annotations": dict(configuration.annotations),
    }


def _descriptor(what: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": f"{MEDIA}.{what}.v1+json", "digest": f"sha256:{_sha256(content)}", "size": len(content)}


def _named(name: str | None) -> dict[str, Any]:
    if name is None:
        return {}
    version = name.rpartition(":")[2]
    return {"annotations": {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": version}}


def _docker(config: bytes, layers: Sequence[Layer], name: str | None) -> dict[str, Any]:
    """The docker-archive manifest, which `docker load` has read since before OCI layouts."""
    tags = [name] if name else None
    return {"Config": BLOBS + _sha256(config), "RepoTags": tags, "Layers": [BLOBS + e.digest for e in layers]}


def _write(path: Path, content: Mapping[str, bytes | Path]) -> None:
    folders = ("blobs", "blobs/sha256")
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted((*folders, *content)):
            entry = tarfile.TarInfo(name)
            if name in folders:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
            else:
                _add(archive, entry, content[name])


def _add(archive: tarfile.TarFile, entry: tarfile.TarInfo, content: bytes | Path) -> None:
    entry.mode = 0o644
    if isinstance(content, bytes):
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
        return
    entry.size = content.stat().st_size
    with content.open("rb") as file:
        archive.addfile(entry, file)


def _json(plain: Any) -> bytes:
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
