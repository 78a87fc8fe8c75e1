"""Loads the model of a bundle's folder and answers rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlpack_toolkit.converters.spec import Table, TensorSpec

from ..engine.agreement import check_agreement
from ..engine.columns import Columns
from ..engine.engine import Engine
from ..engine.errors import GraphStops, Refusal
from ..engine.tensors import Array, declared_datatype
from ..engine.tuning import Tuning
from .bundle_info import Described
from .manifest import CPU
from .protocol.fast_path import Quick

NONE: Mapping[str, str] = {}


class Model:
    """A loaded graph with its rules; raises `NoProvider` where the provider does not answer itself."""

    def __init__(
        self,
        described: Described,
        threads: int = 1,
        provider: str = CPU,
        options: Mapping[str, str] = NONE,
        tuning: Tuning | None = None,
    ) -> None:
        self.described = described
        self.name, self.version, self.identity = described.name, described.version, described.identity
        self.signature = described.signature
        graph, library = described.graph(), described.library
        self.session = Engine(graph, described.signature, threads, provider, options, library, tuning)
        check_agreement(self.session, described.signature)
        self.columns = Columns(described.signature, self.session.signature)
        self.quick = Quick(self.session.signature)
        self.inputs = self.session.signature.inputs
        self.types = {t.name: t.dtype for t in self.signature.outputs}
        self._axes = self.signature.batch_axes
        self._outputs = frozenset(self.session.outputs)

    def ask(self, table: Mapping[str, Array], outputs: Sequence[str] = (), most_rows: int = 0) -> Table:
        """The answers to the rows of a table, all outputs or the named ones; raises `Refusal`."""
        self.check(outputs)
        for name, values in table.items():
            rows = self._rows(name, values)
            if rows > most_rows > 0:
                words = f"{rows} rows, and this server takes {most_rows} at once: send fewer"
                raise Refusal(words, 413, "too_many_rows")
        return self.run(self.columns.feeds(table), outputs)

    def rows_of(self, answers: Table) -> int:
        """The number of rows of the answers; 1 where they have no batch axis."""
        return next((self._rows(n, v) for n, v in answers.items() if self._axes[n] is not None), 1)

    def _rows(self, name: str, values: Array) -> int:
        """The number of rows along a tensor's batch axis; 1 where it has none."""
        axis = self._axes.get(name)
        return int(values.shape[axis]) if axis is not None and axis < values.ndim else 1

    def check(self, outputs: Sequence[str]) -> None:
        """Raises `Refusal` where the model has no output of one of the names."""
        for name in outputs:
            if name not in self._outputs:
                raise Refusal(f"the model has no output {name[:80]!r}; it has: {', '.join(self.session.outputs)}")

    def run(self, feeds: dict[str, Any], outputs: Sequence[str] = ()) -> Table:
        """The answers to checked feeds; raises `Refusal`."""
        try:
            return self.session.run_feeds(feeds, outputs)
        except GraphStops as error:
            if "allocate memory" in str(error) or "bad_alloc" in str(error):
                raise Refusal("too little memory for these rows: send fewer", 503, "memory") from error
            raise Refusal(str(error)) from error

    def metadata(self) -> dict[str, Any]:
        """The model's metadata in the protocol's form; -1 for a dimension of any size."""
        return {
            "name": self.name,
            "versions": [self.version],
            "platform": "onnxruntime_onnx",
            "inputs": [_metadata(t) for t in self.inputs],
            "outputs": [_metadata(t) for t in self.signature.outputs],
        }


def _metadata(spec: TensorSpec) -> dict[str, Any]:
    shape = [d if isinstance(d, int) else -1 for d in spec.shape]
    return {"name": spec.name, "datatype": declared_datatype(spec), "shape": shape}
