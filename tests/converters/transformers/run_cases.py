"""Converts tiny models of many architectures in one process, and compares; prints a JSON object by key.

Runs in an interpreter that has transformers and ONNX Runtime: `python run_cases.py FOLDER KEY ...`.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "src"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import folders
import numpy as np
import onnxruntime

from mlpack_toolkit.converters._worker.tensor_probes import resized
from mlpack_toolkit.converters.spec import Signature, TensorSpec, Unreadable, Unsupported
from mlpack_toolkit.converters.transformers import CONVERTER
from mlpack_toolkit.converters.transformers.language import described
from mlpack_toolkit.converters.transformers.model import FolderModel, example, load
from mlpack_toolkit.packager.bundle.golden import Tolerance
from mlpack_toolkit.packager.language.decoding import decoder_of
from mlpack_toolkit.packager.language.sequences import proved

ALLOWED = Tolerance(1e-5, 2e-5)


def case(key: str, folder: Path) -> dict[str, Any]:
    """What became of one architecture: right with its errors, or refused with the reason."""
    folders.make(key, folder / key)
    before = time.process_time()
    try:
        found = converted(load(folder / key / "config.json", {"task": ""}), folder / f"{key}.onnx")
    except (Unsupported, Unreadable) as error:
        return {"refused": str(error), "seconds": time.process_time() - before}
    return {**found, "seconds": time.process_time() - before}


def converted(model: FolderModel, out: Path) -> dict[str, Any]:
    table = CONVERTER.probing.named(model, example(model))
    described_as = CONVERTER.original.describe(model)
    about = CONVERTER.probing.adapt(model, replace(described_as, example=table))
    want = model.outputs(table)
    outputs = tuple(TensorSpec(name, value.dtype.name, about.outputs[name]) for name, value in want.items())
    CONVERTER.export.convert(model, about, Signature("graph", about.inputs, outputs, (), about.ranges), "float32", out)
    session = onnxruntime.InferenceSession(str(out))
    names = [each.name for each in session.get_outputs()]

    def run(x: dict[str, Any]) -> dict[str, Any]:
        return dict(zip(names, session.run(None, {each.name: x[each.name] for each in session.get_inputs()})))

    pairs = [(run(x)[n], v) for x in (table, *others(about.inputs, table)) for n, v in model.outputs(x).items()]
    error = max(float(np.abs(got - v).max(initial=0)) for got, v in pairs)
    found: dict[str, Any] = {
        "title": about.title,
        "inputs": {t.name: list(t.shape) for t in about.inputs},
        "outputs": {name: list(about.outputs[name]) for name in want},
        "error": error,
        "share": max(share_of_tolerance(got, v) for got, v in pairs),
        "scale": max(float(np.abs(value).max(initial=0)) for value in want.values()),
        "said": described(model)["text"],
    }
    if model.cache is not None:
        found["generation"] = continued(model, run)
    return found


def share_of_tolerance(got: Any, want: Any) -> float:
    """The largest error as a share of what is allowed; infinite for another shape, or a NaN in another place."""
    if got.shape != want.shape or not np.array_equal(np.isnan(got), np.isnan(want)):
        return float("inf")
    allowed = ALLOWED.atol + ALLOWED.rtol * np.abs(want).max(initial=0)
    return float((np.nan_to_num(np.abs(got - want)) / allowed).max(initial=0))


def others(inputs: tuple[TensorSpec, ...], table: dict[str, Any]) -> list[dict[str, Any]]:
    """Other sizes of what is free, and the padding on the other side."""
    dims = [d for t in inputs for d in t.shape if isinstance(d, str) and " " not in d]
    found = [resized(inputs, table, {dim: size}) for dim in dict.fromkeys(dims) for size in (1, 7)]
    if "past_sequence_length" in dims:
        found.append(resized(inputs, table, {"past_sequence_length": 0}))
    if "attention_mask" in table:
        found.append({**table, "attention_mask": np.ascontiguousarray(table["attention_mask"][:, ::-1])})
    return found


def continued(model: FolderModel, run: Any) -> dict[str, Any]:
    facts = described(model)["generation"]
    decoder = decoder_of(run, facts)

    def original(ids: Any) -> Any:
        row = np.array([ids], np.int64)
        inputs = {"input_ids": row, "attention_mask": np.ones_like(row), "position_ids": np.arange(len(ids))[None]}
        return model.outputs({**inputs, **decoder.empty(1)})["logits"][0]

    return {**facts, "report": proved(decoder, facts["sequences"], original, ALLOWED)}


if __name__ == "__main__":
    for name in sys.argv[2:]:
        try:
            line = case(name, Path(sys.argv[1]))
        except Exception as error:
            line = {"fails": f"{type(error).__name__}: {str(error)[:600]}"}
        print(json.dumps({"key": name, **line}), flush=True)
