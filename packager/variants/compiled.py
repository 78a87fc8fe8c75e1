"""Sums of trees by mlpack's own operators: the bits of the original, and several times faster on batches."""

from __future__ import annotations

from collections.abc import Mapping

from mlpack_toolkit.converters._trees.kernel import DOMAIN
from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.graph_file import proto_of
from mlpack_toolkit.runtimes.server.manifest import LIBRARY

from ..kernels import library
from .spec import TOLERANCE, Kind, Made, NothingToGain, Work

ENOUGH = 1.2
"""The speed-up that is worth a native library."""
NO_TREES = "the model has no sum of trees for mlpack's operators"


def _make(work: Work) -> Made:
    own = library()
    artifact, left_out = work.with_operators()
    if artifact is None:
        raise NothingToGain("; ".join(left_out) or NO_TREES)
    sums = _sums(artifact)
    left = {"left_out": list(left_out)} if left_out else {}
    return Made(artifact, sums, {LIBRARY: own.sha256, **left}, library=own.path)


def _sums(artifact: Artifact) -> tuple[str, ...]:
    """The operator of each node that is one of mlpack's."""
    return tuple(node.op_type for node in proto_of(artifact.path).graph.node if node.domain == DOMAIN)


def _count(parent: Artifact, made: Artifact) -> Mapping[str, int]:
    sums = _sums(made)
    return {name: sums.count(name) for name in sorted(set(sums))}


KIND = Kind(
    "compiled",
    "tree models by operators of mlpack's own, compiled on this machine",
    weights="",
    make=_make,
    count=_count,
    changes="given to mlpack's operators",
    seeks="sums of trees",
    held=TOLERANCE,
    is_smaller=False,
    speedup=ENOUGH,
    check=lambda values: library(),
)
