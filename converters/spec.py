"""The words that everybody uses: what a model takes and gives, and what it says of itself.

Standard library only, Python 3.9 and later: this file runs in the model's own interpreter too.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Union

if TYPE_CHECKING:
    import numpy as np

Scalar = Union[str, int, float, bool]
Dim = Union[str, int]
Table = dict[str, "np.ndarray[Any, Any]"]
"""Columns by name. Numbers are arrays `[n]` (or `[n, width]` for a matrix); text is an object array of
`str`, with `None` for a missing cell."""
Axes = Mapping[str, Union[int, None]]
"""By the name of a tensor, the axis along which a batch grows; None: it has no such axis."""

FLOATS = ("float32", "float64")
BFLOAT16 = "bfloat16"
REALS = ("float16", BFLOAT16, *FLOATS)
"""All types with fractions; columns of a table have the wider two only."""
ALWAYS, TIES, NEVER = "always", "ties", "never"
"""Where answers may depend on the processor: everywhere, in labels among equal scores, nowhere."""
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
ONNX_RUNTIME_FLOOR = (1, 28)
"""The oldest ONNX Runtime that mlpack ships to: pip's, the Java project's, and the least that the C++ code loads."""
COLUMN, MATRIX, TENSOR = KINDS = ("column", "matrix", "tensor")
BATCH = "N"
"""The name of the dimension along which a batch grows."""
SUM = " + "
"""Between the names of dimensions in the name of one whose size is their sum: `past + new`."""
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
class Cells:
    """What the cells of a table are to the original model, in one column of it or in all columns of a matrix.

    `kind`: `column`: one column of a table, `[n]` there; `matrix`: all columns side by side, `[n, width]`; `tensor`: of
    a graph as it came; empty: of an output, or of a column of a matrix.
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
    `sparse`: the original takes these numbers in a sparse matrix, and a 0 is a cell that this matrix leaves out.
    `absent`: such a cell is another thing to the original than a 0 that the matrix stores.
    """

    nullable: bool = False
    missing: str | None = None
    limit: float | None = None
    least: float | None = None
    most: float | None = None
    values: tuple[Scalar, ...] | None = None
    columns: tuple[str, ...] = ()
    frame_dtype: str = ""
    features: tuple[TensorSpec, ...] = ()
    sparse: bool = False
    absent: bool = False
    kind: str = COLUMN

    def to_json(self) -> dict[str, Any]:
        """The fields of this, those at their default left out; `kind` is at its default where it is empty."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        plain["features"] = [t.to_json() for t in self.features]
        default = {f.name: f.default for f in fields(self)} | {"kind": ""}
        keep = {k: v for k, v in plain.items() if v != default[k] and v != []}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in keep.items()}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Cells | None:
        """The cells among the fields of a tensor; None where there are none."""
        known = {f.name for f in fields(cls)}
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in plain.items() if k in known}
        features = tuple(TensorSpec.from_json(t).with_cells() for t in plain.get("features", ()))
        return cls(**{"kind": "", **values, "features": features}) if values else None


_NO_CELLS = Cells(kind="")
_T = TypeVar("_T")


