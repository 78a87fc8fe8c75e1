"""Writes `allowed.txt` and `referred.txt` from the installed frameworks: `python -m packager.scan.generate`.

A name is in `allowed.txt` when calling it with any arguments and setting any state on it runs no code of the file's
choosing and writes no file. A function that a state only refers to (a score, a universal function) is in
`referred.txt`: calling it while loading is refused, because numpy calls methods of whatever objects it is given.
Left out on purpose, though models may hold them:

* functions that call, import or read what their arguments say (`getattr`, `numpy.core._ufunc_reconstruct`,
  `pandas.read_*`, `numpy.load`, `joblib.load`, `sklearn.metrics.pairwise_distances`, anything of `operator`);
* `scipy.stats` distributions: their `__setstate__` executes source text that it finds in the state;
* `joblib.Memory`, `catboost.Pool`, `xgboost.DMatrix`: they open paths;
* `numpy.memmap`: it writes files;
* `builtins.type`: it makes classes.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

_SKLEARN_MODULES = (
    "sklearn._loss._loss",
    "sklearn._loss.link",
    "sklearn._loss.loss",
    "sklearn.gaussian_process.kernels",
    "sklearn.linear_model._sgd_fast",
    "sklearn.metrics._dist_metrics",
    "sklearn.model_selection._split",
    "sklearn.neural_network._stochastic_optimizers",
    "sklearn.tree._criterion",
)
"""Modules whose every class is plain state."""

_LOSSES = "sklearn._loss._loss"
_FORMER_LOSSES = ("_loss",)
"""scikit-learn 1.5 to 1.7 call the module so in their pickles; before, each class had a function that makes it."""

_SKIPPED = (
    "_mocking",
    "test",
    "conftest",
    "externals",
    "datasets",
    "_build_utils",
    "_plot",
    "_test_common",
    "estimator_checks",
)
_SCORES = ("_score", "_loss", "_error", "_deviance", "_kernel", "_distances", "_coefficient", "_coef", "_ratios")
_UNSAFE = frozenset({"pairwise_distances", "paired_distances", "pairwise_kernels", "nan_euclidean_distances"})
_BOOSTERS = (
    ("xgboost.sklearn", "XGB"),
    ("xgboost", "XGB"),
    ("lightgbm.sklearn", "LGBM"),
    ("lightgbm", "LGBM"),
    ("catboost.core", "CatBoost"),
    ("catboost", "CatBoost"),
)
_NUMPY_FUNCTIONS = (
    "amax amin argmax argmin asarray average clip max mean median min nan_to_num nanmax nanmean nanmedian "
    "nanmin prod ravel round std sum var "
)
_REFERRED = (
    *(f"numpy.{name}" for name in _NUMPY_FUNCTIONS.split()),
    "scipy._lib.array_api_compat.numpy._aliases.asarray",
    "sklearn.cluster._kmeans._kmeans_single_elkan",
    "sklearn.cluster._kmeans._kmeans_single_lloyd",
    "sklearn.utils.validation.check_array",
)


def main() -> None:
    """Nothing; both lists are written."""
    _write("allowed.txt", {*_estimators(), *_state_classes(), *_boosters(), *_scalars(), *_sparse(), *_plain()})
    _write("referred.txt", {*_scores(), *_universal_functions(), *_REFERRED})


def _write(file: str, names: set[str]) -> None:
    Path(__file__).with_name(file).write_text("\n".join(sorted(names)) + "\n", "utf-8")


def _plain() -> Iterator[str]:
    lines = Path(__file__).with_name("constructors.txt").read_text("utf-8").splitlines()
    yield from (line for line in lines if line and not line.startswith("#"))


def _estimators() -> Iterator[str]:
    from sklearn.base import BaseEstimator
    from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401  (listed only then)
    from sklearn.utils import all_estimators

    estimators = {cls for _, cls in all_estimators()}
    for module in _modules("sklearn"):
        for name, value in sorted(vars(module).items()):
            if not isinstance(value, type) or not str(value.__module__).startswith("sklearn."):
                continue
            own = value.__module__ == module.__name__
            if value in estimators or (own and issubclass(value, BaseEstimator)):
                yield f"{module.__name__}.{name}"
                yield f"{value.__module__}.{value.__name__}"


def _modules(package: str) -> Iterator[ModuleType]:
    root = importlib.import_module(package)
    for info in pkgutil.walk_packages(root.__path__, f"{package}."):
        if not any(part.startswith(_SKIPPED) for part in info.name.split(".")):
            yield importlib.import_module(info.name)


def _state_classes() -> Iterator[str]:
    for path in _SKLEARN_MODULES:
        module = importlib.import_module(path)
        for name, value in sorted(vars(module).items()):
            if isinstance(value, type) and value.__module__ in (path, path.rsplit(".", 1)[1]) and "PyFunc" not in name:
                yield f"{path}.{name}"
                if f"__pyx_unpickle_{name}" in vars(module):
                    yield f"{path}.__pyx_unpickle_{name}"
                if path == _LOSSES:
                    yield from (f"{place}.{name}" for place in _FORMER_LOSSES)
                    yield from (f"{place}.__pyx_unpickle_{name}" for place in (path, *_FORMER_LOSSES))


def _scores() -> Iterator[str]:
    """Score functions, which scorers and feature selectors hold: numbers in, numbers out."""
    for path in ("sklearn.metrics", "sklearn.metrics.pairwise", "sklearn.metrics.cluster"):
        module = importlib.import_module(path)
        for name, value in sorted(vars(module).items()):
            if inspect.isfunction(value) and name.endswith(_SCORES) and name not in _UNSAFE:
                yield f"{path}.{name}"
                yield f"{value.__module__}.{name}"
    selection = importlib.import_module("sklearn.feature_selection")
    for name in ("chi2", "f_classif", "f_regression", "mutual_info_classif", "mutual_info_regression", "r_regression"):
        yield f"sklearn.feature_selection.{name}"
        yield f"{getattr(selection, name).__module__}.{name}"


def _boosters() -> Iterator[str]:
    for path, prefix in _BOOSTERS:
        module = importlib.import_module(path)
        yield from (f"{path}.{name}" for name in vars(module) if name.startswith(prefix) and _is_class(module, name))


def _is_class(module: Any, name: str) -> bool:
    return isinstance(getattr(module, name), type) and not issubclass(getattr(module, name), Exception)


def _scalars() -> Iterator[str]:
    import numpy as np

    for name, value in sorted(vars(np).items()):
        if isinstance(value, type) and issubclass(value, np.generic):
            yield f"numpy.{name}"


def _universal_functions() -> Iterator[str]:
    import numpy as np
    import scipy.special

    for name, value in sorted(vars(np).items()):
        if isinstance(value, np.ufunc):
            yield from (f"numpy.{name}", f"numpy._core._multiarray_umath.{name}")
            yield f"numpy.core._multiarray_umath.{name}"
    for name, value in sorted(vars(scipy.special).items()):
        if isinstance(value, np.ufunc):
            yield from (f"scipy.special.{name}", f"scipy.special._ufuncs.{name}")


def _sparse() -> Iterator[str]:
    """Sparse matrices and arrays by their public, present and former paths."""
    for letters in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil"):
        for kind in ("matrix", "array"):
            for path in ("scipy.sparse", f"scipy.sparse._{letters}", f"scipy.sparse.{letters}"):
                yield f"{path}.{letters}_{kind}"


if __name__ == "__main__":
    main()
