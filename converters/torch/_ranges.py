"""Whether a program holds for every size that was promised, by the sizes at which the tracer's assumptions fail.

An assumption that fails at a promised size is tried there: where the module raises, it bounds the module too; where the
program answers as the module does, it is idle; else the program is wrong there, and refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Callable

from ..spec import SUM
from . import _lines
from ._capture import AxisBound, Captured, Given, expression, inputs_of, quiet, resized, shape_env

_IN_PYTHON = {
    "FloorDiv": lambda a, b: a // b,
    "CleanDiv": lambda a, b: a // b,
    "Mod": lambda a, b: a % b,
    "PythonMod": lambda a, b: a % b,
    "Max": max,
    "Min": min,
}
FEWEST, SINGLE, PAIRS, TRIED = 2, 130, 24, 3
"""Sizes from FEWEST are tried (0 and 1 are run by every proof), up to SINGLE above the traced one for an assumption on
one size, PAIRS for several; at most TRIED that fail are run."""


def check_ranges(call: Given, found: Captured) -> tuple[str, ...]:
    """Sentences on sizes that the module itself does not take. Raises `AxisBound`."""
    symbols = _symbols(found)
    _check_own(found, symbols)
    notes: list[str] = []
    for text, holds, line in _assumptions(found):
        free = {str(s): symbols[str(s)] for s in holds.free_symbols if str(s) in symbols}
        if not free or len(free) != len(holds.free_symbols):
            continue
        failing = _failing(holds, free)
        if failing:
            notes += _tried(call, found, text, line, failing)
    return tuple(dict.fromkeys(notes))


def _symbols(found: Captured) -> dict[str, Any]:
    """By the tracer's symbol: the promised and the traced size of the axis."""
    symbols: dict[str, Any] = {}
    for node, tensor, axes in zip(inputs_of(found.program), found.tensors, found.axes):
        for axis, free in axes.items():
            if SUM in free.name:
                continue
            symbol = expression(node.meta["val"].shape[axis])
            symbols.setdefault(symbol, []).append((free, int(tensor.shape[axis])))
    return {symbol: entries[0] for symbol, entries in symbols.items() if _one(symbol, entries)}


def _one(symbol: str, entries: Sequence[Any]) -> bool:
    names = list(dict.fromkeys(free.name for free, _traced in entries))
    if len(names) > 1:
        raise AxisBound(
            names[1],
            f"the sizes {names[0]!r} and {names[1]!r} must be equal in this module: give both axes one name, "
            f"as in -O torch.dynamic=...:{names[0]},...:{names[0]}",
        )
    return symbol.isidentifier()


def _check_own(found: Captured, symbols: Mapping[str, Any]) -> None:
    """Every free axis must have a size of its own: neither a number nor made of another one."""
    for node, name, axes in zip(inputs_of(found.program), found.names, found.axes):
        for axis, free in axes.items():
            text = expression(node.meta["val"].shape[axis])
            if text not in symbols and not _is_sum(free.name, text, symbols):
                raise AxisBound(
                    free.name,
                    f"the size {free.name!r} (axis {axis} of {name!r}) is not free in this module: it must be "
                    f"{_readable(text, symbols)}: fix that axis, or give the module that size alone",
                )


def _is_sum(name: str, text: str, symbols: Mapping[str, Any]) -> bool:
    """Whether the size is the sum that its name says."""
    return SUM in name and sorted(name.split(SUM)) == sorted(_readable(text, symbols).split(SUM))


def _assumptions(found: Captured) -> Iterator[tuple[str, Any, str]]:
    """Text, expression and line of everything that the tracer assumed of sizes."""
    env = shape_env(found.program)
    guards = [] if env is None else env.guards
    names = {symbol: free.name for symbol, (free, _traced) in _symbols(found).items()}
    for guard in guards:
        yield _readable(str(guard.expr), names), guard.expr, _lines.of_guard(guard)
    for symbol, span in found.program.range_constraints.items():
        for bound, holds in ((span.lower, symbol >= span.lower), (span.upper, symbol <= span.upper)):
            if bound.is_Integer and bound > FEWEST:
                yield _readable(str(holds), names), holds, _line_of(guards, symbol)


def _line_of(guards: Sequence[Any], symbol: Any) -> str:
    lines = (_lines.of_guard(guard) for guard in guards if symbol in guard.expr.free_symbols)
    return next(filter(None, lines), "")


