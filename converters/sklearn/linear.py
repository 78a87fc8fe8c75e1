"""Linear models: regressors, generalised linear models, linear and quadratic classifiers."""

from __future__ import annotations

from typing import Any

from .._graph.builder import Frame, GraphBuilder, Value
from .._steps.step import Answer, Step
from ..spec import Unsupported
from . import _multioutput as targets
from . import _scores as scores


def _linear(fitted: Any, frame: Frame, graph: GraphBuilder) -> str:
    """Returns `X @ coef.T + intercept`, `[N, T]`."""
    return scores.gemm(graph, graph.matrix(frame).name, _weights(fitted.coef_), fitted.intercept_)


def _weights(coef: Any) -> Any:
    """Returns the coefficients as `[F, T]`."""
    import numpy as np

    dense = coef.toarray() if hasattr(coef, "toarray") else np.asarray(coef)
    return np.atleast_2d(dense).T


def regressor(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Computes `LinearModel.predict`."""
    value = _linear(fitted, frame, graph)
    return Answer(prediction=value if getattr(fitted.coef_, "ndim", 1) > 1 else scores.flat(graph, value))


def generalised(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """A generalised linear model: the inverse link of the linear predictor."""
    link = type(fitted._base_loss.link).__name__
    if link not in ("IdentityLink", "LogLink"):
        raise Unsupported(f"{type(fitted).__name__} has the link {link}; supported: identity, log")
    value = scores.flat(graph, _linear(fitted, frame, graph))
    return Answer(prediction=value if link == "IdentityLink" else graph.op("Exp", value))


def partial_least_squares(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns `(X - mean) @ coef.T + intercept`; as a transformer, the scores of X."""
    x = graph.matrix(frame)
    centred = graph.op("Sub", x.name, graph.const(fitted._x_mean))
    value = scores.gemm(graph, centred, _weights(fitted.coef_), fitted.intercept_)
    flat = bool(getattr(fitted, "_predict_1d", False))
    rotated = scores.gemm(graph, graph.op("Div", centred, graph.const(fitted._x_std)), fitted.x_rotations_, 0.0)
    part = Value(rotated, graph.real, fitted.x_rotations_.shape[1])
    return Answer(prediction=scores.flat(graph, value) if flat else value, transformed=(part,))


def _labelled(decision: str, width: int, graph: GraphBuilder) -> Answer:
    """`LinearClassifierMixin`: the label and the decision from `[N, 1]` or `[N, C]`."""
    if width == 1:
        line = scores.flat(graph, decision)
        return Answer(index=scores.above(graph, line, 0), decision=line)
    return Answer(index=scores.argmax(graph, decision), decision=decision)


def classifier(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Converts a classifier with a decision function and no probabilities."""
    return _decide(fitted, frame, graph)[0]


def _decide(fitted: Any, frame: Frame, graph: GraphBuilder) -> tuple[Answer, str, int]:
    """Returns the outputs without probabilities, the decision as a matrix, and its number of columns."""
    width = _weights(fitted.coef_).shape[1]
    decision = _linear(fitted, frame, graph)
    return _labelled(decision, width, graph), decision, width


def _with(answer: Answer, probabilities: str) -> Answer:
    return Answer(index=answer.index, decision=answer.decision, probabilities=probabilities)


def _sigmoids(decision: str, width: int, graph: GraphBuilder) -> str:
    """`_predict_proba_lr`: the logistic function per class, rows normalised to sum to 1."""
    if width == 1:
        return scores.with_complement(graph, scores.sigmoid(graph, decision))
    return scores.normalised(graph, scores.expit(graph, decision), 1 / width)


def logistic(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Logistic regression: one sigmoid, one per class (`ovr`, before 1.8), or a softmax."""
    answer, decision, width = _decide(fitted, frame, graph)
    if _is_one_vs_rest(fitted):
        return _with(answer, _sigmoids(decision, width, graph))
    if width == 1:
        decision = graph.op("Concat", graph.op("Neg", decision), decision, axis=1)
    return _with(answer, scores.softmax(graph, decision))


def _is_one_vs_rest(fitted: Any) -> bool:
    """Versions with the parameter `multi_class` obey it; later ones use only the number of classes."""
    binary = len(fitted.classes_) <= 2
    if "multi_class" not in fitted._get_param_names():
        return binary
    chosen = fitted.multi_class
    by_default = chosen in ("auto", "deprecated") and (binary or fitted.solver == "liblinear")
    return bool(chosen in ("ovr", "warn") or by_default)


def ridge(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Converts a ridge classifier; with several labels per row, each separately."""
    if not fitted._label_binarizer.y_type_.startswith("multilabel"):
        return classifier(fitted, frame, graph)
    decision = scores.gemm(graph, graph.matrix(frame).name, _weights(fitted.coef_), fitted.intercept_)
    return targets.indicator(graph, scores.above(graph, decision, 0.0), decision=decision)


def stochastic(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """SGD: probabilities for the losses that have them."""
    answer, decision, width = _decide(fitted, frame, graph)
    if fitted.loss == "log_loss":
        return _with(answer, _sigmoids(decision, width, graph))
    return _with(answer, _huber(decision, width, graph)) if fitted.loss == "modified_huber" else answer


def _huber(decision: str, width: int, graph: GraphBuilder) -> str:
    clipped = graph.op("Clip", decision, graph.const(-1.0), graph.const(1.0))
    half = graph.op("Div", graph.op("Add", clipped, graph.const(1.0)), graph.const(2.0))
    if width == 1:
        return scores.with_complement(graph, half)
    return scores.normalised(graph, half, 1 / width)


def one_class(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """SGDOneClassSVM: 1 for inliers (a decision of at least 0), -1 for outliers."""
    value = scores.gemm(graph, graph.matrix(frame).name, _weights(fitted.coef_), -fitted.offset_)
    decision = scores.flat(graph, value)
    inside = graph.op("GreaterOrEqual", decision, graph.const(0.0))
    label = graph.op("Where", inside, graph.const(1, "int64"), graph.const(-1, "int64"))
    return Answer(label=label, decision=decision)


def linear_discriminant(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """LDA: linear scores with a sigmoid or a softmax; as a transformer, the projection."""
    answer, decision, width = _decide(fitted, frame, graph)
    proba = _sigmoids(decision, 1, graph) if width == 1 else scores.softmax(graph, decision)
    parts = None if fitted.solver == "lsqr" else (_projection(fitted, frame, graph),)
    return Answer(index=answer.index, decision=answer.decision, probabilities=proba, transformed=parts)


def _projection(fitted: Any, frame: Frame, graph: GraphBuilder) -> Value:
    x = graph.matrix(frame).name
    if fitted.solver == "svd":
        x = graph.op("Sub", x, graph.const(fitted.xbar_))
    scalings = fitted.scalings_[:, : fitted._max_components]
    return Value(scores.gemm(graph, x, scalings, 0.0), graph.real, scalings.shape[1])


def quadratic_discriminant(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """QDA: log posteriors from the distance to each class in its own axes."""
    import numpy as np

    x = graph.op("Unsqueeze", graph.matrix(frame).name, graph.const([0], "int64"))
    apart = graph.op("Sub", x, graph.const(np.asarray(fitted.means_)[:, None, :]))
    turned = graph.op("MatMul", apart, graph.const(_axes(fitted)))
    square = graph.op("ReduceSumSquare", turned, graph.const([2], "int64"), keepdims=0)
    norm = graph.op("Transpose", square, perm=[1, 0])
    spread = np.array([np.log(s).sum() for s in fitted.scalings_])
    half = graph.op("Mul", graph.op("Add", norm, graph.const(spread)), graph.const(-0.5))
    posterior = graph.op("Add", half, graph.const(np.log(fitted.priors_)))
    decision = posterior
    if len(fitted.classes_) == 2:
        first, second = (scores.pick(graph, posterior, i) for i in (0, 1))
        decision = scores.flat(graph, graph.op("Sub", second, first))
    index = scores.argmax(graph, posterior)
    return Answer(index=index, decision=decision, probabilities=scores.exp_normalised(graph, posterior))


def _axes(fitted: Any) -> Any:
    """Returns `rotation / sqrt(scaling)` of each class, `[C, F, F]`; axes that a class lacks are 0."""
    import numpy as np

    width = fitted.means_.shape[1]
    found = np.zeros((len(fitted.rotations_), width, width))
    for target, rotation, scaling in zip(found, fitted.rotations_, fitted.scalings_):
        target[:, : len(scaling)] = rotation * scaling**-0.5
    return found


_REGRESSORS = (
    "ARDRegression BayesianRidge ElasticNet ElasticNetCV HuberRegressor Lars LarsCV Lasso LassoCV LassoLars "
    "LassoLarsCV LassoLarsIC LinearRegression LinearSVR MultiTaskElasticNet MultiTaskElasticNetCV MultiTaskLasso "
    "MultiTaskLassoCV OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV PassiveAggressiveRegressor "
    "QuantileRegressor Ridge RidgeCV SGDRegressor TheilSenRegressor"
)
_CLASSIFIERS = "LinearSVC PassiveAggressiveClassifier Perceptron"

STEPS = {
    **{name: Step(regressor) for name in _REGRESSORS.split()},
    **{name: Step(generalised) for name in ("PoissonRegressor", "GammaRegressor", "TweedieRegressor")},
    **{name: Step(partial_least_squares) for name in ("PLSRegression", "PLSCanonical", "CCA")},
    **{name: Step(classifier) for name in _CLASSIFIERS.split()},
    **{name: Step(logistic) for name in ("LogisticRegression", "LogisticRegressionCV")},
    **{name: Step(ridge) for name in ("RidgeClassifier", "RidgeClassifierCV")},
    "SGDClassifier": Step(stochastic),
    "SGDOneClassSVM": Step(one_class),
    "LinearDiscriminantAnalysis": Step(linear_discriminant),
    "QuadraticDiscriminantAnalysis": Step(quadratic_discriminant),
}
