"""The interface of a converter: everything that is particular to one framework, by role.

Each framework's file ends in `CONVERTER = Converter(...)`. Every callable imports the framework itself, so that
importing the file imports only the standard library: Python 3.9 and later.

Options reach all roles in the model: `Source.load` and `Source.prepare` take their values and return the `model` that
every other callable gets. A framework with options returns an object that contains them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from .needs import Need
from .spec import FLOATS, NEVER, Description, Signature, Table, TensorSpec, Unreadable

if TYPE_CHECKING:
    from ._steps.step import Step
    from ._worker.gathered import Gathered
    from ._worker.probes import Probe

ONNX = "onnx>=1.16"
"""The first with opset 21 and ai.onnx.ml 5."""
Given = Mapping[str, Any]
"""The values of a framework's options by key, without options that have neither a value nor a default."""
Options = Mapping[str, Given]
"""The values of options by framework."""
TEXT, NUMBER, FLAG, FILE, PROGRAM, PAIR = "text", "number", "flag", "file", "program", "pair"
FUNCTION = "function"
"""Kinds of options: any text; a number; true or false; an existing file; a program by its path or by its name on the
path; NAME=VALUE, whose value becomes a number if it can be read as one; MODULE:FUNCTION of the user's own code, which
is called."""
MODEL, MACHINE, BUILD = "model", "machine", "build"
"""Scopes of options: the model (the bundle keeps the value); this machine (the user gives the value again wherever the
original runs); this build only."""


@dataclass(frozen=True)
class Option:
    """An option of a framework: `-O FRAMEWORK.NAME=VALUE`, or a key of `[options.FRAMEWORK]` in mlpack.toml.

    `help`: a sentence. `kind`, `scope`: see above. `default`: the value where the user gives none. `repeatable`: may be
    given several times: the value is a list in order, or for pairs one object.
    `old_spelling`: an option of the command line that does the same, `--object`; its name without dashes is a key of
    `[build]` and a keyword of `build` in Python.
    `key`: the name of the value in `given` and in the bundle, where that is not `name`.
    `read(path)`: for a file, the value that replaces it: lists of texts by name. `check(value)`: raises `Unreadable`
    with a sentence.
    """

    name: str
    help: str
    kind: str = TEXT
    default: Any = None
    repeatable: bool = False
    scope: str = MODEL
    old_spelling: str = ""
    key: str = ""
    read: Callable[[Path], Mapping[str, Sequence[str]]] | None = None
    check: Callable[[Any], None] | None = None

    def __post_init__(self) -> None:
        if self.kind == FILE and self.scope == MODEL and self.read is None:
            raise ValueError(f"the option {self.name} is a file, which a bundle cannot keep: give a function `read`")

    @property
    def kept_as(self) -> str:
        """The name of the value in `given` and in the bundle."""
        return self.key or self.name


@dataclass(frozen=True)
class Saved:
    """The files that a model in memory became. `code`: folders with the sources of its classes."""

    model: Path
    example: Path
    code: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Source:
    """The objects and files that are models of the framework, and how to load them.

    `packages`: top packages of its classes in pickles (`sklearn`).
    `containers`: the kinds of files that it reads, by the names of their scanners (`packager/scan/containers`).
    `sniff(path, head)`: whether a file of such a kind is of this framework (`head`: its first 4 KiB); None: all are.
    `load(path, given)`: the model of such a file.
    `prepare(loaded, given)`: the model of an object from a pickle; None: the object itself.
    `start(given)`: starts the program that will load the model, before this process enters the sandbox, where it can
    start none; returns the facts of that program's sandbox (see `_sandbox`).
    `save(model, example, given, folder)`: files in the folder of a model and an example that a Python program holds.
    `dump(model, place)`: the file, with the suffix of its format, of an object that a Python program holds and that no
    pickle should; None: the object is none of those.
    `look(path)`: facts about a file, without loading it.
    `options`: the options of the framework. `is_flavour`: whether MLflow has a flavour of this name, whose model is one
    file.
    """

    packages: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    sniff: Callable[[Path, bytes], bool] | None = None
    load: Callable[[Path, Given], Any] | None = None
    prepare: Callable[[Any, Given], Any] | None = None
    start: Callable[[Given], dict[str, Any]] | None = None
    save: Callable[[Any, Any, Given, Path], Saved] | None = None
    dump: Callable[[Any, Path], Path | None] | None = None
    look: Callable[[Path], dict[str, Any]] | None = None
    options: tuple[Option, ...] = ()
    is_flavour: bool = True

    def given(self, values: Given) -> Given:
        """The values of the options: the user's own over the defaults."""
        defaults = {each.kept_as: each.default for each in self.options if each.default is not None}
        return {**defaults, **values}


def _never(model: Any) -> bool:
    return False


