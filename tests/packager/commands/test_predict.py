"""`mlpack predict`: a row out per row in, in order, the original's answers, or nothing at all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlpack_toolkit.packager.commands.predict import predict
from mlpack_toolkit.packager.data import readers
from mlpack_toolkit.packager.errors import UsageError
from tests.packager.conftest import HOSTILE, MOODS, Made

Run = Callable[..., tuple[int, dict[str, Any], str]]
KINDS = ("csv", "parquet", "npz", "json")


def write(frame: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".json":
        path.write_text(frame.to_json(orient="records"))
    else:
        np.savez(path, **{c: frame[c].to_numpy().astype(str) if c == "mood" else frame[c].to_numpy() for c in frame})
    return path


def read(path: Path) -> pd.DataFrame:
    if path.suffix == ".csv":
        return pd.read_csv(path, keep_default_na=False)
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".json":
        return pd.DataFrame(json.loads(path.read_text()))
    with np.load(path, allow_pickle=False) as arrays:
        return pd.DataFrame(dict(arrays))


@pytest.fixture(scope="session")
def sailors() -> pd.DataFrame:
    """Rows that the model never saw, without the empty text, which a csv cannot tell from a missing one."""
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        {"age": rng.integers(18, 80, 300), "mood": rng.choice(MOODS[:3], 300), HOSTILE: rng.normal(size=300)}
    )


@pytest.mark.parametrize("given", KINDS)
@pytest.mark.parametrize("wanted", KINDS)
def test_every_kind_in_and_out(given: str, wanted: str, crew: Made, sailors: pd.DataFrame, tmp_path: Path) -> None:
    out = tmp_path / f"out.{wanted}"
    said = predict(crew.folder, write(sailors, tmp_path / f"in.{given}"), out)
    answers = read(out)
    assert said == {"rows": 300, "output": str(out)}
    assert list(answers) == ["label", "probability.<b>aye</b>", 'probability.no "way"']
    rows = sailors[crew.rows.columns]
    assert list(answers["label"]) == list(crew.fitted.predict(rows))
    probabilities = answers.iloc[:, 1:].to_numpy(float)
    assert np.allclose(probabilities, crew.fitted.predict_proba(rows), rtol=1e-5, atol=1e-6)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted({f"in.{given}", f"out.{wanted}"})


def test_columns_of_several_targets(prices: Made, tmp_path: Path) -> None:
    predict(prices.folder, write(prices.rows, tmp_path / "in.csv"), tmp_path / "out.parquet")
    answers = pd.read_parquet(tmp_path / "out.parquet")
    assert list(answers) == ["prediction.0", "prediction.1"]
    assert np.allclose(answers, prices.fitted.predict(prices.rows), rtol=1e-5, atol=1)


def test_columns_of_several_labels_and_of_their_classes(tmp_path: Path) -> None:
    from sklearn.tree import DecisionTreeClassifier

    from tests.packager.conftest import make

    x = np.random.default_rng(0).normal(size=(60, 2))
    labels = np.column_stack([np.where(x[:, 0] > 0, "😀", "no"), np.where(x[:, 1] > 0, "a", "b")])
    made = make(DecisionTreeClassifier(max_depth=3).fit(x, labels), x, tmp_path, "moods")
    predict(made.folder, made.example, tmp_path / "out.csv")
    answers = read(tmp_path / "out.csv")
    classes = ["probabilities_0.no", "probabilities_0.😀", "probabilities_1.a", "probabilities_1.b"]
    assert list(answers) == ["label.0", "label.1", *classes]
    assert (answers[["label.0", "label.1"]].to_numpy() == made.fitted.predict(x)).all()
    assert np.allclose(answers[classes], np.hstack(made.fitted.predict_proba(x)))


def test_a_number_below_the_bound_is_refused_by_row(tmp_path: Path) -> None:
    from sklearn.preprocessing import PowerTransformer

    from tests.packager.conftest import make

    x = np.random.default_rng(0).gamma(2.0, size=(60, 2))
    made = make(PowerTransformer("box-cox").fit(x), x, tmp_path, "powers")
    x[41, 1] = 0.0
    np.save(tmp_path / "in.npy", x)
    with pytest.raises(UsageError, match="row 41, column 'X': a number below 5e-324"):
        predict(made.folder, tmp_path / "in.npy", tmp_path / "out.npz")
    assert not (tmp_path / "out.npz").exists()


def test_the_column_of_one_target(tmp_path: Path) -> None:
    from sklearn.linear_model import LinearRegression

    from tests.packager.conftest import make

    x = np.arange(40.0).reshape(20, 2) ** 1.5
    made = make(LinearRegression().fit(x, x[:, 0] * 2), x, tmp_path, "line")
    predict(made.folder, made.example, tmp_path / "out.npz")
    answers = read(tmp_path / "out.npz")
    assert list(answers) == ["prediction"]
    assert np.allclose(answers["prediction"], made.fitted.predict(x), rtol=1e-5)


def test_batches_keep_the_order(flowers: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "BATCH_ROWS", 7)
    np.save(tmp_path / "in.npy", flowers.rows)
    predict(flowers.folder, tmp_path / "in.npy", tmp_path / "out.csv")
    pd.DataFrame(flowers.rows, columns=list("abcd")).to_parquet(tmp_path / "in.parquet")
    predict(flowers.folder, tmp_path / "in.parquet", tmp_path / "again.csv")
    want = flowers.fitted.predict(flowers.rows)
    assert list(read(tmp_path / "out.csv")["label"]) == list(want) == list(read(tmp_path / "again.csv")["label"])


def test_csv_on_standard_output(flowers: Made, tmp_path: Path) -> None:
    pd.DataFrame(flowers.rows).to_csv(tmp_path / "in.csv", index=False)
    command = [sys.executable, "-m", "mlpack_toolkit", "predict", str(flowers.folder), str(tmp_path / "in.csv")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[3])
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr, len(lines)) == (0, "", 151)
    assert lines[0].replace('"', "") == "label,probability.0,probability.1,probability.2"
    assert lines[1].startswith("0,0.98") and lines[-1].startswith("2,")


def test_no_rows_no_answers(flowers: Made, tmp_path: Path) -> None:
    """A header alone is a file too: the answers have their columns and no row."""
    pd.DataFrame({c: pd.Series(dtype=float) for c in "abcd"}).to_parquet(tmp_path / "in.parquet")
    np.save(tmp_path / "in.npy", np.zeros((0, 4)))
    (tmp_path / "in.csv").write_text("a,b,c,d\n")
    for name in ("in.npy", "in.parquet", "in.csv"):
        for kind in KINDS:
            out = tmp_path / f"{name}.{kind}"
            assert predict(flowers.folder, tmp_path / name, out)["rows"] == 0
            assert len(read(out)) == 0
            assert kind == "json" or next(iter(read(out))) == "label", (name, kind)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("mood", "never-seen", "a value that the model does not know; it knows"),
        ("mood", None, "a missing value, and the model takes none here"),
        (HOSTILE, np.nan, "a missing value, and the model takes none here"),
    ],
)
def test_a_refusal_names_row_and_column_and_leaves_nothing(
    column: str,
    value: Any,
    said: str,
    crew: Made,
    sailors: pd.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readers, "BATCH_ROWS", 100)
    rows = sailors.copy()
    rows[column] = rows[column].astype(object)
    rows.loc[217, column] = value
    rows[HOSTILE] = rows[HOSTILE].astype(float)
    out = tmp_path / "out.csv"
    out.write_text("what was there before")
    with pytest.raises(UsageError) as caught:
        predict(crew.folder, write(rows, tmp_path / "in.parquet"), out)
    assert f"in.parquet: row 217, column {column!r}: {said}" in str(caught.value)
    assert caught.value.facts == {"row": 217, "column": column}
    assert out.read_text() == "what was there before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.parquet", "out.csv"]


def test_a_gap_in_whole_numbers_is_refused_by_row(crew: Made, sailors: pd.DataFrame, tmp_path: Path) -> None:
    rows = sailors.assign(age=sailors["age"].astype("Int64"))
    rows.loc[9, "age"] = None
    with pytest.raises(UsageError, match=r"in\.parquet: row 9, column 'age'"):
        predict(crew.folder, write(rows, tmp_path / "in.parquet"), tmp_path / "out.csv")


def test_a_gap_far_down_is_named_by_its_row_in_the_file(
    crew: Made, sailors: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "BATCH_ROWS", 50)
    rows = sailors.assign(age=sailors["age"].astype("Int64"))
    rows.loc[217, "age"] = None
    with pytest.raises(UsageError, match="row 217, column 'age'"):
        predict(crew.folder, write(rows, tmp_path / "in.parquet"), tmp_path / "out.csv")


@pytest.mark.parametrize("name", ["out.xlsx", "out", "out.npy"])
def test_an_output_of_another_kind(name: str, flowers: Made, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"must end in one of \.csv, .parquet, .npz, .json"):
        predict(flowers.folder, flowers.example, tmp_path / name)


def test_exit_codes(flowers: Made, mlpack: Run, tmp_path: Path) -> None:
    assert mlpack("predict", flowers.folder, flowers.example, "-o", tmp_path / "out.csv")[:2] == (
        0,
        {"rows": 150, "output": str(tmp_path / "out.csv")},
    )
    np.save(tmp_path / "in.npy", np.array([[1, 2, np.nan, 4.0]]))
    code, said, error = mlpack("predict", flowers.folder, tmp_path / "in.npy")
    assert (code, said["error"]["row"]) == (2, 0) and "row 0, column 'X'" in error
    code, said, error = mlpack("predict", flowers.folder, flowers.example, "-o", "/proc/nowhere/out.csv")
    assert (code, said["error"]["kind"]) == (2, "UsageError"), error


def test_tensors_are_answered_in_pieces_of_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlpack_toolkit.packager.equivalence.session import Session
    from tests.packager.test_large import built

    bundle, table = built(tmp_path, 50)
    ids = np.random.default_rng(0).integers(0, 50, (3000, 4)).astype(np.int32)
    np.savez(tmp_path / "in.npz", ids=ids)
    sizes: list[int] = []
    run = Session.run_feeds

    def counted(self: Session, feeds: dict[str, Any], *rest: Any) -> Any:
        sizes.append(len(feeds["ids"]))
        return run(self, feeds, *rest)

    monkeypatch.setattr(Session, "run_feeds", counted)
    monkeypatch.setattr("mlpack_toolkit.runtimes.engine.engine.Engine.stream.__defaults__", (1000 * table[0].nbytes,))
    assert predict(bundle, tmp_path / "in.npz", tmp_path / "out.npz")["rows"] == 3000
    assert sizes == [64, 1000, 1000, 936]
    with np.load(tmp_path / "out.npz") as found:
        assert np.allclose(found["sum"], table[ids].sum(axis=1), rtol=1e-5, atol=1e-5)
