"""Tensors that stay bound to a graph, in the memory of the provider's device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlpack_toolkit.converters.spec import Table

HOST = "cpu"
"""ONNX Runtime's name of the memory that the processor has."""
DEVICES: Mapping[str, str] = {
    "CUDAExecutionProvider": "cuda",
    "TensorrtExecutionProvider": "cuda",
    "NvTensorRTRTXExecutionProvider": "cuda",
}
"""By provider, ONNX Runtime's name of the memory of its device; all others have the processor's."""


def memory_of(provider: str) -> str:
    """The memory in which a provider's tensors stay bound."""
    return DEVICES.get(provider, HOST)


class Bound:
    """Tensors that stay bound to a graph, as ONNX Runtime's `IOBinding` holds them: a run makes none and copies none.

    `memory`: where they stay. The outputs of a run take the place of those of the run before. `stops`: the error where
    the graph stops. Such a run has no options to be stopped by: with them, ONNX Runtime's own call takes ten times as
    long as a small graph.
    """

    def __init__(
        self, session: Any, feeds: Table, outputs: Sequence[str], stops: type[Exception], memory: str = HOST
    ) -> None:
        import onnxruntime as ort

        self._session, self._outputs, self._stops, self.memory = session, tuple(outputs), stops, memory
        self._binding = session.io_binding()
        self._feeds = dict(feeds)
        try:
            self._inputs = {n: ort.OrtValue.ortvalue_from_numpy(v, memory, 0) for n, v in feeds.items()}
            for name, value in self._inputs.items():
                self._binding.bind_ortvalue_input(name, value)
            for name in self._outputs:
                self._binding.bind_output(name, memory, 0)
        except Exception as error:
            raise stops(f"the rows cannot be bound in the memory {memory}: {error}") from error

    def run(self) -> None:
        """Runs the graph once; returns when its outputs are complete."""
        try:
            self._session.run_with_iobinding(self._binding)
            if self.memory != HOST:
                self._binding.synchronize_outputs()
        except Exception as error:
            raise self._stops(f"the graph stops on these rows: {error}") from error

    def put(self) -> None:
        """Copies the rows into the bound inputs again."""
        for name, value in self._inputs.items():
            value.update_inplace(self._feeds[name])
        self._binding.synchronize_inputs()

    def answers(self) -> Table:
        """The outputs of the last run, by name, in the processor's memory."""
        return dict(zip(self._outputs, self._binding.copy_outputs_to_cpu(), strict=True))
