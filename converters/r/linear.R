# Linear predictors behind a link: lm, glm, MASS's glm.nb.

export_linear <- function(model, training) {
  design <- design_of(stats::terms(model), model$xlevels, model$contrasts, training)
  coefficients <- stats::coef(model)
  where <- environment(stats::terms(model))
  offset <- model$call$offset
  inputs <- design$inputs
  if (!is.null(offset)) {
    offset <- expression_of(offset, where)
    inputs <- merged_inputs(inputs, inputs_of(list(list(class = "numeric", expression = offset))))
  }
  design$inputs <- NULL
  list(
    task = "regressor", inputs = inputs, design = design, offset = offset,
    kept = which(!is.na(coefficients)) - 1L, coefficients = unname(coefficients[!is.na(coefficients)]),
    link = if (inherits(model, "glm")) link_of(stats::family(model)) else "identity"
  )
}

link_of <- function(family) {
  known <- c("identity", "logit", "probit", "cloglog", "cauchit", "log", "inverse", "sqrt", "1/mu^2")
  if (!family$link %in% known) refuse("the link ", family$link, " of the family ", family$family, " has no converter")
  family$link
}

predict_linear <- function(model, rows, training) list(prediction = unname(stats::predict(model, rows, type = "response")))

family("linear", c("lm", "glm lm", "negbin glm lm"), export_linear, predict_linear)
