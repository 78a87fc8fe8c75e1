"""What runs in the interpreter that has torch: makes a system, exports it plainly, times it. Prints one JSON line.

`python -m benchmarks._in_torch list|make|export|ask|time ...`, from the root of the repository.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

ROOT = Path(__file__).parent.parent
SYSTEMS = ROOT / "tests" / "deep" / "systems"
sys.path[:0] = [str(SYSTEMS), str(ROOT / "src")]
SECONDS = 4.0
"""Of one measurement of time."""


def _system(key: str) -> Any:
    from system import systems  # type: ignore[import-not-found, unused-ignore]

    return systems()[key]


def _list() -> Any:
    from system import systems

    return [{"key": key, **_facts(system)} for key, system in systems().items()]


def _facts(system: Any) -> dict[str, Any]:
    batched = not system.dynamic or "batch" in system.dynamic
    return {"name": system.name, "dynamic": system.dynamic, "big": system.big, "batched": batched}


def _make(key: str, folder: str) -> Any:
    """The weights and the example, as a user has them."""
    import numpy as np
    import torch

    system = _system(key)
    module = system.factory()
    torch.save(module.state_dict(), Path(folder) / "model.pt")
    np.savez(Path(folder) / "example.npz", **system.example(2))
    return {"parameters": sum(p.numel() for p in module.parameters())}


def _wrapped(system: Any) -> Any:
    from mlpack_toolkit.converters.torch.model import wrapped

    return wrapped(system.factory(), {})


def _export(key: str, out: str) -> Any:
    """The plain exporter's graph, with the same axes free."""
    import torch

    from mlpack_toolkit.converters.torch.model import tensors

    system = _system(key)
    model, example = _wrapped(system), system.example(2)
    table = model.call(tuple(example)).renamed(example)
    args, kwargs = model.call(tuple(table)).arguments(tensors(table))
    shapes = torch.export.ShapesCollection()
    for tensor, axes in zip(torch.utils._pytree.tree_leaves((args, kwargs)), _axes(system, table).values()):
        shapes[tensor] = axes
    dynamic = shapes.dynamic_shapes(model.module, args, kwargs)
    torch.onnx.export(model.module, args, out, kwargs=kwargs, dynamo=True, dynamic_shapes=dynamic)
    return {}


def _axes(system: Any, table: Mapping[str, Any]) -> dict[str, dict[int, Any]]:
    from mlpack_toolkit.converters.torch.dims import axes_of

    found = axes_of(system.dynamic, {name: values.ndim for name, values in table.items()})
    return {name: {axis: free.name for axis, free in found.get(name, {}).items()} for name in table}


def _ask(key: str, graph: str, tolerances: str) -> Any:
    """The graph against the module at the tensors that a build tries: how many differ, and the first that does."""
    import onnxruntime as ort  # type: ignore[import-untyped, unused-ignore]

    options = ort.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    found = list(_compared(_system(key), session, json.loads(tolerances)))
    wrong = [kind for kind, why in found if why]
    first = next((f"{kind}: {why}" for kind, why in found if why), "")
    return {"asked": len(found), "wrong": len(wrong), "first": first}


def _compared(system: Any, session: Any, allowed: Mapping[str, tuple[float, float]]) -> Iterator[tuple[str, str]]:
    """By kind of batch, how the graph differs; empty where it does not. What the module refuses is left out."""
    model = _wrapped(system)
    given = system.example(2)
    table = model.call(tuple(given)).renamed(given)
    names = [each.name for each in session.get_inputs()]
    for kind, batch in _batches(system, table):
        try:
            want = model.outputs(batch)
        except Exception:  # the module does not take it
            continue
        try:
            got = session.run(None, dict(zip(names, batch.values())))
        except Exception as error:
            yield kind, f"fails: {str(error).splitlines()[0][-160:]}"
            continue
        yield kind, _difference(want, got, allowed)


def _batches(system: Any, table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    from mlpack_toolkit.converters._worker.tensor_probes import tensor_probes
    from mlpack_toolkit.converters.spec import Signature, TensorSpec

    def shape(name: str) -> tuple[int | str, ...]:
        axes = _axes(system, table)[name]
        return tuple(axes.get(axis, size) for axis, size in enumerate(table[name].shape))

    inputs = tuple(TensorSpec(name, values.dtype.name, shape(name)) for name, values in table.items())
    yield "example", table
    yield from ((tried.kind, tried.batch) for tried in tensor_probes(Signature("", inputs, ()), dict(table)))


def _difference(want: Mapping[str, Any], got: list[Any], allowed: Mapping[str, tuple[float, float]]) -> str:
    import numpy as np

    if len(want) != len(got):
        return f"{len(got)} outputs for {len(want)}"
    for (name, a), b in zip(want.items(), got):
        rtol, atol = allowed.get(name, (1e-4, 1e-5))
        if a.dtype != b.dtype or a.shape != b.shape:
            return f"{name} is {b.dtype}{list(b.shape)} for {a.dtype}{list(a.shape)}"
        if not np.allclose(b, a, rtol, atol, equal_nan=True):
            with np.errstate(all="ignore"):
                return f"{name} differs by {np.nanmax(np.abs(b.astype(float) - a.astype(float)), initial=0):.2g}"
    return ""


def _time(key: str, graph: str, rows: str, compiled: str) -> Any:
    """Milliseconds of a call, one thread each, in turns: the graph, the module, and the module compiled."""
    import torch

    from mlpack_toolkit.converters.torch.model import tensors

    torch.set_num_threads(1)
    system = _system(key)
    model = _wrapped(system)
    given = system.example(int(rows))
    table = model.call(tuple(given)).renamed(given)
    args, kwargs = model.call(tuple(table)).arguments(tensors(table))
    calls = {"graph": _session_call(graph, table), "eager": lambda: model.module(*args, **kwargs)}
    seconds, why = 0.0, ""
    if compiled == "yes":
        start = perf_counter()
        try:
            fast = torch.compile(model.module)
            with torch.no_grad():
                fast(*args, **kwargs)
            calls["compiled"] = lambda: fast(*args, **kwargs)
        except Exception as error:
            why = f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"
        seconds = perf_counter() - start
    with torch.no_grad():
        found = _in_turns(calls)
    return {**found, "compiling": seconds, "why": why}


def _session_call(graph: str, table: Mapping[str, Any]) -> Callable[[], Any]:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    feeds = dict(zip([each.name for each in session.get_inputs()], table.values()))
    return lambda: session.run(None, feeds)


def _in_turns(calls: Mapping[str, Callable[[], Any]]) -> dict[str, float]:
    """The median of each, called in turns, so that another's load falls on all of them alike."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    start = perf_counter()
    while perf_counter() - start < SECONDS * len(calls) or len(next(iter(times.values()))) < 3:
        for name, call in calls.items():
            before = perf_counter()
            call()
            times[name].append(perf_counter() - before)
    return {name: median(found) * 1000 for name, found in times.items()}


COMMANDS: dict[str, Callable[..., Any]] = {"list": _list, "make": _make, "export": _export, "ask": _ask, "time": _time}


def main() -> None:
    """Runs the command, whose answer is the last line."""
    name, *arguments = sys.argv[1:]
    print(json.dumps(COMMANDS[name](*arguments)))


if __name__ == "__main__":
    main()
