"""Rows out of files of every kind: the same cells that pandas reads, or a sentence."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from mlpack_toolkit.converters._worker.model_input import model_table
from mlpack_toolkit.converters.spec import Cells, Description, Feature, Signature, Table, TensorSpec, Unreadable
from mlpack_toolkit.packager.data.arrow import MISSING_IN_CSV
from mlpack_toolkit.packager.data.readers import read_example, stream
from mlpack_toolkit.packager.errors import UsageError

Array = np.ndarray[Any, Any]
many = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)


def same(one: Array, other: Array) -> bool:
    """Cell for cell, None and NaN in the same places."""
    if one.shape != other.shape or (one.dtype.kind == "O") != (other.dtype.kind == "O"):
        return False
    return bool(((one == other) | (pd.isna(one) & pd.isna(other))).all())


def csv(folder: Path, text: str) -> Table:
    (folder / "x.csv").write_bytes(text.encode())
    return read_example(folder / "x.csv").table


def as_json(folder: Path, plain: Any) -> Table:
    (folder / "x.json").write_text(json.dumps(plain))
    return read_example(folder / "x.json").table


def as_parquet(folder: Path, table: pa.Table | pd.DataFrame) -> Table:
    if isinstance(table, pd.DataFrame):
        table.to_parquet(folder / "x.parquet")
    else:
        parquet.write_table(table, folder / "x.parquet")
    return read_example(folder / "x.parquet").table


words = st.sampled_from(
    [
        "a",
        "b c",
        "é",
        "😀",
        "日本",
        "1",
        "-2.5",
        "1e5",
        "x,y",
        'say "hi"',
        "two\nlines",
        "NA",
        "",
        "nan",
        "None",
        "null",
    ]
)
numbers = st.integers(-(2**53), 2**53).map(str) | st.floats(allow_nan=False, allow_infinity=False).map(repr)


@many
@given(st.lists(st.tuples(words, numbers | st.just(""), words), min_size=1, max_size=6))
@example([("", "", "a")])
@example([("NA", "9007199254740993", "1")])
def test_csv_as_pandas_reads_it(tmp_path: Path, cells: list[tuple[str, str, str]]) -> None:
    frame = pd.DataFrame([("start", *row) for row in cells], columns=["first", "text", "number", "other"])
    frame.loc[len(frame)] = ["end", "w", "1.5", "w"]
    text = frame.to_csv(index=False)
    want = pd.read_csv(io.StringIO(text))
    got = csv(tmp_path, text)
    assert list(got) == list(want)
    for name in want:
        column = want[name].to_numpy()
        expected = np.where(pd.isna(column), None, column) if column.dtype.kind == "O" else column
        assert same(got[name], expected), (name, got[name], expected)


@pytest.mark.parametrize("cell", MISSING_IN_CSV)
def test_every_word_for_missing(cell: str, tmp_path: Path) -> None:
    text = f"text,number\na,1.5\n{cell},{cell}\n"
    assert pd.read_csv(io.StringIO(text), skip_blank_lines=False).isna().iloc[1].all()
    table = csv(tmp_path, text)
    assert table["text"][1] is None and math.isnan(table["number"][1])


def test_the_words_for_missing_are_those_of_pandas() -> None:
    from pandas._libs.parsers import STR_NA_VALUES

    assert set(MISSING_IN_CSV) == set(STR_NA_VALUES)


@pytest.mark.parametrize("cell", ["na", "none", "NONE", "Null", "-", "?", " ", "missing"])
def test_a_word_that_only_looks_missing_is_text(cell: str, tmp_path: Path) -> None:
    assert list(csv(tmp_path, f"t,n\na,1\n{cell},2\n")["t"]) == ["a", cell]


@pytest.mark.parametrize("day", ["2024-01-31", "2024-01-31 10:00:00", "2024-01-31T10:00:00Z", "10:00:00", "31.01.2024"])
def test_dates_in_a_csv_are_the_text_that_they_are(day: str, tmp_path: Path) -> None:
    """As in `pandas.read_csv`, which parses none unless asked."""
    assert list(csv(tmp_path, f"day,n\n{day},1\n")["day"]) == [day]


def test_dates_are_whole_numbers_in_their_own_unit(tmp_path: Path) -> None:
    moments = [None, 1_700_000_000_123_456]
    table = pa.table(
        {"day": pa.array([None, 19_000], pa.date32()), "at": pa.array(moments, pa.timestamp("us", "Europe/Oslo"))}
    )
    parquet.write_table(table, tmp_path / "x.parquet")
    example = read_example(tmp_path / "x.parquet")
    missing = np.iinfo(np.int64).min
    assert example.table["day"].tolist() == [missing, 19_000 * 86_400]
    assert example.table["at"].tolist() == [missing, 1_700_000_000_123_456]
    assert example.frame_dtypes == {"day": "datetime64[s]", "at": "datetime64[us, Europe/Oslo]"}


@pytest.mark.parametrize("kind", [pa.time64("us"), pa.duration("us"), pa.list_(pa.int64())])
def test_what_is_no_number_text_or_boolean_is_refused(kind: pa.DataType, tmp_path: Path) -> None:
    table = pa.table({"day": pa.array([None], kind), "n": [1]})
    with pytest.raises(UsageError, match=r"the column 'day' holds .*give numbers, text, booleans or dates"):
        as_parquet(tmp_path, table)


def test_numbers_of_every_width(tmp_path: Path) -> None:
    kinds = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "float16", "float32", "float64"]
    table = as_parquet(tmp_path, pa.table({k: pa.array(np.array([1, 2], k)) for k in kinds}))
    assert {k: c.dtype.name for k, c in table.items()} == {k: "float64" if "float" in k else "int64" for k in kinds}
    assert all(list(c) == [1, 2] for c in table.values())


def test_unsigned_beyond_int64_is_no_other_number(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'a'"):
        as_parquet(tmp_path, pa.table({"a": pa.array([2**64 - 1], pa.uint64())}))


def test_int64_extremes(tmp_path: Path) -> None:
    values = [-(2**63), 2**63 - 1, 2**53 + 1]
    assert list(as_parquet(tmp_path, pa.table({"a": values}))["a"]) == values
    assert list(as_json(tmp_path, {"a": values})["a"]) == values
    assert list(csv(tmp_path, "a\n" + "\n".join(map(str, values)))["a"]) == values


def test_integers_with_a_gap_are_doubles(tmp_path: Path) -> None:
    """As in pandas."""
    for table in (
        csv(tmp_path, "a,b\n1,x\n,y\n"),
        as_json(tmp_path, [{"a": 1}, {"a": None}]),
        as_parquet(tmp_path, pa.table({"a": [1, None]})),
    ):
        assert table["a"].dtype == np.float64 and same(table["a"], np.array([1.0, math.nan]))


def test_booleans_with_a_gap_are_numbers(tmp_path: Path) -> None:
    wanted = np.array([1.0, math.nan, 0.0])
    assert same(as_parquet(tmp_path, pa.table({"a": [True, None, False]}))["a"], wanted)
    assert same(as_json(tmp_path, {"a": [True, None, False]})["a"], wanted)
    assert same(csv(tmp_path, "a,b\nTrue,x\n,y\nfalse,z\n")["a"], wanted)
    assert as_parquet(tmp_path, pa.table({"a": [True, False]}))["a"].tolist() == [True, False]


def test_a_column_of_nothing_is_nan(tmp_path: Path) -> None:
    assert same(csv(tmp_path, "a,b\n,1\n,2\n")["a"], np.array([math.nan, math.nan]))
    assert same(as_json(tmp_path, {"a": [None, None]})["a"], np.array([math.nan, math.nan]))


def test_categories_are_remembered(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"c": pd.Categorical(["😀", None, "a"]), "n": pd.Categorical([3, 1, 3]), "t": ["x", None, "y"]}
    )
    frame.to_parquet(tmp_path / "x.parquet")
    found = read_example(tmp_path / "x.parquet")
    assert list(found.table["c"]) == ["😀", None, "a"] and list(found.table["n"]) == [3, 1, 3]
    assert found.frame_dtypes == {"c": "category", "n": "category"}


def test_nullable_dtypes_are_remembered(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "i": pd.array([1, None], "Int64"),
            "f": pd.array([1.5, None], "Float64"),
            "b": pd.array([True, False], "boolean"),
            "plain": [1, 2],
        }
    )
    frame.to_parquet(tmp_path / "x.parquet")
    found = read_example(tmp_path / "x.parquet")
    assert found.frame_dtypes == {"i": "Int64", "f": "Float64", "b": "boolean"}
    assert same(found.table["i"], np.array([1.0, math.nan]))
    assert found.table["b"].tolist() == [True, False]


def test_parquet_that_no_pandas_wrote(tmp_path: Path) -> None:
    table = pa.table(
        {"t": pa.array(["a", None], pa.large_string()), "v": pa.array(["b", "😀"], pa.string_view()), "n": [1.5, None]}
    )
    assert table.schema.metadata is None
    found = as_parquet(tmp_path, table)
    assert (list(found["t"]), list(found["v"])) == (["a", None], ["b", "😀"])
    assert same(found["n"], np.array([1.5, math.nan]))


def test_the_index_of_a_frame_is_no_column(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2]}, index=[7, 3])
    assert list(as_parquet(tmp_path, frame)) == ["a"]


def test_rows_in_row_groups_keep_their_order(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"a": list(range(1000))}), tmp_path / "x.parquet", row_group_size=7)
    assert list(read_example(tmp_path / "x.parquet").table["a"]) == list(range(1000))


@pytest.mark.parametrize("name", ["x.csv", "x.parquet", "x.npy", "x.npz", "x.json"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00garbage", b"PK\x03\x04"])
def test_an_empty_or_broken_file_is_a_sentence(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=r"^x\.|x\."):
        read_example(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content"), [("x.csv", b"a,b\n"), ("x.json", b"[]"), ("x.json", b"{}"), ("x.json", b'{"a": []}')]
)
def test_no_rows_is_a_sentence(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=r"x\.\w+ (holds no rows|must hold)"):
        read_example(tmp_path / name)


def test_a_csv_whose_rows_have_other_widths(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"x\.csv cannot be read as csv"):
        csv(tmp_path, "a,b\n1,2\n1,2,3\n")


@pytest.mark.parametrize("name", ["x.xlsx", "x", "x.csv.gz", "x.doc"])
def test_another_suffix(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("a\n1\n")
    with pytest.raises(UsageError, match="must be csv, parquet, npz, npy, json, jsonl, txt or rds"):
        read_example(tmp_path / name)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        read_example(tmp_path / "x.csv")


@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_arrays_of_objects_are_not_unpickled(kind: str, tmp_path: Path) -> None:
    (np.save if kind == "npy" else np.savez)(tmp_path / f"x.{kind}", np.array([{}], object), allow_pickle=True)
    with pytest.raises(UsageError, match="cannot be read"):
        read_example(tmp_path / f"x.{kind}")


def test_npy_is_a_matrix(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[1, 2]], np.float32))
    table = read_example(tmp_path / "x.npy").table
    assert list(table) == ["X"] and table["X"].dtype == np.float64


def test_npz_is_columns_or_one_matrix(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.array([1, 2], np.int8), b=np.array(["é", "😀"]), c=np.array([True, False]))
    table = read_example(tmp_path / "x.npz").table
    assert [(n, c.dtype.kind) for n, c in table.items()] == [("a", "i"), ("b", "O"), ("c", "b")]
    np.savez(tmp_path / "x.npz", anything=np.zeros((2, 3)))
    assert list(read_example(tmp_path / "x.npz").table) == ["X"]


def test_json_of_every_shape(tmp_path: Path) -> None:
    rows = as_json(tmp_path, [{"a": 1, "t": "😀"}, {"t": None, "a": 2}, {"a": 3}])
    assert list(rows["a"]) == [1, 2, 3] and list(rows["t"]) == ["😀", None, None]
    assert list(as_json(tmp_path, {"a": [1.5, 2]})["a"]) == [1.5, 2.0]
    assert as_json(tmp_path, [[1, None], [3, 4]])["X"].shape == (2, 2)
    assert list(as_json(tmp_path, ["a", None, "😀"])["text"]) == ["a", None, "😀"]
    request = {"inputs": [{"name": "a", "datatype": "FP64", "shape": [2, 1], "data": [1, "NaN"]}]}
    assert same(as_json(tmp_path, request)["a"], np.array([[1.0], [math.nan]]))


@pytest.mark.parametrize(
    "plain",
    [
        {"a": [1, "x"]},
        {"a": [[1]]},
        {"a": [1], "b": [1, 2]},
        [[1, 2], [3]],
        [["a", 1]],
        [1, 2],
        [{"a": {}}],
        {"a": 1},
        "a",
        None,
        {"inputs": 3},
        {"inputs": [{"name": "a", "datatype": "FP64", "shape": [3], "data": [1]}]},
        {"inputs": [{"name": "a", "datatype": "XX", "shape": [1], "data": [1]}]},
        {"inputs": [{"name": "a", "datatype": "INT64", "shape": [1], "data": ["x"]}]},
        {"inputs": [{"name": "a", "datatype": "INT64", "shape": [1], "data": [2**70]}]},
        {"a": [2**70]},
        [[2**70, "x"]],
    ],
)
def test_json_of_no_shape_is_a_sentence(plain: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        as_json(tmp_path, plain)


def takes(*specs: TensorSpec) -> Signature:
    return Signature("regressor", specs, (TensorSpec("prediction", "float64", ("N",)),))


def column(name: str, dtype: str = "float64") -> TensorSpec:
    return TensorSpec(name, dtype, ("N", 1), Cells(nullable=True, missing="" if dtype == "string" else None))


def streamed(path: Path, signature: Signature) -> Table:
    parts = list(stream(path, signature))
    return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json", "npz"])
def test_stream_gives_what_the_signature_takes(suffix: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"more": ["x", "y"], "t": ["1", "😀"], "n": [1, 2], "i": [3, 4]})
    path = tmp_path / f"x.{suffix}"
    if suffix == "npz":
        np.savez(path, **{c: frame[c].to_numpy().astype(str if c in "t more" else float) for c in frame})
    else:
        {
            "csv": lambda p: frame.to_csv(p, index=False),
            "parquet": frame.to_parquet,
            "json": lambda p: p.write_text(json.dumps(frame.to_dict("list"))),
        }[suffix](path)
    table = streamed(path, takes(column("n", "float32"), column("t", "string"), column("i", "int64")))
    assert list(table) == ["n", "t", "i"]
    assert table["n"].tolist() == [1, 2] and list(table["t"]) == ["1", "😀"]
    assert table["i"].dtype == np.int64


def test_text_that_looks_like_numbers_stays_text(tmp_path: Path) -> None:
    """The signature knows the kind; guessing would read 007 as 7."""
    (tmp_path / "x.csv").write_text("t,n\n007,1\n1e5,2\n")
    assert list(streamed(tmp_path / "x.csv", takes(column("t", "string"), column("n")))["t"]) == ["007", "1e5"]


def test_truth_values_where_the_model_takes_numbers_or_levels(tmp_path: Path) -> None:
    """R calculates with them, and names levels after them; an example may hold them, so other rows may."""
    levels = column("f", "string").with_cells(frame_dtype="factor")
    signature = takes(column("n"), column("b", "bool"), levels)
    (tmp_path / "x.csv").write_text("n,b,f\nTRUE,1,TRUE\nNA,0,FALSE\nFALSE,1.0,\n")
    frame = pd.DataFrame({"n": [True, None, False], "b": [1, 0, 1], "f": [True, False, True]})
    frame["n"] = frame["n"].astype("boolean")
    frame.to_parquet(tmp_path / "x.parquet")
    for kind in ("csv", "parquet"):
        table = streamed(tmp_path / f"x.{kind}", signature)
        np.testing.assert_array_equal(np.asarray(table["n"], float), [1, np.nan, 0])
        assert table["b"].astype(bool).tolist() == [True, False, True]
        assert list(table["f"])[:2] == ["TRUE", "FALSE"]
    (tmp_path / "x.csv").write_text("n,b,f\n1,TRUE,a\n2,,b\n")
    with pytest.raises(UsageError, match=r"row 1, column 'b': a missing value|bool with missing"):
        streamed(tmp_path / "x.csv", signature)
    plain = levels.with_cells(frame_dtype="")
    frame[["f"]].to_parquet(tmp_path / "x.parquet")
    with pytest.raises(UsageError, match="holds numbers, the model takes text"):
        streamed(tmp_path / "x.parquet", takes(plain))


def test_a_matrix_from_columns(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("b,a\n1,2\n3,4\n")
    matrix = TensorSpec("X", "float64", ("N", 2))
    assert streamed(tmp_path / "x.csv", takes(matrix))["X"].tolist() == [[1, 2], [3, 4]]
    named = TensorSpec("X", "float64", ("N", 2), Cells(columns=("a", "b")))
    assert streamed(tmp_path / "x.csv", takes(named))["X"].tolist() == [[2, 1], [4, 3]]


def test_a_matrix_of_another_width(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("b,a\n1,2\n")
    with pytest.raises(UsageError, match=r"takes 3 columns, x\.csv has 2: b, a"):
        streamed(tmp_path / "x.csv", takes(TensorSpec("X", "float64", ("N", 3))))


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_a_column_that_is_not_there(suffix: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1], "c": [2]})
    path = tmp_path / f"x.{suffix}"
    {"csv": frame.to_csv, "json": lambda p: p.write_text('{"a": [1], "c": [2]}'), "parquet": frame.to_parquet}[suffix](
        path
    )
    with pytest.raises(UsageError, match=r"lacks the column 'b'; it has: .*a, c"):
        streamed(path, takes(column("a"), column("b")))


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_all_columns_that_are_not_there_are_named(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.{suffix}"
    path.write_text("a\n1\n" if suffix == "csv" else '{"a": [1]}')
    with pytest.raises(UsageError, match="lacks the columns 'b', 'c'; it has: a"):
        streamed(path, takes(column("a"), column("b"), column("c")))


def test_a_cell_that_arrow_refuses_is_named_by_its_column(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("other,b,n\nx,1.5,1\ny,2.5,2.0\n")
    with pytest.raises(
        UsageError, match=r"column 'n' holds '2\.0', the model takes whole numbers written without a point"
    ):
        streamed(tmp_path / "x.csv", takes(TensorSpec("n", "int64", ("N", 1)), column("b")))


@pytest.mark.parametrize(
    ("spec", "cell", "said"),
    [
        (column("a"), "😀", "'a'|😀"),
        (column("a", "int64"), "1.5", "fractions|1.5"),
        (column("a", "int64"), "", "missing value|whole numbers"),
        (column("a", "int64"), "9223372036854775808", "whole numbers|9223372036854775808"),
        (column("a", "bool"), "2", "true or false|2"),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_a_cell_of_another_kind_is_a_sentence(
    spec: TensorSpec, cell: str, said: str, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"x.{suffix}"
    plain = float(cell) if cell and cell != "😀" else cell or None
    path.write_text(f"a,b\n{cell},1\n" if suffix == "csv" else json.dumps({"a": [plain], "b": [1]}))
    with pytest.raises(UsageError, match=said):
        streamed(path, takes(spec, column("b")))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"a": np.zeros(2), "b": np.zeros(3)}, "columns of different lengths: 'a' has 2, 'b' has 3"),
        ({"a": np.zeros(2), "b": np.array(1.0)}, "'b' is a single number|columns of different lengths"),
    ],
)
def test_columns_of_a_table_have_one_length(arrays: Table, words: str, tmp_path: Path) -> None:
    """Tensors of a graph need not, so that a file alone does not say."""
    np.savez(tmp_path / "x.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=words):
        streamed(tmp_path / "x.npz", takes(column("a"), column("b")))
    features = (Feature("a"), Feature("b"))
    with pytest.raises(Unreadable, match="columns of different lengths"):
        model_table(Description("", "regressor", features, named=True), read_example(tmp_path / "x.npz").table)
