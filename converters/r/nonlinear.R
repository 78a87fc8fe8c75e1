# Least squares of an expression: nls. Its parameters are numbers in the expression.

export_nonlinear <- function(model, training) {
  parameters <- as.list(stats::coef(model))
  if (any(lengths(parameters) != 1) || anyDuplicated(names(parameters))) {
    refuse("a parameter of the nls model is a vector, which has no converter")
  }
  tt <- stats::formula(model)
  where <- list2env(parameters, parent = environment(tt))
  expression <- expression_of(tt[[length(tt)]], where)
  list(
    task = "regressor", inputs = inputs_of(list(list(class = "numeric", expression = expression))), expression = expression
  )
}

predict_nonlinear <- function(model, rows, training) {
  answer <- as.double(stats::predict(model, rows))
  list(prediction = rep_len(answer, nrow(rows)))
}

family("nonlinear", "nls", export_nonlinear, predict_nonlinear)
