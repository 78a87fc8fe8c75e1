"""A graph in ONNX Runtime, asked with columns."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from converters._frames import graph_feeds
from converters.spec import Signature, Table

from .errors import DamagedError, MismatchError, MissingToolError

os.environ["ORT_DISABLE_TELEMETRY"] = "1"


class Session:
    """One loaded graph with its signature; inputs that the graph does not read are left out of it."""

    def __init__(
        self, model: bytes | Path, signature: Signature, threads: int = 0, provider: str = "CPUExecutionProvider"
    ) -> None:
        import onnxruntime as ort

        if provider not in ort.get_available_providers():
            raise MissingToolError(f"this ONNX Runtime has no {provider}: pip install onnxruntime-gpu in its place")

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # else waiting threads burn a core
        source = model if isinstance(model, bytes) else str(model)
        try:
            self._session = ort.InferenceSession(source, options, providers=[provider])
        except Exception as error:
            raise DamagedError(f"ONNX Runtime cannot load the graph: {error}") from error
        read = {i.name for i in self._session.get_inputs()}
        self.signature = replace(signature, inputs=tuple(t for t in signature.inputs if t.name in read))
        self._outputs = [t.name for t in signature.outputs]

    def feeds(self, table: Table) -> dict[str, Any]:
        """The session's inputs from columns."""
        return graph_feeds(self.signature, table)

    def run_feeds(self, feeds: dict[str, Any]) -> Table:
        """The outputs by name; `MismatchError` where the graph stops, which an original's answer never does."""
        try:
            return dict(zip(self._outputs, self._session.run(self._outputs, feeds), strict=True))
        except Exception as error:
            raise MismatchError(f"the graph stops on these rows: {error}") from error

    def run(self, table: Table) -> Table:
        """The outputs by name, for the rows of a table."""
        return self.run_feeds(self.feeds(table))
