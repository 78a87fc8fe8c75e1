"""Small fitted models of many kinds, and the values that a changed one may hold in place of its own."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .estimators import FRAME, TEXTS, X, Y, Z, assemblies
from .pickle_grammar import WORDS


def models() -> list[Any]:
    """Each fitted on 40 rows."""
    from sklearn import ensemble, linear_model, naive_bayes, neighbors, preprocessing, svm, tree
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.cluster import KMeans
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.decomposition import PCA
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, WhiteKernel
    from sklearn.multioutput import ClassifierChain
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline

    line, small = linear_model.LogisticRegression(), {"n_estimators": 2, "max_depth": 2, "random_state": 0}
    chosen = ("pipeline", "pandas output", "search", "partial", "arrays", "record", "object record", "random states")
    return [
        *(model for name, model in assemblies().items() if name in chosen),
        line.fit(X, Y),
        tree.DecisionTreeClassifier(max_depth=2).fit(X, Y),
        ensemble.RandomForestClassifier(**small).fit(X, Y),
        ensemble.GradientBoostingRegressor(**small).fit(X, Z),
        ensemble.HistGradientBoostingClassifier(max_iter=2, max_leaf_nodes=4).fit(FRAME.drop(columns="f"), Y),
        ensemble.StackingClassifier([("a", line), ("b", naive_bayes.GaussianNB())], cv=2).fit(X, Y),
        ensemble.VotingClassifier([("a", line), ("b", naive_bayes.GaussianNB())], voting="soft").fit(X, Y),
        neighbors.KNeighborsClassifier(3, algorithm="kd_tree").fit(X, Y),
        svm.SVC(probability=False).fit(X, Y),
        MLPClassifier((3,), max_iter=2).fit(X, Y),
        CalibratedClassifierCV(line, cv=2).fit(X, Y),
        ClassifierChain(line).fit(X, np.c_[Y, 1 - Y]),
        GaussianProcessRegressor(RBF() + WhiteKernel(), optimizer=None).fit(X, Z),
        TransformedTargetRegressor(linear_model.Ridge(), func=np.log1p, inverse_func=np.expm1).fit(X, Z),
        make_pipeline(preprocessing.KBinsDiscretizer(2), PCA(2), KMeans(2, n_init=1)).fit(X),
        make_pipeline(TfidfVectorizer(), line).fit(TEXTS, Y),
        preprocessing.SplineTransformer(3).fit(X),
        preprocessing.OneHotEncoder().fit(FRAME[["e", "f"]]),
        *_boosters(),
    ]


def _boosters() -> list[Any]:
    import lightgbm
    import xgboost

    trees: dict[str, Any] = {"n_estimators": 2, "max_depth": 2, "n_jobs": 1}
    return [
        lightgbm.LGBMClassifier(verbose=-1, **trees).fit(X, Y),
        xgboost.XGBClassifier(**trees).fit(X, Y),
    ]


def pool(fitted: list[Any]) -> list[Any]:
    """Other models, functions that a model may mention, words, and numbers of every kind."""
    import scipy.special
    from sklearn.metrics import accuracy_score, make_scorer
    from sklearn.utils import Bunch

    functions = [np.exp, np.sum, scipy.special.expit, accuracy_score, float, str, partial(np.clip, a_min=0)]
    odd = [None, True, 0, -1, 2**40, 1.5, float("nan"), "", b"x", [], {}, (), set(), range(3), slice(1), 1j]
    arrays = [np.zeros(0), np.zeros((3, 4)), np.array([None, "a"]), np.float32(2), X, Y, FRAME.columns]
    return [*fitted, *functions, *odd, *arrays, *WORDS, make_scorer(accuracy_score), Bunch(a=1), *map(int, range(5))]
