"""Functions of numpy and of the user's own, read by running them on rows to come, held against numpy itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import FunctionTransformer

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.check import answers, assert_same

pytestmark = pytest.mark.filterwarnings("ignore")


def grid() -> Any:
    """From 1e-300 to 1e300, both signs, zeros, NaN, infinity, and where functions turn."""
    powers = 10.0 ** np.arange(-300, 301, 12.5)
    special = [
        0.0,
        -0.0,
        np.nan,
        np.inf,
        -np.inf,
        1,
        -1,
        0.5,
        -0.5,
        8,
        1000,
        1e-16,
        -1e-9,
        -0.999999999,
        700,
        709.5,
        -746,
    ]
    near = np.random.default_rng(0).uniform(-3, 3, 200)
    values = np.concatenate([powers, -powers, special, near])
    return np.stack([values, np.roll(values, 7), np.random.default_rng(1).permutation(values)], axis=1)


WIDE = grid()
UNARY = (
    *("absolute", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cbrt", "ceil", "cos", "cosh"),
    *("deg2rad", "exp", "exp2", "expm1", "fabs", "floor", "isfinite", "isinf", "isnan", "log", "log10", "log1p"),
    *("log2", "logical_not", "negative", "rad2deg", "reciprocal", "rint", "sign", "signbit", "sin", "sinh", "sqrt"),
    *("square", "tan", "tanh", "trunc"),
)
BINARY = (
    *("add", "arctan2", "copysign", "divide", "equal", "floor_divide", "fmax", "fmin", "fmod", "greater_equal"),
    *("heaviside", "hypot", "less", "logaddexp", "logical_and", "maximum", "minimum", "multiply", "not_equal"),
    *("power", "remainder", "subtract"),
)


def relative(function: Callable[[Any], Any], x: Any) -> float:
    """The largest relative error of the double graph; infinity where NaN, infinity or flags differ."""
    want, got = (found["transformed"] for found in answers(FunctionTransformer(function).fit(x), x, "float64"))
    if want.dtype == bool:
        return 0.0 if np.array_equal(want, got) else float("inf")
    plain = np.isfinite(want)
    if not np.array_equal(want[~plain], got[~plain], equal_nan=True):
        return float("inf")
    return float(np.max(np.abs(got - want)[plain] / np.maximum(np.abs(want[plain]), 1e-307), initial=0.0))


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_number(name: str) -> None:
    assert relative(getattr(np, name), WIDE) < 1e-12


@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_numbers(name: str) -> None:
    function = getattr(np, name)
    assert relative(lambda x: function(x, x[:, ::-1]), WIDE) < 1e-12
    assert relative(lambda x: function(x, 2.5), WIDE) < 1e-12
    assert relative(lambda x: function(3, x), WIDE) < 1e-12


def test_a_logarithm_of_a_power_is_whole() -> None:
    x = 10.0 ** np.arange(-20, 21).reshape(-1, 1)
    assert_same(FunctionTransformer(lambda x: np.floor(np.log10(x))).fit(x), x)
    assert_same(FunctionTransformer(lambda x: np.floor(np.log2(x))).fit(x), 2.0 ** np.arange(-20, 21).reshape(-1, 1))


RNG = np.random.default_rng(2)
X = RNG.normal(size=(30, 4))
HOLES = X.copy()
HOLES[3, 1], HOLES[5, 2], HOLES[7] = np.nan, np.inf, np.nan
WHOLE = RNG.integers(-9, 9, (30, 4))
WHOLE[0] = [0, -1, np.iinfo(np.int64).min, 5]
LARGE = np.random.default_rng(3).integers(2**31, 2**33, (30, 4)) * np.array([1, -1, 1, 1])


def in_place(x: Any) -> Any:
    x = x.copy()
    x[:, 0] = np.log1p(np.abs(x[:, 0]))
    x[:, [1, 2]] *= 2
    x[:, 3] += 1
    x[x < 0] = 0
    return x


def of_arrays_only(x: Any) -> Any:
    if not isinstance(x, np.ndarray) or x.ndim != 2 or x.shape[1] != 4:
        raise TypeError("a table of four columns")
    return np.asarray(x, dtype=float) * 2


ARRAYS: list[Callable[[Any], Any]] = [
    in_place,
    of_arrays_only,
    lambda x: np.column_stack([x, x[:, 0] * x[:, 1], np.where(x[:, 2] > 0.25, 1, 0)]),
    lambda x: np.hstack([x, x[:, :1] / x[:, 1:2]]),
    lambda x: np.c_[x, x[:, 0] / 3],
    lambda x: np.concatenate([x[:, ::-1], np.ones_like(x[:, :1])], axis=1),
    lambda x: np.stack([x[:, 0], x[..., -1]], axis=1),
    lambda x: x[:, [True, False, True, False]],
    lambda x: np.delete(np.take(x, [2, 0, 1], axis=1), 1, axis=1),
    lambda x: x.reshape(-1, 2, 2)[:, :, 0],
    lambda x: np.clip(x, -1, 1),
    lambda x: x.clip(min=0),
    lambda x: np.round(x, 2),
    lambda x: np.nan_to_num(x, nan=-1, posinf=5),
    lambda x: np.nan_to_num(x, posinf=9).astype(int),
    lambda x: x.astype(bool),
    lambda x: x.astype(np.float32) * 2,
    lambda x: ~(x > 0) & (x < 1) | np.isnan(x),
    lambda x: (x > 0) + (x < 0.5),
    lambda x: np.select([x < 0, x > 1], [x, 2 * x], default=7),
    lambda x: np.isin(x, [0, 1, -1]),
    lambda x: np.digitize(x, [-1, 0, 1], right=True),
    lambda x: np.diff(x, axis=1),
    lambda x: np.cumsum(x, axis=1),
    lambda x: np.linalg.norm(x, axis=1),
    lambda x: x @ np.arange(8.0).reshape(4, 2),
    lambda x: x * np.array([1, 2, 3, 4.0]),
    lambda x: x - x.mean(axis=1, keepdims=True),
    lambda x: x - x.mean(axis=1)[:, None],
    lambda x: np.column_stack([x.sum(axis=1), np.max(x, axis=1), x.min(axis=-1), np.std(x, axis=1), x.prod(axis=1)]),
    lambda x: np.column_stack(
        [np.nansum(x, axis=1), np.nanmean(x, axis=1), np.nanmax(x, axis=1), np.nanmin(x, axis=1)]
    ),
    lambda x: np.column_stack([x.argmax(axis=1), np.argmin(x, axis=1), (x > 0).any(axis=1), (x > 0).all(axis=1)]),
]


@pytest.mark.parametrize("position", range(len(ARRAYS)))
@pytest.mark.parametrize("x", [X, HOLES, WHOLE], ids=["numbers", "holes", "integers"])
def test_arrays(position: int, x: Any) -> None:
    """Integers too: with the types that numpy gives them, and where they wrap round."""
    assert_same(FunctionTransformer(ARRAYS[position]).fit(x), x)


INTEGERS: list[Callable[[Any], Any]] = [
    lambda x: x // x[:, ::-1],
    lambda x: x % x[:, ::-1],
    lambda x: x // -1,
    lambda x: x % -3,
    lambda x: x // 0,
    lambda x: x**3,
    lambda x: x / 2,
    lambda x: x * 1.5,
    lambda x: x > 2.5,
    np.sqrt,
]


@pytest.mark.parametrize("position", range(len(INTEGERS)))
def test_integers(position: int) -> None:
    """Division by 0 and of the smallest integer by -1 would end ONNX Runtime's process."""
    assert_same(FunctionTransformer(INTEGERS[position]).fit(WHOLE), WHOLE)


