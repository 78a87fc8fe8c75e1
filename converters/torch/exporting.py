"""From a module to an ONNX file that computes the same, or a refusal that names the operator and the user's line.

Captured by torch.export, held against the promise on sizes, scanned for what no graph can say, mended where torch's own
exporter is wrong (`_fixes`), translated by it, and written without anything of this machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..spec import Unsupported
from . import _lines
from ._capture import Captured, Promise, captured, given, quiet, sizes_stay_open
from ._fixes import fixed
from ._fixes.detecting import translations
from ._fixes.recurrent import kept_whole
from ._passes import optimised
from ._ranges import check_ranges
from ._scan import check_program
from ._shipping import tidied, write
from ._storing import Stored

OPSET = 20
"""Of the graph: every runtime that ships takes it."""
INSTEAD = {
    "aten.linalg_inv_ex": "solve outside of the module, or give the inverse as an input",
    "aten._cdist_forward": "write the distances with broadcasting, (a[:, None] - b).norm(dim=-1)",
}
"""By operator without a translation, what to write in its place."""


@dataclass(frozen=True)
class Recorded:
    """A program that holds for all promised sizes. `notes`: sentences on sizes that the module itself does not take."""

    captured: Captured
    notes: tuple[str, ...]


def recorded(
    module: Any, args: Sequence[Any], kwargs: Mapping[str, Any], axes: Sequence[Promise], names: Sequence[str]
) -> Recorded:
    """The program of a module in eval mode. `axes`: per flat input, its free sizes; `names`: of the flat inputs.

    Raises `AxisBound` for a size that is not free, and `Unsupported` for what no graph can say.
    """
    call = given(module, args, kwargs, axes, names)
    found = captured(call)
    check_program(found.program)
    return Recorded(found, check_ranges(call, found))


def export(
    program: Recorded, names: tuple[Sequence[str], Sequence[str]], out: Path, stored: Stored | None = None
) -> None:
    """Writes the graph of a program to `out`, the weights of a large one beside it.

    `names`: of the flat inputs and outputs. `stored`: see `write`. Raises `Unsupported`.
    """
    import torch

    found = program.captured
    try:
        with quiet(), torch.no_grad(), sizes_stay_open(), kept_whole():
            mended = fixed(found.program)
            options = {"opset_version": OPSET, "optimize": False, "verbose": False, "dynamo": True}
            made = torch.onnx.export(mended, custom_translation_table=translations(), **options)
    except Exception as error:
        raise _untranslated(error) from error
    write(tidied(optimised(made.model), found, names), out, stored)


def _untranslated(error: Exception) -> Unsupported:
    """What to say where the exporter, or a form of ours, gives up at a node."""
    chain = list(_lines.chain_of(error))
    first = next((text.strip() for text in str(chain[-1]).splitlines() if text.strip()), type(chain[-1]).__name__)
    found = _lines.nodes_of(error)
    if not found:
        return Unsupported(f"torch's exporter cannot translate the module: {first}")
    name = str(found[-1].target)
    line = next(filter(None, (_lines.of_node(node) for node in reversed(found))), "")
    if not any("No ONNX function found" in str(each) for each in chain):
        return Unsupported(f"{name} cannot be translated to ONNX{line}: {first}")
    instead = INSTEAD.get(name.rpartition(".")[0] or name, "write that step with others, or outside of the module")
    return Unsupported(f"no ONNX operator computes {name}{line}: {instead}")
