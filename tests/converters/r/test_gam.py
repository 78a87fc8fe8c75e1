"""mgcv's gam and bam: every basis that has a converter, tensor products, by variables, families, offsets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.r.check import asked, assert_equal, fit, loaded, rows_in, run

SCRIPT = """
suppressMessages(library(mgcv))
small <- train[1:250, ]
fitted <- function(...) { e <- sys.call(); e[[1]] <- quote(gam); e$data <- quote(small); eval(e, globalenv()) }
put("splines", fitted(y ~ s(x1, bs = "cr") + s(x2, bs = "ps") + s(x3, bs = "cc", k = 6) + s(ex, bs = "cp") + g))
put("more_splines", fitted(y ~ s(x1, bs = "cs") + s(x2, bs = "bs") + s(x3, bs = "ad", k = 12) +
  s(ex, bs = "ps", m = 1)))
put("plates", fitted(y ~ s(x1) + s(x2, bs = "ts") + s(ex, m = 3, k = 6) + f * x3 + lg + o))
put("parametric", fitted(y ~ x1 + f))
put("none", fitted(y ~ s(x1, bs = "cr") + s(x2, bs = "ps") - 1))
put("effects", fitted(y ~ s(x1, bs = "cr", k = 5) + s(f, bs = "re") + s(g, x3, bs = "re") + s(f, g, bs = "re")))
put("by_number", fitted(y ~ s(x1, by = x3, bs = "cr") + s(x2, by = I(x3 / 2))))
put("by_factor", fitted(y ~ g + s(x1, by = g) + s(x2, by = o, bs = "cr")))
put("plane", fitted(y ~ s(x1, x2, k = 20)))
put("space", fitted(y ~ s(x1, x2, x3, k = 20)))
put("te_mixed", fitted(y ~ te(x1, x2, bs = c("tp", "cc"), k = c(4, 5))))
put("te_by", fitted(y ~ te(x1, x3, by = g, k = 4, bs = "ps") + g))
put("te_effects", fitted(y ~ te(x1, g, bs = c("cr", "re"), k = c(4, 3))))
put("te_plane", fitted(y ~ te(x1, x2, x3, d = c(2, 1), k = c(8, 4))))
put("ti", fitted(y ~ ti(x1, k = 4) + ti(x2, k = 4) + ti(x1, x2, k = 4)))
put("t2", fitted(y ~ t2(x1, x2, k = 4)))
put("transformed", fitted(y ~ s(log(x2), bs = "cr") + s(I(x1^2), k = 5)))
put("binomial", fitted(yb ~ s(x1, bs = "cr", pc = 0) + g, family = binomial))
put("probit", fitted(yb ~ s(x1, bs = "ps"), family = binomial("probit")))
put("poisson", fitted(yc ~ s(x1, bs = "cr") + offset(log(ex)), family = poisson))
put("offset_argument", fitted(yc ~ s(x1, bs = "cr"), family = poisson, offset = log(ex)))
put("negative", fitted(yc ~ s(x1, k = 5), family = nb()))
put("tweedie", fitted(yp ~ s(x1, k = 5), family = tw()))
put("scat", fitted(y ~ s(x1, bs = "cr"), family = scat()))
put("selected", fitted(y ~ s(x1, fx = TRUE, k = 5) + s(x2), select = TRUE, method = "REML"))
put("bam", bam(y ~ s(x1) + s(x2, bs = "cr") + g, data = train))
put("bam_discrete", bam(y ~ s(x1) + g, data = train, discrete = TRUE))
put("ordinal", fitted(as.integer(y3) ~ s(x1), family = ocat(R = 3)))
put("two", fitted(list(y ~ s(x1), ~ x2), family = gaulss()))
for (bs in c("gp", "ds")) put(paste0("refused_", bs), fitted(as.formula(sprintf("y ~ s(x1, bs = '%s')", bs))))
put("refused_fs", fitted(y ~ s(x1, g, bs = "fs", k = 5)))
functional <- list(y = small$y, X = cbind(small$x1, small$x2), L = matrix(0.5, 250, 2))
put("refused_matrix", gam(y ~ s(X, by = L, bs = "cr"), data = functional))
put("other_package", gam::gam(y ~ x1 + g, data = train))
"""
EQUAL = [
    *("splines", "more_splines", "plates", "parametric", "none", "effects", "by_number", "by_factor", "plane", "space"),
    *("te_mixed", "te_by", "te_effects", "te_plane", "ti", "t2", "transformed", "binomial", "probit", "poisson"),
    *("offset_argument", "negative", "tweedie", "scat", "selected", "bam"),
]
FAR = ("splines", "none", "effects", "te_by", "ti", "probit", "poisson", "scat", "plates")
REFUSED = {
    "bam_discrete": "discrete = FALSE",
    "ordinal": "Ordered Categorical",
    "two": "several linear predictors",
    "refused_gp": "gp.smooth",
    "refused_ds": "duchon.spline",
    "refused_fs": "fs.interaction",
    "refused_matrix": "matrix",
    "other_package": "package gam's",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the fitted models."""
    return fit(SCRIPT, tmp_path_factory.mktemp("gam"))


@pytest.mark.parametrize("name", EQUAL)
def test_equal(folder: Path, name: str) -> None:
    kinds = assert_equal(loaded(folder, name), rows_in(folder / "rows.rds"))
    assert kinds["example"] == 200
    assert name not in FAR or kinds["large"] > 5


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(folder: Path, name: str) -> None:
    with pytest.raises(Unsupported, match=REFUSED[name]):
        loaded(folder, name)


def test_a_discrete_bam_without_its_grid(folder: Path) -> None:
    assert_equal(loaded(folder, "bam_discrete", arguments={"discrete": False}), rows_in(folder / "rows.rds"))


def test_an_unknown_level_has_no_random_effect(folder: Path) -> None:
    model = loaded(folder, "effects")
    rows = {name: cells[:4] for name, cells in rows_in(folder / "rows.rds").items()}
    rows["f"] = np.array(["never", "a", None, "b:c"], object)
    _, refused, want, signature = asked(model, rows)
    got = run(model, signature, rows)
    assert not [row for row in refused if row < 4]
    np.testing.assert_allclose(got["prediction"], want["prediction"][:4], rtol=1e-11)
    assert got["status"].tolist() == [0, 0, 1, 0]


def test_far_out_a_plate_is_refused(folder: Path) -> None:
    model = loaded(folder, "selected")
    rows = {name: cells[:3].copy() for name, cells in rows_in(folder / "rows.rds").items()}
    rows["x1"] = np.array([0.0, 3.0, 1e9])
    _, refused, _, signature = asked(model, {name: cells[:1] for name, cells in rows.items()})
    assert any("rounding errors" in message for message in refused.values())
    assert run(model, signature, rows)["status"].tolist() == [0, 0, 1]
