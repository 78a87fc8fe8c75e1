"""Fitted models of every kind that the scan must let through."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

N = 40
RNG = np.random.default_rng(0)
X = np.abs(RNG.normal(size=(N, 4))) + 0.1
Y = np.arange(N) % 2
Z = Y + X[:, 0]
FRAME = pd.DataFrame(X, columns=list("abcd")).assign(e=pd.Categorical(["u", "v"] * 20), f=["x", "y"] * 20)
TEXTS = [f"word{i % 5} other{i % 3}" for i in range(N)]
DICTS = [{"a": i % 3, "b": float(i)} for i in range(N)]
DATA = (
    (X, Y),
    (X, Z),
    (X, np.c_[Y, 1 - Y]),
    (X[:, :1], Y),
    (TEXTS, Y),
    (DICTS, Y),
    (Y,),
    (np.c_[Y, 1 - Y],),
    (X[:, 0], Y),
)


def fitted(cls: type) -> Any:
    """The estimator, fitted on the first of the small sets that it takes; None when there is none."""
    from sklearn.utils._test_common.instance_generator import _construct_instances

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            instance = next(iter(_construct_instances(cls)))
        except Exception:
            return None
        return instance if _fits(instance) else None


def _fits(instance: Any) -> bool:
    for args in DATA:
        try:
            instance.fit(*args)
        except Exception:
            continue
        return True
    return False


def boosters() -> dict[str, Any]:
    """Models of xgboost, lightgbm and catboost."""
    import catboost
    import lightgbm
    import xgboost

    mixed = FRAME.drop(columns="f")
    quiet = {"iterations": 2, "verbose": 0, "allow_writing_files": False}
    light: dict[str, Any] = {"n_estimators": 2, "verbose": -1}
    return {
        "XGBClassifier": xgboost.XGBClassifier(n_estimators=2).fit(X, Y),
        "XGBRegressor": xgboost.XGBRegressor(n_estimators=2, enable_categorical=True).fit(mixed, Z),
        "XGBRFClassifier": xgboost.XGBRFClassifier(n_estimators=2).fit(X, Y),
        "xgboost.Booster": xgboost.train({}, xgboost.DMatrix(X, Y), 2),
        "LGBMClassifier": lightgbm.LGBMClassifier(**light).fit(X, Y),
        "LGBMRegressor": lightgbm.LGBMRegressor(**light).fit(mixed, Z),
        "lightgbm.Booster": lightgbm.train({"verbose": -1}, lightgbm.Dataset(X, Y), 2),
        "CatBoostClassifier": catboost.CatBoostClassifier(**quiet).fit(X, Y),
        "CatBoostRegressor": catboost.CatBoostRegressor(**quiet, cat_features=["e", "f"]).fit(
            FRAME.astype({"e": str}), Z
        ),
        "CatBoost": catboost.CatBoost(quiet).fit(X, Y),
    }


def assemblies() -> dict[str, Any]:
    """Pipelines, searches and their helpers."""
    from sklearn.compose import ColumnTransformer, make_column_selector
    from sklearn.feature_selection import SelectKBest, mutual_info_classif
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import accuracy_score, make_scorer
    from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

    columns = ColumnTransformer(
        [
            (
                "n",
                make_pipeline(FunctionTransformer(np.log1p), StandardScaler()),
                make_column_selector(dtype_include=np.number),
            ),
            ("c", OneHotEncoder(), ["e"]),
        ],
        remainder=OrdinalEncoder(),
    )
    search = {"param_grid": {"C": [1, 2]}, "cv": TimeSeriesSplit(2), "scoring": make_scorer(accuracy_score)}
    return {
        "pipeline": make_pipeline(columns, SelectKBest(mutual_info_classif, k=2), LogisticRegression()).fit(FRAME, Y),
        "pandas output": ColumnTransformer([("o", OrdinalEncoder(), ["e"])]).set_output(transform="pandas").fit(FRAME),
        "search": GridSearchCV(LogisticRegression(), **search).fit(X, Y),
        "partial": FunctionTransformer(partial(np.clip, a_min=0, a_max=1)).fit(X),
        "random states": [np.random.RandomState(0), np.random.default_rng(0), np.random.MT19937(0)],
        "arrays": [
            np.float32(1),
            np.datetime64("2020"),
            np.ma.array([1]),
            np.array(["a", None], object),
            np.array(["é"]),
        ],
        "record": np.zeros(3, [("a", "i4"), ("b", "f8", (2,))]),
        "object record": np.array([(1, "x")], [("a", "i4"), ("b", "O")]),
    }
