# MASS's polr: ordered classes by cumulative links.

export_polr <- function(model, training) {
  read <- regressors_of(model, NULL, training)
  if (!length(model$coefficients)) refuse("the model reads no column: there is nothing to convert")
  wanted <- length(model$coefficients)
  made <- tryCatch(ncol(stats::model.matrix(model)) - attr(model$terms, "intercept"), error = function(e) wanted)
  if (made != wanted) {
    refuse("a column of the design was dropped as aliased, for which R's own predict() stops: remove it")
  }
  c(read, list(
    task = "classifier", classes = model$lev, link = model$method,
    coefficients = unname(model$coefficients), cuts = unname(model$zeta)
  ))
}

# A vector where there is one row.
predict_polr <- function(model, rows, training) {
  probabilities <- matrix(stats::predict(model, rows, type = "probs"), ncol = length(model$lev))
  list(label = most_probable(probabilities, model$lev), probabilities = probabilities)
}

family("polr", "polr", export_polr, predict_polr, "MASS")
