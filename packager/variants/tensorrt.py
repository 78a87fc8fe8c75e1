"""Engines of TensorRT: native code for NVIDIA's cards, made of the reference or of its half precision."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.graph_file import proto_of
from mlpack_toolkit.converters.plugin import BUILD, NUMBER, PAIR, PROGRAM, Option

from .spec import ELSEWHERE, Kind, Made, Work

OPTIONS = (
    Option("flavour", "rtx, TensorRT for RTX, which needs no GPU, or tensorrt.  [default: rtx]", scope=BUILD),
    Option("python", "The interpreter that has TensorRT.  [default: mlpack's own]", kind=PROGRAM, scope=BUILD),
    Option("precision", "float32, or fp16: made of the fp16 graph.  [default: float32]", scope=BUILD),
    Option("profile", "Sizes of a free dimension, N=1:8:64.", kind=PAIR, repeatable=True, scope=BUILD),
    Option("capabilities", "Cards that rtx makes it for.  [default: sm86,sm89,sm120]", scope=BUILD),
    Option("workspace", "MiB that kernels may use.  [default: 1024]", kind=NUMBER, scope=BUILD),
    Option("flags", "STRICT_NANS, SPARSE_WEIGHTS, VERSION_COMPATIBLE.", scope=BUILD),
)


def _make(work: Work) -> Made:
    from ..engines.making import made_by
    from ..engines.profiles import profiles
    from ..engines.recipe import plan_from

    plan = plan_from(work.options, profiles(work.signature, work.batches, work.options.get("profile", {})))
    return made_by(plan, work, work.options.get("python", sys.executable))


def _count(parent: Artifact, made: Artifact) -> Mapping[str, int]:
    from ..engines.context import references

    return {"EPContext": len(references(proto_of(made.path)))}


def _check(values: Mapping[str, Any]) -> object:
    from ..engines.process import version_in
    from ..engines.recipe import RTX, check_options

    check_options(values)
    return version_in(values.get("python", sys.executable), values.get("flavour", RTX))


KIND = Kind(
    "tensorrt",
    "an engine of TensorRT for NVIDIA's cards, not proved before a card has run it",
    weights="",
    make=_make,
    count=_count,
    changes="compiled into an engine",
    seeks="all of them",
    held=ELSEWHERE,
    is_smaller=False,
    options=OPTIONS,
    check=_check,
)
