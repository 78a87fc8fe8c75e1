"""Renders the container project: the build of the server's image, and files for Kubernetes and its model servers.

It goes to the bundle's `deploy/docker`; the image's build context is the bundle's folder. The server's sources are
those of this installation.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from shlex import quote as quote_word
from typing import Any
from urllib.parse import quote

from mlpack_toolkit.converters.image import images_of
from mlpack_toolkit.templates import render as fill

from ..spec import Accelerator, Package, Runtime, Step
from . import names as names
from .triton import repository, text

INSTALL = "pip install 'mlpack-toolkit[serve]'"
PACKAGES = ("httptools", "numpy", "onnxruntime", "orjson", "uvloop")
MODULES = {"pillow": "PIL"}
"""The module of a package that has another name."""
FILTERS: Mapping[str, Callable[..., str]] = {"copied": names.copied, "pattern": names.pattern, "shell": quote_word}
PORT = 8080
USER = 65532
MEMORY = 1024
"""Memory for the server in MiB, besides that for loading the graph: four times its file."""
GPU_MEMORY = 4096
"""The same for what NVIDIA's libraries keep in the host's memory: an allowance, not a measurement."""
HEALTH = ("python3", "-I", "/app", "health")
PACKAGE = "mlpack_toolkit"
FOLDERS = ("runtimes/engine", "runtimes/server")
KNOWN = tuple(f"converters/{name}.py" for name in ("bfloat16", "graph_file", "image", "needs", "spec"))


def render(package: Package) -> dict[str, bytes]:
    """The files of the folder by relative path."""
    triton = repository(package)
    folder = names.folder_name(package.name)
    values = {**_values(package), "folder": folder, "triton": triton}
    files = fill("docker/common", values, FILTERS)
    if package.accelerator:
        files["requirements.txt"] = _accelerated(files["requirements.txt"], package.accelerator)
    if images_of(package.signature):
        files["requirements.txt"] += fill("docker/images", values)["requirements.txt"]
    if triton is not None:
        files |= fill("docker/triton", values, {"text": text})
        files |= _in_repository(package, f"triton/{folder}/1")
    own = Path(__file__)
    files["replay.py"] = own.with_name("replay.py").read_bytes()
    files["prepare.py"] = own.with_name("prepare.py").read_bytes()
    files |= {f"server/{path}": content for path, content in _server().items()}
    return dict(sorted(files.items()))


def _in_repository(package: Package, place: str) -> dict[str, bytes]:
    """What Triton opens: an engine where there is one, else the graph, unless it is large."""
    if package.accelerator and package.accelerator.plan:
        return {f"{place}/model.plan": package.accelerator.plan.read_bytes()}
    return {} if package.refers else {f"{place}/model.onnx": package.model.path.read_bytes()}


def _accelerated(requirements: bytes, accelerator: Accelerator) -> bytes:
    """The same packages with the provider's ONNX Runtime and libraries in the place of the CPU's."""
    own = fill(f"docker/{accelerator.name}", {})["requirements.txt"]
    head, others = re.split(rb"(?m)^onnxruntime==(?:.|\n)*?(?=^[a-z])", requirements)
    return head + own + others


def _server() -> dict[str, bytes]:
    """The server's sources by path: its own two folders, and the files of `converters` that it imports."""
    root = Path(__file__).parents[2]
    found = [p for folder in FOLDERS for p in (root / folder).rglob("*") if p.is_file() and p.suffix != ".pyc"]
    known = [root / path for path in KNOWN]
    sources = {p.relative_to(root).as_posix(): p.read_bytes() for p in (*found, *known)}
    empty = dict.fromkeys(("__init__.py", "converters/__init__.py", "runtimes/__init__.py"), b"")
    return {f"{PACKAGE}/{path}": content for path, content in (sources | empty).items()}


def _values(package: Package) -> dict[str, Any]:
    title = names.one_line(f"{package.name} {package.version}")
    graph = 4 * -(-package.model.size // 2**20)
    on = package.accelerator
    described = f"{title}, which answers the Open Inference Protocol on port {PORT}"
    return {
        "title": title,
        "markdown_title": re.sub(r"([`*_<>\[\]#|\\])", r"\\\1", title),
        "code_name": "`" + names.one_line(package.name).replace("`", " ") + "`",
        "url_name": quote(package.name, safe=""),
        "first_case": min(package.golden, default="case-000.").split(".")[0],
        "image": names.image_name(package.name, package.version),
        "label": names.dns_label(package.name),
        "label_value": names.label_value(package.version),
        "label_title": names.quoted(package.name),
        "label_version": names.quoted(package.version),
        "label_description": names.quoted(described),
        "health": json.dumps(HEALTH),
        "health_test": json.dumps(["CMD", *HEALTH]),
        "mebibytes": MEMORY + graph + (GPU_MEMORY if on else 0),
        "graph_mebibytes": graph,
        "port": PORT,
        "beside": [f"model/{path}" for path in package.beside],
        "refers": package.refers,
        "user": USER,
        "accelerator": on,
        "variables": _variables(on) if on else {},
    }


def _variables(accelerator: Accelerator) -> dict[str, str]:
    """Where the loader finds the provider's libraries, and what the server and the container's runtime read."""
    options = ",".join(f"{name}={value}" for name, value in sorted(accelerator.options.items()))
    return {
        "LD_LIBRARY_PATH": ":".join(f"/app/nvidia/{name}/lib" for name in ("cu13", "cudnn")),
        "MLPACK_PROVIDER": f"{accelerator.title}:{options}" if options else accelerator.title,
        **dict(sorted(accelerator.variables.items())),
    }


def homes(package: Package) -> tuple[str, ...]:
    """The graph's path in Triton's repository; the image copies it from the bundle's folder."""
    return () if repository(package) is None else (f"triton/{names.folder_name(package.name)}/1",)


def steps(project: Path, work: Path) -> tuple[Step, ...]:
    """Starts the folder's own sources with this Python, isolated, and replays the golden cases against them."""
    absent = [
        name for name in _named(project / "requirements.txt") or PACKAGES if find_spec(MODULES.get(name, name)) is None
    ]
    tool = f"the package {absent[0]}" if absent else sys.executable
    command = ("-I", "-B", str(project.absolute() / "replay.py"), "--start")
    install = f"pip install {absent[0]}" if set(absent) - set(PACKAGES) else INSTALL
    return (Step(tool, command, install, {"ORT_DISABLE_TELEMETRY": "1"}),)


def _named(requirements: Path) -> tuple[str, ...]:
    """The packages that a project's own server needs: an earlier mlpack's may need others than today's."""
    lines = requirements.read_text("utf-8").splitlines() if requirements.is_file() else []
    return tuple(line.partition("==")[0].replace("-", "_") for line in lines if "==" in line and line[0].isalpha())


TITLE = "Container (Docker, Kubernetes, KServe, Seldon, Triton)"
RUNTIME = Runtime(
    "docker",
    TITLE,
    render,
    steps,
    homes,
    context=True,
    image="docker",
    accelerators=("cuda",),
    opens_engines=True,
)
