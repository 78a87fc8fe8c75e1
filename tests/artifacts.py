"""Graphs of tests as files on disk, and files on disk as graphs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from mlpack_toolkit.converters.artifact import Artifact

_FOLDER = tempfile.TemporaryDirectory(prefix="mlpack-tests-")


def artifact_of(graph: bytes) -> Artifact:
    """The graph in a folder of its own, which goes when the tests end."""
    path = Path(tempfile.mkdtemp(dir=_FOLDER.name), "model.onnx")
    path.write_bytes(graph)
    return Artifact.of(path)


def saved(write: Callable[[Path], object]) -> bytes:
    """The bytes of the graph that `write` writes."""
    path = Path(tempfile.mkdtemp(dir=_FOLDER.name), "model.onnx")
    write(path)
    return path.read_bytes()
