"""The interface of a runtime: a language or target that can load a bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.graph_file import LARGE
from mlpack_toolkit.converters.needs import Need
from mlpack_toolkit.converters.spec import Signature


@dataclass(frozen=True)
class Accelerator:
    """The execution provider that a project answers on, or not at all. `name`: mlpack's; `title`: ONNX Runtime's;
    `options`: those that every session gets; `variables`: for the container's runtime.

    `plan`: an engine of TensorRT that Triton opens in the graph's place, made for at most `most_rows` rows; None:
    Triton opens the graph.
    """

    name: str
    title: str
    options: Mapping[str, str]
    variables: Mapping[str, str] = field(default_factory=dict)
    plan: Path | None = None
    most_rows: int = 0


@dataclass(frozen=True)
class Package:
    """The input of a runtime's `render`.

    `model`: the graph. `golden`: file name to bytes, `case-000.request.json`, `case-000.response.json`, …
    `accelerator`: the provider of a project that does not answer on the CPU.
    """

    name: str
    version: str
    signature: Signature
    model: Artifact
    golden: Mapping[str, bytes]
    accelerator: Accelerator | None = None

    @property
    def refers(self) -> bool:
        """Whether the project refers to the graph's files, because they are large, instead of containing them.

        They are then in the project's own folder `model/` (`mlpack export`), else in the bundle, two above it.
        """
        return self.model.size > LARGE

    @property
    def beside(self) -> tuple[str, ...]:
        """The graph's external data, by path relative to the graph."""
        return tuple(file.path for file in self.model.files if file.path != self.model.main)


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

    `steps(project, work)`: commands to run in the folder `project`; they write below `work`.
    `homes(package)`: the folders for the graph, as `model.onnx`, and its data in a project that stands alone.
    `context`: the project is built from the bundle's folder: it stands alone with the files of an image beside it.
    `image`: the kind of container image that is built from its project; `program(project, work)`: the commands that
    compile that image's server to `work/server`, where it has one.
    `needs`: the tools that its project is built with. `accelerators`: the providers, by mlpack's names, that a project
    can answer on besides the CPU's. `opens_engines`: it has a model server that opens engines of TensorRT.
    """

    name: str
    title: str
    render: Callable[[Package], dict[str, bytes]]
    steps: Callable[[Path, Path], tuple[Step, ...]]
    homes: Callable[[Package], tuple[str, ...]] = field(default=lambda package: ("model",))
    context: bool = False
    image: str = ""
    program: Callable[[Path, Path], tuple[Step, ...]] | None = None
    needs: tuple[Need, ...] = ()
    accelerators: tuple[str, ...] = ()
    opens_engines: bool = False