@pytest.mark.parametrize(
    "function",
    [
        np.sign,
        np.abs,
        lambda x: np.maximum(x[:, [0, 1]], x[:, [2, 1]] + 1),
        lambda x: np.minimum(x[:, [0, 1]], x[:, [3, 1]] - 1),
        lambda x: np.clip(x, 2**31 + 9, 2**32 + 9),
        lambda x: np.column_stack([x.max(axis=1), x.min(axis=1), x.sum(axis=1), x.argmax(axis=1)]),
    ],
)
def test_integers_beyond_32_bits(function: Callable[[Any], Any]) -> None:
    """ONNX Runtime's own `Max`, `Min`, `Clip`, `Sign`, `ReduceMax` and `ReduceMin` see the lower half only."""
    assert_same(FunctionTransformer(function).fit(LARGE), LARGE)


REFUSED: list[tuple[Callable[[Any], Any], str]] = [
    (lambda x: x - x.mean(), "numpy.mean over everything: it mixes rows"),
    (lambda x: x - x.mean(axis=0), "numpy.mean over axis 0: it mixes rows"),
    (lambda x: x if (x[:, 0] > 0).any(axis=0) else -x, "mixes rows"),
    (lambda x: np.log(x) if x[:, 0] > 0 else x, "an `if` on values"),
    (lambda x: x[0], "it picks rows"),
    (lambda x: np.array([row + 1 for row in x]), "goes over the rows one by one"),
    (lambda x: x[x[:, 0] > 0], "picks rows by their values"),
    (lambda x: np.sort(x, axis=0), "numpy.sort has no graph"),
    (lambda x: x.T, "rows into columns"),
    (lambda x: float(x[:, 0]), "takes one number out"),
    (lambda x: np.vstack([x, x]), "numpy.vstack has no graph"),
    (lambda x: x[:, :1] + x[:, 0], "mixes rows"),
    (lambda x: np.zeros((x.shape[0], 2)), "the number of rows as a number"),
    (lambda x: np.median(x, axis=1), "numpy.median has no graph"),
    (lambda x: x.partition(2), "method .partition has no graph"),
    (lambda x: 5, "gives a int"),
    (lambda x: x.__setitem__((slice(None), 0), 1), "changes its input in place"),
    (lambda x: x + np.ones((30, 4)), "broadcast"),
    (lambda x: x.astype(np.float16), "float16"),
    (lambda x: np.add.reduce(x), "numpy.add.reduce has no graph"),
]


