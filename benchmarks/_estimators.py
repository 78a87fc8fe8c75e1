"""Every scikit-learn estimator that can infer on new data, fitted on real data that comes with scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

Example = Any
Fit = Callable[[Any], tuple[Any, Example]]
"""From a class to a fitted object and the rows that it is asked with: a matrix, a data frame or a list of texts."""

WITHOUT_INFERENCE = (
    *("AgglomerativeClustering", "ClassicalMDS", "DBSCAN", "EmpiricalCovariance", "GraphicalLasso"),
    *("GraphicalLassoCV", "HDBSCAN", "LedoitWolf", "MDS", "MinCovDet", "NearestNeighbors", "OAS", "OPTICS"),
    *("ShrunkCovariance", "SpectralBiclustering", "SpectralClustering", "SpectralCoclustering", "SpectralEmbedding"),
    "TSNE",
)
"""No `predict` and no `transform` for rows that were not seen at the fit."""
NOT_ROWS = ("MultiLabelBinarizer", "PatchExtractor")
"""They take sets of labels and images: no rows of columns."""


def names() -> tuple[str, ...]:
    """Every estimator of the table, in alphabetical order."""
    return tuple(name for name in _classes() if name not in (*WITHOUT_INFERENCE, *NOT_ROWS))


def fitted(name: str) -> tuple[Any, Example]:
    """The estimator of that name, fitted, and its example rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _SPECIAL.get(name, _usual)(_classes()[name])


def _classes() -> dict[str, Any]:
    """All of scikit-learn's estimators by name, the experimental ones among them."""
    from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401  (listed only then)
    from sklearn.utils import all_estimators

    return dict(all_estimators())


@lru_cache(maxsize=8)
def _data(name: str) -> tuple[Any, Any]:
    from sklearn import datasets

    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return x, y


def _usual(cls: Any) -> tuple[Any, Example]:
    """Classifiers and transformers on the irises, regressors on the diabetes patients."""
    from sklearn.base import RegressorMixin

    x, y = _data("diabetes" if issubclass(cls, RegressorMixin) else "iris")
    return cls(**_fewer(cls)).fit(x, y), x


def _fewer(cls: Any) -> dict[str, Any]:
    """Ten trees or rounds say as much as a hundred; a fixed seed."""
    from inspect import signature

    known = signature(cls.__init__).parameters
    small = {"n_estimators": 10, "random_state": 0}
    if cls.__name__.startswith("HistGradient"):
        small["max_iter"] = 10
    return {k: v for k, v in small.items() if k in known}


def _on(data: str, **options: Any) -> Fit:
    def fit(cls: Any) -> tuple[Any, Example]:
        x, y = _data(data)
        return cls(**_fewer(cls), **options).fit(x, y), x

    return fit


def _around_classifier(cls: Any) -> tuple[Any, Example]:
    x, y = _data("iris")
    return cls(_logistic(), **_fewer(cls)).fit(x, y), x


def _around_regressor(cls: Any) -> tuple[Any, Example]:
    from sklearn.linear_model import Ridge

    x, y = _data("diabetes")
    return cls(Ridge(), **_fewer(cls)).fit(x, y), x


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000)


def _two_classes(cls: Any) -> tuple[Any, Example]:
    x, y = _data("iris")
    return cls(_logistic()).fit(x, (y == 1).astype(int)), x


def _frozen(cls: Any) -> tuple[Any, Example]:
    x, y = _data("iris")
    return cls(_logistic().fit(x, y)).fit(x, y), x


def _searched(cls: Any) -> tuple[Any, Example]:
    x, y = _data("iris")
    few = {"RandomizedSearchCV": {"n_iter": 2}, "HalvingRandomSearchCV": {"n_candidates": 2}}
    seed = {} if cls.__name__ == "GridSearchCV" else {"random_state": 0}
    return cls(_logistic(), {"C": [0.1, 1.0]}, **seed, **few.get(cls.__name__, {})).fit(x, y), x


