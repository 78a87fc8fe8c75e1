"""From tensors by name to the arguments of `forward`, and from its answer to tensors by name.

A name is a parameter of `forward`, with the path to a tensor inside it: `x`, `state.0`, `batch.mask`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..spec import Unreadable, Unsupported
from .scripted import is_script
from .scripted import parameters as script_parameters

Arguments = "tuple[tuple[Any, ...], dict[str, Any]]"


@dataclass(frozen=True)
class Call:
    """`names`: of the tensors, in the order of `forward`'s flattened arguments; `given`: what the example calls them.

    `build`: the arguments, from the tensors in that order.
    """

    names: tuple[str, ...]
    given: tuple[str, ...]
    build: Callable[[Sequence[Any]], Any]

    def arguments(self, tensors: Mapping[str, Any]) -> Any:
        """The arguments and the keyword arguments of `forward`."""
        return self.build([tensors[name] for name in self.given])

    def renamed(self, table: Mapping[str, Any]) -> dict[str, Any]:
        """The example's tensors under the names of the inputs, in their order."""
        return {name: table[own] for name, own in zip(self.names, self.given)}


def call_of_module(module: Any, given: Sequence[str]) -> Call:
    """The call of a module: tensors named after parameters go there, others take the free ones in their order."""
    parameters = _parameters(module)
    roots = {name: name.split(".")[0] for name in given}
    named = {root for root in roots.values() if root in parameters}
    paths = {name: name for name in given if roots[name] in named}
    groups = _by_place([name for name in given if name not in paths])
    free = _free({p: kind for p, kind in parameters.items() if p not in named}, len(groups))
    if len(free) < len(groups):
        raise _too_many(given, parameters)
    for group, place in zip(groups, free):
        paths.update({name: _moved(name, place) for name in group})
    order = [name for parameter in parameters for name in given if paths[name].split(".")[0] == parameter]
    names = tuple(paths[name] for name in order)

    def build(tensors: Sequence[Any]) -> Any:
        return _arguments(parameters, dict(zip(names, tensors)))

    return Call(names, tuple(order), build)


def _by_place(names: Sequence[str]) -> list[list[str]]:
    """The names in groups, each of which is one argument: `1.0` and `1.1` are the parts of the second one."""
    groups: dict[str, list[str]] = {}
    for name in names:
        root = name.split(".")[0]
        groups.setdefault(root if root.isdigit() else name, []).append(name)
    return list(groups.values())


def _moved(name: str, parameter: str) -> str:
    root, dot, inside = name.partition(".")
    return parameter + dot + inside if root.isdigit() else parameter


def _parameters(module: Any) -> dict[str, Any]:
    """The parameters of `forward` with their kinds; of `*args` and `**kwargs` neither has a name of its own."""
    if is_script(module):
        return script_parameters(module)
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    found = inspect.signature(module.forward).parameters.values()
    rest = [p.name for p in found if p.kind == inspect.Parameter.VAR_POSITIONAL]
    own = {p.name: p.kind for p in found if p.kind not in variable}
    return {**own, **dict.fromkeys(rest, inspect.Parameter.VAR_POSITIONAL)}


def _free(parameters: Mapping[str, Any], wanted: int) -> list[str]:
    """The places of arguments without a name, in order: `xs.0` and `xs.1` where `forward` takes `*xs`."""
    own = [p for p, kind in parameters.items() if kind == inspect.Parameter.POSITIONAL_OR_KEYWORD]
    own = [p for p, kind in parameters.items() if kind == inspect.Parameter.POSITIONAL_ONLY] + own
    rest = [p for p, kind in parameters.items() if kind == inspect.Parameter.VAR_POSITIONAL]
    return own + [f"{p}.{place}" for p in rest for place in range(wanted - len(own))]


def _too_many(given: Sequence[str], parameters: Mapping[str, Any]) -> Unreadable:
    return Unreadable(
        f"the example has {len(given)} tensors ({', '.join(given)}), and forward takes "
        f"({', '.join(parameters)}): name the tensors of the npz after those parameters, "
        "a tensor inside a tuple or dict state.0 or state.key"
    )


def _arguments(parameters: Mapping[str, Any], tensors: Mapping[str, Any]) -> Any:
    tree = _nested(tensors)
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for name, kind in parameters.items():
        if name not in tree:
            continue
        if kind == inspect.Parameter.VAR_POSITIONAL:
            value = tree[name]
            args.extend(value if isinstance(value, tuple) else (value,))
        elif kind == inspect.Parameter.KEYWORD_ONLY or len(args) < list(parameters).index(name):
            kwargs[name] = tree[name]  # a parameter before it stays at its default
        else:
            args.append(tree[name])
    return tuple(args), kwargs


def _nested(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """`{"x": a, "state.0": b, "state.1": c}` as `{"x": a, "state": (b, c)}`."""
    tree: dict[str, Any] = {}
    for name, value in tensors.items():
        *parents, last = name.split(".")
        place = tree
        for part in parents:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise Unreadable(f"the example has a tensor {name!r} and one whose name is the start of it: rename one")
        place[last] = value
    return {name: _sequence(value) for name, value in tree.items()}


def _sequence(value: Any) -> Any:
    """A dict whose keys are 0, 1, 2, ... as a tuple."""
    if not isinstance(value, dict):
        return value
    found = {key: _sequence(each) for key, each in value.items()}
    if set(found) == {str(i) for i in range(len(found))}:
        return tuple(found[str(i)] for i in range(len(found)))
    return found


def call_of_program(program: Any, given: Sequence[str]) -> Call:
    """The call of an exported program, whose own structure holds the names of its inputs."""
    from torch.utils import _pytree as pytree

    names = tuple(program.graph_signature.user_inputs)
    if any(not isinstance(name, str) for name in names):
        raise Unsupported("the program has an input that is no tensor: export it with tensors alone")
    if len(given) != len(names):
        raise Unreadable(
            f"the example has {len(given)} tensors ({', '.join(given)}), "
            f"the program takes {len(names)}: {', '.join(names)}"
        )
    alike = {name.replace(".", "_"): name for name in given}
    own = tuple(alike[name] for name in names) if set(alike) == set(names) else tuple(given)

    def build(tensors: Sequence[Any]) -> Any:
        return pytree.tree_unflatten(list(tensors), program.call_spec.in_spec)

    return Call(names, own, build)


def outputs_of(answer: Any) -> dict[str, Any]:
    """The tensors of an answer by name: `output` alone, `output_0` in a tuple, a dict's key, `output_1.key` inside."""
    import torch
    from torch.utils import _pytree as pytree

    leaves, _ = pytree.tree_flatten_with_path(answer)
    found: dict[str, Any] = {}
    for path, leaf in leaves:
        if leaf is None:
            continue
        name = _output_name(path)
        if not isinstance(leaf, torch.Tensor):
            raise Unsupported(
                f"forward returns {type(leaf).__name__} at {name!r}, which is no tensor: "
                "return tensors, tuples and dicts of them"
            )
        found[name] = leaf
    if not found:
        raise Unsupported("forward returns no tensor")
    return found


def path_of(path: Sequence[Any]) -> str:
    """The keys and places on the way to a tensor: `state.0`; empty for the tensor itself."""
    return ".".join(str(getattr(key, "key", getattr(key, "idx", getattr(key, "name", key)))) for key in path)


def _output_name(path: Sequence[Any]) -> str:
    found = path_of(path)
    return f"output_{found}" if found.partition(".")[0].isdigit() else found or "output"
