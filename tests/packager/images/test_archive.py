"""The archive: every digest and size, for docker and for OCI, read by programs that nobody here wrote."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.packager.images._archive import Configuration, Digests, write_archive
from mlpack_toolkit.packager.images._layers import Layer

from .conftest import needs

NAME = "registry.example/library/churn:1.0"
CONFIGURATION = Configuration(
    "amd64", {"Entrypoint": ["/x"], "User": "65532:65532"}, {"org.opencontainers.image.title": "ä"}
)


def read(path: Path) -> dict[str, bytes]:
    """Every file of a tar."""
    with tarfile.open(path) as archive:
        return {e.name: archive.extractfile(e).read() for e in archive if e.isfile()}  # type: ignore[union-attr]


def check(path: Path, layers: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The manifest and the configuration, once every digest and size has been found right."""
    files = read(path)
    for name, content in files.items():
        assert not name.startswith("blobs/") or name == f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    (reference,) = json.loads(files["index.json"])["manifests"]
    manifest = json.loads(_blob(files, reference))
    config = json.loads(_blob(files, manifest["config"]))
    for layer, diff in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
        _blob(files, layer)
        assert layer["digest"] == diff and layer["mediaType"].endswith("layer.v1.tar")
    (docker,) = json.loads(files["manifest.json"])
    assert docker["Config"] == _path(manifest["config"]) and docker["Layers"] == [_path(e) for e in manifest["layers"]]
    assert len(docker["Layers"]) == len(config["history"]) == layers
    assert len(files) == layers + 5
    return manifest, config


def _path(descriptor: dict[str, Any]) -> str:
    return "blobs/sha256/" + str(descriptor["digest"]).removeprefix("sha256:")


def _blob(files: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    content = files[_path(descriptor)]
    assert len(content) == descriptor["size"]
    return content


def _written(path: Path, layers: tuple[Layer, ...], name: str | None = NAME) -> Digests:
    return write_archive(path, CONFIGURATION, layers, name)


def test_every_digest_is_right(layers: tuple[Layer, ...], tmp_path: Path) -> None:
    digests = _written(tmp_path / "a.tar", layers)
    manifest, config = check(tmp_path / "a.tar", 2)
    assert digests.image == manifest["config"]["digest"]
    assert digests.manifest == json.loads(read(tmp_path / "a.tar")["index.json"])["manifests"][0]["digest"]
    assert config["config"] == CONFIGURATION.runs and config["architecture"] == "amd64" and config["os"] == "linux"
    assert config["created"] == "1970-01-01T00:00:00Z"
    assert manifest["annotations"] == {"org.opencontainers.image.title": "ä"}


def test_twice_the_same_bytes(layers: tuple[Layer, ...], tmp_path: Path) -> None:
    assert _written(tmp_path / "a.tar", layers) == _written(tmp_path / "b.tar", layers)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_the_name_is_no_part_of_the_image(layers: tuple[Layer, ...], tmp_path: Path) -> None:
    named, nameless = _written(tmp_path / "a.tar", layers), _written(tmp_path / "b.tar", layers, None)
    assert named == nameless
    check(tmp_path / "b.tar", 2)
    files, others = read(tmp_path / "a.tar"), read(tmp_path / "b.tar")
    assert json.loads(files["manifest.json"])[0]["RepoTags"] == [NAME]
    assert json.loads(others["manifest.json"])[0]["RepoTags"] is None
    assert "annotations" not in json.loads(others["index.json"])["manifests"][0]
    assert json.loads(files["index.json"])["manifests"][0]["annotations"] == {
        "io.containerd.image.name": NAME,
        "org.opencontainers.image.ref.name": "1.0",
    }


@pytest.mark.parametrize("kind", ["oci-archive", "docker-archive"])
def test_skopeo_reads_it(kind: str, layers: tuple[Layer, ...], tmp_path: Path) -> None:
    digests = _written(tmp_path / "a.tar", layers)
    command = [needs("skopeo"), "inspect", f"{kind}:{tmp_path}/a.tar"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["Layers"] == [f"sha256:{layer.digest}" for layer in layers]
    assert kind == "docker-archive" or said["Digest"] == digests.manifest


def test_podman_loads_it_under_its_name(
    layers: tuple[Layer, ...], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    digests = _written(tmp_path / "a.tar", layers)
    runroot = Path(tempfile.mkdtemp(prefix="mlpack-"))  # podman takes no longer a path than 50 characters
    request.addfinalizer(lambda: shutil.rmtree(runroot, ignore_errors=True))
    places = ("--root", tmp_path / "root", "--runroot", runroot, "--storage-driver", "vfs")
    podman = [needs("podman"), *map(str, places)]
    loaded = subprocess.run(
        [*podman, "load", "-i", str(tmp_path / "a.tar")], capture_output=True, text=True, timeout=60
    )
    assert loaded.returncode == 0, loaded.stderr
    listing = [*podman, "images", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"]
    listed = subprocess.run(listing, capture_output=True, text=True, timeout=60)
    assert listed.stdout.split() == [digests.image, NAME]