@dataclass(frozen=True)
class Original:
    """The user's own model: its description and its answers.

    `describe(model)`: see `Description`.
    `predict(model, x)`: its answers, arrays by output name; `x` is a data frame, a matrix, records or texts, as the
    description says.
    `quick(model, x)`: the cheapest call from which all outputs follow, for the clock; None: the model's own
    `predict_proba` where it has one, else `predict`.
    `clock(model, x)`: seconds of one answer by the original's own clock, for an original in another process.
    `environment(model)`: the original's environment, where that is not this interpreter's.
    `processor(model)`: whether answers may depend on the kernel of linear algebra, which the processor chooses:
    `ALWAYS`, `TIES` (only labels, among equal scores) or `NEVER`.
    `again(model, x)`: the same answers computed otherwise (in float64, on other threads), whose differences are the
    original's noise; None: it has none.
    `parts(model, x, found)`: adds the answers of the parts at the paths of `found` to it; None: it has no parts.
    `takes_sparse(model)`: whether an original with column names takes a sparse matrix; one without names is tried.
    """

    describe: Callable[[Any], Description]
    predict: Callable[[Any, Any], Table]
    quick: Callable[[Any, Any], object] | None = None
    clock: Callable[[Any, Any], float] | None = None
    environment: Callable[[Any], dict[str, Any]] | None = None
    processor: Callable[[Any], str] = field(default=lambda model: NEVER)
    again: Callable[[Any, Any], Iterable[Table]] | None = None
    parts: Callable[[Any, Table, Gathered], None] | None = None
    takes_sparse: Callable[[Any], bool] = _never


def column_probes(model: Any, description: Description, inputs: tuple[TensorSpec, ...], example: Table) -> list[Probe]:
    """The probes of a table: example rows, then rows in which each column takes the values worth trying."""
    from ._worker.probes import make_probes

    return make_probes(description, inputs, example)


def _no_images(model: Any, pixels: Any) -> Table:
    raise Unreadable("the example is a folder of images, and models of this framework take none")


@dataclass(frozen=True)
class Probing:
    """The inputs that are worth trying.

    `adapt(model, description)`: completes the description when it has the example.
    `batches(model, description, inputs, example)`: the probes, the example's own rows first.
    `named(model, table)`: the example's tensors under the names of the inputs, of a model that takes tensors.
    `read(path)`: the tensors by name of an example in the framework's own format, whose files end in `suffixes`; such a
    file is scanned before, and read in the model's process.
    `example(model)`: an example of a model that can make one, as its own folder says what goes in; None: no such model.
    `images(model, pixels)`: the tensors of images `[n, h, w, 3]`, of a model with an input that is an image.
    `takes_tensors`: whether every model of the framework does.
    """

    adapt: Callable[[Any, Description], Description] = field(default=lambda model, description: description)
    batches: Callable[[Any, Description, tuple[TensorSpec, ...], Table], list[Probe]] = column_probes
    named: Callable[[Any, Table], Table] = field(default=lambda model, table: table)
    suffixes: tuple[str, ...] = ()
    read: Callable[[Path], Table] | None = None
    example: Callable[[Any], Table] | None = None
    images: Callable[[Any, Any], Table] = field(default=_no_images)
    takes_tensors: bool = False


@dataclass(frozen=True)
class Export:
    """How a model becomes a graph.

    `convert(model, description, signature, real, out)`: writes the ONNX model to `out`, large constants beside it, its
    inputs and outputs as in the signature; `real` is the type of the numbers inside, `float32` or `float64`. Writes
    nothing where the model's own file is the graph. Raises `Unsupported`.
    `precisions(model)`: forms worth trying, the cheapest first.
    `packages`: what converting imports beside the model's own packages, as pip takes it.
    `step(fitted)`: the step of one object of the framework, so that a pipeline of any framework can hold it (see
    `_steps/step.py`); None: no such class. It gets no options: they belong to the pipeline's framework.
    """

    convert: Callable[[Any, Description, Signature, str, Path], None]
    precisions: Callable[[Any], tuple[str, ...]] = field(default=lambda model: FLOATS)
    step: Callable[[Any], Step | None] | None = None
    packages: tuple[str, ...] = (ONNX,)


@dataclass(frozen=True)
class Converter:
    """One framework, by role.

    `name`: the file's own name. `needs`: packages, with the extra that brings them, and tools.
    `language(model)`: of a model of text, `text`: its tokeniser and what that makes of awkward texts, and `generation`:
    how it continues texts, with sequences of its own; either empty (docs/transformers.md); None: no model has any.
    """

    name: str
    source: Source
    original: Original
    export: Export
    probing: Probing = Probing()
    needs: tuple[Need, ...] = ()
    language: Callable[[Any], Mapping[str, Any]] | None = None
