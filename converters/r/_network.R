# An nnet network: units, connections and weights in the order of its C code.
network_of <- function(model) {
  if (isTRUE(as.logical(model$censored))) {
    refuse("a network fitted with censored = TRUE predicts sets of classes, which has no converter: fit without it")
  }
  units <- 1 + sum(model$n)
  list(
    sizes = as.double(model$n), starts = as.double(model$nconn), sources = as.double(model$conn), weights = model$wts,
    logistic = model$nsunits >= units, softmax = isTRUE(as.logical(model$softmax))
  )
}

# The rows that R predicts: it drops those with an NA in a variable of the formula, and stops where none is left.
read_whole <- function(model, rows) {
  tt <- stats::delete.response(model$terms)
  frame <- stats::model.frame(tt, rows, na.action = stats::na.pass, xlev = model$xlevels)
  stats::complete.cases(frame)
}
