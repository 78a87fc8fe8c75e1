"""The words that everybody uses: what a model takes and gives, and what it says of itself.

Standard library only, Python 3.9 and later: this file runs in the model's own interpreter too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    import numpy as np

Scalar = Union[str, int, float, bool]
Dim = Union[str, int]
Table = dict[str, "np.ndarray[Any, Any]"]
"""Columns by name. Numbers are arrays `[n]` (or `[n, width]` for a matrix); text is an object array of
`str`, with `None` for a missing cell."""

FLOATS = ("float32", "float64")
ALWAYS, TIES, NEVER = "always", "ties", "never"
"""Where answers may hang on the processor: everywhere, in labels among equal scores, nowhere."""
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
ONNX_RUNTIME_FLOOR = (1, 28)
"""The oldest ONNX Runtime that mlpack ships to: pip's, the Java project's, and the least that the C++ code loads."""
COLUMN, MATRIX = "column", "matrix"
NOT_A_TIME = -(2**63)
"""The whole number that stands for a missing date."""
FIRST_TIME = NOT_A_TIME + 1024
"""The least date of a column that takes no missing one: a double holds it too, as rules are kept in some languages."""
TRUTHS = ("boolean", "bool object", "bool category")
MOST_LEVELS = 1000
"""Most levels of a column that is an enum in typed languages."""


class Unsupported(Exception):
    """There is no converter for this model, or none that is faithful; the message names the reason."""


class Unreadable(Exception):
    """The model file cannot be read; the message says why and what to do."""


class MissingTool(Exception):
    """A program that the model needs is not here; the message says which, and how to get it."""


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a graph, and what the original model accepts in it.

    `shape`: a number, or the name of a symbolic dimension (`"N"` is the batch).
    `nullable`: a missing cell is accepted (NaN in a float column, `missing` in a text column).
    `missing`: the text that stands for a missing cell in a text column.
    `limit`: largest magnitude that is accepted (infinity and beyond are refused); None: no limit.
    `least`, `most`: smallest and largest number that is accepted, both inclusive; None: no such bound.
    `values`: the closed set of values that are accepted; None: any.
    `columns`: names of the columns of a matrix: features of an input, classes of `probabilities`.
    `frame_dtype`: the pandas dtype that the original wants for this column, where it matters; `factor`: R's factor,
    whose levels are a type of their own in typed languages; `boolean`, `bool object` and `bool category`: true, false
    and missing cells.
    `features`: rules per column of a matrix input, in order; empty for a single column.
    `kind`: `column`: one column of a table, `[n]` there; `matrix`: all columns side by side, `[n, width]`; empty: a
    tensor of a graph as it came, in its own rank.
    `graph_name`: what the graph calls an input, where that is not `name`: there inputs and outputs share one namespace.
    `sparse`: the original takes these numbers in a sparse matrix, and a 0 is a cell that this matrix leaves out.
    `absent`: such a cell is another thing to the original than a 0 that the matrix stores.
    """

    name: str
    dtype: str
    shape: tuple[Dim, ...]
    nullable: bool = False
    missing: str | None = None
    limit: float | None = None
    least: float | None = None
    most: float | None = None
    values: tuple[Scalar, ...] | None = None
    columns: tuple[str, ...] = ()
    frame_dtype: str = ""
    features: tuple[TensorSpec, ...] = ()
    kind: str = ""
    graph_name: str = ""
    sparse: bool = False
    absent: bool = False

    @property
    def in_graph(self) -> str:
        """The name of the graph's own tensor."""
        return self.graph_name or self.name

    @property
    def width(self) -> int:
        """Columns per row: 1 for `[N]` and `[N, 1]`; 0 for a tensor whose rows are not so many cells side by side."""
        if len(self.shape) == 2 and isinstance(self.shape[1], int):
            return self.shape[1]
        return int(len(self.shape) == 1)

    def as_read(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The array in the rank that it has in a table: `[n]` for a column, also where it came as `[n, 1]`."""
        flat = self.kind == COLUMN or len(self.shape) == 1
        return values.reshape(-1) if flat and values.ndim == 2 and values.shape[1] == 1 else values

    @property
    def is_text(self) -> bool:
        return self.dtype == "string"

    @property
    def is_float(self) -> bool:
        return self.dtype in FLOATS

    @property
    def is_truth(self) -> bool:
        """Whether its numbers are true (1), false (0) and missing (NaN)."""
        return self.is_float and self.frame_dtype in TRUTHS

    @property
    def is_date(self) -> bool:
        """Whether its whole numbers are dates, counted from 1970."""
        return self.frame_dtype.startswith("datetime64[")

    @property
    def is_enum(self) -> bool:
        """Whether its levels are few and fixed, a type of their own in typed languages; `values` are the levels."""
        known = self.is_text and self.frame_dtype == "factor" and self.values is not None
        return known and self.width == 1 and 0 < len(self.values or ()) <= MOST_LEVELS

    def to_json(self) -> dict[str, Any]:
        """The JSON object of this tensor; fields at their default are left out."""
        plain = {**asdict(self), "features": [f.to_json() for f in self.features]}
        default = {f.name: f.default for f in fields(self)}
        keep = {k: v for k, v in plain.items() if v != default[k] and v != []}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in keep.items()}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> TensorSpec:
        """The tensor that `to_json` wrote."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in plain.items()}
        values["features"] = tuple(cls.from_json(f) for f in plain.get("features", ()))
        return cls(**values)


@dataclass(frozen=True)
class Signature:
    """What a model takes and gives.

    `task`: `classifier`, `regressor`, `transformer`, `clusterer`, `outlier`, `density` (it scores rows and answers no
    label) or `graph` (an ONNX file as it came).
    `classes`: the labels in the order of the columns of `probabilities`; none where a row has several labels.
    """

    task: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    classes: tuple[Scalar, ...] = ()

    @property
    def fixed_rows(self) -> int | None:
        """How many rows a batch must have; None: any number (only an ONNX file as it came may be fixed)."""
        sizes = {t.shape[0] for t in self.inputs if t.shape and isinstance(t.shape[0], int)}
        return int(max(sizes)) if sizes else None

    def to_json(self) -> dict[str, Any]:
        """The JSON object of this signature."""
        return {
            "task": self.task,
            "inputs": [t.to_json() for t in self.inputs],
            "outputs": [t.to_json() for t in self.outputs],
            "classes": list(self.classes),
        }

    def in_precision(self, real: str) -> Signature:
        """The signature with every float tensor in the type `real`; an ONNX file keeps its own types."""
        if self.task == "graph":
            return self
        return replace(
            self,
            inputs=tuple(_in_precision(t, real) for t in self.inputs),
            outputs=tuple(_output_in_precision(t, real) for t in self.outputs),
        )

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Signature:
        """The signature that `to_json` wrote."""
        inputs = tuple(TensorSpec.from_json(t) for t in plain["inputs"])
        return cls(
            plain["task"],
            inputs if plain["task"] == "graph" else tuple(_with_kind(t, len(inputs)) for t in inputs),
            tuple(TensorSpec.from_json(t) for t in plain["outputs"]),
            tuple(plain["classes"]),
        )


def _with_kind(spec: TensorSpec, inputs: int) -> TensorSpec:
    """The input with its kind, which bundles of mlpack 0.1 do not say: the only input called `X` is a matrix there."""
    old = MATRIX if inputs == 1 and spec.name == "X" else COLUMN
    return spec if spec.kind else replace(spec, kind=old)


def _in_precision(tensor: TensorSpec, real: str) -> TensorSpec:
    features = tuple(_in_precision(f, real) for f in tensor.features)
    return replace(tensor, dtype=real if tensor.is_float else tensor.dtype, features=features)


def _output_in_precision(tensor: TensorSpec, real: str) -> TensorSpec:
    """Labels keep their type: they are classes, not computed."""
    return tensor if tensor.name == "label" else _in_precision(tensor, real)


@dataclass(frozen=True)
class Feature:
    """One column that the original was fitted on, as far as the fitted model knows it.

    `kind`: `number`, `integer` (an integer or boolean column), `text`, `category` (a pandas categorical) or `factor`
    (R's).
    `thresholds`: values at which the model's answer jumps, in the column's own units.
    `bounds`: numbers at which the model begins to refuse, from above or below.
    `values`: the categories that the model knows (text, numbers or booleans).
    `knows_empty`: the empty string means something of its own to the model.
    `missing`: what stands for a missing cell in a text column of the original's frame: `nan` or `none`.
    `dtype`: the type of the column, whatever the example's is; empty: the example's.
    """

    name: str
    kind: str = ""
    thresholds: tuple[float, ...] = ()
    values: tuple[Scalar, ...] = ()
    knows_empty: bool = False
    missing: str = "nan"
    bounds: tuple[float, ...] = ()
    dtype: str = ""


@dataclass(frozen=True)
class Description:
    """What a loaded model says of itself.

    `features`: one entry per column, in the model's order. `named`: the model was fitted on named columns, so the
    original is asked with a data frame; else with a matrix. `document`: the one input is a list of texts. `records`:
    the original is asked with the rows as dictionaries, a missing cell's key left out.
    `targets`: the classes of each target of a classifier of several, whose `classes` are empty.
    `notes`: facts worth a line in the report. `inputs`: the inputs of an ONNX file as it has them, of any rank and
    type; empty for all other frameworks. `outputs`: its outputs' shapes, where it declares them. `example`: the columns
    of the example under the names of the inputs, where it is at hand. `columnar`: the original is asked with the
    columns as they are. `sparse`: it is asked with a sparse matrix, which leaves out what is 0; `absent`: and it tells
    such a cell from a stored 0.
    """

    title: str
    task: str
    features: tuple[Feature, ...]
    named: bool
    classes: tuple[Scalar, ...] = ()
    document: bool = False
    records: bool = False
    notes: tuple[str, ...] = ()
    inputs: tuple[TensorSpec, ...] = ()
    outputs: Mapping[str, tuple[Dim, ...]] = field(default_factory=dict)
    targets: tuple[tuple[Scalar, ...], ...] = ()
    columnar: bool = False
    sparse: bool = False
    absent: bool = False
    example: Table | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Requirement:
    """A distribution of PyPI that a feature needs.

    `text`: as pip takes it, `scikit-learn>=1.3`. `extra`: the extra of mlpack that brings it; empty: mlpack itself.
    `purpose`: the feature, in words; empty: it goes without saying. `instead`: distributions with the same modules.
    """

    text: str
    extra: str = ""
    purpose: str = ""
    instead: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The distribution's name."""
        return re.split(r"[^A-Za-z0-9._-]", self.text, maxsplit=1)[0]


@dataclass(frozen=True)
class Tool:
    """A program that a feature needs, or a file of the system.

    `mend`: the command that brings it. `argument`: what makes the program print its version. `file`: the path of the
    file, in place of a program.
    """

    name: str
    purpose: str
    mend: str
    argument: str = "--version"
    file: str = ""


Need = Union[Requirement, Tool]