class _OfCells(Generic[_T]):
    """A field of a tensor's cells, at its default where it has none."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, spec: TensorSpec, owner: type) -> _T:
        found: _T = getattr(spec.cells or _NO_CELLS, self._name)
        return found


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a graph: its name, element type and dimensions.

    `shape`: a number, or the name of a symbolic dimension (`"N"` is the batch); empty for a single number.
    `cells`: what a table's cells are there; None: a tensor of a graph as it came takes all that its type holds.
    `graph_name`: what the graph calls an input, where that is not `name`: there inputs and outputs share one namespace.
    `image`: `rgb` or `bgr`, the order of the channels of an input that is an image (see `image`); empty: it is none.
    """

    name: str
    dtype: str
    shape: tuple[Dim, ...]
    cells: Cells | None = None
    graph_name: str = ""
    image: str = ""

    def with_cells(self, **changes: Any) -> TensorSpec:
        """The tensor with other fields of its cells."""
        return replace(self, cells=replace(self.cells or _NO_CELLS, **changes))

    def flat(self) -> dict[str, Any]:
        """Its fields and those of its cells by name."""
        return {**vars(self.cells or _NO_CELLS), **vars(self)}

    @property
    def nullable(self) -> bool:
        """Whether a missing cell is accepted; a tensor of floats without rules takes NaN."""
        return self.cells.nullable if self.cells else "float" in self.dtype

    missing = _OfCells["str | None"]()
    limit = _OfCells["float | None"]()
    least = _OfCells["float | None"]()
    most = _OfCells["float | None"]()
    values = _OfCells["tuple[Scalar, ...] | None"]()
    columns = _OfCells["tuple[str, ...]"]()
    frame_dtype = _OfCells[str]()
    features = _OfCells["tuple[TensorSpec, ...]"]()
    sparse = _OfCells[bool]()
    absent = _OfCells[bool]()
    kind = _OfCells[str]()

    @property
    def in_graph(self) -> str:
        """The name of the graph's own tensor."""
        return self.graph_name or self.name

    @property
    def in_numpy(self) -> str:
        """The name of numpy's type that holds the elements: float32 for bfloat16, which numpy lacks."""
        return {BFLOAT16: "float32", "string": "object"}.get(self.dtype, self.dtype)

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

    def as_written(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The array in the rank of the graph: `[n, 1]` for a column of a table."""
        return values.reshape(-1, 1) if values.ndim == 1 and len(self.shape) == 2 else values

    @property
    def batch_axis(self) -> int | None:
        """The axis along which a batch grows; None: the tensor is the same for all rows of a batch."""
        return self.shape.index(BATCH) if self.shape.count(BATCH) == 1 else None

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
        """The JSON object of this tensor, with the fields of its cells among its own."""
        cells = self.cells.to_json() if self.cells else {}
        named = {key: value for key in ("graph_name", "image") if (value := getattr(self, key))}
        return {"name": self.name, "dtype": self.dtype, "shape": list(self.shape), **cells, **named}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> TensorSpec:
        """The tensor that `to_json` wrote."""
        named = {key: plain[key] for key in ("graph_name", "image") if key in plain}
        return cls(plain["name"], plain["dtype"], tuple(plain["shape"]), Cells.from_json(plain), **named)


@dataclass(frozen=True)
class Range:
    """The sizes of a free dimension that a model takes: `least` to `most`, both included; None: any."""

    name: str
    least: int = 0
    most: int | None = None

    def __contains__(self, size: int) -> bool:
        return self.least <= size <= self.largest

    @property
    def largest(self) -> int:
        """The largest size, also of a range without an end."""
        return sys.maxsize if self.most is None else self.most

    def to_json(self) -> dict[str, Any]:
        """The JSON object of this range."""
        return {"name": self.name, "least": self.least, **({} if self.most is None else {"most": self.most})}


@dataclass(frozen=True)
class Signature:
    """What a model takes and gives.

    `task`: `classifier`, `regressor`, `transformer`, `clusterer`, `outlier`, `density` (it scores rows and answers no
    label) or `graph` (tensors in, tensors out: an ONNX file as it came, a module of PyTorch).
    `classes`: the labels in the order of the columns of `probabilities`; none where a row has several labels.
    `ranges`: of the free dimensions that do not take every size.
    """

    task: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    classes: tuple[Scalar, ...] = ()
    ranges: tuple[Range, ...] = ()

    @property
    def batch_axes(self) -> Axes:
        """The batch axis of each tensor, or None; where an input and an output share a name, they share it too."""
        return {t.name: t.batch_axis for t in (*self.inputs, *self.outputs)}

    @property
    def has_rows(self) -> bool:
        """Whether a batch may be cut into rows: some input grows along a batch axis, and every output does."""
        grows = any(t.batch_axis is not None for t in self.inputs)
        return grows and all(t.batch_axis is not None for t in self.outputs)

    @property
    def batch_sizes(self) -> Range:
        """How many rows a batch may have."""
        return next((each for each in self.ranges if each.name == BATCH), Range(BATCH))

    @property
    def takes_tensors(self) -> bool:
        """Whether the inputs are tensors of a graph as it came, not columns of a table."""
        return not any(t.kind in (COLUMN, MATRIX) for t in self.inputs)

    def to_json(self) -> dict[str, Any]:
        """The JSON object of this signature."""
        return {
            "task": self.task,
            "inputs": [t.to_json() for t in self.inputs],
            "outputs": [t.to_json() for t in self.outputs],
            "classes": list(self.classes),
            **({"ranges": [each.to_json() for each in self.ranges]} if self.ranges else {}),
        }

    def in_precision(self, real: str) -> Signature:
        """The signature with every float tensor in the type `real`; an ONNX file and labels keep their own types."""
        if self.takes_tensors:
            return self
        inputs = tuple(_in_precision(t, real) for t in self.inputs)
        outputs = tuple(t if t.name == "label" else _in_precision(t, real) for t in self.outputs)
        return replace(self, inputs=inputs, outputs=outputs)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Signature:
        """The signature that `to_json` wrote."""
        inputs = tuple(TensorSpec.from_json(t) for t in plain["inputs"])
        return cls(
            plain["task"],
            tuple(_bare(t) for t in inputs)
            if plain["task"] == "graph"
            else tuple(_with_kind(t, inputs) for t in inputs),
            tuple(TensorSpec.from_json(t) for t in plain["outputs"]),
            tuple(plain["classes"]),
            tuple(Range(each["name"], each["least"], each.get("most")) for each in plain.get("ranges", ())),
        )


def _bare(spec: TensorSpec) -> TensorSpec:
    """The input of a graph as it came, of which bundles of mlpack 0.1 say that it takes NaN, as all floats do."""
    return replace(spec, cells=None) if spec.cells == replace(_NO_CELLS, nullable=spec.nullable) else spec


def _with_kind(spec: TensorSpec, inputs: tuple[TensorSpec, ...]) -> TensorSpec:
    """The input with its kind, which bundles of mlpack 0.1 do not say: the only input called `X` is a matrix there."""
    old = MATRIX if len(inputs) == 1 and spec.name == "X" else COLUMN
    return spec if spec.kind else spec.with_cells(kind=old)


def _in_precision(tensor: TensorSpec, real: str) -> TensorSpec:
    found = replace(tensor, dtype=real if tensor.is_float else tensor.dtype)
    features = tuple(_in_precision(f, real) for f in tensor.features)
    return found.with_cells(features=features) if features else found


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
    type; empty for all other frameworks. `outputs`: its outputs' shapes, where it declares them. `types`: the element
    types of its outputs that numpy lacks. `example`: the columns of the example under the names of the inputs, where it
    is at hand. `columnar`: the original is asked with the columns as they are. `sparse`: it is asked with a sparse
    matrix, which leaves out what is 0; `absent`: and it tells such a cell from a stored 0. `tensors`: it is asked with
    tensors by name, whose `inputs` only an example shows. `ranges`: of free dimensions, as the user promises them.
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
    types: Mapping[str, str] = field(default_factory=dict)
    targets: tuple[tuple[Scalar, ...], ...] = ()
    columnar: bool = False
    sparse: bool = False
    absent: bool = False
    tensors: bool = False
    ranges: tuple[Range, ...] = ()
    example: Table | None = field(default=None, compare=False, repr=False)
