"""Static int8: weights and numbers between nodes of 8 bits, in ranges that calibration rows show.

ONNX Runtime's own `quantize_static` does it, between `QuantizeLinear` and `DequantizeLinear`; its lines on standard
output and in the log are held back.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.graph_file import DATA, LARGE, proto_of

from ..errors import ConversionError, UsageError
from ._graph import MAIN, Graph, operators
from .spec import Kind, Made, Work

MARKS = ("QuantizeLinear", "DequantizeLinear")
PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
ARITHMETIC = ("Add", "Mul", "Relu", "LeakyRelu", "Clip")
SHAPES = ("Concat", "Reshape", "Resize", "Squeeze", "Transpose", "Unsqueeze")
OTHERS = (*ARITHMETIC, *SHAPES, "AveragePool", "GlobalAveragePool", "MaxPool")
"""What passes numbers of 8 bits on between products; all else stays in float32."""
FUSED = "fused.onnx"


def static(work: Work) -> Made:
    """The graph with its products on integers; the nodes to keep stay as they are."""
    import onnxruntime.quantization as own

    named = _fused(_named(work))
    made = work.folder / MAIN
    large = work.parent.size > LARGE
    with _quiet(), _failing():
        own.quantize_static(
            str(named),
            str(made),
            _Rows(work.calibration()),
            op_types_to_quantize=[*PRODUCTS, *OTHERS],
            per_channel=True,
            reduce_range=True,
            activation_type=own.QuantType.QUInt8,
            weight_type=own.QuantType.QInt8,
            nodes_to_exclude=sorted(work.keep),
            use_external_data_format=large,
        )
    shutil.rmtree(named.parent)
    artifact = Artifact.of(made, [DATA] if large else ())
    return Made(artifact, tuple(_quantised(artifact)), {"weights": "7 bits, a scale for each channel"})


def _named(work: Work) -> Path:
    """The parent in a folder of its own, with a name for each node."""
    place = work.folder / "parent"
    place.mkdir()
    return Graph(work.parent, place).write().path


def _fused(path: Path) -> Path:
    """The graph beside it, with what ONNX Runtime folds into its products: a batch norm, a constant factor."""
    import onnxruntime as ort

    place = path.with_name(FUSED)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(place)
    options.log_severity_level = 4
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", f"{place.name}.data")
    options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "1024")
    with _failing():
        ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return place


def _quantised(artifact: Artifact) -> Iterator[str]:
    """The products that read integers, in the order of the graph."""
    nodes = proto_of(artifact.path).graph.node
    marked = {name for node in nodes if node.op_type == MARKS[1] for name in node.output}
    yield from (n.name for n in nodes if n.op_type in PRODUCTS and all(name in marked for name in n.input[:2]))


class _Rows:
    """The calibration rows, as ONNX Runtime's quantiser takes them."""

    def __init__(self, rows: Iterator[dict[str, Any]]) -> None:
        self._rows = rows

    def get_next(self) -> dict[str, Any] | None:
        """The next batch; None: there is none."""
        return next(self._rows, None)


@contextlib.contextmanager
def _failing() -> Iterator[None]:
    """Turns any exception of the quantiser into a `ConversionError`; they have no common base."""
    try:
        yield
    except (MemoryError, UsageError):
        raise
    except Exception as error:
        raise ConversionError(f"ONNX Runtime cannot quantise this graph with the calibration rows: {error}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Holds back what the quantiser prints and logs; without a handler, logging would add one for good."""
    root, silent = logging.getLogger(), logging.NullHandler()
    before = root.manager.disable
    root.addHandler(silent)
    logging.disable(logging.CRITICAL)
    try:
        with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
            yield
    finally:
        logging.disable(before)
        root.removeHandler(silent)


KIND = Kind(
    "int8_static",
    "weights and numbers between nodes of 8 bits, in ranges that calibration rows show",
    "int8",
    make=static,
    count=lambda parent, made: operators(made, MARKS),
    changes="quantised",
    seeks="Conv, Gemm and MatMul with a constant weight",
    calibrates=True,
)
