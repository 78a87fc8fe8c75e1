"""Models that the standard converters get wrong without an error: none may get through a build.

Each function gives a fitted model, example rows, and rows that would show the fault.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

Case = tuple[Any, Any, Any]
CASES: dict[str, Callable[[], Case]] = {}
EDGE = 2**24


def case(function: Callable[[], Case]) -> Callable[[], Case]:
    CASES[function.__name__] = function
    return function


def _data(rows: int = 800, width: int = 8, seed: int = 0) -> tuple[Any, Any, Any]:
    """Numbers, a label and a target with some signal in them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, width))
    y = x[:, 0] * 2 + np.sin(3 * x[:, 1]) + x[:, 2] * x[:, 3]
    return x, (y > 0).astype(int), y


def _with_nan(x: Any, share: float = 0.1) -> Any:
    holes = x.copy()
    holes[np.random.default_rng(1).random(x.shape) < share] = np.nan
    return holes


def _ids(rows: int = 500, seed: int = 2) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    ids = EDGE + rng.integers(0, 64, (rows, 2))
    return ids, ids[:, 0] % 2


@case
def nan_in_a_decision_tree() -> Case:
    from sklearn.tree import DecisionTreeClassifier

    x, label, _ = _data()
    holes = _with_nan(x)
    return DecisionTreeClassifier(random_state=0).fit(holes, label), holes, holes


@case
def nan_in_a_forest() -> Case:
    from sklearn.ensemble import RandomForestClassifier

    x, label, _ = _data()
    holes = _with_nan(x)
    return RandomForestClassifier(20, random_state=0).fit(holes, label), holes, holes


@case
def nan_in_extra_trees() -> Case:
    from sklearn.ensemble import ExtraTreesClassifier

    x, label, _ = _data()
    holes = _with_nan(x)
    return ExtraTreesClassifier(20, random_state=0).fit(holes, label), holes, holes


@case
def nan_in_bagged_trees() -> Case:
    from sklearn.ensemble import BaggingClassifier

    x, label, _ = _data()
    holes = _with_nan(x)
    return BaggingClassifier(n_estimators=10, random_state=0).fit(holes, label), holes, holes


@case
def histogram_boosting_with_categories() -> Case:
    from sklearn.ensemble import HistGradientBoostingClassifier

    x, _, _ = _data()
    x[:, 0] = np.random.default_rng(3).integers(0, 12, len(x))
    label = np.isin(x[:, 0], [1, 4, 7, 9]).astype(int)
    model = HistGradientBoostingClassifier(categorical_features=[0], max_iter=20, random_state=0).fit(x, label)
    return model, x, x


@case
def histogram_boosting_poisson() -> Case:
    from sklearn.ensemble import HistGradientBoostingRegressor

    x, _, target = _data()
    model = HistGradientBoostingRegressor(loss="poisson", max_iter=20).fit(x, np.exp(target / 4))
    return model, x, x


@case
def histogram_boosting_gamma() -> Case:
    from sklearn.ensemble import HistGradientBoostingRegressor

    x, _, target = _data()
    return HistGradientBoostingRegressor(loss="gamma", max_iter=20).fit(x, np.exp(target / 4)), x, x


@case
def tuned_threshold() -> Case:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import TunedThresholdClassifierCV

    x, _, target = _data()
    label = (target > 1.5).astype(int)
    return TunedThresholdClassifierCV(LogisticRegression(), scoring="f1").fit(x, label), x, x


@case
def one_vs_rest_of_svc() -> Case:
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.svm import SVC

    x, _, target = _data(300)
    return OneVsRestClassifier(SVC()).fit(x, np.digitize(target, [-1, 1])), x, x


@case
def imputer_with_indicator() -> Case:
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    x, label, _ = _data()
    holes = _with_nan(x)
    return make_pipeline(SimpleImputer(add_indicator=True), LogisticRegression()).fit(holes, label), holes, holes


@case
def isotonic_calibration_of_a_forest() -> Case:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import RandomForestClassifier

    x, label, _ = _data()
    forest = RandomForestClassifier(10, max_depth=5, random_state=0)
    return CalibratedClassifierCV(forest, method="isotonic", cv=3).fit(x, label), x, x


@case
def neighbours_far_from_the_origin() -> Case:
    from sklearn.neighbors import KNeighborsClassifier

    x, label, _ = _data(300)
    return KNeighborsClassifier().fit(x + 1e4, label), x + 1e4, x + 1e4


