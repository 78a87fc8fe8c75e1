"""Exports every case in one process and prints a JSON line for each; runs in an interpreter that has TensorFlow.

`python run_cases.py [--bare] [--without OPERATOR=CASE] [NAME ...]`. `--bare`: with tf2onnx alone.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "src"))
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", TF_ENABLE_ONEDNN_OPTS="0")
os.environ["KERAS_BACKEND"] = "tensorflow"
import numpy as np
import onnxruntime as ort
import tensorflow as tf
from cases.case import CASES, Case

from mlpack_toolkit.converters import tensorflow as converter
from mlpack_toolkit.converters.tensorflow import loading

loading.imported()
for theme in ("layers", "words", "operators"):
    importlib.import_module(f"cases.{theme}")

RELATIVE, ABSOLUTE = 1e-4, 1e-5
Model = loading.TensorflowModel


def made(case: Case) -> Model:
    """The case's model, as it is after loading."""
    tf.random.set_seed(0)
    import keras

    keras.utils.set_random_seed(0)
    found = case.made()
    if isinstance(found, keras.Model):
        return loading.of_keras(found, {})
    signature = found.serve.get_concrete_function()
    inputs = tuple(loading._of_spec(spec.name, spec) for spec in signature.structured_input_signature[0])
    return Model(lambda x: found.serve(*(x[each.name] for each in inputs)), inputs, {}, "", found, 0)


def ours(case: Case, out: Path) -> Model:
    """The graph of the converter, once its model is found to be pure; as the worker goes about it."""
    from mlpack_toolkit.converters._worker.signature import signature_of

    model = made(case)
    example = converter.named(model, {n: np.asarray(v) for n, v in case.example.items()})
    described = converter.adapt(model, replace(converter.describe(model), example=example))
    signature = signature_of(described, example, model.outputs(example))
    converter.convert(model, described, signature, "float32", out)
    return model


def bare(case: Case, out: Path) -> Model:
    """tf2onnx's graph of the SavedModel, as its command makes it."""
    from tf2onnx import convert, tf_loader

    model = made(case)
    specs = [tf.TensorSpec(each.shape, each.dtype, each.name) for each in model.inputs]
    holder = tf.Module()
    holder.held = model.holder
    serve = tf.function(lambda *x: model.ask({each.name: t for each, t in zip(model.inputs, x)}), input_signature=specs)
    holder.serve = serve
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(holder, folder, signatures=serve)
        graph, takes, gives, tables, rename = tf_loader.from_saved_model(
            folder,
            None,
            None,
            "serve",
            ["serving_default"],
            return_initialized_tables=True,
            return_tensors_to_rename=True,
        )
        proto, _ = convert._convert_common(
            graph, opset=18, input_names=takes, output_names=gives, tensors_to_rename=rename, initialized_tables=tables
        )
    out.write_bytes(proto.SerializeToString())
    return model


def differences(case: Case, model: Model, path: Path) -> Iterator[str]:
    """A sentence for each input at which the graph answers other than the model."""
    options = ort.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    for number, inputs in enumerate((case.example, *case.further)):
        feeds = converter.named(model, {n: np.asarray(v) for n, v in inputs.items()})
        try:
            wanted: dict[str, Any] | None = dict(model.outputs(feeds))
        except Exception:
            wanted = None
            if not all(v.size for v in feeds.values()):  # the build forbids an empty batch that one side refuses
                continue
        try:
            found = dict(zip((o.name for o in session.get_outputs()), session.run(None, feeds)))
        except Exception as error:
            if wanted is not None and all(v.size for v in feeds.values()):
                yield f"input {number}: fails at run: {str(error).splitlines()[0][-200:]}"
            continue
        if wanted is None:
            yield f"input {number}: the original raises, the graph answers"
            continue
        yield from (f"input {number}: {each}" for each in compared(wanted, found))


def compared(wanted: dict[str, Any], found: dict[str, Any]) -> Iterator[str]:
    if sorted(wanted) != sorted(found):
        yield f"outputs {sorted(found)} for {sorted(wanted)}"
        return
    for name, a in wanted.items():
        b = found[name]
        if a.shape != b.shape or a.dtype != b.dtype:
            yield f"{name}: {b.dtype}{list(b.shape)} for {a.dtype}{list(a.shape)}"
        elif not (bool((a == b).all()) if a.dtype == object else np.allclose(a, b, RELATIVE, ABSOLUTE, equal_nan=True)):
            yield f"{name}: {np.ravel(b)[:6]} for {np.ravel(a)[:6]}"


def outcome(case: Case, export: Callable[[Case, Path], Model], folder: Path) -> dict[str, object]:
    """What came of one case: right, refused, fails or wrong, with the reason."""
    path = folder / f"{case.name}.onnx"
    before = time.process_time()
    try:
        model = export(case, path)
    except Exception as error:
        refused = export is bare or any(each.__name__ == "Unsupported" for each in type(error).__mro__)
        found = ["refused" if refused else "crashed", f"{type(error).__name__}: {error}"]
    else:
        try:
            wrong = list(differences(case, model, path))
            ends = all("fails at run" in each for each in wrong)
            found = ["right" if not wrong else "fails" if ends else "wrong", "; ".join(wrong)]
        except Exception as error:
            found = ["fails", f"does not load: {error}"]
    seconds = round(time.process_time() - before, 2)
    return {"case": case.name, "outcome": found[0], "why": found[1], "refused": case.refused, "seconds": seconds}


def without(operator: str, case: Case, folder: Path) -> dict[str, object]:
    """What comes of a case when one translation of ours is left out."""
    from mlpack_toolkit.converters.tensorflow import _fixes, exporting

    before = _fixes.handlers

    def fewer(tables: Any) -> dict[str, Any]:
        found = before(tables)
        del found[operator]
        return found

    exporting.handlers = fewer
    try:
        return {**outcome(case, ours, folder), "case": f"{case.name} without {operator}"}
    finally:
        exporting.handlers = before


def main() -> None:
    """Runs the cases named, or all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bare", action="store_true")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--without", action="append", default=[], metavar="OPERATOR=CASE")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--list", action="store_true")
    given = parser.parse_args()
    if given.list:
        print(*CASES, sep="\n")
        return
    warnings.filterwarnings("ignore")
    export = bare if given.bare else ours
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        named = given.names or ([] if given.without else CASES)
        work = [lambda name=name: outcome(CASES[name], export, folder) for name in named]
        pairs = [pair.partition("=") for pair in given.without]
        work += [lambda o=operator, n=name: without(o, CASES[n], folder) for operator, _, name in pairs]
        for each in work:
            with contextlib.redirect_stderr(io.StringIO()):
                line = each()
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    sys.exit(main())
