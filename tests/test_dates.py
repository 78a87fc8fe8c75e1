"""Columns of dates that a function of the user's own takes apart: leap days, before 1970, missing ones, time zones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from mlpack_toolkit.converters.spec import FIRST_TIME
from mlpack_toolkit.packager.built import Built
from mlpack_toolkit.packager.commands.predict import predict
from mlpack_toolkit.packager.errors import ConversionError, UsageError
from tests.converters.check import _converted
from tests.make import build_model, save

pytestmark = pytest.mark.filterwarnings("ignore")
PARTS = (
    *("year", "month", "day", "quarter", "day_of_year", "dayofyear", "weekday", "dayofweek", "day_of_week"),
    *("hour", "minute", "second", "microsecond", "nanosecond"),
)
ISSUED = pd.Timestamp("2001-03-04 05:06:07")
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
TURNS = [
    *("1899-12-31 23:59:59", "1900-02-28", "1900-03-01", "1968-02-29", "1969-12-31 23:59:59", "1970-01-01"),
    *("1999-12-31", "2000-02-29", "2000-03-01", "2023-12-31", "2024-02-29 12:00:00", "2100-02-28", "2100-03-01"),
]
CODE = """
import pandas as pd

def parts(df):
    day = df["day"]
    age = (day - pd.Timestamp("2015-01-01")).dt.days
    return df.assign(month=day.dt.month, weekday=day.dt.weekday, year=day.dt.year, age=age).drop(columns="day")

def months(df):
    return pd.DataFrame({"month": df["day"].dt.month, "spent": df["spent"]})

def framed(df):
    day = pd.to_datetime(df["day"])
    return pd.DataFrame({"month": day.dt.month, "late": day >= "2015-06-01", "spent": df["spent"]}, index=df.index)
"""


def _everything(frame: pd.DataFrame) -> Any:
    day = frame["day"]
    span = day - ISSUED
    found = frame[["spent"]].copy()
    for name in PARTS:
        found[name] = getattr(day.dt, name)
    found["days"], found["seconds"] = span.dt.days, span.dt.seconds
    found["rate"], found["total"] = span / pd.Timedelta(days=1), span.dt.total_seconds()
    found["back"] = (pd.Timestamp("2020-01-01") - day).dt.days
    found["gone"], found["there"] = day.isna(), day.notna()
    found["late"], found["early"] = day > ISSUED, day <= "1999-12-31"
    found["other"], found["same"] = day != pd.Timestamp("2000-02-29"), day == pd.Timestamp("2000-02-29")
    found["clock"] = (day - day.dt.normalize()).dt.seconds
    found["weekend"] = day.dt.day_of_week >= 5
    return found.astype(float)


def _dates(unit: str, gaps: bool) -> pd.Series:
    rng = np.random.default_rng(1)
    far = 7_000_000_000 if unit == "ns" else 60_000_000_000
    numbers = rng.integers(-far, far, 1000) * PER_SECOND[unit] + rng.integers(0, PER_SECOND[unit], 1000)
    known = pd.to_datetime(TURNS, format="ISO8601").astype(f"datetime64[{unit}]").astype("int64").to_numpy()
    numbers = np.concatenate([numbers, known, known - 1])
    if gaps:
        numbers[::50] = np.iinfo(np.int64).min
    return pd.Series(numbers).astype(f"datetime64[{unit}]")


@pytest.mark.parametrize("unit", PER_SECOND)
@pytest.mark.parametrize("gaps", [False, True])
def test_every_part(unit: str, gaps: bool) -> None:
    import onnxruntime as ort

    frame = pd.DataFrame({"day": _dates(unit, gaps), "spent": 1.0})
    model = FunctionTransformer(_everything).fit(frame)
    want = _everything(frame)
    _, signature, graph, feeds = _converted(model, frame, "float64")
    assert signature.inputs[0].is_date
    got = ort.InferenceSession(graph).run(None, feeds)[0]
    for i, name in enumerate(want):
        np.testing.assert_allclose(got[:, i], want[name], rtol=1e-12 if name == "total" else 0, err_msg=name)


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a module of functions, which can be imported."""
    folder = tmp_path_factory.mktemp("code")
    (folder / "calendar_parts.py").write_text(CODE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield folder


def _visits(zone: str | None = None) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    days = pd.Series(pd.to_datetime("2010-01-01") + pd.to_timedelta(rng.integers(0, 4000, 200), "D"))
    return pd.DataFrame({"day": days.dt.tz_localize(zone), "spent": rng.normal(size=200)})


def _built(function: str, last: Any, frame: pd.DataFrame, code: Path, folder: Path) -> Built:
    import calendar_parts  # type: ignore[import-not-found]

    model = make_pipeline(FunctionTransformer(getattr(calendar_parts, function)), last)
    model.fit(frame, frame["day"].dt.month.fillna(0) + frame["spent"])
    return build_model(*save(model, frame, folder), folder / "dist", code=(code,))


def test_a_model_that_takes_no_missing_date(code: Path, tmp_path: Path) -> None:
    built = _built("parts", Ridge(), _visits(), code, tmp_path)
    assert built.signature.inputs[0].least == FIRST_TIME
    gap = _visits().head(2)
    gap.loc[1, "day"] = pd.NaT
    gap.to_parquet(tmp_path / "gap.parquet")
    with pytest.raises(UsageError, match="row 1, column 'day'"):
        predict(built.bundle, tmp_path / "gap.parquet", tmp_path / "out.csv")


def test_a_model_that_takes_missing_dates(code: Path, tmp_path: Path) -> None:
    frame = _visits()
    frame.loc[::20, "day"] = pd.NaT
    built = _built("parts", HistGradientBoostingRegressor(max_iter=3), frame, code, tmp_path)
    assert built.signature.inputs[0].least is None and built.verification.probes["missing"]["prediction"].rows >= 2


def test_a_new_frame(code: Path, tmp_path: Path) -> None:
    assert _built("framed", Ridge(), _visits(), code, tmp_path).verification.equal


def test_dates_in_utc(code: Path, tmp_path: Path) -> None:
    built = _built("months", Ridge(), _visits("UTC"), code, tmp_path)
    assert built.verification.equal and built.signature.inputs[0].frame_dtype.endswith(", UTC]")


def test_another_time_zone_is_refused(code: Path, tmp_path: Path) -> None:
    frame = _visits("Asia/Tokyo")
    with pytest.raises(ConversionError, match="time zone Asia/Tokyo"):
        _built("months", Ridge(), frame, code, tmp_path)
