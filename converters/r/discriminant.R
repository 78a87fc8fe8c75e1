# MASS's lda and qda, with all methods by which predict() weights the groups.

METHODS_OF_DISCRIMINANTS <- c("plug-in", "predictive", "debiased")

export_discriminant <- function(model, training) {
  quadratic <- inherits(model, "qda")
  if (quadratic && length(model$lev) != length(model$prior)) {
    refuse("a group had no rows, for which R's own predict() stops: drop its level (droplevels), and fit again")
  }
  asked <- discriminant_arguments(model, training)
  read <- regressors_of(model, columns_of_discriminant(model), training)
  c(read, list(
    task = "classifier", classes = names(model$prior), quadratic = quadratic, method = asked$method,
    prior = unname(asked$prior), means = unname(model$means), scaling = unname(model$scaling),
    rows = as.double(model$N), counts = as.double(model$counts),
    dimensions = if (!quadratic) asked$dimen, determinants = if (quadratic) unname(model$ldet),
    bias = if (quadratic) debiasing(model$counts, ncol(model$means), length(model$prior))
  ))
}

columns_of_discriminant <- function(model) names_or_places(colnames(model$means), ncol(model$means))

# The term that the debiased method of predict.qda adds to each group's distance, as in its code.
debiasing <- function(counts, p, groups) {
  unname(vapply(counts, function(n) {
    0.5 * (p * log((n - 1) / 2) - sum(digamma(0.5 * (n - seq_len(groups))))) - p / (2 * n)
  }, 0))
}

# The arguments of predict(), with its own defaults.
discriminant_arguments <- function(model, training) {
  method <- training$argument("method", "plug-in")
  if (!method %in% METHODS_OF_DISCRIMINANTS) {
    known <- paste(METHODS_OF_DISCRIMINANTS, collapse = ", ")
    refuse("the method ", method, " of predict() has no converter; supported: ", known)
  }
  prior <- training$argument("prior", model$prior)
  if (length(prior) != length(model$prior)) refuse("the argument prior must have ", length(model$prior), " numbers")
  most <- length(model$svd)
  dimen <- if (inherits(model, "lda")) min(training$argument("dimen", most), most)
  list(method = method, prior = as.double(prior), dimen = dimen)
}

predict_discriminant <- function(model, rows, training) {
  asked <- discriminant_arguments(model, training)
  if (is.null(model$terms)) rows <- matrix_of_columns(rows, columns_of_discriminant(model))
  found <- if (inherits(model, "lda")) {
    stats::predict(model, rows, prior = asked$prior, method = asked$method, dimen = asked$dimen)
  } else {
    stats::predict(model, rows, prior = asked$prior, method = asked$method)
  }
  probabilities <- unname(found$posterior)
  list(label = most_probable(probabilities, names(model$prior)), probabilities = probabilities)
}

family("discriminant", c("lda", "qda"), export_discriminant, predict_discriminant, "MASS")