def _several(cls: Any) -> tuple[Any, Example]:
    """Stacking and voting."""
    from sklearn.linear_model import Ridge
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if cls.__name__.endswith("Classifier"):
        x, y = _data("iris")
        return cls([("linear", _logistic()), ("tree", DecisionTreeClassifier(max_depth=3, random_state=0))]).fit(
            x, y
        ), x
    x, y = _data("diabetes")
    return cls([("linear", Ridge()), ("tree", DecisionTreeRegressor(max_depth=3, random_state=0))]).fit(x, y), x


def _two_targets(cls: Any) -> tuple[Any, Example]:
    """A second target beside the first: what the multi-task and multi-output kinds are for."""
    x, y = _data("diabetes")
    options = _around(cls, regressor=True)
    return cls(**options).fit(x, np.column_stack([y, x[:, 2] * 1000 + y / 2])), x


def _two_labels(cls: Any) -> tuple[Any, Example]:
    """Is it a versicolor, is its petal wide: two labels per row."""
    x, y = _data("iris")
    options = _around(cls, regressor=False)
    return cls(**options).fit(x, np.column_stack([y == 1, x[:, 3] > 1.2]).astype(int)), x


def _around(cls: Any, regressor: bool) -> dict[str, Any]:
    from inspect import signature

    from sklearn.linear_model import Ridge

    return {"estimator": Ridge() if regressor else _logistic()} if "estimator" in signature(cls).parameters else {}


def _some_unlabelled(cls: Any) -> tuple[Any, Example]:
    x, y = _data("wine")
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    part = np.where(np.arange(len(y)) % 3 == 0, -1, y)
    model = cls(_logistic()) if cls.__name__ == "SelfTrainingClassifier" else cls(**_fewer(cls))
    return model.fit(x, part), x


def _scaled_wine(**options: Any) -> Fit:
    """Chemical measurements in units of their spread: no two wines lie at the same distance."""

    def fit(cls: Any) -> tuple[Any, Example]:
        x, y = _data("wine")
        x = (x - x.mean(axis=0)) / x.std(axis=0)
        return cls(**_fewer(cls), **options).fit(x, y), x

    return fit


def _with_holes(cls: Any) -> tuple[Any, Example]:
    x = _data("wine")[0].copy()
    x[np.random.default_rng(0).random(x.shape) < 0.1] = np.nan
    return cls(**_fewer(cls)).fit(x), x


def _words(cls: Any) -> tuple[Any, Example]:
    return cls().fit(TEXTS), TEXTS


