"""A spare process is asked the example before all else: an original may keep what it finds in its first tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.converters.messages import Load
from mlpack_toolkit.converters.spec import Signature, Table, TensorSpec
from mlpack_toolkit.packager.equivalence import others
from mlpack_toolkit.packager.errors import ModelError
from mlpack_toolkit.packager.original.worker import Limits

SIGNATURE = Signature("graph", (TensorSpec("x", "float32", ("N",)),), (TensorSpec("y", "float32", ("N",)),))


class Process:
    """Stands for a worker, which is asked by a pipe: it multiplies by the first number that it was ever asked."""

    asked: list[float]

    def __init__(self, *_given: Any) -> None:
        self.asked = []

    def send(self, request: Any) -> None:
        pass

    receive = call = send

    def kill(self) -> None:
        pass

    def alive(self) -> bool:
        return self.asked[-1] != 13

    def predict(self, rows: Table, scratch: Path, axes: Any) -> Table:
        self.asked.append(float(rows["x"][0]))
        if not self.alive():
            raise ModelError("the model's process died")
        return {"y": rows["x"] * self.asked[0]}


def _rows(number: float) -> Table:
    return {"x": np.array([number], np.float32)}


def test_answers_do_not_depend_on_which_batch_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(others, "Worker", Process)
    with others.Spare("python", tmp_path, Limits(), Load("model", "torch")) as spare:
        spare.signature, spare.first = SIGNATURE, _rows(2)
        assert spare.predict(_rows(5))["y"] == 10
        with pytest.raises(ModelError, match="died"):
            spare.predict(_rows(13))
        assert spare.ended and spare.predict(_rows(7))["y"] == 14, "the next process, too"
    with others.Spare("python", tmp_path, Limits(), Load("model", "onnx")) as spare:
        spare.signature = SIGNATURE
        assert spare.predict(_rows(5))["y"] == 25, "nothing is asked where nothing is given"
