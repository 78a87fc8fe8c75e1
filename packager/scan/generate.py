"""Writes the lists from the installed frameworks: `python -m mlpack_toolkit.packager.scan.generate`.

A name is in `allowed.txt` when a model that a test loads needs it, and the uses that `converters._trust` permits run
no code of the file's choosing. It is listed under the path that a pickle writes, and no other.
A function or a type that a state only refers to (a score, a universal function) is in `referred.txt`: a file may hold
it as a value, and a later call runs a function of numbers. `methods.txt` lists attributes that no state may set.
Left out on purpose, though models may hold them:

* functions that call, import or read what their arguments say (`getattr`, `numpy.core._ufunc_reconstruct`,
  `pandas.read_*`, `numpy.load`, `joblib.load`, `sklearn.metrics.pairwise_distances`, anything of `operator`);
* data frames and series: their methods evaluate texts and write files;
* `scipy.stats` distributions: their `__setstate__` executes source text that it finds in the state;
* `joblib.Memory`, `catboost.Pool`, `xgboost.DMatrix`: they open paths;
* `numpy.memmap`: it writes files;
* `builtins.type`: it makes classes.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters._trust.calls import role_of_class

_SKLEARN_MODULES = (
    "sklearn._loss._loss",
    "sklearn._loss.link",
    "sklearn._loss.loss",
    "sklearn.gaussian_process.kernels",
    "sklearn.linear_model._sgd_fast",
    "sklearn.metrics._dist_metrics",
    "sklearn.model_selection._split",
    "sklearn.neural_network._stochastic_optimizers",
)
"""Modules whose every class is plain state."""

_LOSSES = "sklearn._loss._loss"
_FORMER_LOSSES = ("_loss",)
"""The module's name in pickles of scikit-learn 1.5 to 1.7; earlier, each class had a function that makes it."""

_SCORES = ("_score", "_loss", "_error", "_deviance", "_kernel", "_distances", "_coefficient", "_coef", "_ratios")
_UNSAFE = frozenset({"pairwise_distances", "paired_distances", "pairwise_kernels", "nan_euclidean_distances"})
_BOOSTERS = (("xgboost.sklearn", "XGB"), ("lightgbm.sklearn", "LGBM"), ("catboost.core", "CatBoost"))
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


_FRAMEWORKS = ("sklearn.", "xgboost.", "lightgbm.", "catboost.")
_DATA: frozenset[str] = frozenset()
"""Methods of one class whose names are state of another."""


def main() -> None:
    """Writes the lists."""
    allowed = {*_estimators(), *_state_classes(), *_boosters(), *_sparse(), *_plain()}
    _write("allowed.txt", allowed)
    _write("referred.txt", {*_scores(), *_universal_functions(), *_types(), *_REFERRED})
    _write("methods.txt", _methods(allowed))


def _write(file: str, names: set[str]) -> None:
    Path(__file__).with_name(file).write_text("\n".join(sorted(names)) + "\n", "utf-8")


def _plain() -> Iterator[str]:
    lines = Path(__file__).with_name("constructors.txt").read_text("utf-8").splitlines()
    yield from (line for line in lines if line and not line.startswith("#"))


def _estimators() -> Iterator[str]:
    from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401  (listed only then)
    from sklearn.utils import all_estimators

    yield from (f"{cls.__module__}.{cls.__name__}" for _, cls in all_estimators())


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
        yield from (f"{path}.{name}" for name in vars(module) if name.startswith(prefix) and _is_model(module, name))


def _is_model(module: Any, name: str) -> bool:
    value = getattr(module, name)
    return isinstance(value, type) and not name.endswith("Base") and not issubclass(value, Exception)


def _types() -> Iterator[str]:
    """Element types of a `dtype`."""
    import numpy as np

    yield from (f"builtins.{name}" for name in ("bool", "float", "int", "str"))
    for name, value in sorted(vars(np).items()):
        if isinstance(value, type) and issubclass(value, np.generic):
            yield f"numpy.{name}"


def _methods(allowed: set[str]) -> set[str]:
    """Names of the methods of the frameworks' classes, except names that are data of another class."""
    own = sorted(n for n in allowed if n.startswith(_FRAMEWORKS) and role_of_class(n) in ("object", "bunch"))
    classes = [cls for cls in map(_resolved, own) if isinstance(cls, type)]
    found = {name for cls in classes for name in dir(cls) if inspect.isroutine(getattr(cls, name, None))}
    parameters = {name for cls in classes for name in _parameters(cls)}
    return {name for name in found if not name.startswith("__")} - parameters - _DATA


def _resolved(dotted: str) -> Any:
    module, _, name = dotted.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None


def _parameters(cls: type) -> Iterator[str]:
    try:
        yield from inspect.signature(cls).parameters
    except (TypeError, ValueError):
        return


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
    """Sparse matrices and arrays that estimators hold, by their present and former paths."""
    for letters in ("coo", "csc", "csr"):
        for kind in ("matrix", "array"):
            for path in (f"scipy.sparse._{letters}", f"scipy.sparse.{letters}"):
                yield f"{path}.{letters}_{kind}"


if __name__ == "__main__":
    main()
