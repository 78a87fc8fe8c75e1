"""Kind `native`: an image without Python, with the bundle's C++ server, ONNX Runtime and their Debian libraries."""

from __future__ import annotations

import re
import zipfile
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

from ..environments.python.wheels import fetch
from ..errors import EnvironmentFault, MissingToolError, UsageError
from ._archive import Configuration
from ._compiled import compiled
from ._image_config import labels_of, model, runs
from ._layers import Layer, Source, Tree, write_layer
from ._oci_archive import written
from ._rootfs import Base, architecture, libraries, suite_here, triplet
from ._site_packages import pinned
from .spec import DEBIAN, Built, Image, Request

ENGINE = "onnxruntime"
LIBRARY = re.compile(r"onnxruntime/capi/libonnxruntime\.so\.\d[\d.]*")
PLACE = "usr/local/lib/libonnxruntime.so.1"
"""The server's compiled-in path of ONNX Runtime."""
PROGRAM = "usr/bin/mlpack-server"
NEEDED = ("ld-linux*", "libc.so.*", "libdl.so.*", "libgcc_s.so.*", "libm.so.*", "libpthread.so.*", "librt.so.*",
          "libstdc++.so.*")  # fmt: skip
"""The libraries that ONNX Runtime and the server load."""
BESIDE = ("bin", "sbin", "lib", "lib64", "tmp", "dev", "proc", "sys", "run", "root", "usr/bin", "usr/sbin",
          "usr/lib64/*", "usr/lib/os-release", "usr/share/doc/*", "var/lib/dpkg/*", "etc/*")  # fmt: skip
NOTICE = """The server is compiled from the C++ project of its bundle, with the headers of Boost:
Boost Software License, Version 1.0.
"""


def build(request: Request) -> Built:
    """Builds four layers, the least changing lowest: Debian's libraries, ONNX Runtime, the server, the model."""
    machine = architecture()
    if request.base != DEBIAN:
        raise UsageError(f"kind {IMAGE.name} always uses Debian's libraries: leave out --base")
    request.progress("unpacking the C++ libraries from Debian's packages")
    base = libraries(suite_here())
    request.progress("compiling the server")
    server = compiled(request.bundle, IMAGE.name, base, request.scratch)
    version = _version()
    request.progress("fetching ONNX Runtime")
    trees: dict[str, Tree] = {
        base.title: _libraries(base),
        f"ONNX Runtime {version}": _engine(version, base, request.scratch),
        "server": {PROGRAM: server, "usr/share/doc/mlpack-server/copyright": NOTICE.encode()},
        "model": model(request.bundle),
    }
    layers = [_layer(request, i, title, tree) for i, (title, tree) in enumerate(trees.items())]
    request.progress("writing the image")
    labels = labels_of(request.bundle)
    plain = runs(request.bundle, [f"/{PROGRAM}"], {}, labels)
    packages = {
        "debian": tuple(f"{name} {version}" for name, version in sorted(base.packages.items())),
        "python": (f"{ENGINE} {version}",),
    }
    return written(request, Configuration(machine, plain, labels), layers, packages)


def _layer(request: Request, number: int, title: str, tree: Tree) -> Layer:
    return write_layer(title, tree, request.scratch / f"layer-{number}")


def _libraries(base: Base) -> dict[str, Source]:
    """The loaded libraries of Debian's packages, with the files that identify the packages."""
    wanted = (*(f"usr/lib/{triplet()}/{name}" for name in NEEDED), *BESIDE)
    found = base.source()
    return {name: source for name, source in found.items() if any(fnmatch(name, pattern) for pattern in wanted)}


def _version() -> str:
    """The version of ONNX Runtime installed with mlpack; raises `MissingToolError`."""
    try:
        return metadata.version(ENGINE)
    except metadata.PackageNotFoundError:
        raise MissingToolError(f"the package {ENGINE} is not installed with mlpack: pip install {ENGINE}") from None


def _engine(version: str, base: Base, scratch: Path) -> dict[str, Source]:
    """ONNX Runtime's library from its publishers' wheel, with its licences and the metadata for scanners."""
    wheel = pinned({ENGINE: version}, base)[0]
    with zipfile.ZipFile(fetch(wheel, scratch)) as archive:
        names = archive.namelist()
        library = [name for name in names if LIBRARY.fullmatch(name)]
        if len(library) != 1:
            raise EnvironmentFault(f"{wheel.file} contains no ONNX Runtime library for C++")
        (scratch / "library").write_bytes(archive.read(library[0]))
        about = [n for n in names if n.endswith((".dist-info/METADATA", "/LICENSE", "/ThirdPartyNotices.txt"))]
        documents = {f"usr/share/doc/{ENGINE}/{_document(name)}": archive.read(name) for name in about}
    return {PLACE: scratch / "library", **documents}


def _document(name: str) -> str:
    folder, _, file = name.rpartition("/")
    return f"{folder}/{file}" if file == "METADATA" else file


IMAGE = Image("native", build)
