"""What `load` gives: a Keras model in inference mode, or one signature of a SavedModel, with the user's options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable

from ..spec import Table, TensorSpec, Unreadable, Unsupported


@dataclass(frozen=True)
class Declared:
    """An input as the model declares it. `shape`: sizes, None where free; None: the model declares no shape at all."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True)
class TensorflowModel:
    """A function from tensors by name to tensors by name.

    `ask`: the model itself; `inputs`: as declared, none where only an example shows them. `holder`: the object that
    keeps its variables and tables. `parameters`: their number. `floats`: the type of most of them.
    `doubled`: makes the same function in float64; None: it cannot be made.
    `kept`: what was made once: `function`, `float64`.
    """

    ask: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    inputs: tuple[Declared, ...]
    given: Mapping[str, Any]
    title: str
    holder: Any
    parameters: int
    floats: str = "float32"
    doubled: Callable[[], TensorflowModel | None] | None = None
    kept: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def answer(self, x: Table) -> Mapping[str, Any]:
        """What the model returns for the tensors, as tensors: traced, as `predict` has it and a SavedModel."""
        found: Mapping[str, Any] = self.function(tensors(x))
        return found

    @property
    def function(self) -> Any:
        """The model as a `tf.function`, for every size that it declares."""
        import tensorflow as tf

        if "function" not in self.kept:
            specs = {each.name: tf.TensorSpec(each.shape, each.dtype) for each in self.inputs}
            given = {"input_signature": [specs]} if specs else {"reduce_retracing": True}
            self.kept["function"] = tf.function(self.ask, **given)
        return self.kept["function"]

    def outputs(self, x: Table) -> Table:
        """The answer as arrays by output name."""
        return {name: array(name, value) for name, value in self.answer(x).items()}

    def in_float64(self) -> TensorflowModel | None:
        """The same model in float64, if it can be made."""
        if "float64" not in self.kept:
            self.kept["float64"] = None if self.doubled is None else self.doubled()
        found: TensorflowModel | None = self.kept["float64"]
        return found


def tensors(x: Table) -> dict[str, Any]:
    """The arrays as tensors; a missing text is the empty one, for TensorFlow has no other word for it."""
    import numpy as np
    import tensorflow as tf

    def texts(values: Any) -> Any:
        cells = ["" if cell is None else cell for cell in values.ravel().tolist()]
        return tf.constant(np.array(cells, object).reshape(values.shape), tf.string)

    return {n: texts(v) if v.dtype.kind in "OU" else tf.convert_to_tensor(v) for n, v in x.items()}


def array(name: str, value: Any) -> Any:
    """The tensor as an array, texts as str, bfloat16 as float32; raises `Unsupported` for what no graph has."""
    import numpy as np
    import tensorflow as tf

    if isinstance(value, tf.RaggedTensor):
        raise Unsupported(f"the output {name!r} is ragged, which no graph gives: return its .to_tensor()")
    if isinstance(value, tf.SparseTensor):
        raise Unsupported(f"the output {name!r} is sparse, which no graph gives: return tf.sparse.to_dense of it")
    if not isinstance(value, (tf.Tensor, tf.Variable)):
        raise Unsupported(
            f"the output {name!r} is a {type(value).__name__}: return tensors, and lists and dicts of them"
        )
    if value.dtype.is_complex:
        raise Unsupported(f"the output {name!r} is complex, which no graph gives: return its real and imaginary parts")
    if value.dtype == tf.string:
        cells = [cell.decode("utf-8", "replace") for cell in np.ravel(value.numpy()).tolist()]
        return np.array(cells, object).reshape(value.shape)
    return (tf.cast(value, tf.float32) if value.dtype == tf.bfloat16 else value).numpy()


def flat_outputs(value: Any, path: str = "") -> dict[str, Any]:
    """The tensors of an answer by name: `output`; `output_0` and `output_1` of a list; the keys of a dict."""
    if isinstance(value, Mapping):
        parts = [(f"{path}.{key}" if path else str(key), each) for key, each in value.items()]
    elif isinstance(value, (list, tuple)):
        parts = [(f"{path}.{i}" if path else f"output_{i}", each) for i, each in enumerate(value)]
    else:
        return {path or "output": value}
    return {name: leaf for where, each in parts for name, leaf in flat_outputs(each, where).items()}


def named(inputs: Sequence[Declared], table: Table) -> Table:
    """The example's tensors under the names of the model's inputs, in their types; raises `Unreadable`."""
    if not inputs:
        return dict(table)
    if len(inputs) == len(table) == 1:
        table = {inputs[0].name: next(iter(table.values()))}
    absent = [each.name for each in inputs if each.name not in table]
    if absent:
        raise Unreadable(f"the example lacks the input {absent[0]!r}; it has: {', '.join(table)}")
    return {each.name: _fitted(each, table[each.name]) for each in inputs}


def _fitted(declared: Declared, values: Any) -> Any:
    """The array in the type and the rank of the input; a column of a table is one number a row."""
    import numpy as np

    text = values.dtype.kind in "OU"
    if text != (declared.dtype == "string"):
        raise Unreadable(
            f"the example's {declared.name!r} holds {'text' if text else 'numbers'}, "
            f"the model takes {'numbers' if text else 'text'} there"
        )
    if declared.shape is not None and values.ndim == 1 and len(declared.shape) == 2 and declared.shape[1] in (1, None):
        values = values.reshape(-1, 1)
    if text:
        return values
    own = values.astype(declared.dtype)
    if own.dtype.kind in "iub" and not np.array_equal(own, values):
        raise Unreadable(f"the example's {declared.name!r} holds numbers that {declared.dtype} cannot hold")
    return own


def spec_with_cells(spec: TensorSpec) -> TensorSpec:
    """The input; of texts one whose missing cells are the empty text."""
    return spec.with_cells(missing="", nullable=True, kind="") if spec.is_text else spec
