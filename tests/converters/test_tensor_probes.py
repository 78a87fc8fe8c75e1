"""Batches of tensors worth trying."""

from __future__ import annotations

import numpy as np
import pytest

from mlpack_toolkit.converters._worker.model_input import in_floats
from mlpack_toolkit.converters._worker.tensor_probes import ROWS, tensor_probes
from mlpack_toolkit.converters.spec import Signature, Table, TensorSpec
from mlpack_toolkit.runtimes.engine.rules import violations

RNG = np.random.default_rng(0)
IMAGE = TensorSpec("image", "float32", ("N", 3, "height", "width"))
TOKENS = TensorSpec("tokens", "int64", ("N", "length")).with_cells(least=0, most=99)
MASK = TensorSpec("mask", "int64", ("N", "length"))
OUTPUT = TensorSpec("y", "float32", ("N",))


def _tried(rows: Table, *inputs: TensorSpec) -> dict[str, Table]:
    found = list(tensor_probes(Signature("graph", inputs, (OUTPUT,)), rows))
    assert len({each.kind for each in found}) == len(found)
    return {each.kind: each.batch for each in found}


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_whole_numbers_of_an_example_become_floats_where_the_model_takes_them(dtype: str) -> None:
    image, pixels = TensorSpec("image", dtype, ("N", 3, 2, 2)), np.arange(36, dtype=np.uint8).reshape(3, 3, 2, 2)
    rows = in_floats((image, TOKENS), {"image": pixels, "tokens": np.ones((3, 2), np.int64)})
    assert (rows["image"].dtype, rows["tokens"].dtype) == (np.dtype(image.in_numpy), np.int64)
    assert np.array_equal(rows["image"], pixels)
    assert np.isnan(_tried(rows, image, TOKENS)["one missing cell in image"]["image"]).sum() == 1


def test_every_free_size_and_all_at_once() -> None:
    tried = _tried({"image": RNG.normal(size=(9, 3, 6, 5)).astype(np.float32)}, IMAGE)
    shapes = {kind: batch["image"].shape for kind, batch in tried.items()}
    assert {shapes[f"size {n} of height"] for n in (0, 1, 7, 12, 13)} == {(ROWS, 3, n, 5) for n in (0, 1, 7, 12, 13)}
    assert {shapes[f"size {n} of N"] for n in (0, 1, 5, 8, 9)} == {(n, 3, 6, 5) for n in (0, 1, 5, 8, 9)}
    assert len({*shapes["other sizes of all"]}) == 4


def test_values_of_an_image() -> None:
    image = RNG.normal(size=(4, 3, 6, 5)).astype(np.float32)
    tried = _tried({"image": image}, IMAGE)
    values = {kind.removesuffix(" in image"): batch["image"] for kind, batch in tried.items()}
    assert (values["0"] == 0).all() and np.isnan(values["nan"]).all() and np.isinf(values["inf"]).all()
    assert np.isnan(values["one missing cell"]).sum() == 1 and np.isinf(values["one infinite cell"]).sum() == 1
    moved = [v for kind, v in values.items() if kind.endswith("moved")]
    assert [(v != image).sum() for v in moved] == [1, 1, 1]
    assert {v.dtype for v in values.values()} == {np.dtype("float32")}


def test_masks_and_tokens() -> None:
    rows = {"tokens": RNG.integers(0, 100, (4, 6)), "mask": np.ones((4, 6), np.int64)}
    tried = _tried(rows, TOKENS, MASK)
    masks = {kind.removesuffix(" in mask"): b["mask"] for kind, b in tried.items() if kind.endswith("in mask")}
    assert masks["only the first"][0].tolist() == [1, 0, 0, 0, 0, 0]
    assert masks["the last half (padded left)"][0].tolist() == [0, 0, 0, 1, 1, 1]
    assert masks["none in the first row"].sum(1).tolist() == [0, 6, 6, 6]
    tokens = {kind.removesuffix(" in tokens"): b["tokens"] for kind, b in tried.items() if kind.endswith("in tokens")}
    assert set(tokens["both ends in turn"].ravel()) == {0, 99}
    assert (tokens["the example backwards"] == rows["tokens"][:, ::-1]).all()
    assert {tokens[str(n)].flat[0] for n in (0, 1, 99, -1, 100)} == {0, 1, 99, -1, 100}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int8", "uint64", "bool", "string"])
def test_every_type_is_tried_in_its_own_array(dtype: str) -> None:
    spec = TensorSpec("x", dtype, ("N", 2))
    rows = {"x": np.array([["a", None]] * 3, object) if dtype == "string" else np.ones((3, 2), spec.in_numpy)}
    tried = _tried(rows, spec)
    assert len(tried) > 6 and {b["x"].dtype for b in tried.values()} == {np.dtype(spec.in_numpy)}


def test_a_dimension_that_is_a_sum_follows_its_parts() -> None:
    past, new = TensorSpec("kept", "float32", ("N", "past")), TensorSpec("tokens", "int64", ("N", "new"))
    mask = TensorSpec("mask", "int64", ("N", "past + new")).with_cells(least=0, most=1)
    rows = {"kept": np.ones((3, 5), np.float32), "tokens": np.ones((3, 2), np.int64), "mask": np.ones((3, 7), np.int64)}
    tried = _tried(rows, past, new, mask)
    sizes = {kind: [batch[name].shape[1] for name in rows] for kind, batch in tried.items()}
    assert all(total == kept + added for kept, added, total in sizes.values())
    assert (sizes["size 0 of past"], sizes["size 5 of new"]) == ([0, 2, 2], [5, 5, 10])
    assert sizes["other sizes of all"][0] > 5 and not any("past + new" in kind for kind in tried)
    signature = Signature("graph", (past, new, mask), (OUTPUT,))
    assert list(violations(signature, rows)) == []
    (broken,) = violations(signature, {**rows, "mask": rows["mask"][:, 1:]})
    assert str(broken) == "row 0, column 'mask': a size of 6 along 'past + new', which is 7 by the other inputs"
