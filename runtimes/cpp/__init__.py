"""Renders the C++ runtime: a CMake project in C++17 around the graph, typed by the model's own columns.

A model of rows gets one struct for rows and one for answers (`templates/cpp/typed`); any other graph takes and returns
tensors by name (`templates/cpp/tensors`). Shared files are in `templates/cpp/common`.
"""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.needs import Tool
from mlpack_toolkit.converters.spec import ONNX_RUNTIME_FLOOR
from mlpack_toolkit.templates import render as fill

from ..spec import Package, Runtime, Step
from . import names as names
from .server import server_values
from .tensors import tensor_usage, tensor_values
from .typed import is_tabular, typed_values
from .usage import typed_usage

INSTALL = "apt-get install cmake g++ nlohmann-json3-dev"
INSTALL_SERVER = "apt-get install cmake g++ libboost-dev"
IN_IMAGE = "/usr/local/lib/libonnxruntime.so.1"
"""The path of ONNX Runtime in an image."""
HEADERS = (21, "1.21")
"""The oldest supported headers: API version and release."""


def render(package: Package) -> dict[str, bytes]:
    """The project's files by relative path. Raises `Unsupported` for an element type that C++ code cannot represent."""
    shared = _shared_values(package)
    tabular = is_tabular(package.signature)
    special = typed_values(package.signature, shared["package"]) if tabular else tensor_values(package.signature)
    sources = ["library", "rules", "session", "text", "rows" if tabular else "checks"]
    values = {**shared, **special, **server_values(package), "sources": sorted(sources)}
    values["usage"] = (typed_usage if tabular else tensor_usage)(values, package.golden)
    values = {"images": False, "image_example": False, **values}
    files = {
        **(_images(values) if values["images"] else {}),
        **fill("cpp/common", values),
        **fill("cpp/server", values),
        **fill("cpp/typed" if tabular else "cpp/tensors", values),
        **({} if package.refers else {"model/model.onnx": package.model.path.read_bytes()}),
        **{f"tests/golden/{name}": content for name, content in package.golden.items()},
    }
    return dict(sorted(files.items()))


def _images(values: dict[str, Any]) -> dict[str, bytes]:
    """What makes tensors of images, its test, and an example where the model takes nothing else."""
    files = fill("cpp/images", values)
    return {p: content for p, content in files.items() if values["image_example"] or not p.startswith("example/")}


def _shared_values(package: Package) -> dict[str, Any]:
    name = names.package_name(package.name)
    title = f"{package.name} {package.version}"  # for comments, where a backslash would join lines
    plain = "".join(c if c.isprintable() and c != "\\" else " " for c in title)
    return {
        "package": name,
        "klass": names.class_name(name),
        "macro": name.upper(),
        "title": plain,
        "markdown_title": re.sub(r"([`*_<>\[\]#])", r"\\\1", plain),
        "numeric_version": _numeric_version(package.version),
        "headers_api": HEADERS[0],
        "headers_release": HEADERS[1],
        "by_path": package.refers,
        "accelerator": package.accelerator,
        "model_folder": "${model_folder}" if package.refers else "${PROJECT_SOURCE_DIR}/model",
        "beside": [names.cmake(path) for path in package.beside],
        "oldest_api": ONNX_RUNTIME_FLOOR[1],
        "oldest_runtime": ".".join(map(str, ONNX_RUNTIME_FLOOR)),
    }


def _numeric_version(version: str) -> str:
    """The version in CMake's form: the leading numbers, `0` where there are none."""
    found = re.match(r"v?(\d{1,9}(?:\.\d{1,9}){0,3})", version)
    return found.group(1) if found else "0"


def steps(project: Path, work: Path) -> tuple[Step, ...]:
    """The commands that configure, build and test the project; they write only below `work`."""
    build = str(work.absolute() / "cpp")
    environment = _environment()
    configure = ("-S", str(project.absolute()), "-B", build, "-DCMAKE_BUILD_TYPE=Release")
    return (
        Step("cmake", configure, INSTALL, environment),
        Step("cmake", ("--build", build, "--parallel", "2"), INSTALL, environment),
        Step("ctest", ("--test-dir", build, "--output-on-failure", "--no-tests=error"), INSTALL, environment),
    )


def program(project: Path, work: Path) -> tuple[Step, ...]:
    """The commands that build the HTTP server at `work/server`, small and reproducible."""
    source, build = str((project / "server").absolute()), str(work.absolute() / "build")
    settings = {
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_CXX_FLAGS": f"-ffile-prefix-map={project.absolute()}=.",
        "CMAKE_CXX_FLAGS_RELEASE": "-O2 -DNDEBUG -D_FORTIFY_SOURCE=2 -fstack-protector-strong -ffunction-sections",
        "CMAKE_EXE_LINKER_FLAGS": "-s -Wl,--gc-sections -Wl,-z,relro,-z,now",
        "CMAKE_RUNTIME_OUTPUT_DIRECTORY": str(work.absolute()),
        "ONNXRUNTIME_LIBRARY": IN_IMAGE,
        "SERVER_NAME": "server",
    }
    configure = ("-S", source, "-B", build, *(f"-D{name}={value}" for name, value in settings.items()))
    environment = _environment()
    return (
        Step("cmake", configure, INSTALL_SERVER, environment),
        Step("cmake", ("--build", build, "--parallel", "2"), INSTALL_SERVER, environment),
    )


def _environment() -> dict[str, str]:
    """The variables with the paths of ONNX Runtime's headers and library, unless the user has set them."""
    found = {"ORT_DISABLE_TELEMETRY": "1"}
    headers, library = _headers(), _library()
    if headers and not os.environ.get("ONNXRUNTIME_INCLUDE_DIR"):
        found["ONNXRUNTIME_INCLUDE_DIR"] = str(headers)
    if library and not os.environ.get("ONNXRUNTIME_LIBRARY"):
        found["ONNXRUNTIME_LIBRARY"] = str(library)
    return found


def _headers() -> Path | None:
    """The folder of the headers: `MLPACK_ONNXRUNTIME_INCLUDE`, else the cache that `packager.setup_headers` fills."""
    named = os.environ.get("MLPACK_ONNXRUNTIME_INCLUDE")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(named) if named else cache / "mlpack" / "onnxruntime-headers" / "include"
    return folder if folder.is_dir() else None


def _library() -> Path | None:
    """The shared library inside the Python package, found without importing it."""
    package = find_spec("onnxruntime")
    folders = list(package.submodule_search_locations or ()) if package else []
    found = [p for f in folders for p in Path(f, "capi").glob("libonnxruntime.*") if "provider" not in p.name]
    return min(found, default=None)


RUNTIME = Runtime(
    "cpp",
    "C++17 project (CMake)",
    render,
    steps,
    image="native",
    program=program,
    accelerators=("cuda",),
    needs=(
        Tool("g++", "the C++ project", "apt-get install g++"),
        Tool("cmake", "the C++ project", "apt-get install cmake"),
        Tool(
            "json",
            "the C++ project's tests",
            "apt-get install nlohmann-json3-dev",
            file="/usr/include/nlohmann/json.hpp",
        ),
        Tool(
            "boost",
            "the C++ server, images of kind native",
            "apt-get install libboost-dev",
            file="/usr/include/boost/version.hpp",
        ),
    ),
)