@case
def neighbours_with_ties() -> Case:
    from sklearn.neighbors import KNeighborsClassifier

    x, label, _ = _data(300, 4)
    grid = np.round(x)
    return KNeighborsClassifier().fit(grid, label), grid, grid


TEXTS = [
    "I am a DOG",
    "the cat sat on the mat",
    "naïve café is open",
    "ΣΊΣΥΦΟΣ İstanbul",
    "a b c",
    "dog dog dog cat",
] * 5
TONES = [0, 1, 0, 1, 1, 0] * 5


def _text_case(**options: Any) -> Case:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(TfidfVectorizer(**options), LogisticRegression()).fit(TEXTS, TONES)
    return model, TEXTS, [*TEXTS, "CAFÉ  naïve", "σίσυφος", "i am"]


@case
def text_with_accents() -> Case:
    return _text_case()


@case
def text_pairs_with_short_words() -> Case:
    return _text_case(ngram_range=(1, 2))


@case
def text_with_sublinear_counts() -> Case:
    return _text_case(sublinear_tf=True)


@case
def text_by_characters() -> Case:
    return _text_case(analyzer="char", ngram_range=(1, 3))


@case
def histogram_boosting_on_large_ids() -> Case:
    from sklearn.ensemble import HistGradientBoostingClassifier

    ids, label = _ids()
    return HistGradientBoostingClassifier(max_iter=20, random_state=0).fit(ids, label), ids, ids


@case
def histogram_boosting_on_seconds() -> Case:
    from sklearn.ensemble import HistGradientBoostingClassifier

    seconds = 1_700_000_000 + np.random.default_rng(4).integers(0, 10**6, (500, 3))
    label = (seconds[:, 0] % 1000 > 500).astype(int)
    return HistGradientBoostingClassifier(max_iter=20, random_state=0).fit(seconds, label), seconds, seconds


@case
def one_hot_of_large_ids() -> Case:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    ids, label = _ids()
    frame = pd.DataFrame({"a": ids[:, 0].astype(float), "b": ids[:, 1]})
    return make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(frame, label), frame, frame


@case
def scaled_seconds() -> Case:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    seconds = 1_700_000_000 + np.random.default_rng(5).integers(0, 1000, (500, 2))
    model = make_pipeline(StandardScaler(), Ridge()).fit(seconds, seconds[:, 0] - 1_700_000_000)
    return model, seconds, seconds


def _wide_numbers() -> tuple[Any, Any]:
    rng = np.random.default_rng(6)
    scales = np.array([1e0, 1e3, 1e6, 1e7, 1e8, 1.0])
    x = scales * rng.integers(0, 200, (2000, 6)) + rng.integers(0, 7, (2000, 6))
    return x, (x[:, 1] % 7) + x[:, 3] / 1e8


@case
def histogram_boosting_on_doubles() -> Case:
    from sklearn.ensemble import HistGradientBoostingRegressor

    x, target = _wide_numbers()
    return HistGradientBoostingRegressor(max_iter=30, random_state=0).fit(x, target), x, x


@case
def scaler_before_a_forest() -> Case:
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, target = _wide_numbers()
    return make_pipeline(StandardScaler(), RandomForestRegressor(10, random_state=0)).fit(x, target), x, x


def _around(x: Any, thresholds: list[tuple[int, float]]) -> Any:
    """Rows at the float32 of each threshold and at its neighbours."""
    rng = np.random.default_rng(7)
    rows = []
    for column, threshold in thresholds[:400]:
        near = np.float32(threshold)
        for value in (near, np.nextafter(near, np.float32(-np.inf)), np.nextafter(near, np.float32(np.inf))):
            row = x[rng.integers(len(x))].copy()
            row[column] = value
            rows.append(row)
    return np.array(rows)


@case
def histogram_boosting_at_its_thresholds() -> Case:
    from sklearn.ensemble import HistGradientBoostingClassifier

    x, label, _ = _data()
    x = np.round(x, 1)
    model = HistGradientBoostingClassifier(max_iter=20, random_state=0).fit(x, label)
    nodes = [n for (p,) in model._predictors for n in p.nodes if not n["is_leaf"]]
    return model, x, _around(x, [(int(n["feature_idx"]), float(n["num_threshold"])) for n in nodes])


