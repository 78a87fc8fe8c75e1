"""A builder of ONNX graphs: values with a type, deterministic names, each constant written once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..spec import Dim, TensorSpec, Unsupported
from .serial import serialise, tensor_of

if TYPE_CHECKING:
    import numpy as np
    import onnx

OPSET = 21
ML_OPSET = 5
IR_VERSION = 10
SINGLE_OUTPUTS = "float32_outputs"
"""The entry of a graph's metadata that lists its outputs of float64 which are known to float32 only."""


@dataclass(frozen=True)
class Value:
    """One tensor in a graph, `[N, width]`, or `[N]` where `width` is 0.

    `name`: in the graph. `dtype`: as in `TensorSpec`. `column`: the data frame column that it came from, if it did.
    `missing`: in text, what stands for a missing cell. `cells`: of a column of the example, what it holds there.
    `none`: the original's own missing cell is None, not NaN. `unit`: of a column of dates, pandas' unit and time zone.
    `held`: where the original has a sparse matrix, `bool [N, width]`: the cells that it holds; empty: those that are
    not 0; None: a plain matrix.
    """

    name: str
    dtype: str
    width: int = 1
    column: str = ""
    missing: str | None = None
    cells: Any = field(default=None, compare=False, repr=False)
    none: bool = False
    held: str | None = None
    unit: str = ""


Frame = tuple[Value, ...]
"""What flows between steps: side by side, the columns of a data frame or blocks of a matrix."""


@dataclass(frozen=True)
class Sparse:
    """Names of values: `rows`, `columns` and `values` `[K]`, without duplicates; `height` `[1]`, the number of rows.

    The first row is a dummy, so that there always is one with a value; it is removed from results.
    """

    rows: str
    columns: str
    values: str
    height: str
    width: int


