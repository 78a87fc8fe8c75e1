"""A graph written to disk; large constants go into a file of their own, which runtimes map into memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..graph_file import DATA, LARGE

if TYPE_CHECKING:
    import numpy as np

SMALL = 4096
"""Bytes of a constant that stays in the graph, however large the others are."""
PAGE = 4096
"""Each constant in the file of data begins at a multiple of it, so that it can be mapped."""


def serialise(path: Path, constants: Mapping[str, Any], model_of: Callable[[Sequence[Any]], Any]) -> None:
    """Writes the checked model that `model_of` makes of its constants as tensors.

    `constants`: by name, arrays or finished tensors. Where the arrays have more than `LARGE` bytes together, they are
    written to `DATA` beside `path`, one by one and without a copy in memory.
    """
    from onnx import checker

    arrays = sum(constant.nbytes for constant in constants.values() if hasattr(constant, "nbytes"))
    if arrays > LARGE:
        model = model_of(_apart(constants, path.with_name(DATA)))
        path.write_bytes(model.SerializeToString(deterministic=True))
        checker.check_model(str(path))
        return
    model = model_of([tensor_of(*each) for each in constants.items()])
    checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def tensor_of(name: str, constant: Any) -> Any:
    """The tensor of a constant, an array or a finished tensor."""
    from onnx import numpy_helper

    return numpy_helper.from_array(constant, name) if hasattr(constant, "nbytes") else constant


def _apart(constants: Mapping[str, Any], path: Path) -> list[Any]:
    """The constants as tensors, the large ones of which are now in the file at `path`."""
    tensors = []
    with path.open("wb") as file:
        for name, constant in constants.items():
            if getattr(constant, "nbytes", 0) <= SMALL:
                tensors.append(tensor_of(name, constant))
                continue
            file.write(b"\0" * (-file.tell() % PAGE))
            tensors.append(_elsewhere(name, constant, file.tell()))
            file.write(constant.astype(constant.dtype.newbyteorder("<"), copy=False).data)
    return tensors


def _elsewhere(name: str, array: np.ndarray[Any, Any], offset: int) -> Any:
    """The tensor of a constant whose numbers begin at that place of the file `DATA`."""
    from onnx import TensorProto, helper

    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    tensor = TensorProto(name=name, data_type=kind, dims=array.shape, data_location=TensorProto.EXTERNAL)
    for key, value in (("location", DATA), ("offset", offset), ("length", array.nbytes)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor
