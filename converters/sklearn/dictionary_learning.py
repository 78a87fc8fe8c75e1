"""Sparse codes over a dictionary, and sparse principal components."""

from __future__ import annotations

from typing import Any

from .._graph.builder import Frame, GraphBuilder
from .._steps.step import Answer, Step
from ..spec import Unsupported
from . import _scores as scores
from ._outputs import block
from ._solvers import lars as lars
from ._solvers import matching_pursuit as pursuit
from ._solvers.gram import gram_of
from ._solvers.lasso import lasso

LARGEST = 128
"""Maximum number of atoms in a graph that keeps a matrix of them for each row."""


def coder(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the code of each row, split by sign if requested."""
    import numpy as np

    known = fitted.dictionary if hasattr(fitted, "dictionary") else fitted.components_
    atoms = np.asarray(known)
    atoms = atoms if atoms.dtype == np.float32 else atoms.astype(np.float64)
    code = _code(fitted, graph.matrix(frame).name, atoms, graph)
    width = len(atoms)
    if fitted.split_sign:
        zero = graph.const([[0.0]])
        code = graph.op("Concat", graph.op("Max", code, zero), graph.op("Max", graph.op("Neg", code), zero), axis=1)
        width *= 2
    return block(code, width, graph)


def _code(fitted: Any, x: str, atoms: Any, graph: GraphBuilder) -> str:
    kind, positive, alpha = fitted.transform_algorithm, bool(fitted.positive_code), _alpha(fitted)
    if kind == "threshold":
        return _threshold(graph, scores.gemm(graph, x, atoms.T, 0.0), alpha, positive)
    if kind != "omp" and graph.real == "float32":
        raise Unsupported(f"transform_algorithm={kind!r} converges beyond float32's precision: it needs float64")
    passes = int(fitted.transform_max_iter)
    if kind == "lasso_cd":
        _refuse_no_penalty(fitted, alpha)
        return lasso(graph, x, atoms, alpha, passes, positive)
    _refuse_large(fitted, _most(fitted, atoms) if kind == "omp" else len(atoms))
    if kind == "omp":
        return pursuit.pursued(graph, x, atoms, _most(fitted, atoms))
    _refuse_twins(fitted, atoms)
    if kind == "lars":
        return lars.path(graph, x, atoms, (0.0, _most(fitted, atoms)), False, False)
    if kind == "lasso_lars":
        return lars.path(graph, x, atoms, (alpha / atoms.shape[1], passes), True, positive)
    raise Unsupported(f"{type(fitted).__name__}(transform_algorithm={kind!r}) has no converter")


def _refuse_no_penalty(fitted: Any, alpha: float) -> None:
    if alpha == 0:
        raise Unsupported(
            f"{type(fitted).__name__}(transform_algorithm='lasso_cd', transform_alpha=0) is not a lasso and ends "
            "at an arbitrary point: choose an alpha above 0, or 'omp'"
        )


def _refuse_large(fitted: Any, size: int) -> None:
    if size > LARGEST:
        raise Unsupported(
            f"{type(fitted).__name__}(transform_algorithm={fitted.transform_algorithm!r}) needs a matrix of {size} x "
            f"{size} numbers for each row of a batch: at most {LARGEST} atoms; 'threshold' and 'lasso_cd' need none"
        )


def _refuse_twins(fitted: Any, atoms: Any) -> None:
    """Raises where an atom is a multiple of another: scikit-learn then confuses the two on the path."""
    import numpy as np

    gram = gram_of(atoms)
    own = np.diag(gram)
    there = own > 0
    rest = own - gram**2 / np.where(there, own, 1.0)[:, None] + np.diag(own)
    if (rest[np.ix_(there, there)] < 1e-12 * own[there]).any():
        raise Unsupported(
            f"{type(fitted).__name__}(transform_algorithm={fitted.transform_algorithm!r}) has atoms that are multiples "
            "of each other, between which scikit-learn chooses by rounding: remove one of them from the dictionary"
        )


def _most(fitted: Any, atoms: Any) -> int:
    """Returns the maximum number of atoms of a code."""
    limit = fitted.transform_n_nonzero_coefs
    return int(min(max(atoms.shape[1] / 10, 1), len(atoms)) if limit is None else limit)


def _alpha(fitted: Any) -> float:
    chosen = fitted.transform_alpha
    if chosen is None:
        chosen = getattr(fitted, "alpha", None)
    return 1.0 if chosen is None else float(chosen)


def _threshold(graph: GraphBuilder, likeness: str, alpha: float, positive: bool) -> str:
    """Soft-thresholds each product by `alpha`."""
    zero, limit = graph.const([[0.0]]), graph.const([[alpha]])
    if positive:
        return graph.op("Max", graph.op("Sub", likeness, limit), zero)
    left = graph.op("Max", graph.op("Sub", graph.op("Abs", likeness), limit), zero)
    return graph.op("Mul", graph.op("Sign", likeness), left)


def sparse_components(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the ridge regression of each row on the components: one matrix, which scikit-learn itself solves for."""
    import numpy as np
    from sklearn.linear_model import ridge_regression

    rows = np.asarray(fitted.components_, np.float64)
    solved = ridge_regression(rows.T, np.eye(rows.shape[1]), fitted.ridge_alpha, solver="cholesky")
    centred = graph.op("Sub", graph.matrix(frame).name, graph.const(np.reshape(fitted.mean_, (1, -1))))
    return block(scores.gemm(graph, centred, np.reshape(solved, (rows.shape[1], -1)), 0.0), len(rows), graph)


STEPS = {
    **{name: Step(coder) for name in ("SparseCoder", "DictionaryLearning", "MiniBatchDictionaryLearning")},
    **{name: Step(sparse_components) for name in ("SparsePCA", "MiniBatchSparsePCA")},
}