@case
def lightgbm_at_its_thresholds() -> Case:
    import lightgbm as lgb

    seconds = (1.7e9 + np.random.default_rng(8).integers(0, 10**6, (2000, 3))).astype(float)
    model = lgb.LGBMRegressor(n_estimators=30, verbose=-1, n_jobs=1).fit(seconds, seconds[:, 0] % 1000)
    splits = model.booster_.trees_to_dataframe().dropna(subset=["split_feature"])
    pairs = [(int(f.split("_")[1]), float(t)) for f, t in zip(splits.split_feature, splits.threshold, strict=True)]
    return model, seconds, _around(seconds, pairs)


def _lightgbm(target: str = "label", **options: Any) -> Case:
    import lightgbm as lgb

    x, label, y = _data()
    kind = lgb.LGBMClassifier if target in ("label", "classes") else lgb.LGBMRegressor
    wanted = {"label": label, "classes": np.digitize(y, [-1, 1]), "number": y}[target]
    model = kind(n_estimators=12, verbose=-1, n_jobs=1, **options).fit(x, wanted)
    return model, x, x


@case
def lightgbm_random_forest() -> Case:
    return _lightgbm("number", boosting_type="rf", bagging_freq=1, bagging_fraction=0.7)


@case
def lightgbm_linear_trees() -> Case:
    return _lightgbm("number", linear_tree=True)


@case
def lightgbm_one_versus_all() -> Case:
    return _lightgbm("classes", objective="multiclassova")


@case
def lightgbm_zero_as_missing() -> Case:
    import lightgbm as lgb

    x, label, _ = _data()
    x[np.random.default_rng(9).random(x.shape) < 0.2] = 0.0
    model = lgb.LGBMClassifier(n_estimators=12, verbose=-1, n_jobs=1, zero_as_missing=True).fit(x, label)
    return model, x, x


def _codes() -> tuple[Any, Any]:
    x, _, _ = _data()
    x[:, 0] = np.random.default_rng(10).integers(0, 12, len(x))
    return x, np.isin(x[:, 0], [1, 4, 7, 9]).astype(int)


@case
def lightgbm_category_between_codes() -> Case:
    import lightgbm as lgb

    x, label = _codes()
    model = lgb.LGBMClassifier(n_estimators=12, verbose=-1, n_jobs=1).fit(x, label, categorical_feature=[0])
    odd = x.copy()
    odd[:, 0] += 0.7
    return model, x, odd


@case
def xgboost_category_between_codes() -> Case:
    import xgboost as xgb

    x, label = _codes()
    types = ["c"] + ["q"] * 7
    model = xgb.XGBClassifier(n_estimators=12, enable_categorical=True, feature_types=types, n_jobs=1).fit(x, label)
    odd = x.copy()
    odd[:, 0] += 0.5
    return model, x, odd


def _xgboost(targets: int = 1, kind: str = "XGBRegressor", **options: Any) -> Case:
    import xgboost as xgb

    x, label, y = _data()
    wanted = {"XGBRegressor": y, "XGBClassifier": label}[kind]
    if options.get("objective") == "reg:logistic":
        wanted = label
    if targets > 1:
        wanted = np.stack([y, y * 3 + 5], axis=1)
    return getattr(xgb, kind)(n_estimators=12, n_jobs=1, **options).fit(x, wanted), x, x


@case
def xgboost_logistic_regression() -> Case:
    return _xgboost(objective="reg:logistic")


@case
def xgboost_two_targets() -> Case:
    return _xgboost(targets=2)


@case
def xgboost_dart() -> Case:
    return _xgboost(booster="dart", rate_drop=0.3)


@case
def xgboost_linear() -> Case:
    return _xgboost(booster="gblinear")


@case
def xgboost_own_missing_value() -> Case:
    import xgboost as xgb

    x, label, _ = _data()
    x[np.random.default_rng(11).random(x.shape) < 0.1] = -999
    return xgb.XGBClassifier(n_estimators=12, missing=-999, n_jobs=1).fit(x, label), x, x


@case
def catboost_poisson() -> Case:
    import catboost

    x, _, target = _data()
    counts = np.round(np.exp(target / 4))
    model = catboost.CatBoostRegressor(
        iterations=12, loss_function="Poisson", verbose=False, thread_count=1, allow_writing_files=False
    ).fit(x, counts)
    return model, x, x


@case
def nan_into_a_linear_model() -> Case:
    from sklearn.linear_model import LogisticRegression

    x, label, _ = _data()
    return LogisticRegression().fit(x, label), x, _with_nan(x)


@case
def bool_labels() -> Case:
    from sklearn.linear_model import LogisticRegression

    x, label, _ = _data()
    return LogisticRegression().fit(x, label.astype(bool)), x, x
