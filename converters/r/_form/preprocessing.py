"""Computes columns from columns, step by step, as `_prepared.R` exports the steps."""

from __future__ import annotations

from collections.abc import Callable

from ..._graph.builder import Value
from ..._graph.floats import Reals
from ...spec import Unsupported
from .columns import Columns
from .expressions import Expressions
from .form import Fields, Input


class Prepared:
    """The columns of a model after preprocessing; `columns()`: the current ones, in order."""

    def __init__(self, start: Columns, names: list[str] | None = None) -> None:
        self.graph = start.graph
        self.maths = Reals(start.graph, "float64")
        chosen = list(start.inputs) if names is None else names
        self.inputs = {name: start.inputs[name] for name in chosen}
        self.values = {name: start.value(name) for name in chosen}

    def columns(self) -> Columns:
        """Returns the current columns."""
        return Columns((), (), self.graph).holding(tuple(self.inputs.values()), dict(self.values))

    def put(self, name: str, value: str) -> None:
        """Sets a column of numbers, `float64 [N, 1]`, replacing one of the same name."""
        self.inputs[name] = Input(name, "double")
        self.values[name] = Value(name=value, dtype="float64", column=name)

    def put_matrix(self, names: tuple[str, ...], matrix: str) -> None:
        """Sets the columns of a matrix under their names."""
        for i, name in enumerate(names):
            self.put(name, self.graph.op("Gather", matrix, self.graph.const([i], "int64"), axis=1))

    def apply(self, steps: list[Fields]) -> None:
        """Applies all steps, in order."""
        for step in steps:
            made: Callable[[Fields], None] | None = getattr(self, f"_{step.text('op')}", None)
            if made is None:
                raise Unsupported(f"the step {step.text('op')!r} has no converter")
            made(step)

    def matrix(self, names: tuple[str, ...]) -> str:
        """Returns columns as a matrix, `float64 [N, width]`."""
        return self.columns().matrix(names)

    def _set(self, step: Fields) -> None:
        """Sets all at once: each is computed from the previous columns."""
        expressions = Expressions(self.columns())
        found = [(each.texts("names"), expressions.value(each.of("x"))) for each in step.each("values")]
        for names, value in found:
            if len(names) == 1:
                self.put(names[0], value)
            else:
                self.put_matrix(names, value)

    def _drop(self, step: Fields) -> None:
        for name in step.texts("names"):
            self.inputs.pop(name, None)
            self.values.pop(name, None)

    def _keep(self, step: Fields) -> None:
        self.inputs = {name: self.inputs[name] for name in step.texts("names")}
        self.values = {name: self.values[name] for name in step.texts("names")}

    def _rotate(self, step: Fields) -> None:
        x = self.matrix(step.texts("names"))
        if step.has("center"):
            x = self.maths.subtract(x, self.graph.const(step.numbers("center").reshape(1, -1)))
        if step.has("scale"):
            x = self.maths.divide(x, self.graph.const(step.numbers("scale").reshape(1, -1)))
        self.put_matrix(step.texts("made"), self.graph.op("MatMul", x, self.graph.const(step.numbers("rotation"))))

    def _sign(self, step: Fields) -> None:
        """Divides by the row's norm; `skip`: a missing number counts as 0."""
        m, x = self.maths, self.matrix(step.texts("names"))
        square = m.square(x)
        if step.flag("skip"):
            square = m.where(self.graph.op("IsNaN", x), m.n(0.0), square)
        length = m.sqrt(self.graph.op("ReduceSum", square, self.graph.const([1], "int64"), keepdims=1))
        none = self.graph.op("LessOrEqual", length, m.n(step.number("least")))
        self.put_matrix(step.texts("names"), m.where(none, m.multiply(x, m.n(0.0)), m.divide(x, length)))

    def _dummy(self, step: Fields) -> None:
        self.put_matrix(step.texts("made"), self.columns().rows_of(step.text("name"), step.numbers("table")))

    def _relevel(self, step: Fields) -> None:
        """Replaces a factor's levels: for each old one, for a missing cell and for an unknown level."""
        name, new = step.text("name"), step.texts("levels")
        missing = "\uffff" if "" in new else ""
        names = [new[place] if place >= 0 else missing for place in step.integers("places").tolist()]
        value = self.graph.op("Gather", self.graph.const(names, "string"), self.columns().code(name))
        self.inputs[name] = Input(name, "factor", new)
        self.values[name] = Value(name=value, dtype="string", column=name, missing=missing)
