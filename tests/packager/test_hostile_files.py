"""Files that attack: whoever reads an example says a sentence and exit 2, whatever the bytes; nothing runs."""

from __future__ import annotations

import gzip
import json
import resource
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import sparse

from mlpack_toolkit.converters.rds import Fault
from mlpack_toolkit.converters.rds_frame import levels_in
from mlpack_toolkit.converters.spec import Cells, Signature, TensorSpec
from mlpack_toolkit.packager.data.readers import read_example, stream
from mlpack_toolkit.packager.errors import UsageError
from tests import mutation
from tests.packager import hostile_files

TABULAR = Signature(
    "regressor",
    (
        TensorSpec("a", "float64", ("N", 1), Cells(nullable=True)),
        TensorSpec("b", "string", ("N", 1), Cells(nullable=True, missing="")),
        TensorSpec("c", "int64", ("N", 1)),
    ),
    (),
)
MATRIX = Signature("regressor", (TensorSpec("X", "float64", ("N", 2), Cells(nullable=True)),), ())
TEXT = Signature("classifier", (TensorSpec("text", "string", ("N", 1), Cells(nullable=True, missing="")),), ())
FORMS = Path(__file__).parent.parent / "converters" / "r" / "forms"
GIB = 1 << 20
"""In the kibibytes of `ru_maxrss`."""


def refusal(path: Path) -> str:
    """What `--example` says of the file; empty where it is taken. No other error comes out of any reader."""
    for signature in (TABULAR, MATRIX, TEXT):
        with suppress(UsageError):
            list(stream(path, signature))
    if path.suffix == ".rds":
        with suppress(Fault):
            levels = levels_in(path)
            assert all(isinstance(level, str) for each in levels.values() for level in each)
    try:
        read_example(path)
    except UsageError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", hostile_files.ALL)
def test_every_attack_is_refused_with_a_sentence(kind: str, tmp_path: Path) -> None:
    said = {}
    for name, content in hostile_files.ALL[kind]().items():
        path = tmp_path / f"x.{kind}"
        path.write_bytes(content)
        said[name] = refusal(path)
    taken = {name for name, words in said.items() if not words}
    assert taken <= HARMLESS, taken
    assert all(len(words) < 1000 and words.isprintable() for words in said.values() if words), said


HARMLESS = {
    "dtype <f2", "dtype <g", "utf-16", "an open quote", '{"inputs": [null]}',
    "one number", "shape ()", "columns of two lengths",
}  # fmt: skip
"""What the readers hand on as it is: the model's signature turns it down."""


@pytest.mark.parametrize("name, content", hostile_files.pandas_words().items(), ids=str)
def test_words_of_pandas_that_are_none_of_its(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(content)
    example = read_example(tmp_path / "x.parquet")
    assert example.table["a"].tolist() == [1.0] and not example.frame_dtypes


def test_a_column_list_is_cut_and_cannot_command_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(
        ",".join(["\x1b]0;owned\x07", *(f"c{i}" for i in range(5000))]) + "\n" + ",".join("1" * 5001) + "\n"
    )
    with pytest.raises(UsageError, match=r"'a', 'b', 'c'; it has: .* and 4981 more") as caught:
        list(stream(path, TABULAR))
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400


def test_a_file_that_unpacks_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is a quarter of the machine's memory: here a smaller one, over a smaller bomb."""
    monkeypatch.setattr("mlpack_toolkit.converters.rds._MOST_BYTES", 32 << 20)
    (tmp_path / "x.rds").write_bytes(hostile_files.bomb(24))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "more than 33554432 bytes of memory" in refusal(tmp_path / "x.rds")
    (tmp_path / "x.rds").write_bytes(
        gzip.compress(hostile_files.rds(hostile_files.words(19, 1 << 18) + b"\0\0\0\xfe" * (1 << 18)))
    )
    assert "more than 33554432 bytes of memory" in refusal(tmp_path / "x.rds")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < GIB // 2


def seeds(kind: str, folder: Path) -> list[bytes]:
    """Good files of a kind, small."""
    frame = pd.DataFrame({"a": [1.5, 2, np.nan], "b": ["x", "y", None], "c": [1, 2, 3], "d": [True, False, True]})
    frame["e"], frame["f"] = pd.to_datetime(["2020-01-01"] * 3), pd.Categorical(["u", "v", "u"])
    saved = hostile_files.saved
    arrays = {"a": np.arange(3.0), "b": np.array(["x", "y", "z"]), "c": np.arange(3)}
    if kind == "csv":
        return [frame.to_csv(index=False).encode()]
    if kind == "parquet":
        return [hostile_files.parquet_of(pa.Table.from_pandas(frame))]
    if kind == "npy":
        return [saved(np.save, np.arange(6.0).reshape(3, 2)), saved(np.save, np.array(["x", "y"]))]
    if kind == "npz":
        matrix = saved(lambda file: sparse.save_npz(file, sparse.csr_matrix(np.eye(3)), compressed=False))
        return [saved(np.savez, **arrays), saved(np.savez_compressed, **arrays), matrix]
    if kind == "json":
        request = {"inputs": [{"name": "a", "shape": [2, 1], "datatype": "FP64", "data": [1, 2]}]}
        plain = ([{"a": 1.5, "b": "x", "c": None}], {"a": [1, 2], "b": ["x", None]}, [[1, 2.5], [3, None]], request)
        return [json.dumps(each).encode() for each in plain]
    forms = [gzip.decompress(path.read_bytes())[:8000] for path in sorted(FORMS.glob("lm*.gz"))[:2]]
    good = hostile_files.factor(hostile_files.words(13, 2, 1, 2))
    return [hostile_files.frame(good), hostile_files.frame(hostile_files.doubles(1, 2)), *forms]


@pytest.mark.parametrize("kind", hostile_files.ALL)
def test_fuzz(kind: str, tmp_path: Path) -> None:
    """Mutations of good files: each is taken or refused with a sentence."""
    good, path, found = seeds(kind, tmp_path), tmp_path / f"x.{kind}", Counter[bool]()
    for content in good[:2]:
        path.write_bytes(content)
        assert refusal(path) == ""
    for content in mutation.mutants(good):
        path.write_bytes(content)
        found[refusal(path) == ""] += 1
    assert found[False] > 20, found