@pytest.mark.parametrize("position", range(len(REFUSED)))
def test_what_cannot_be_read_is_refused_by_name(position: int) -> None:
    from mlpack_toolkit.converters._graph.builder import GraphBuilder, Value
    from mlpack_toolkit.converters._lookup import convert

    function, said = REFUSED[position]
    fitted = FunctionTransformer(function).fit(X)
    with pytest.raises(Unsupported, match=said) as caught:
        convert(fitted, (Value("X", "float64", 4),), GraphBuilder("float64"))
    for way in ("before the model", "to_onnx_graph", "mlpack_converters.py"):
        assert way in str(caught.value)


TABLE = pd.DataFrame({"a": X[:, 0], "b": X[:, 1] + 3, "n": WHOLE[:, 0]})
TABLE.loc[3, "a"] = np.nan


def ratio(d: Any) -> Any:
    assert isinstance(d, pd.DataFrame)
    d = d.copy()
    d["ratio"] = d["a"] / d["b"]
    d["n"] += 1
    d["high"] = np.where(d.b > 3, 1.0, 0.0)
    return d


TABLES: list[Callable[[Any], Any]] = [
    ratio,
    np.square,
    lambda d: d.assign(r=d.a * d["n"], s=lambda q: q["r"] + 1),
    lambda d: d[["b", "a"]],
    lambda d: np.column_stack([d["a"], np.log1p(d["b"]), d["n"] > 3]),
    lambda d: d.drop(columns=["a"]).rename(columns={"b": "q"}),
    lambda d: d.fillna({"a": 0.5}),
    lambda d: d.sum(axis=1).to_frame(),
    lambda d: d.mean(axis=1).to_numpy().reshape(-1, 1),
    lambda d: d.values * 2,
    lambda d: d.iloc[:, 1:],
    lambda d: d.loc[:, ["n", "a"]].clip(0, 1),
    lambda d: np.where(d > 1, d, -1),
    lambda d: d - np.array([1, 2, 3]),
    lambda d: d.apply(np.square).astype(float),
    lambda d: d["n"].map({0: 1.5, 1: 2.5}).to_frame(),
]


@pytest.mark.parametrize("position", range(len(TABLES)))
def test_data_frames(position: int) -> None:
    assert_same(FunctionTransformer(TABLES[position]).fit(TABLE), TABLE)


def test_text_is_compared_and_goes_through() -> None:
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    rows = TABLE.assign(city=np.array(["Oslo", "Bern", "Rome"] * 10, object))
    rows.loc[5, "city"] = None

    def steps(d: Any) -> Any:
        return d.assign(home=(d["city"] == "Bern").astype(float), code=d["city"].map({"Oslo": 1.0}).fillna(0)).drop(
            columns="a"
        )

    columns = make_column_transformer((OneHotEncoder(), ["city"]), ("passthrough", ["home", "code", "b"]))
    assert_same(
        make_pipeline(FunctionTransformer(steps), columns, LogisticRegression()).fit(rows, WHOLE[:, 1] > 0), rows
    )


FRAMES_REFUSED: list[tuple[Callable[[Any], Any], str]] = [
    (lambda d: d.__setitem__("z", 1) or d, "changes its input in place"),
    (lambda d: d[d["a"] > 0], "picks rows by their values"),
    (lambda d: d["a"] - d["a"].mean(), "mixes rows"),
    (lambda d: d - d.mean(), "mixes rows"),
    (lambda d: d.apply(lambda row: row["a"], axis=1), "called for each row"),
    (lambda d: d["a"].map(lambda v: v + 1), "called for each cell"),
    (lambda d: d.groupby("n").mean(), "method .groupby of a data frame"),
    (lambda d: d["n"] // d["n"], "divides integers otherwise"),
    (lambda d: (d["a"] == "x").astype(int), "compares numbers with the text 'x'"),
    (lambda d: d.drop(columns=["a"], inplace=True), "with inplace="),
    (lambda d: d["missing"], "there is no column 'missing'"),
]


@pytest.mark.parametrize("position", range(len(FRAMES_REFUSED)))
def test_what_cannot_be_read_from_a_data_frame(position: int) -> None:
    from mlpack_toolkit.converters._graph.builder import GraphBuilder, Value
    from mlpack_toolkit.converters._lookup import convert

    function, said = FRAMES_REFUSED[position]
    fitted = FunctionTransformer(function).fit(TABLE)
    with pytest.raises(Unsupported, match=said):
        convert(fitted, tuple(Value(n, "float64" if n != "n" else "int64") for n in "abn"), GraphBuilder("float64"))


def test_numpy_is_itself_again_after_a_trace() -> None:
    before = (np.asarray, np.array, np.c_)
    with pytest.raises(Unsupported):
        answers(FunctionTransformer(lambda x: np.median(x, axis=1)).fit(X), X, "float64")
    assert (np.asarray, np.array, np.c_) == before
