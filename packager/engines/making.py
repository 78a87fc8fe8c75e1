"""Makes an engine of a plan, with ONNX Runtime's file beside it."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace

from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.graph_file import proto_of

from ..variants._half import FLOAT16, halved
from ..variants.spec import HALF, TOLERANCE, Made, Work
from .context import write_context
from .process import ENGINE, TIMING_CACHE, build
from .profiles import narrowed
from .recipe import FLAVOURS, FP16, Plan

MAIN = "model.onnx"


def made_by(plan: Plan, work: Work, python: str) -> Made:
    """The engine of a plan, and ONNX Runtime's file that refers to it, in the folder.

    A timing cache that is there already decides between kernels.
    """
    scratch, flavour = work.folder / "network", FLAVOURS[plan.flavour]
    scratch.mkdir()
    network = halved(replace(work, folder=scratch), FLOAT16).artifact if plan.precision == FP16 else work.parent
    built = build(plan, network, work.folder, python)
    digests = [file.sha256 for file in network.files]
    shutil.rmtree(scratch)
    plan = replace(plan, capabilities=built.capabilities)
    lowest = min(int(each.removeprefix("sm")) for each in plan.capabilities)
    write_context(work.parent, ENGINE, built.version, flavour.provider, str(lowest), work.folder / MAIN)
    cache = work.folder / TIMING_CACHE
    timed = hashlib.sha256(cache.read_bytes()).hexdigest() if cache.exists() else None
    return Made(
        Artifact.of(work.folder / MAIN, [ENGINE, *([TIMING_CACHE] if timed else [])]),
        tuple(node.name or node.op_type for node in proto_of(work.parent.path).graph.node),
        plan.recipe(built.version, digests, timed),
        narrowed(work.signature, plan.profiles),
        provider=flavour.provider,
        weights="float16" if plan.precision == FP16 else "",
        held=HALF if plan.precision == FP16 else TOLERANCE,
        inside=built.network,
        measured=built.inspected,
    )
