"""What a program does that no graph can: draw random numbers, remember, refuse values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..spec import Unsupported
from . import _lines

_ASSERTIONS = ("aten::_assert_async", "aten::_assert_scalar")
_PLACES = ("aten.median", "aten.nanmedian", "aten.kthvalue", "aten.mode") + tuple(
    f"aten.adaptive_max_pool{rank}d" for rank in (1, 2, 3)
)
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
                f"an assertion on values{_lines.of_node(node)} ends the module with an error ({_reason(node)}), and "
                "a graph cannot: answer with a further output that says whether the values hold, and drop the assertion"
            )


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
    """Whether the condition is one that sizes and counts meet by what they are."""
    import torch

    if "_fixes" in str(node.meta.get("stack_trace")).rpartition("File ")[2]:
        return True  # of ours: what it says, torch says when it packs
    value = node.args[0].meta.get("val") if isinstance(node.args[0], torch.fx.Node) else node.args[0]
    if isinstance(value, torch.SymBool):
        return _of_a_count(node) or bool(value.node.shape_env._maybe_evaluate_static(value.node.expr) is not None)
    return isinstance(value, bool) and value


def _of_a_count(node: Any) -> bool:
    """Whether the tracer itself put the assertion there: its message names an expression, at least 0."""
    message = str(node.args[1]) if len(node.args) > 1 else ""
    return message.startswith("Runtime assertion failed for expression") and " >= 0 " in message


def _reason(node: Any) -> str:
    return str(node.args[1]) if len(node.args) > 1 else _name(node)


def _name(node: Any) -> str:
    return str(getattr(getattr(node.target, "_schema", None), "name", node.target)).replace("::", ".")
