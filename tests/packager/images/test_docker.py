"""Kind docker: an engine builds the image from the bundle's own Dockerfile, without a network, on a pinned base."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.packager.errors import EnvironmentFault, MismatchError, UsageError
from mlpack_toolkit.packager.images import make
from tests.conftest import Run
from tests.packager.conftest import Made
from tests.seal import seal

from .conftest import push, write_layer

pytestmark = pytest.mark.slow


def _names(client: Any) -> set[str]:
    return {tag for image in client.images.list() for tag in image.tags if not tag.startswith("mlpack-base:")}


def test_it_is_built_replayed_and_named(client: Any, crew: Made, mlpack: Run, tmp_path: Path) -> None:
    code, facts, said = mlpack("image", crew.folder, "--kind", "docker", "--tag", "team/crew:2")
    assert code == 0, said
    assert facts["archive"] is None and facts["digest"] is None and not list(tmp_path.glob("*.tar"))
    assert facts["replayed"]["cases"] == sum(1 for _ in crew.bundle.golden())
    image = client.images.get("team/crew:2")
    assert image.id == facts["image"] and facts["unpacked"] == image.attrs["Size"] < 160e6
    config = image.attrs["Config"]
    assert config["User"] == "65532:65532" and config["Cmd"] == ["serve"] and config["Healthcheck"]["Test"]
    assert config["Labels"]["mlpack.bundle.identity"] == crew.bundle.identity
    assert config["Labels"]["org.opencontainers.image.title"] == "crew"
    assert client.containers.list(all=True) == []


def test_its_own_health_check_finds_it_healthy(client: Any, crew: Made) -> None:
    make(crew.folder, "crew:healthy", "docker", None, "debian", False, lambda step: None)
    check = {**client.images.get("crew:healthy").attrs["Config"]["Healthcheck"], "Interval": 10**9}
    container = client.containers.create("crew:healthy", network_mode="none", read_only=True, healthcheck=check)
    try:
        container.start()
        until = time.monotonic() + 60
        while time.monotonic() < until and container.attrs["State"].get("Health", {}).get("Status") != "healthy":
            time.sleep(0.2)
            container.reload()
        assert container.attrs["State"]["Health"]["Status"] == "healthy", container.logs()
    finally:
        container.remove(force=True)


def test_a_difference_leaves_no_image(client: Any, crew: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, before = tmp_path / "wrong", _names(client)
    shutil.copytree(crew.folder, folder)
    for path in (folder / "golden").glob("*.response.json"):
        path.write_text(path.read_text().replace("<b>aye</b>", "nay"))
    seal(folder)
    ids = {image.id for image in client.images.list()}
    with pytest.raises(MismatchError, match="does not answer like the original"):
        make(folder, "crew:wrong", "docker", None, "debian", True, lambda step: None)
    assert _names(client) == before and "crew:wrong" not in before
    new = [image for image in client.images.list() if image.id not in ids]
    assert not [i for i in new if (i.attrs["Config"].get("Labels") or {}).get("mlpack.bundle.identity")]


@pytest.mark.full  # `make test` has the same base in test_pulled
def test_on_a_base_of_a_registry(client: Any, crew: Made, python_base: str) -> None:
    facts = make(crew.folder, "crew:based", "docker", None, python_base, True, lambda step: None)
    assert facts["replayed"]["cases"] and facts["base"] == python_base
    image = client.images.get("crew:based")
    name, digest = python_base.split("@")
    assert image.attrs["Config"]["Labels"]["org.opencontainers.image.base.name"] == name
    assert image.attrs["Config"]["Labels"]["org.opencontainers.image.base.digest"] == digest
    assert "TEAM=us" in image.attrs["Config"]["Env"]


def test_a_base_that_is_not_there_or_has_no_python(client: Any, crew: Made, registry: str, tmp_path: Path) -> None:
    nobody = f"{registry}/team/nobody@sha256:{'0' * 64}"
    with pytest.raises(EnvironmentFault, match="cannot fetch the base"):
        make(crew.folder, None, "docker", None, nobody, True, lambda step: None)
    layer = write_layer("empty", {"etc/motd": b"hello"}, tmp_path / "layer")
    empty = push(registry, "team/empty", [layer], [], tmp_path)
    with pytest.raises(UsageError, match="has no python3 that starts"):
        make(crew.folder, None, "docker", None, empty, True, lambda step: None)


def test_what_it_cannot_do_is_said(crew: Made, mlpack: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code, facts, _ = mlpack("image", crew.folder, "--kind", "docker", "-o", "x.tar")
    assert code == 2 and "docker save crew:1.0.0 -o x.tar" in facts["error"]["message"]
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing")
    code, facts, _ = mlpack("image", crew.folder, "--kind", "docker")
    assert code == 9 and "--kind oci" in facts["error"]["message"]
    for base in ("python:3.11-slim", "python@sha256:12", "alpine"):
        code, facts, _ = mlpack("image", crew.folder, "--base", base, "--no-replay")
        assert code == 2 and "digest" in facts["error"]["message"], json.dumps(facts)
