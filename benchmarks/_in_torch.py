"""What runs in the interpreter that has torch: makes a system, exports it plainly, times it. Prints one JSON line.

`python -m benchmarks._in_torch list|make|export|ask|time ...`, from the root of the repository.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
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
    return {
        "name": system.name,
        "dynamic": system.dynamic,
        "big": system.big,
        "frame": system.frame,
        "batched": batched,
    }


def _make(key: str, folder: str) -> Any:
    """The weights and the example, as a user has them."""
    import joblib
    import numpy as np
    import torch

    system = _system(key)
    module = system.factory()
    if system.frame:
        joblib.dump(module, Path(folder) / "model.joblib")
        system.example(20).to_csv(Path(folder) / "example.csv", index=False)
        return {"parameters": sum(p.numel() for p in _network(module[-1]).parameters())}
    torch.save(module.state_dict(), Path(folder) / "model.pt")
    np.savez(Path(folder) / "example.npz", **system.example(2))
    return {"parameters": sum(p.numel() for p in module.parameters())}


def _network(step: Any) -> Any:
    """The module of a pipeline's last step."""
    return step.module_ if hasattr(step, "module_") else step.module()


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


def _ask(key: str, graph: str, bundle: str) -> Any:
    """The graph against the module at the tensors that a build tries: how many differ, and the first that does.

    `bundle`: of the same system, whose rules and tolerances hold here, too; empty: there is none.
    """
    import onnxruntime as ort  # type: ignore[import-untyped, unused-ignore]

    options = ort.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    found = list(_compared(_system(key), session, Path(bundle) if bundle else None))
    wrong = [kind for kind, why in found if why]
    first = next((f"{kind}: {why}" for kind, why in found if why), "")
    return {"asked": len(found), "wrong": len(wrong), "first": first}


def _compared(system: Any, session: Any, bundle: Path | None) -> Iterator[tuple[str, str]]:
    """By kind of batch, how the graph differs; empty where it does not. What the module refuses is left out."""
    model = _wrapped(system)
    given = system.example(2)
    table = model.call(tuple(given)).renamed(given)
    signature, allowed = _promised(system, table, bundle)
    names = [each.name for each in session.get_inputs()]
    for kind, batch in _batches(signature, table):
        try:
            want = model.outputs(batch)
        except Exception:  # the module does not take it
            continue
        try:
            got = session.run(None, dict(zip(names, batch.values())))
        except Exception as error:
            yield kind, f"fails: {str(error).splitlines()[0][-160:]}"
            continue
        known = {name: allowed.get(name, _loose()) for name, values in want.items() if values.dtype.kind == "f"}
        noise = partial(_noise, model, batch, signature.batch_axes if bundle and signature.has_rows else None)
        yield kind, _difference(want, dict(zip(want, got)), known, noise)


def _noise(model: Any, batch: Any, axes: Any) -> Mapping[str, float]:
    """How far the module is from itself on these tensors: otherwise computed, and row by row."""
    from mlpack_toolkit.converters._worker.noise import noise_of

    return noise_of(model.outputs, model.again, batch, axes)


def _loose() -> Any:
    """The tolerance where no build has given one."""
    from mlpack_toolkit.packager.equivalence.comparison import TYPE_TOLERANCE

    return TYPE_TOLERANCE["float32"]


def _promised(system: Any, table: Mapping[str, Any], bundle: Path | None) -> tuple[Any, Mapping[str, Any]]:
    """The signature and the tolerances of the bundle; without one the inputs as they are promised."""
    from mlpack_toolkit.converters.spec import Signature, TensorSpec
    from mlpack_toolkit.packager.bundle.golden import Tolerance

    if bundle is not None:
        found = json.loads((bundle / "reports" / "verification.json").read_text())["tolerances"]
        manifest = json.loads((bundle / "manifest.json").read_text())
        signature = Signature.from_json(manifest["variants"]["reference"]["signature"])
        return signature, {name: Tolerance(each["rtol"], each["atol"]) for name, each in found.items()}
    axes = _axes(system, table)

    def shape(name: str) -> tuple[int | str, ...]:
        return tuple(axes[name].get(axis, size) for axis, size in enumerate(table[name].shape))

    return Signature("", tuple(TensorSpec(n, v.dtype.name, shape(n)) for n, v in table.items()), ()), {}


def _batches(signature: Any, table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The example, and what a build tries beside it, without what the signature's rules forbid."""
    from mlpack_toolkit.converters._worker.tensor_probes import tensor_probes
    from mlpack_toolkit.runtimes.engine.rules import violations

    yield "example", table
    for tried in tensor_probes(signature, dict(table)):
        if next(violations(signature, tried.batch), None) is None:
            yield tried.kind, tried.batch


def _difference(
    want: Mapping[str, Any],
    got: Mapping[str, Any],
    allowed: Mapping[str, Any],
    noise: Callable[[], Mapping[str, float]],
) -> str:
    """How the answers differ, within the tolerance and within the noise of the module, as a build compares."""
    import numpy as np

    from mlpack_toolkit.packager.equivalence.comparison import compare
    from mlpack_toolkit.packager.equivalence.noise import loosened

    def compared(tolerances: Mapping[str, Any]) -> Any:
        return compare(dict(want), dict(got), np.full(1, "batch", object), tolerances, dict.fromkeys(want))

    found = compared(allowed)
    found = found if found.equal else compared(loosened(allowed, noise(), dict(want)))
    name = next((name for name, errors in found.errors["batch"].items() if errors.mismatches), "")
    if not name:
        return ""
    shapes = [f"{each[name].dtype}{list(each[name].shape)}" for each in (got, want)]
    return f"{name} is {shapes[0]} for {shapes[1]}" if shapes[0] != shapes[1] else _distance(name, want, got)


def _distance(name: str, want: Mapping[str, Any], got: Mapping[str, Any]) -> str:
    import numpy as np

    with np.errstate(all="ignore"):
        far = np.abs(got[name].astype(float) - want[name].astype(float))
    places = int((np.isnan(want[name].astype(float)) != np.isnan(got[name].astype(float))).sum())
    return f"{name} has NaN at {places} other places" if places else f"{name} differs by {np.nanmax(far):.2g}"


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
