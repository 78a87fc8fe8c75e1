"""Kind `docker`: a container engine builds the bundle's own Dockerfile on a base pinned by digest."""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from mlpack_toolkit import runtimes
from mlpack_toolkit.converters.needs import Requirement

from ..environments.python.wheels import fetch
from ..errors import DamagedError, EnvironmentFault, MissingToolError, UsageError
from ..travel import lay_out
from ._engine import Engine, find, first_line
from ._image_config import labels_of
from ._local_base import local_base
from ._project import project, shipped
from ._rootfs import LEAST, Base, debian, glibc, suite_here
from ._site_packages import pinned
from .spec import DEBIAN, Built, Image, Request

PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
LOOK = "import json, platform, sys; print(json.dumps([sys.version_info[1], platform.libc_ver()[1]]))"
WORDS = 12
"""Lines of the engine's output that an error message quotes."""


def build(request: Request) -> Built:
    """Builds the image, without a name until it is kept. Raises `MissingToolError` and `EnvironmentFault`."""
    engine = find()
    if isinstance(engine, str):
        raise MissingToolError(f"{engine}; --kind oci makes an image without one")
    place = f"deploy/{runtimes.of_image(IMAGE.name).name}"
    files = project(request.bundle, IMAGE.name)
    context = request.scratch / "context"
    lay_out(shipped(request.bundle), context)
    lay_out({f"{place}/{path}": source for path, source in files.items()}, context)
    pins = PIN.findall(_needed(context / place, "requirements.txt"))
    _needed(context / place, "Dockerfile")
    reference, base = _base(engine, request)
    request.progress("collecting the server's packages")
    (context / place / "wheels").mkdir()
    for wheel in pinned(dict(pins), base):
        fetch(wheel, context / place / "wheels")
    request.progress("building the image in the container engine")
    arguments = {"BASE": reference, "IDENTITY": request.bundle.identity, "PIP_NO_INDEX": "1"}
    labels = labels_of(request.bundle, reference)
    image = _built(engine, path=str(context), dockerfile=f"{place}/Dockerfile", buildargs=arguments, labels=labels)
    return _described(engine, image, request, pins)


def _needed(project: Path, name: str) -> str:
    """The text of a required file of the project; `DamagedError` where it is missing."""
    try:
        return (project / name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DamagedError(f"the bundle's container project has no readable {name}") from error


def _base(engine: Engine, request: Request) -> tuple[str, Base]:
    """Puts the base into the engine and returns its reference and its Python."""
    if request.base != DEBIAN:
        request.progress("fetching the base")
        _have(engine, request.base)
        return request.base, _look(engine, request.base)
    request.progress("unpacking Python from Debian's packages")
    suite = suite_here()
    base = debian(suite)
    return local_base(engine, suite, base, request.scratch), base


def _look(engine: Engine, reference: str) -> Base:
    """Runs the base to find its Python; raises `UsageError`."""
    import docker

    asked = {"entrypoint": ["python3", "-I", "-c", LOOK], "network_disabled": True, "read_only": True, "remove": True}
    try:
        said = engine.client.containers.run(reference, cap_drop=["ALL"], mem_limit="256m", **asked)
        minor, libc = json.loads(said)
    except (docker.errors.ContainerError, docker.errors.APIError, ValueError) as error:
        raise UsageError(f"the base {reference} has no python3 that starts: {first_line(error)}") from error
    if minor < LEAST[1] or not libc:
        raise UsageError(f"the base {reference} must have Python 3.11 or later and the GNU C library")
    return Base(Path(), reference, f"3.{minor}", glibc(libc), {})


def _have(engine: Engine, reference: str) -> None:
    """Pulls the base unless the engine has it."""
    import docker

    try:
        engine.client.images.get(reference)
    except docker.errors.ImageNotFound:
        try:
            engine.client.images.pull(reference)
        except docker.errors.APIError as error:
            raise EnvironmentFault(f"the engine cannot fetch the base {reference}: {first_line(error)}") from error


def _built(engine: Engine, **options: Any) -> Any:
    """Builds the image in the engine without a network; the engine's build cache makes the next build fast."""
    import docker

    try:
        image, _ = engine.client.images.build(rm=True, forcerm=True, network_mode="none", **options)
    except docker.errors.BuildError as error:
        said = "".join(str(line.get("stream") or line.get("error") or "") for line in error.build_log)
        last = "\n".join(said.strip().splitlines()[-WORDS:])
        raise EnvironmentFault(f"the engine could not build the image:\n{last}") from error
    except docker.errors.APIError as error:
        raise EnvironmentFault(f"the engine could not build the image: {first_line(error)}") from error
    return image


def _described(engine: Engine, image: Any, request: Request, pins: list[tuple[str, str]]) -> Built:
    history = [(str(e["CreatedBy"]), int(e["Size"])) for e in reversed(image.history())]
    layers = tuple({"title": title[:200], "digest": None, "bytes": size} for title, size in history if size)
    return Built(
        str(image.id),
        layers,
        {"python": tuple(f"{name} {version}" for name, version in sorted(pins))},
        sum(size for _, size in history),
        lambda engine: nullcontext(str(image.id)),
        keep=lambda: image.tag(request.tag.name, request.tag.version),
        discard=lambda: None if image.tags else engine.client.images.remove(image.id),
    )


IMAGE = Image(
    "docker",
    build,
    archives=False,
    needs=(Requirement("docker>=7", "image", "replaying in a container image"),),
)