def _hashed_words(cls: Any) -> tuple[Any, Example]:
    """Hashes before a linear model, as in life: alone, the million columns of the default are refused."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(cls(), LogisticRegression()).fit(TEXTS, np.arange(len(TEXTS)) % 2), TEXTS


TEXTS = [
    "The cat sat on the mat, and the mat was flat",
    "A naïve café owner wrote: 'I am a DOG person!'",
    "Übermut tut selten gut; Ärger auch nicht",
    "ΣΊΣΥΦΟΣ rolled the stone in İstanbul",
    "Ёлка зелёная, снег белый",
    "東京 は 日本 の 首都 です",
    "e-mail me at a.b@c.de, 24/7",
    "one two two three three three",
] * 6


def _counted(cls: Any) -> tuple[Any, Example]:
    from sklearn.feature_extraction.text import CountVectorizer

    counts = CountVectorizer().fit_transform(TEXTS).toarray().astype(float)
    return cls().fit(counts), counts


def _records(cls: Any) -> tuple[Any, Example]:
    """Passengers as dictionaries: a text, a number."""
    import pandas as pd

    frame = pd.DataFrame({"city": ["Oslo", "Paris", "Rome", "Oslo"] * 10, "age": np.arange(40) * 1.5})
    return cls().fit(frame.to_dict("records")), frame


def _categories(cls: Any) -> tuple[Any, Example]:
    import pandas as pd

    x, y = _data("iris")
    size = np.array(["small", "middle", "large"], object)[np.digitize(x[:, 2], [2, 5])]
    frame = pd.DataFrame({"size": size, "width": np.round(x[:, 3]).astype(int)})
    return cls(**_fewer(cls)).fit(frame, y), frame


def _mixed_columns(cls: Any) -> tuple[Any, Example]:
    import pandas as pd
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    x, y = _data("iris")
    frame = pd.DataFrame(x, columns=["sl", "sw", "pl", "pw"])
    frame["size"] = np.array(["small", "middle", "large"], object)[np.digitize(x[:, 2], [2, 5])]
    return cls([("numbers", StandardScaler(), ["sl", "pw"]), ("size", OneHotEncoder(), ["size"])]).fit(frame, y), frame


def _union(cls: Any) -> tuple[Any, Example]:
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    x, y = _data("iris")
    return cls([("scaled", StandardScaler()), ("rotated", PCA(2))]).fit(x, y), x


def _pipeline(cls: Any) -> tuple[Any, Example]:
    from sklearn.preprocessing import StandardScaler

    x, y = _data("iris")
    return cls([("scaled", StandardScaler()), ("model", _logistic())]).fit(x, y), x


def _labels(cls: Any) -> tuple[Any, Example]:
    import pandas as pd

    names = np.array(["setosa", "versicolor", "virginica"], object)[_data("iris")[1]]
    return cls().fit(names), pd.DataFrame({"y": names})


def _one_feature(cls: Any) -> tuple[Any, Example]:
    x, y = _data("diabetes")
    return cls(out_of_bounds="clip").fit(x[:, 2], y), x[:, [2]]


def _positive(data: str = "iris", **options: Any) -> Fit:
    def fit(cls: Any) -> tuple[Any, Example]:
        x, y = _data(data)
        return cls(**_fewer(cls), **options).fit(np.abs(x), y), np.abs(x)

    return fit


def _counts(data: str = "digits", **options: Any) -> Fit:
    """Grey values of handwritten digits: whole numbers from 0 to 16."""

    def fit(cls: Any) -> tuple[Any, Example]:
        x, y = _data(data)
        return cls(**_fewer(cls), **options).fit(x[:300], y[:300]), x[:300]

    return fit


def _grey(cls: Any) -> tuple[Any, Example]:
    """Grey values as shares from 0 to 1: with whole numbers up to 16 every hidden unit is on, whatever the digit."""
    x, _ = _data("digits")
    return cls(n_components=8, random_state=0).fit(x[:300] / 16), x[:300] / 16


def _kernel(cls: Any) -> tuple[Any, Example]:
    x, _ = _data("iris")
    kernel = x[:60] @ x[:60].T
    return cls().fit(kernel), kernel


def _dictionary(cls: Any) -> tuple[Any, Example]:
    x, _ = _data("iris")
    atoms = np.random.default_rng(0).normal(size=(6, 4))
    return cls(atoms / np.linalg.norm(atoms, axis=1, keepdims=True)).fit(x), x


def _two_blocks(cls: Any) -> tuple[Any, Example]:
    x, y = _data("diabetes")
    return cls().fit(x, np.column_stack([y, x[:, 2] * 1000 + y / 2])), x


def _function(cls: Any) -> tuple[Any, Example]:
    x, _ = _data("iris")
    return cls(np.log1p).fit(x), x


def _coded(cls: Any) -> tuple[Any, Example]:
    """Categories as whole numbers from 0."""
    x, y = _data("iris")
    codes = np.floor(x).astype(int)
    return cls().fit(codes, y), codes


def _small_forest(cls: Any) -> tuple[Any, Example]:
    from sklearn.tree import DecisionTreeClassifier

    x, y = _data("iris")
    return cls(DecisionTreeClassifier(max_depth=3, random_state=0)).fit(x, y), x


_SPECIAL: dict[str, Fit] = {
    **dict.fromkeys(("MultiOutputRegressor", "RegressorChain"), _two_targets),
    **dict.fromkeys(
        ("MultiTaskElasticNet", "MultiTaskElasticNetCV", "MultiTaskLasso", "MultiTaskLassoCV"), _two_targets
    ),
    **dict.fromkeys(("MultiOutputClassifier", "ClassifierChain"), _two_labels),
    **dict.fromkeys(("PLSCanonical", "PLSSVD", "CCA"), _two_blocks),
    **dict.fromkeys(("OneVsOneClassifier", "OneVsRestClassifier", "OutputCodeClassifier"), _around_classifier),
    **dict.fromkeys(("RFE", "RFECV", "SelectFromModel", "SequentialFeatureSelector"), _around_classifier),
    **dict.fromkeys(("FixedThresholdClassifier", "TunedThresholdClassifierCV"), _two_classes),
    **dict.fromkeys(("GridSearchCV", "RandomizedSearchCV"), _searched),
    **dict.fromkeys(("HalvingGridSearchCV", "HalvingRandomSearchCV"), _searched),
    **dict.fromkeys(("StackingClassifier", "StackingRegressor", "VotingClassifier", "VotingRegressor"), _several),
    **dict.fromkeys(("LabelPropagation", "LabelSpreading", "SelfTrainingClassifier"), _some_unlabelled),
    **dict.fromkeys(("KNeighborsClassifier", "KNeighborsRegressor", "KNeighborsTransformer"), _scaled_wine()),
    # without a label for outliers it raises on rows far from all others, which no rule on single columns can tell
    "RadiusNeighborsClassifier": _scaled_wine(radius=4.0, outlier_label="most_frequent"),
    "RadiusNeighborsRegressor": _scaled_wine(radius=4.0),
    "RadiusNeighborsTransformer": _scaled_wine(radius=4.0),
    "LocalOutlierFactor": _scaled_wine(novelty=True),
    **dict.fromkeys(("Isomap", "LocallyLinearEmbedding"), _scaled_wine()),
    **dict.fromkeys(("KNNImputer", "IterativeImputer", "SimpleImputer", "MissingIndicator"), _with_holes),
    **dict.fromkeys(("CountVectorizer", "TfidfVectorizer"), _words),
    "HashingVectorizer": _hashed_words,
    "TfidfTransformer": _counted,
    **dict.fromkeys(("DictVectorizer", "FeatureHasher"), _records),
    **dict.fromkeys(("OneHotEncoder", "OrdinalEncoder", "TargetEncoder"), _categories),
    "ColumnTransformer": _mixed_columns,
    "FeatureUnion": _union,
    "Pipeline": _pipeline,
    **dict.fromkeys(("LabelBinarizer", "LabelEncoder"), _labels),
    "IsotonicRegression": _one_feature,
    **dict.fromkeys(("ComplementNB", "MultinomialNB", "AdditiveChi2Sampler"), _positive()),
    **dict.fromkeys(("NMF", "MiniBatchNMF"), _positive(n_components=3)),
    "SkewedChi2Sampler": _positive(),
    "LatentDirichletAllocation": _counts(n_components=5),
    "CategoricalNB": _coded,
    "BernoulliRBM": _grey,
    "KernelCenterer": _kernel,
    # one component, as they come, has no choice to make
    **dict.fromkeys(("GaussianMixture", "BayesianGaussianMixture"), _on("iris", n_components=3)),
    "SparseCoder": _dictionary,
    "FrozenEstimator": _frozen,
    "FunctionTransformer": _function,
    **dict.fromkeys(("PoissonRegressor", "GammaRegressor", "TweedieRegressor"), _on("diabetes")),
    "GaussianRandomProjection": _counts(n_components=5),
    "SparseRandomProjection": _counts(n_components=5),
    "BaggingClassifier": _small_forest,
}
