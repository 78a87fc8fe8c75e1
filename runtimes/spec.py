"""What a runtime is: a language or target that can load a bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlpack_toolkit.converters.spec import Need, Signature


@dataclass(frozen=True)
class Package:
    """What a runtime writes its project from.

    `golden`: file name to bytes, `case-000.request.json`, `case-000.response.json`, …
    """

    name: str
    version: str
    signature: Signature
    model: bytes
    golden: Mapping[str, bytes]


@dataclass(frozen=True)
class Step:
    """One command that builds or tests a project; `tool` is looked up on PATH, `install` says how to get it."""

    tool: str
    arguments: tuple[str, ...]
    install: str
    environment: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Runtime:
    """A target: `render` gives its files by relative path, `steps` builds them and replays the golden cases.

    `steps(project, work)`: commands to run in the folder `project`; what they build goes below `work`.
    `image`: the kind of container image that its project becomes; `program(project, work)`: the commands that build
    the server of that image, which then lies at `work/server`, where it must be compiled.
    `needs`: the tools that its project is built with.
    """

    name: str
    title: str
    render: Callable[[Package], dict[str, bytes]]
    steps: Callable[[Path, Path], tuple[Step, ...]]
    image: str = ""
    program: Callable[[Path, Path], tuple[Step, ...]] | None = None
    needs: tuple[Need, ...] = ()
