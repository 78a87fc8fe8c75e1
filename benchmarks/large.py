"""A large ONNX file from `mlpack build` to an answer: time, memory of all processes together, disk, size of the bundle.

`python -m benchmarks.large [--json] [--model NAME] [--megabytes N]`. `bare`: one load of the file in ONNX Runtime and
two runs of the probe rows of that build, on one thread, as the original is asked.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ._process import MLPACK, PYTHON, run
from ._show import show

MEGABYTES = {"dense": 256, "dense beside": 256, "table beside": 3072}
"""By name: layers of numbers in one file, the same in a file of their own, and a table of vectors in such a file."""
SIDE = 4096
WIDTH = 64
GIGABYTE = 1 << 30
MOST_MEMORY, MORE_MEMORY, MOST_TIME = 3.0, GIGABYTE // 2, 3.0
MOST_BUNDLE = 1.05
"""The source is the graph that ships, or the graph refers to the source's numbers."""


def measure(names: Sequence[str], megabytes: int = 0) -> list[dict[str, Any]]:
    """A row per model; `megabytes`: the size of all of them, 0: their own."""
    with tempfile.TemporaryDirectory() as work:
        return [_one(name, megabytes or MEGABYTES[name], Path(work) / name.replace(" ", "-")) for name in names]


def _one(name: str, megabytes: int, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    model, example = write_model(folder, name, megabytes)
    size = sum(path.stat().st_size for path in folder.glob("model.onnx*"))
    built = run([*MLPACK, "build", model, "--example", example, "-o", folder / "dist"], together=True)
    bundle = folder / "dist" / "model-1.0.0"
    kept = sum({path.stat().st_ino: path.stat().st_size for path in bundle.rglob("*") if path.is_file()}.values())
    rows = json.loads((bundle / "reports" / "verification.json").read_text())["rows"]
    bare = run([PYTHON, "-c", BARE, model, example, rows])
    verified = run([*MLPACK, "verify", bundle], together=True)
    answered = run([*MLPACK, "predict", bundle, example, "-o", folder / "answers.csv"], together=True)
    return {
        "model": name,
        "MB": size / 2**20,
        "probe rows": rows,
        "build s": built.wall,
        "build CPU s": built.cpu,
        "disk read GB": built.disk_read / GIGABYTE,
        "disk written GB": built.disk_written / GIGABYTE,
        "bare s": bare.wall,
        "bare CPU s": bare.cpu,
        "in time": built.wall <= MOST_TIME * bare.wall,
        "build GB": built.together / GIGABYTE,
        "times the file": built.together / size,
        "in memory": built.together <= MOST_MEMORY * size + MORE_MEMORY,
        "bundle": kept / size,
        "small": kept <= MOST_BUNDLE * size,
        "verify s": verified.wall,
        "verify GB": verified.together / GIGABYTE,
        "predict s": answered.wall,
        "predict GB": answered.together / GIGABYTE,
    }


def write_model(folder: Path, name: str, megabytes: int) -> tuple[Path, Path]:
    """A model of about that size, and eight rows for it."""
    layers = name.startswith("dense")
    parts = list(_layers(megabytes) if layers else _table(megabytes))
    path, example = folder / "model.onnx", folder / "rows.npz"
    _save(path, parts, layers, name.endswith("beside"))
    rows = np.arange(64).reshape(8, 8)
    np.savez(example, x=rows.astype(np.float32) / 64 if layers else rows.astype(np.int32))
    return path, example


def _layers(megabytes: int) -> Iterator[tuple[str, tuple[int, int]]]:
    yield "first", (8, SIDE)
    for i in range(max(1, megabytes // (SIDE * SIDE * 4 >> 20))):
        yield f"layer{i}", (SIDE, SIDE)
    yield "last", (SIDE, 3)


def _table(megabytes: int) -> Iterator[tuple[str, tuple[int, int]]]:
    yield "table", (megabytes * 2**20 // 4 // WIDTH, WIDTH)
    yield "last", (WIDTH, 3)


def _save(path: Path, parts: Sequence[tuple[str, tuple[int, int]]], layers: bool, beside: bool) -> None:
    """Writes the model; numbers beside it are made and written a block at a time."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    tensors = []
    with path.with_name("model.onnx.data").open("wb") if beside else tempfile.TemporaryFile() as data:
        for name, (rows, columns) in parts:
            start = data.tell()
            tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=(rows, columns))
            for first in range(0, rows, 1 << 16):
                block = rng.random((min(1 << 16, rows - first), columns), dtype=np.float32) - np.float32(0.5)
                data.write((block * np.float32(3 / columns**0.5)).tobytes())
            if beside:
                tensor.data_location = TensorProto.EXTERNAL
                places = {"location": "model.onnx.data", "offset": start, "length": data.tell() - start}
                for key, value in places.items():
                    tensor.external_data.add(key=key, value=str(value))
            else:
                data.seek(start)
                tensor.raw_data = data.read()
            tensors.append(tensor)
    tensors.append(numpy_helper.from_array(np.array([1]), "one"))
    nodes = _dense_nodes(parts) if layers else _table_nodes(tensors, parts[0][1][0])
    kind = TensorProto.FLOAT if layers else TensorProto.INT32
    given = helper.make_tensor_value_info("x", kind, ["N", 8])
    gives = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])
    graph = helper.make_graph(nodes, "large", [given], [gives], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    onnx.checker.check_model(str(path))


def _dense_nodes(parts: Sequence[tuple[str, tuple[int, int]]]) -> list[Any]:
    from onnx import helper

    nodes, value = [], "x"
    for name, _ in parts[:-1]:
        nodes += [helper.make_node("MatMul", [value, name], [f"{name}_m"])]
        nodes += [helper.make_node("Tanh", [f"{name}_m"], [f"{name}_t"])]
        value = f"{name}_t"
    return [*nodes, helper.make_node("MatMul", [value, parts[-1][0]], ["y"])]


def _table_nodes(tensors: list[Any], rows: int) -> list[Any]:
    from onnx import TensorProto, helper, numpy_helper

    tensors.append(numpy_helper.from_array(np.array(rows), "rows"))
    return [
        helper.make_node("Cast", ["x"], ["wide"], to=TensorProto.INT64),
        helper.make_node("Mod", ["wide", "rows"], ["row"]),
        helper.make_node("Gather", ["table", "row"], ["vectors"], axis=0),
        helper.make_node("ReduceSum", ["vectors", "one"], ["sum"], keepdims=0),
        helper.make_node("MatMul", ["sum", "last"], ["y"]),
    ]


BARE = """
import sys
import numpy
import onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
rows = numpy.load(sys.argv[2])["x"]
rows = rows[numpy.arange(int(sys.argv[3])) % len(rows)]
session.run(None, {"x": rows}), session.run(None, {"x": rows})
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--model", action="append", choices=list(MEGABYTES))
    parser.add_argument("--megabytes", type=int, default=0, help="the size of each model, in place of its own")
    given = parser.parse_args(arguments)
    show("large", measure(given.model or list(MEGABYTES), given.megabytes), given.json)


if __name__ == "__main__":
    main()
