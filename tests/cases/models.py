"""Small real models of the kinds that Java and C++ must carry; each function gives the fitted model and its example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

Model = tuple[Any, Any]
MODELS: dict[str, Callable[[], Model]] = {}


def model(function: Callable[[], Model]) -> Callable[[], Model]:
    """Puts the function on the list under its own name."""
    MODELS[function.__name__] = function
    return function


@model
def text_and_numbers() -> Model:
    """Text with emoji and accents, numbers, holes in both; labels that are text beyond ASCII."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    rng = np.random.default_rng(0)
    rows = 240
    x = pd.DataFrame({"Größe in cm": rng.normal(170, 10, rows), "age": rng.normal(40, 9, rows)})
    x["mood"] = rng.choice(["😀", "😢", "naïve", "日本", "plain"], rows)
    score = (x["Größe in cm"] - 170) / 10 + (x["mood"] == "😀") * 2 - (x["mood"] == "日本")
    labels = np.select([score > 1, score > -1], ["groß 😀", "mittel"], "klein")
    x.loc[::9, "age"] = np.nan
    x.loc[::14, "mood"] = None
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    texts = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("numbers", numbers, ["Größe in cm", "age"]), ("texts", texts, ["mood"])])
    return make_pipeline(columns, LogisticRegression()).fit(x, labels), x


@model
def forest_with_holes() -> Model:
    """Five classes, a matrix with NaN in every column."""
    from sklearn.ensemble import RandomForestClassifier

    rng = np.random.default_rng(1)
    x = rng.normal(size=(400, 6))
    labels = np.digitize(x[:, 0] + x[:, 1] * x[:, 2], [-1.0, -0.3, 0.3, 1.0])
    x[rng.random(x.shape) < 0.1] = np.nan
    return RandomForestClassifier(25, max_depth=7, random_state=0).fit(x, labels), x


@model
def regressor() -> Model:
    """Two targets from a matrix."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    x = np.random.default_rng(2).normal(size=(150, 4))
    targets = np.column_stack([x[:, 0] * x[:, 1], 1e4 * x[:, 2]])
    return make_pipeline(StandardScaler(), PolynomialFeatures(2), Ridge()).fit(x, targets), x


@model
def several_targets_and_bounds() -> Model:
    """Two labels a row, which are text; two columns that take positive numbers only."""
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multioutput import MultiOutputClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, PowerTransformer

    rng = np.random.default_rng(6)
    rows = 150
    x = pd.DataFrame({"width": rng.gamma(2.0, 3.0, rows), "count": rng.integers(1, 90, rows)})
    x["mood"] = rng.choice(["😀", "é", "plain"], rows)
    size = np.select([x["width"] > 8, x["width"] > 3], ["groß 😀", "mittel"], "klein")
    many = np.where((x["count"] > 40) ^ (x["mood"] == "é"), "viele", "")
    columns = make_column_transformer(
        (PowerTransformer("box-cox"), ["width", "count"]), (OneHotEncoder(handle_unknown="ignore"), ["mood"])
    )
    model = make_pipeline(columns, MultiOutputClassifier(LogisticRegression()))
    return model.fit(x, np.column_stack([size, many])), x


@model
def flags() -> Model:
    """Three labels a row, each true or false, from a matrix that no step looks at more closely."""
    from sklearn.tree import DecisionTreeClassifier

    x = np.random.default_rng(7).normal(size=(120, 3))
    return DecisionTreeClassifier(max_depth=4, random_state=0).fit(x, x > [0.0, 0.5, -1.0]), x


@model
def booster_with_categories() -> Model:
    """A lightgbm booster on a frame whose columns are pandas categories, of text and of numbers."""
    from lightgbm import LGBMClassifier

    rng = np.random.default_rng(3)
    rows = 300
    x = pd.DataFrame({"size": rng.normal(size=rows)})
    x["colour"] = pd.Categorical(rng.choice(["red", "grün", "😀"], rows), categories=["red", "grün", "😀", "never"])
    x["code"] = pd.Categorical(rng.choice([3, 10, 2000], rows))
    labels = (x["size"] + (x["colour"] == "grün") * 2.0 - (x["code"].astype(int) == 10) * 1.5 > 0.3).astype(int)
    x.loc[::11, "colour"] = np.nan
    x.loc[::17, "size"] = np.nan
    return LGBMClassifier(n_estimators=12, min_child_samples=5, verbose=-1).fit(x, labels), x


@model
def large_identifiers() -> Model:
    """Whole numbers above 2^24 in one column and beyond 2^53 in the other, told apart by their last bits."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
    from sklearn.tree import DecisionTreeClassifier

    rng = np.random.default_rng(4)
    x = pd.DataFrame({"shop": 2**24 + rng.integers(0, 9, 300), "customer": 2**53 + rng.integers(0, 9, 300)})
    labels = (x["shop"] + x["customer"]) % 2
    shops = OneHotEncoder(handle_unknown="ignore")
    customers = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = ColumnTransformer([("shops", shops, ["shop"]), ("customers", customers, ["customer"])])
    return make_pipeline(columns, DecisionTreeClassifier(random_state=0)).fit(x, labels), x
