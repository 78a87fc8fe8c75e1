# Linear predictors with a link: lm (also of several responses), aov, glm, MASS's glm.nb and rlm.

export_linear <- function(model, training) {
  design <- design_of(stats::terms(model), model$xlevels, model$contrasts, training)
  coefficients <- as.matrix(stats::coef(model))
  kept <- !is.na(coefficients[, 1])
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
    kept = which(kept) - 1L, coefficients = unname(coefficients[kept, , drop = FALSE]),
    link = if (inherits(model, "glm")) link_of(stats::family(model)) else "identity"
  )
}

predict_linear <- function(model, rows, training) list(prediction = unname(stats::predict(model, rows, type = "response")))

family("linear", c("lm", "aov lm", "mlm lm", "rlm lm", "glm lm", "negbin glm lm"), export_linear, predict_linear)
