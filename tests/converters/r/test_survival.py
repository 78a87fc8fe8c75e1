"""Package survival: coxph (lp, risk, strata, references) and survreg (all distributions)."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.r.check import assert_equal, fit, loaded, rows_in

SCRIPT = """
library(survival); library(splines)
train$time <- rexp(600, exp(train$y / 3)); train$ev <- rbinom(600, 1, .7)
train$z <- as.double(sample(1:3, 600, TRUE))
rows <- readRDS(file.path(folder, "rows.rds")); rows$z <- as.double(sample(1:3, 200, TRUE))
saveRDS(rows, file.path(folder, "rows.rds"))
cox <- function(...) { e <- sys.call(); e[[1]] <- quote(coxph); e$data <- quote(train); eval(e, globalenv()) }
put("plain", cox(Surv(time, ev) ~ x1 + f * g + o + lg))
put("splines", cox(Surv(time, ev) ~ ns(x2, 3) + poly(x1, 2) + log(x2):g, ties = "breslow"))
put("offset", cox(Surv(time, ev) ~ x1 + offset(log(ex)) + g))
put("aliased", cox(Surv(time, ev) ~ x1 + I(2 * x1) + g))
put("weights", cox(Surv(time, ev) ~ x1 + g, weights = ex))
put("cluster", cox(Surv(time, ev) ~ x1 + g + cluster(f)))
put("counting", cox(Surv(time, time + ex, ev) ~ x1 + f))
put("null", cox(Surv(time, ev) ~ offset(x1)))
put("strata", cox(Surv(time, ev) ~ x1 + f + strata(g), model = TRUE))
put("strata_x", cox(Surv(time, ev) ~ x1 + f + strata(g), x = TRUE))
put("strata_offset", cox(Surv(time, ev) ~ x1 + offset(ex) + strata(g) + x2, weights = ex, x = TRUE, model = TRUE))
put("strata_two", cox(Surv(time, ev) ~ x1 + strata(g, o) + f, model = TRUE))
put("strata_logical", cox(Surv(time, ev) ~ x1 + strata(lg), model = TRUE))
put("strata_number", cox(Surv(time, ev) ~ x1 + strata(z), model = TRUE))
put("strata_mixed", cox(Surv(time, ev) ~ x1 + strata(z, g), model = TRUE))
put("strata_local", local({ here <- train; coxph(Surv(time, ev) ~ x1 + strata(g), here) }))
put("strata_gone", coxph(Surv(time, ev) ~ x1 + strata(g), train))
put("strata_effect", cox(Surv(time, ev) ~ x1 * strata(g), model = TRUE))
put("strata_test", cox(Surv(time, ev) ~ x1 + strata(x2 > 3), model = TRUE))
put("strata_tests", local({
  edge <- 2.5
  coxph(Surv(time, ev) ~ x1 + f + strata(!(x2 <= edge | lg), g), train, model = TRUE)
}))
put("strata_expression", cox(Surv(time, ev) ~ x1 + strata(cut(x2, c(0, 3, 99))), model = TRUE))
put("ridge", cox(Surv(time, ev) ~ x1 + ridge(x2)))
put("pspline", cox(Surv(time, ev) ~ x1 + pspline(x2)))
put("frailty", cox(Surv(time, ev) ~ x1 + frailty(f)))
put("tt", cox(Surv(time, ev) ~ x1 + tt(x2), tt = function(x, t, ...) x * log(t + 1)))
put("states", cox(Surv(time, factor(ev * (1 + lg), 0:2)) ~ x1, id = seq_len(600)))
for (d in names(survreg.distributions))
  put(paste0("reg_", d), survreg(Surv(time, ev) ~ x1 + f + o, train, dist = d))
put("reg_strata", survreg(Surv(time, ev) ~ x1 + strata(g) + f:x2, train))
put("reg_offset", survreg(Surv(time, ev) ~ x1 + offset(ex), train))
put("reg_none", survreg(Surv(time, ev) ~ x1 + g - 1, train, dist = "gaussian"))
put("reg_scale", survreg(Surv(time, ev) ~ ns(x2, 3), train, scale = 1))
put("reg_aliased", survreg(Surv(time, ev) ~ x1 + I(2 * x1), train))
put("reg_ridge", survreg(Surv(time, ev) ~ x1 + ridge(x2), train))
own <- survreg.distributions$weibull; own$trans <- function(y) sqrt(y); own$itrans <- function(x) x^2
own$dtrans <- function(y) 1 / (2 * sqrt(y)); own$name <- "root"
put("reg_own", survreg(Surv(time, ev) ~ x1, train, dist = own))
"""
COX = ["plain", "splines", "offset", "aliased", "weights", "cluster", "counting", "null"]
STRATA = [
    *("strata", "strata_x", "strata_offset", "strata_two", "strata_logical", "strata_number", "strata_mixed"),
    *("strata_local", "strata_test", "strata_tests"),
]
REG = ["extreme", "logistic", "gaussian", "weibull", "exponential", "rayleigh", "loggaussian", "lognormal"]
REG += ["loglogistic", "t", "strata", "offset", "none", "scale"]
REFUSED = {
    "strata_gone": "model = TRUE",
    "strata_effect": "x1:strata",
    "strata_expression": "comparisons",
    "ridge": "penalised",
    "pspline": "penalised",
    "frailty": "penalised",
    "tt": "tt\\(\\)",
    "states": "several states",
    "reg_aliased": "I\\(2 \\* x1\\)",
    "reg_ridge": "penalised",
    "reg_own": "root",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the fitted models."""
    return fit(SCRIPT, tmp_path_factory.mktemp("survival"))


@pytest.mark.parametrize("name", [*COX, *STRATA, *(f"reg_{name}" for name in REG)])
def test_equal(folder: Path, name: str) -> None:
    kinds = assert_equal(loaded(folder, name), rows_in(folder / "rows.rds"))
    assert kinds["example"] == 200


@pytest.mark.parametrize("name", ["plain", "strata_offset", "null"])
@pytest.mark.parametrize("reference", ["strata", "sample"])
def test_references_and_risk(folder: Path, name: str, reference: str) -> None:
    model = loaded(folder, name, arguments={"type": "risk", "reference": reference})
    assert_equal(model, rows_in(folder / "rows.rds"))


def test_another_reference_is_refused(folder: Path) -> None:
    with pytest.raises(Unsupported, match='reference = "zero" has no converter'):
        loaded(folder, "plain", arguments={"reference": "zero"})


def test_linear_predictor_of_a_time(folder: Path) -> None:
    model = loaded(folder, "reg_weibull", arguments={"type": "lp"})
    assert_equal(model, rows_in(folder / "rows.rds"))


def test_strata_without_the_rows_by_another_reference(folder: Path) -> None:
    model = loaded(folder, "strata_gone", arguments={"reference": "sample"})
    assert_equal(model, rows_in(folder / "rows.rds"))


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(folder: Path, name: str) -> None:
    with pytest.raises(Unsupported, match=REFUSED[name]):
        loaded(folder, name)


@pytest.mark.parametrize(("name", "kind"), [("plain", "survival"), ("reg_weibull", "quantile")])
def test_other_types_are_refused(folder: Path, name: str, kind: str) -> None:
    with pytest.raises(Unsupported, match=f'type = "{kind}" has no converter'):
        loaded(folder, name, arguments={"type": kind})
