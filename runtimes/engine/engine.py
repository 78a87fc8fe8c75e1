"""A graph in ONNX Runtime: opened on a provider, asked with columns, with tensors that stay bound, or with a stream."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mlpack_toolkit.converters.bfloat16 import run_of
from mlpack_toolkit.converters.spec import BFLOAT16, Axes, Scalar, Signature, Table, TensorSpec

from ..server.manifest import CPU
from .bound import Bound, memory_of
from .errors import Damaged, GraphStops, NoProvider
from .tuning import Tuning

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
STOP: ContextVar[Any] = ContextVar("stop", default=None)
"""ONNX Runtime's options of what this thread runs, by which it can be stopped; None: it cannot."""
QUIET = 4
"""The log level at which nothing is written."""
OTHER_FILES = "session.model_external_initializers_file_folder_path"
"""Where ONNX Runtime looks for numbers outside of a graph in memory; else in the folder that the program runs in."""
NOWHERE = os.devnull
NONE: Mapping[str, Scalar] = {}
MOST_BYTES = 64 << 20
"""Of the answers to one piece of a stream, but for a single row that has more."""
FIRST_ROWS = 64
"""Of a stream, answered by themselves: they show how large an answer is."""


class Engine:
    """One loaded graph with its signature; inputs that the graph does not read are left out of it.

    `library`: native operators that the graph needs; the caller vouches for the file. `tuning`: takes the place of
    `threads`. Raises `NoProvider` and `Damaged`.
    """

    no_provider: ClassVar[type[Exception]] = NoProvider
    damaged: ClassVar[type[Exception]] = Damaged
    stops: ClassVar[type[Exception]] = GraphStops

    def __init__(
        self,
        model: bytes | Path,
        signature: Signature,
        threads: int = 0,
        provider: str = CPU,
        provider_options: Mapping[str, Scalar] = NONE,
        library: Path | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        import onnxruntime as ort

        if provider not in ort.get_available_providers() and not _devices(provider):
            raise self.no_provider(f"this ONNX Runtime has no {provider}: install the package that brings it")
        source = model if isinstance(model, bytes) else str(model)
        self.tuning = tuning or Tuning(threads)
        options = _options(self.tuning)
        if library is not None:
            self._register(options, library)
        if isinstance(model, bytes):
            options.add_session_config_entry(OTHER_FILES, NOWHERE)
        self.provider = provider
        chosen = provider, {name: str(value) for name, value in provider_options.items()}
        self._session = self._load(source, options, chosen)
        self._ask = run_of(self._session)
        self.graph_inputs, self.graph_outputs = self._session.get_inputs(), self._session.get_outputs()
        read = {i.name for i in self.graph_inputs}
        self.signature = replace(signature, inputs=tuple(t for t in signature.inputs if t.in_graph in read))
        self._renamed = {t.name: t.graph_name for t in self.signature.inputs if t.graph_name}
        self.outputs = tuple(t.name for t in signature.outputs)

    def _register(self, options: Any, library: Path) -> None:
        try:
            options.register_custom_ops_library(str(library))
        except Exception as error:
            raise self.damaged(f"ONNX Runtime cannot load the operators in {library}: {error}") from error

    def _load(self, source: bytes | str, options: Any, provider: tuple[str, dict[str, str]]) -> Any:
        try:
            session = opened(source, options, provider)
        except Exception as error:
            raise self.damaged(f"ONNX Runtime cannot load the graph: {error}") from error
        if provider[0] not in session.get_providers():  # it warns, and answers on the CPU
            raise self.no_provider(f"{provider[0]} cannot be started here, and ONNX Runtime would answer on the CPU")
        return session

    @property
    def metadata(self) -> dict[str, str]:
        """What the graph says of itself."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    def feeds(self, table: Table) -> dict[str, Any]:
        """What `run_feeds` takes, from columns: by the names of the signature."""
        return graph_feeds(self.signature, table)

    def run_feeds(self, feeds: dict[str, Any], outputs: Sequence[str] = ()) -> Table:
        """The outputs by name, all of them unless chosen; `GraphStops`, which an original's answer never does."""
        names = outputs or self.outputs
        if self._renamed:
            feeds = {self._renamed.get(name, name): values for name, values in feeds.items()}
        try:
            return dict(zip(names, self._ask(names, feeds, STOP.get()), strict=True))
        except Exception as error:
            raise self.stops(f"the graph stops on these rows: {error}") from error

    def run(self, table: Table) -> Table:
        """The outputs by name, for the rows of a table."""
        return self.run_feeds(self.feeds(table))

    @property
    def binds(self) -> bool:
        """Whether tensors can stay bound: ONNX Runtime takes text from Python at each run only, and numpy has no
        bfloat16."""
        specs = (*self.signature.inputs, *self.signature.outputs)
        return not any(spec.is_text or spec.dtype == BFLOAT16 for spec in specs)

    @property
    def memory(self) -> str:
        """The memory in which the provider's tensors stay bound, in ONNX Runtime's words."""
        return memory_of(self.provider)

    def bind(self, table: Table) -> Bound:
        """The rows of a table as tensors that are made once, on the provider's device; only where it `binds`."""
        feeds = {self._renamed.get(name, name): values for name, values in self.feeds(table).items()}
        return Bound(self._session, feeds, self.outputs, self.stops, self.memory)

    def stream(self, tables: Iterable[Table], most_bytes: int = MOST_BYTES) -> Iterator[Table]:
        """The outputs by name for the rows of many tables, in order, a piece at a time.

        A table is cut along its batch axes so that the answers to a piece have about `most_bytes`, and into no more
        rows than were chosen on this machine: memory grows neither with the stream nor with what the graph makes of a
        row. Whole where the signature has no rows.
        """
        axes, each = self.signature.batch_axes, 0.0
        if not self.signature.takes_tensors:  # rows of a table come first, whatever its dimensions are called
            axes = dict.fromkeys(axes, 0)
        for table in tables:
            rows, start = _rows(table, axes) if self.signature.has_rows else 0, 0
            while start < max(rows, 1):
                step = max(1, int(most_bytes / each)) if each else FIRST_ROWS
                step = min(step, self.tuning.batch or step)
                answers = self.run(_part(table, axes, slice(start, start + step)) if rows else table)
                each = max(each, sum(values.nbytes for values in answers.values()) / max(1, _rows(answers, axes)))
                yield answers
                start += step


def opened(source: bytes | str, options: Any, provider: tuple[str, dict[str, str]]) -> Any:
    """ONNX Runtime's session on that provider, with its options; on the devices of a plugin, where it is one."""
    import onnxruntime as ort

    name, settings = provider
    if devices := () if name in ort.get_available_providers() else _devices(name):
        options.add_provider_for_devices(devices, settings)
        return ort.InferenceSession(source, options)
    return ort.InferenceSession(source, options, providers=[provider])


def _devices(provider: str) -> list[Any]:
    """The devices that a plugin offers under that name, once its library is registered."""
    import onnxruntime as ort

    return [each for each in ort.get_ep_devices() if each.ep_name == provider]


def _rows(table: Table, axes: Axes) -> int:
    return next((values.shape[a] for name, values in table.items() for a in [axes.get(name)] if a is not None), 1)


def _part(table: Table, axes: Axes, rows: slice) -> Table:
    """Some rows of the tensors, along the batch axis of each."""
    along = {name: axes.get(name) for name in table}
    return {n: v if (a := along[n]) is None else v[(slice(None),) * a + (rows,)] for n, v in table.items()}


def run_options() -> Any:
    """ONNX Runtime's options of a run; a graph that stops says so to its caller, no line is written."""
    import onnxruntime as ort

    options = ort.RunOptions()
    options.log_severity_level = QUIET
    return options


def _options(tuning: Tuning) -> Any:
    options = tuning.options()
    options.log_severity_level = QUIET
    return options


def graph_feeds(signature: Signature, table: Table) -> dict[str, Any]:
    """The columns of `table`, each in its input's type and shape."""
    return {spec.name: feed(spec, table[spec.name]) for spec in signature.inputs}


def feed(spec: TensorSpec, column: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A column in the type and the shape of its input; a missing text as the text that stands for it."""
    values = np.asarray(column)
    if values.ndim == 1 and len(spec.shape) == 2:
        values = values.reshape(-1, 1)
    if spec.is_text:
        cells = [spec.missing if cell is None else cell for cell in values.ravel()]
        return np.array(cells, object).reshape(values.shape)
    with np.errstate(over="ignore"):  # beyond float32 is infinity, as a caller's own cast makes it
        return np.asarray(values, spec.in_numpy, order="C")
