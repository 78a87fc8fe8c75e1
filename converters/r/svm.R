# e1071's svm: libsvm, by a formula or a matrix.

LIBSVM_TYPES <- c("classes", "classes", "one", "regression", "regression")
LIBSVM_KERNELS <- c("linear", "polynomial", "radial", "sigmoid")

export_svm <- function(model, training) {
  if (isTRUE(model$sparse)) refuse("the svm was fitted on a sparse matrix, which has no converter: fit on as.matrix()")
  if (model$tot.nSV < 1) refuse("the svm has no support vectors, for which R's own predict() stops")
  names <- names_or_places(colnames(model$SV), ncol(model$SV))
  read <- if (is.null(model$terms)) matrix_columns(names) else regressors_of_terms(model$terms, NULL, NULL, training)
  classes <- classes_of_svm(model)
  probable <- with_probabilities(model, training)
  scaled <- rep_len(model$scaled, ncol(model$SV)) & !is.null(model$x.scale)
  center <- replace(numeric(ncol(model$SV)), scaled, model$x.scale[[1]])
  width <- replace(rep(1, ncol(model$SV)), scaled, model$x.scale[[2]])
  c(read, list(
    task = if (is.null(classes)) "regressor" else "classifier", classes = classes,
    type = LIBSVM_TYPES[[model$type + 1]], kernel = LIBSVM_KERNELS[[model$kernel + 1]],
    degree = as.double(model$degree), gamma = as.double(model$gamma), coef0 = as.double(model$coef0),
    center = center, width = width, vectors = unname(as.matrix(model$SV)), weights = unname(as.matrix(model$coefs)),
    rho = as.double(model$rho), counts = as.double(model$nSV),
    order = if (LIBSVM_TYPES[[model$type + 1]] == "classes") places_of_classes(model) - 1,
    slope = if (probable) model$probA, offset = if (probable) model$probB,
    unit = if (any(model$scaled) && !is.null(model$y.scale)) as.double(unlist(model$y.scale))
  ))
}

# The levels that had rows, in their own order; for a one-class model, whether a row belongs to the class.
classes_of_svm <- function(model) {
  type <- LIBSVM_TYPES[[model$type + 1]]
  if (type == "classes") model$levels[sort(model$labels)]
  else if (type == "one") c("FALSE", "TRUE")
}

# The position of each class among libsvm's, which are in the order of their first rows.
places_of_classes <- function(model) order(model$labels)

# As in predict() with probabilities: the label is then the most probable class, not the one with most votes.
with_probabilities <- function(model, training) {
  model$type < 2 && isTRUE(model$compprob) && isTRUE(as.logical(training$argument("probability", TRUE)))
}

# predict() drops rows with an NA, and stops where none is left.
predict_svm <- function(model, rows, training) {
  kept <- stats::complete.cases(rows)
  classes <- classes_of_svm(model)
  probable <- with_probabilities(model, training)
  used <- if (any(kept)) rows[kept, , drop = FALSE] else rows_without_holes(rows)
  if (is.null(model$terms)) used <- matrix_of_columns(used, names_or_places(colnames(model$SV), ncol(model$SV)))
  answer <- stats::predict(model, used, decision.values = !is.null(classes), probability = probable)
  put_back <- function(values) if (any(kept)) with_gaps(values, kept) else with_gaps(values[0], kept)
  if (is.null(classes)) return(list(prediction = put_back(as.double(answer))))
  found <- list(label = put_back(as.character(answer)))
  if (probable) {
    table <- attr(answer, "probabilities")[, places_of_classes(model), drop = FALSE]
    found$probabilities <- put_back_rows(table, kept)
  }
  decision <- put_back_rows(attr(answer, "decision.values"), kept)
  found$decision <- if (ncol(decision) == 1) decision[, 1] else decision
  found
}

put_back_rows <- function(table, kept) {
  if (any(kept)) return(with_gaps(unname(table), kept))
  matrix(NA_real_, length(kept), ncol(table))
}

family("svm", c("svm.formula svm", "svm"), export_svm, predict_svm, "e1071")
