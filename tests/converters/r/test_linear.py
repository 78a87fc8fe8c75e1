"""lm, aov, rlm, nls, glm and glm.nb: every kind of term, every link, offsets both ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.r.check import assert_equal, fit, levels_in, loaded, rows_in

SCRIPT = """
library(splines); library(MASS)
put("simple", lm(y ~ x1 + f * g + I(x2^2) + lg + o, train))
put("numbers", lm(y ~ x1 + x2, train))
put("splines", lm(y ~ poly(x1, 3) * g + ns(x2, 4) + bs(x3, df = 5) + log(x2):f + o + f:g - 1, train))
coded <- train; contrasts(coded$f) <- contr.sum(5); contrasts(coded$g) <- contr.helmert(3)
put("contrasts", lm(y ~ f * g + x1, coded, contrasts = list(g = contr.helmert)))
put("inside", lm(y ~ C(f, contr.sum) * x1 + C(g, contr.helmert, 1) + C(o, poly, 1), train))
put("inside_made", lm(y ~ C(factor(x3), contr.sum), train))
put("inside_binomial", glm(yb ~ C(g, contr.sum) + ns(x2, knots = c(3, 6), intercept = TRUE), binomial, train))
put("curves", lm(y ~ ns(x1, 3):g + bs(x2, degree = 2), train))
put("aliased", lm(y ~ x1 + I(2 * x1) + x2 + f, train))
put("functions", lm(y ~ exp(x1) + sqrt(x2) + abs(x1) + I(x1^3) + log1p(x2) + log(x2, 3) + pmin(x1, 0.5) +
  ifelse(x1 > 0 & x2 < 5, x3, -x3) + I(x3 %% 3) + I(x3 %/% 4) + round(x2) + sin(x1) + atan(x1), train))
put("logical", lm(y ~ x1 * lg + I(x1 > 0.3) + (x2 <= 2) + I(g == "v") + I(f %in% c("a", "NA")), train))
put("recoded", lm(y ~ factor(x3) + as.factor(f) + x1, train))
put("text", local({ t <- train; t$f <- as.character(t$f); lm(y ~ f + x1, t) }))
put("cut", lm(y ~ cut(x2, c(0, 2, 5, 11)) + cut(x1, c(-9, 0, 9), right = FALSE), train))
put("scaled", lm(y ~ scale(x1) + poly(x2, 2, raw = TRUE), train))
k <- 1.5
put("constant", local({ k <- 2.5; lm(y ~ I(x1 * k) + g, train) }))
put("none", lm(y ~ 0 + g + x1, train))
for (link in c("logit", "probit", "cloglog", "cauchit"))
  put(paste0("binomial_", link), glm(yb ~ x1 * g + x2 + o, binomial(link), train))
put("binomial_splines", glm(yb ~ x1 * g + f + ns(x2, 3) + o, binomial, train))
put("poisson_offset", glm(yc ~ x1 + g + o + offset(log(ex)), poisson, train))
put("poisson_argument", glm(yc ~ x2 + g, poisson, train, offset = log(ex)))
put("gamma", glm(yp ~ x1 + g, Gamma("log"), train))
put("gamma_inverse", glm(yp ~ x2, Gamma, train))
put("gaussian_log", glm(yp ~ x1, gaussian("log"), train, start = c(0, 0)))
put("inverse_gaussian", glm(yp ~ x1, inverse.gaussian("log"), train))
put("quasi", glm(yc ~ x1 + f, quasipoisson, train))
put("quasibinomial", glm(yb ~ x1 + f, quasibinomial, train))
put("quasi_sqrt", glm(yp ~ x1, quasi(link = "sqrt", variance = "mu"), train))
put("negative", glm.nb(yc ~ x1 + g, train))
put("several", lm(cbind(y, yp) ~ x1 + f + I(2 * x1), train))
put("variance", aov(y ~ g * x1 + f, train))
put("robust", rlm(y ~ x1 + g, train))
put("exponential", nls(yp ~ a * exp(b * x1) + d, train, start = list(a = 1, b = 0.3, d = 0)))
put("codes", lm(y ~ as.numeric(g), train))
put("start", nls(height ~ SSasymp(age, top, low, rate), subset(datasets::Loblolly, Seed == "301")))
put("whole_frame", lm(y ~ I(x1 - mean(x1)), train))
put("ranked", lm(y ~ rank(x1), train))
put("intervals", lm(y ~ cut(x1, 3), train))
"""
REFUSED = {"inside_made": "a single value", "start": r"uses the function SSasymp\(\)"}
REFUSED |= {"whole_frame": "depends on all rows", "ranked": "depends on all rows", "intervals": "cut"}
EQUAL = [
    *(
        "simple",
        "numbers",
        "splines",
        "contrasts",
        "inside",
        "inside_binomial",
        "curves",
        "aliased",
        "functions",
        "logical",
        "recoded",
        "text",
        "cut",
        "scaled",
    ),
    *("constant", "none", "binomial_logit", "binomial_probit", "binomial_cloglog", "binomial_cauchit"),
    *("binomial_splines", "poisson_offset", "poisson_argument", "gamma", "gamma_inverse", "gaussian_log"),
    *("inverse_gaussian", "quasi", "quasibinomial", "quasi_sqrt", "negative", "several"),
    *("variance", "robust", "exponential"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the fitted models."""
    return fit(SCRIPT, tmp_path_factory.mktemp("linear"))


@pytest.mark.parametrize("name", EQUAL)
def test_equal(folder: Path, name: str) -> None:
    kinds = assert_equal(loaded(folder, name), rows_in(folder / "rows.rds"))
    assert kinds["example"] == 200


def test_a_factor_s_codes_are_no_numbers_of_anybody_else(folder: Path) -> None:
    """Only the training frame tells that the column was a factor."""
    with pytest.raises(Unsupported, match="uses the factor 'g' as a number"):
        loaded(folder, "codes", levels=levels_in(folder / "train.rds"))


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(folder: Path, name: str) -> None:
    with pytest.raises(Unsupported, match=REFUSED[name]):
        loaded(folder, name)
