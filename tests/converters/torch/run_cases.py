"""Exports every case in one process and prints a JSON line for each; runs in an interpreter that has torch.

`python run_cases.py [--bare] [--keep FOLDER] [NAME ...]`. `--bare`: with torch's own exporter alone.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from cases.case import CASES, Case

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "src"))
for theme in ("numbers", "sizes", "places", "pictures", "detecting", "sequences", "outside"):
    importlib.import_module(f"cases.{theme}")

RELATIVE, ABSOLUTE = 1e-4, 1e-5


def bare(case: Case, out: Path) -> None:
    """The plain exporter's graph."""
    shapes = tuple({a: d if isinstance(d, str) else d[0] for a, d in axes.items()} for axes in case.axes)
    with contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(made(case), case.example, str(out), dynamo=True, dynamic_shapes=shapes)


def ours(case: Case, out: Path) -> None:
    """The graph of the converter, once its module is found to be pure."""
    from mlpack_toolkit.converters.spec import Range
    from mlpack_toolkit.converters.torch import exporting, model, purity

    wrapped = model.wrapped(made(case), {})
    table = {f"x{i}": t.numpy() for i, t in enumerate(case.example)}
    outputs = tuple(purity.check_pure(wrapped.module, lambda: wrapped.outputs(table), wrapped.outputs(table)))
    args, kwargs = wrapped.call(tuple(table)).arguments(model.tensors(table))
    axes = [{a: Range(d) if isinstance(d, str) else Range(*d) for a, d in each.items()} for each in case.axes]
    with contextlib.redirect_stdout(io.StringIO()):
        program = exporting.recorded(wrapped.module, args, kwargs, axes, tuple(table))
        exporting.export(program, (tuple(table), outputs), out)


def made(case: Case) -> torch.nn.Module:
    """The module as it was at first."""
    torch.manual_seed(0)
    module = case.module()
    return module if case.name == "module_left_in_training" else module.eval()


def expected(case: Case, inputs: tuple[torch.Tensor, ...]) -> list[np.ndarray] | None:
    """What a fresh copy of the module answers; None: it raises."""
    try:
        with torch.no_grad():
            found = made(case).eval()(*(t.clone() for t in inputs))
    except Exception:
        return None
    return [t.numpy() for t in (found if isinstance(found, tuple) else (found,))]


def differences(case: Case, path: Path) -> Iterator[str]:
    """A sentence for each input at which the graph answers other than the module."""
    options = ort.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    for number, inputs in enumerate((case.example, *case.further)):
        feeds = {i.name: t.numpy() for i, t in zip(session.get_inputs(), inputs)}
        wanted = expected(case, inputs)
        try:
            found = session.run(None, feeds)
        except Exception as error:
            if wanted is not None:
                yield f"input {number}: fails at run: {str(error).splitlines()[0][-200:]}"
            continue
        if wanted is None:
            yield f"input {number}: the original raises, the graph answers"
            continue
        yield from (f"input {number}: {each}" for each in compared(wanted, found))


def compared(wanted: list[np.ndarray], found: list[np.ndarray]) -> Iterator[str]:
    if len(wanted) != len(found):
        yield f"{len(found)} outputs for {len(wanted)}"
    for place, (a, b) in enumerate(zip(wanted, found)):
        if a.dtype != b.dtype or a.shape != b.shape:
            yield f"output {place}: {b.dtype}{list(b.shape)} for {a.dtype}{list(a.shape)}"
        elif not np.allclose(a, b, RELATIVE, ABSOLUTE, equal_nan=True):
            with np.errstate(all="ignore"):
                yield f"output {place}: {np.ravel(b)[:6]} for {np.ravel(a)[:6]}"


def outcome(case: Case, export: Callable[[Case, Path], None], folder: Path) -> dict[str, object]:
    """What came of one case: right, refused, fails or wrong, with the reason."""
    path = folder / f"{case.name}.onnx"
    before = time.process_time()
    try:
        export(case, path)
    except Exception as error:
        refused = export is bare or any(each.__name__ == "Unsupported" for each in type(error).__mro__)
        found = ["refused" if refused else "crashed", f"{type(error).__name__}: {error}"]
    else:
        try:
            wrong = list(differences(case, path))
            ends = all("fails at run" in each for each in wrong)
            found = ["right" if not wrong else "fails" if ends else "wrong", "; ".join(wrong)]
        except Exception as error:
            found = ["fails", f"does not load: {error}"]
    seconds = time.process_time() - before
    return {
        "case": case.name,
        "outcome": found[0],
        "why": found[1],
        "refused": case.refused,
        "operators": operators(path) if path.exists() else [],
        "seconds": round(seconds, 2),
    }


def without(fix: str, case: Case, folder: Path) -> dict[str, object]:
    """What comes of a case when one fix, or one replacement of a layer, is left out."""
    from mlpack_toolkit.converters.torch import _capture, _fixes, exporting

    left = [each for each in _fixes.FIXES if each.name != fix]
    swapped = {(_fixes, "FIXES"): tuple(left)}
    swapped |= {(m, fix): contextlib.nullcontext for m in (_capture, exporting) if hasattr(m, fix)}
    assert len(left) < len(_fixes.FIXES) or len(swapped) > 1, f"there is no fix {fix}"
    with contextlib.ExitStack() as stack:
        for (owner, name), value in swapped.items():
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, value)
        return {**outcome(case, ours, folder), "case": f"{case.name} without {fix}"}


def twice(case: Case, folder: Path) -> dict[str, object]:
    """Whether two exports of a module are the same bytes, and what of this machine is in them."""
    paths = [folder / "first.onnx", folder / "second.onnx"]
    for path in paths:
        ours(case, path)
    first, second = (path.read_bytes() for path in paths)
    here = (str(Path(__file__).parent), "site-packages", "forward(self", ".py", "File ")
    strings = [text for text in here if text.encode() in first]
    same = first == second
    return {"case": f"{case.name} twice", "same": same, "size": len(first), "strings": strings, "rows": rows(paths[0])}


def rows(path: Path) -> list[int]:
    """How many rows a graph's LSTM computes for batches of 0, 1 and 5."""
    model = onnx.load(str(path))
    states = next(node.output[0] for node in model.graph.node if node.op_type == "LSTM")
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(states))
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    batches = (np.zeros((batch, 3, given.shape[2]), np.float32) for batch in (0, 1, 5))
    return [session.run([states], {given.name: batch})[0].shape[2] for batch in batches]


def operators(path: Path) -> list[str]:
    """The operators of a graph, outside of the bodies of others, and how they join numbers: `ScatterND add`."""
    found = set()
    for node in onnx.load(str(path), load_external_data=False).graph.node:
        joined = [each.s.decode() for each in node.attribute if each.name == "reduction"]
        found.add(" ".join([node.op_type, *joined]))
    return sorted(found)


def main() -> None:
    """Runs the cases named, or all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bare", action="store_true")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--without", action="append", default=[], metavar="FIX=CASE")
    parser.add_argument("--twice", action="append", default=[])
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.ERROR)
    torch.set_num_threads(1)
    export = bare if given.bare else ours
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        work = [lambda name=name: outcome(CASES[name], export, folder) for name in given.names or CASES]
        work += [
            lambda pair=pair: without(pair.partition("=")[0], CASES[pair.partition("=")[2]], folder)
            for pair in given.without
        ]
        work += [lambda name=name: twice(CASES[name], folder) for name in given.twice]
        for each in work:
            with contextlib.redirect_stderr(io.StringIO()):
                line = each()
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    sys.exit(main())