class GraphBuilder:
    """A graph under construction. `real`: the type of its numbers, `float32` or `float64`.

    `sparse`: values that are known by their few numbers too. `refused`: values that no output may hang on, and why.
    `single`: values of float64 that a part of the original computes in float32.
    """

    def __init__(self, real: str) -> None:
        self.real = real
        self.domains: dict[str, int] = {"": OPSET}
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._initializers: dict[str, np.ndarray[Any, Any] | onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._taken: set[str] = set()
        self.sparse: dict[str, Sparse] = {}
        self.refused: dict[str, str] = {}
        self.single: set[str] = set()

    def reserve(self, names: Iterable[str]) -> None:
        """Keeps the names of outputs for them: no value inside has one."""
        self._taken.update(names)

    def fresh(self, stem: str) -> str:
        """A name that is not taken yet."""
        name, n = stem, 0
        while name in self._taken:
            n += 1
            name = f"{stem}_{n}"
        self._taken.add(name)
        return name

    def op(self, kind: str, *inputs: str, domain: str = "", stem: str = "", **attributes: Any) -> str:
        """The output of a new node; an input of `""` is left out."""
        return self.ops(kind, inputs, 1, domain=domain, stem=stem, **attributes)[0]

    def ops(
        self,
        kind: str,
        inputs: Sequence[str],
        outputs: int,
        domain: str = "",
        stem: str = "",
        **attributes: Any,
    ) -> tuple[str, ...]:
        """The outputs of a new node that has several."""
        from onnx import helper

        names = tuple(self.fresh(stem or kind.lower()) for _ in range(outputs))
        node = helper.make_node(kind, list(inputs), list(names), name=names[0], domain=domain, **attributes)
        self.domains.setdefault(domain, ML_OPSET if domain == "ai.onnx.ml" else 1)
        self._nodes.append(node)
        return names

    def ml(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """The output of a new node of the domain `ai.onnx.ml`."""
        return self.op(kind, *inputs, domain="ai.onnx.ml", **attributes)

    def const(self, value: Any, dtype: str = "") -> str:
        """An initializer that holds `value`: an array, or anything that numpy makes one of; text as an object array.

        `dtype` defaults to the value's own, `real` for floats.
        """
        import numpy as np

        array = np.asarray(value)
        if dtype == "string" or array.dtype.kind in "OUS":
            return self._text(array)
        kind = dtype or (self.real if array.dtype.kind == "f" else array.dtype.name)
        return self._number(np.ascontiguousarray(array.astype(kind)).reshape(array.shape))

    def _number(self, array: np.ndarray[Any, Any]) -> str:
        key = (array.dtype.name, array.shape, hashlib.sha256(array.data).digest())
        if key not in self._constants:
            self._constants[key] = self.fresh("c")
            self._initializers[self._constants[key]] = array
        return self._constants[key]

    def _text(self, array: np.ndarray[Any, Any]) -> str:
        from onnx import TensorProto

        cells = [str(cell).encode() for cell in array.ravel()]
        key = ("string", array.shape, repr(cells).encode())
        if key not in self._constants:
            self._constants[key] = self.fresh("c")
            # not helper.make_tensor, which drops a NUL at the end of a text
            kind = TensorProto.STRING
            tensor = TensorProto(name=self._constants[key], data_type=kind, dims=array.shape, string_data=cells)
            self._initializers[tensor.name] = tensor
        return self._constants[key]

    def input(self, spec: TensorSpec) -> Value:
        """A new graph input, `[N, width]`."""
        name, held = spec.in_graph, "" if spec.sparse else None
        self._inputs.append(_value_info(name, spec.dtype, spec.shape))
        self._taken.add(name)
        return Value(name, spec.dtype, spec.width, column=spec.name, missing=spec.missing, held=held)

    def output(self, name: str, value: str, dtype: str, shape: tuple[Dim, ...]) -> None:
        """A new graph output that carries `value`."""
        from onnx import helper

        self._taken.add(name)
        self._nodes.append(helper.make_node("Identity", [value], [name], name=name))
        self._outputs.append(_value_info(name, dtype, shape))

    def cast(self, value: Value, dtype: str) -> Value:
        """The value in another type (itself where it has that type)."""
        if value.dtype == dtype:
            return value
        if "string" in (value.dtype, dtype):
            raise Unsupported(f"column {value.column or value.name!r} is {value.dtype}, a step needs {dtype}")
        return replace(value, name=self.op("Cast", value.name, to=_onnx_type(dtype)), dtype=dtype)

    def matrix(self, frame: Frame, dtype: str = "") -> Value:
        """The frame as one `[N, width]` tensor of numbers, of the graph's own type unless `dtype` says otherwise."""
        parts = [self.cast(value, dtype or self.real) for value in frame]
        if len(parts) == 1:
            return parts[0]
        name = self.op("Concat", *(p.name for p in parts), axis=1)
        return Value(name, dtype or self.real, sum(p.width for p in parts), held=self._held_side_by_side(frame))

    def _held_side_by_side(self, frame: Frame) -> str | None:
        """The cells that a sparse matrix of these parts holds; of a plain part those that are not 0."""
        if all(value.held is None for value in frame):
            return None
        if not any(value.held for value in frame):
            return ""
        return self.op("Concat", *(self.held(value) for value in frame), axis=1)

    def held(self, value: Value) -> str:
        """The cells that the original's sparse matrix holds, `bool [N, width]`."""
        return value.held or self.op("Not", self.op("Equal", value.name, self.const(0.0, value.dtype)))

    def block(self, name: str, width: int) -> Value:
        """A value of the graph's own type, `[N, width]`, as a part of a frame."""
        return Value(name, self.real, width)

    def columns(self, frame: Frame) -> Frame:
        """The frame with every block split into single columns."""
        return tuple(column for value in frame for column in self._split(value))

    def _split(self, value: Value) -> Frame:
        if value.width == 1:
            return (value,)
        return tuple(self._take(value, [i]) for i in range(value.width))

    def select(self, frame: Frame, positions: Sequence[int]) -> Frame:
        """The columns at `positions`, in that order; neighbours of one block stay together."""
        if list(positions) == list(range(sum(v.width for v in frame))):
            return frame
        owner = [(block, i) for block, value in enumerate(frame) for i in range(value.width)]
        runs: list[tuple[int, list[int]]] = []
        for position in positions:
            block, i = owner[position]
            if runs and runs[-1][0] == block and frame[block].width > 1:
                runs[-1][1].append(i)
            else:
                runs.append((block, [i]))
        return tuple(self._take(frame[block], within) for block, within in runs)

    def _take(self, value: Value, positions: list[int]) -> Value:
        if positions == list(range(value.width)):
            return value
        chosen = self.const(positions, "int64")
        name = self.op("Gather", value.name, chosen, axis=1)
        held = self.op("Gather", value.held, chosen, axis=1) if value.held else value.held
        return replace(value, name=name, width=len(positions), held=held)

    def add_node(self, node: onnx.NodeProto) -> None:
        """Takes a node that is made already; its outputs bear names from `fresh`."""
        self.domains.setdefault(node.domain, ML_OPSET if node.domain == "ai.onnx.ml" else 1)
        self._nodes.append(node)

    def add_initializer(self, tensor: onnx.TensorProto) -> None:
        """Takes a constant that is made already, under a name from `fresh`."""
        self._initializers[tensor.name] = tensor

    def _living(self) -> tuple[list[onnx.NodeProto], set[str]]:
        """The nodes that an output depends on, and all names that they read."""
        read = {output.name for output in self._outputs}
        kept = []
        for node in reversed(self._nodes):
            if not read.isdisjoint(node.output):
                kept.append(node)
                read |= _reads(node)
        return kept[::-1], read

    def _single_outputs(self, nodes: Sequence[onnx.NodeProto]) -> list[str]:
        """The outputs of float64 that hang on a number which the original computes in float32."""
        reached = set(self.single)
        for node in nodes:
            if not reached.isdisjoint(_reads(node)):
                reached.update(node.output)
        double = _onnx_type("float64")
        return [o.name for o in self._outputs if o.name in reached and o.type.tensor_type.elem_type == double]

    def write(self, path: Path) -> None:
        """Writes the checked model; what no output hangs on is left out, inputs too.

        Large constants go into a file beside it (see `_serial.py`).
        """
        nodes, read = self._living()
        for name in sorted(read & set(self.refused)):
            raise Unsupported(self.refused[name])
        inputs = [i for i in self._inputs if i.name in read]
        constants = {name: constant for name, constant in self._initializers.items() if name in read}
        serialise(path, constants, lambda tensors: self._assembled(nodes, inputs, tensors))

    def tensors(self) -> list[onnx.TensorProto]:
        """The constants, for the body of a loop or a branch."""
        return [tensor_of(name, constant) for name, constant in self._initializers.items()]

    def _assembled(self, nodes: Sequence[onnx.NodeProto], inputs: Sequence[Any], tensors: Sequence[Any]) -> Any:
        from onnx import helper

        graph = helper.make_graph(nodes, "model", inputs, self._outputs, tensors)
        opsets = [helper.make_opsetid(d, v) for d, v in sorted(self.domains.items())]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="mlpack")
        single = self._single_outputs(nodes)
        if single:
            model.metadata_props.add(key=SINGLE_OUTPUTS, value=json.dumps(single))
        return model


def _reads(node: onnx.NodeProto) -> set[str]:
    """The names that a node reads, those of the graphs inside it included."""
    names = set(node.input)
    for attribute in node.attribute:
        for body in (attribute.g, *attribute.graphs):
            names.update(*map(_reads, body.node), (output.name for output in body.output))
    return names


def _onnx_type(dtype: str) -> int:
    from onnx import TensorProto

    names = {"string": "STRING", "float32": "FLOAT", "float64": "DOUBLE"}
    return int(TensorProto.DataType.Value(names.get(dtype, dtype.upper())))


def _value_info(name: str, dtype: str, shape: tuple[Dim, ...]) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, _onnx_type(dtype), list(shape))