def _readable(text: str, names: Mapping[str, Any]) -> str:
    named = re.sub(r"\bs\d+\b", lambda m: str(_named(names.get(m[0], m[0]))), text)
    spelled = re.sub(
        r"^(Ne|Eq)\((.*), ([^,()]*)\)$", lambda m: f"{m[2]} {'!=' if m[1] == 'Ne' else '=='} {m[3]}", named
    )
    return re.sub(r"\bMod\(([^,()]*), ([^,()]*)\)", r"\1 % \2", spelled)


def _named(entry: Any) -> Any:
    return entry[0].name if isinstance(entry, tuple) else entry


def _failing(holds: Any, free: Mapping[str, Any]) -> list[dict[str, int]]:
    """Promised sizes at which an assumption does not hold, those nearest to the traced sizes first."""
    own = {each.name: traced for each, traced in free.values()}
    span = SINGLE if len(free) == 1 else PAIRS
    choices = [_sizes(entry, span) for entry in free.values()]
    holds_at = _function(holds, list(free))
    failing = []
    for sizes in product(*choices) if len(choices) < 4 else ():
        if not holds_at(*sizes):
            failing.append({each.name: size for (each, _traced), size in zip(free.values(), sizes)})
    failing.sort(key=lambda sizes: sum(abs(size - own[name]) for name, size in sizes.items()))
    return failing


def _function(holds: Any, names: Sequence[str]) -> Callable[..., bool]:
    """The assumption as a function of sizes: in Python's numbers, a hundred times as fast as sympy's own."""
    import sympy

    by_text = {str(s): s for s in holds.free_symbols}
    symbols = [by_text[name] for name in names]

    def slow(*sizes: int) -> bool:
        return bool(holds.subs(dict(zip(symbols, sizes))) != False)  # noqa: E712  sympy's own false

    try:
        fast = sympy.lambdify(symbols, holds, modules=[_IN_PYTHON, "math"])
        tried = [(each,) * len(symbols) for each in (2, 3, 7)]
        same = all(bool(fast(*sizes)) == slow(*sizes) for sizes in tried)
    except Exception:  # a function of the tracer's own
        return slow
    return fast if same else slow


def _sizes(entry: Any, span: int) -> range:
    free, traced = entry
    return range(max(free.least, FEWEST, traced - span), min(free.largest, traced + span) + 1)


def _tried(call: Given, found: Captured, text: str, line: str, failing: list[dict[str, int]]) -> list[str]:
    """A sentence where the module raises too. Raises `AxisBound` where it answers other than the program."""
    import torch

    chosen = [failing[0], failing[-1], failing[len(failing) // 2]][: min(TRIED, len(failing))]
    raises = False
    for sizes in chosen:
        tensors = resized(found.tensors, found.axes, sizes)
        with torch.no_grad(), quiet():
            wanted = _answer(call, tensors)
            if wanted is None:
                raises = True
            elif not _same(wanted, _recorded(call, found, tensors)):
                raise _wrong(text, line, sizes)
    return [f"the module takes sizes only with {text}{line}"] if raises else []


def _wrong(text: str, line: str, sizes: Mapping[str, int]) -> AxisBound:
    name = next(iter(sizes))
    where = ", ".join(f"{name} {size}" for name, size in sizes.items())
    return AxisBound(
        name,
        f"a graph of this module holds only while {text}{line}, and answers otherwise than the module at {where}: "
        f"promise no other sizes (-O torch.dynamic=INPUT.AXIS:{name}[LEAST..MOST]), "
        "or replace that branch by operators on tensors",
    )


def _answer(call: Given, tensors: Sequence[Any]) -> Any:
    args, kwargs = call.arguments([t.clone() for t in tensors])
    try:
        return call.module(*args, **kwargs)
    except Exception:
        return None


def _recorded(call: Given, found: Captured, tensors: Sequence[Any]) -> Any:
    """What the program computes, whatever it assumed of sizes; None: it cannot."""
    program = found.program
    flat = iter([t.clone() for t in tensors])
    held = {**program.state_dict, **program.constants}
    specs = program.graph_signature.input_specs
    try:
        inputs = [next(flat) if s.kind.name == "USER_INPUT" else held[s.target].clone() for s in specs]
        return program.graph_module(*inputs)
    except Exception:
        return None


def _same(one: Any, other: Any) -> bool:
    import torch
    from torch.utils import _pytree as pytree

    mine, theirs = ([t for t in pytree.tree_leaves(each) if isinstance(t, torch.Tensor)] for each in (one, other))
    if len(mine) != len(theirs):
        return False
    return all(
        a.shape == b.shape and a.dtype == b.dtype and torch.allclose(a, b, 1e-4, 1e-5, equal_nan=True)
        for a, b in zip(mine, theirs)
    )
