"""A graph in ONNX Runtime, asked with columns."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mlpack_toolkit.converters.bfloat16 import run_of
from mlpack_toolkit.converters.spec import Scalar, Signature, Table, TensorSpec

from ..server.manifest import CPU
from .errors import Damaged, GraphStops, NoProvider

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
STOP: ContextVar[Any] = ContextVar("stop", default=None)
"""ONNX Runtime's options of what this thread runs, by which it can be stopped; None: it cannot."""
QUIET = 4
"""The log level at which nothing is written."""
OTHER_FILES = "session.model_external_initializers_file_folder_path"
"""Where ONNX Runtime looks for numbers outside of a graph in memory; else in the folder that the program runs in."""
NOWHERE = os.devnull
NONE: Mapping[str, Scalar] = {}


class Engine:
    """One loaded graph with its signature; inputs that the graph does not read are left out of it.

    Raises `NoProvider` and `Damaged`.
    """

    def __init__(
        self,
        model: bytes | Path,
        signature: Signature,
        threads: int = 0,
        provider: str = CPU,
        provider_options: Mapping[str, Scalar] = NONE,
    ) -> None:
        import onnxruntime as ort

        if provider not in ort.get_available_providers():
            raise NoProvider(f"this ONNX Runtime has no {provider}: pip install onnxruntime-gpu in its place")
        source = model if isinstance(model, bytes) else str(model)
        options = _options(threads)
        if isinstance(model, bytes):
            options.add_session_config_entry(OTHER_FILES, NOWHERE)
        chosen = provider, {name: str(value) for name, value in provider_options.items()}
        self._session = self._load(source, options, chosen)
        self._ask = run_of(self._session)
        self.graph_inputs, self.graph_outputs = self._session.get_inputs(), self._session.get_outputs()
        read = {i.name for i in self.graph_inputs}
        self.signature = replace(signature, inputs=tuple(t for t in signature.inputs if t.in_graph in read))
        self._renamed = {t.name: t.graph_name for t in self.signature.inputs if t.graph_name}
        self.outputs = tuple(t.name for t in signature.outputs)

    def _load(self, source: bytes | str, options: Any, provider: tuple[str, dict[str, str]]) -> Any:
        import onnxruntime as ort

        try:
            return ort.InferenceSession(source, options, providers=[provider])
        except Exception as error:
            raise Damaged(f"ONNX Runtime cannot load the graph: {error}") from error

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
            raise GraphStops(f"the graph stops on these rows: {error}") from error

    def run(self, table: Table) -> Table:
        """The outputs by name, for the rows of a table."""
        return self.run_feeds(self.feeds(table))


def run_options() -> Any:
    """ONNX Runtime's options of a run; a graph that stops says so to its caller, no line is written."""
    import onnxruntime as ort

    options = ort.RunOptions()
    options.log_severity_level = QUIET
    return options


def _options(threads: int) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = QUIET
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # else waiting threads burn a core
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
