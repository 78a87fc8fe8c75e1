"""What a program does that no graph can: draw random numbers, remember, refuse values."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from ..spec import Unsupported
from . import _lines
from ._assertions import is_proved

_ASSERTIONS = ("aten::_assert_async", "aten::_assert_scalar")
_PLACES = (
    *("aten.median", "aten.nanmedian", "aten.kthvalue", "aten.mode"),
    *(f"aten.adaptive_max_pool{rank}d" for rank in (1, 2, 3)),
)
"""Operators whose second answer is places."""
_SINGLE = ("aten.erf", "aten.gelu", "aten.special_erf", "aten.erfc", "aten.special_erfc")
"""Operators that ONNX Runtime has for float32 alone."""
_OWN = re.compile(r"Runtime assertion failed for expression (.*) on node ")
_COUNTS = re.compile(r"u\d+ >= (0|-\d+)|(0|-\d+) <= u\d+( \+ \d+)?")
"""What the tracer says of a size that values decide."""
_SIZES = re.compile(r"u\d+ >= ([0-2]|-\d+)|([0-2]|-\d+) <= u\d+( \+ \d+)?")
"""What it says of a size that no value was read for: how many are not 0, or are kept."""
_OFF = ("train", "training")
"""Arguments that switch the drawing of numbers."""


def check_program(program: Any) -> None:
    """Raises `Unsupported` with the operator and the user's line."""
    _check_state(program)
    for node in nodes(program):
        _check_types(node)
        _check_places(node)
        if _random(node):
            raise Unsupported(
                f"{_name(node)} draws random numbers{_lines.of_node(node)}, so that no graph can answer like the "
                "module: switch it off in eval mode (training=self.training), or take the numbers as an input"
            )
        if _asserts(node):
            raise Unsupported(
                f"an assertion on values{_line_of(node)} ends the module with an error ({_reason(node)}), and "
                "a graph cannot: answer with a further output that says whether the values hold, and drop the assertion"
            )


def drawn_at(ask: Callable[[], object]) -> str:
    """The user's line at which random numbers are drawn while `ask` runs, in brackets; empty: it is not known."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    lines: list[str] = []

    class Watch(TorchDispatchMode):  # type: ignore[misc, unused-ignore]
        """Sees every operator that runs."""

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if torch.Tag.nondeterministic_seeded in func.tags and not lines:
                lines.append(_lines.of_frames(traceback.extract_stack()))
            return func(*args, **(kwargs or {}))

    try:
        with Watch():
            ask()
    except Exception:  # what cannot be watched is told without a line
        return ""
    return next(iter(lines), "")


def nodes(program: Any) -> Iterator[Any]:
    """Every call of an operator, in branches and loops too."""
    import torch

    for part in program.graph_module.modules():
        if isinstance(part, torch.fx.GraphModule):
            yield from (node for node in part.graph.nodes if node.op == "call_function")


def _check_state(program: Any) -> None:
    signature = program.graph_signature
    for written in signature.buffers_to_mutate.values():
        raise Unsupported(
            f"forward writes into its buffer {written!r}, and a graph does not remember: "
            "take that state as an input and return it as an output"
        )


def _check_types(node: Any) -> None:
    import torch

    value = node.meta.get("val")
    if isinstance(value, torch.Tensor) and str(value.dtype).startswith(("torch.bfloat", "torch.float8")):
        raise Unsupported(
            f"{_name(node)} computes in {str(value.dtype)[6:]}{_lines.of_node(node)}, which ONNX Runtime does not on "
            "a CPU: save the module after module.float()"
        )
    if isinstance(value, torch.Tensor) and value.dtype is torch.float64 and _name(node) in _SINGLE:
        raise Unsupported(
            f"ONNX Runtime has no {_name(node)} of float64{_lines.of_node(node)}: save the module after module.float()"
        )


def _check_places(node: Any) -> None:
    """The second answer of some operators: which of equal values torch picks is its own affair."""
    import operator

    name = _name(node.args[0]) if node.target is operator.getitem and len(node.args) == 2 else ""
    if name in _PLACES and node.args[1] == 1 and node.users:
        raise Unsupported(
            f"the places that {name} answers{_lines.of_node(node)} are picked among equal values by torch in a way of "
            "its own: use the values alone, or sort(stable=True)"
        )


def _random(node: Any) -> bool:
    import torch

    tags = getattr(node.target, "tags", ())
    if torch.Tag.nondeterministic_seeded not in tags:
        return False
    return next((bool(each) for each in _switches(node)), True) and not _idle(node)


def _switches(node: Any) -> Iterator[Any]:
    """Whether the node is in training: what its arguments of that name say."""
    arguments = node.target._schema.arguments
    for place, argument in enumerate(arguments):
        if argument.name in _OFF:
            if argument.name in node.kwargs or place < len(node.args):
                yield node.kwargs.get(argument.name, node.args[place] if place < len(node.args) else None)
            else:
                yield argument.default_value if argument.has_default_value() else True


def _idle(node: Any) -> bool:
    """Whether a chance of 0 makes the node copy what it is given; attention and RNNs drop with that chance."""
    found = {**{a.name: v for a, v in zip(node.target._schema.arguments, node.args)}, **node.kwargs}
    chances = [found[name] for name in ("p", "dropout", "dropout_p") if name in found]
    drops = any(a.name in ("p", "dropout", "dropout_p") for a in node.target._schema.arguments)
    named = node.target._schema.name
    return drops and all(not chance for chance in chances) and not named.endswith(("bernoulli", "bernoulli_"))


def _asserts(node: Any) -> bool:
    name = getattr(getattr(node.target, "_schema", None), "name", "")
    return name in _ASSERTIONS and not _always(node)


def _always(node: Any) -> bool:
    """Whether the tracer put the assertion there by itself, of a size that is no negative number, or a pack did."""
    found = _OWN.match(str(node.args[1]) if len(node.args) > 1 else "")
    sources = _sources(node)
    read = any(_name(each) in ("aten.item", "aten._local_scalar_dense") for each in sources)
    counts = found is not None and (_COUNTS if read else _SIZES).fullmatch(found[1]) is not None
    return counts or any(_packs(user, each) for each in sources for user in each.users) or is_proved(node)


def _packs(node: Any, lengths: Any) -> bool:
    """Whether a node is a layer over packed sequences of these lengths: torch checks them when it packs."""
    return _name(node) == "mlpack.recurrent" and node.args[1] is lengths


def _sources(node: Any) -> list[Any]:
    """The node and all that it is computed from, the nearest first."""
    found, seen = [node], {node}
    for each in found:
        for source in each.all_input_nodes:
            if source not in seen:
                seen.add(source)
                found.append(source)
    return found


def _line_of(node: Any) -> str:
    return next(filter(None, map(_lines.of_node, _sources(node))), "")


def _reason(node: Any) -> str:
    return str(node.args[1]) if len(node.args) > 1 else _name(node)


def _name(node: Any) -> str:
    return str(getattr(getattr(node.target, "_schema", None), "name", node.target)).replace("::", ".")
