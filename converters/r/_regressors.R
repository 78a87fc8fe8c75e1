# The inputs of a model with weights: the design of its formula, or the columns of a matrix by name.

# `inputs` and, for a formula, `design`; for a matrix, `features`: the names of its columns.
regressors_of <- function(model, names, training) {
  if (is.null(model$terms)) return(matrix_columns(names))
  regressors_of_terms(model$terms, model$xlevels, model$contrasts, training)
}

regressors_of_terms <- function(tt, xlevels, contrasts, training) {
  design <- design_of(tt, xlevels, contrasts, training)
  inputs <- design$inputs
  design$inputs <- NULL
  list(inputs = inputs, design = design)
}

matrix_columns <- function(names) {
  if (anyDuplicated(names) || anyNA(names) || !all(nzchar(names))) {
    refuse("the columns of the matrix that the model was fitted on have no names: name each column, and fit again")
  }
  list(inputs = double_inputs(names), features = names)
}

# The names of a matrix's columns, or V1, V2, ... where it had none.
names_or_places <- function(names, count) if (length(names)) names else paste0("V", seq_len(count))

matrix_of_columns <- function(rows, names) {
  matrix(unlist(unclass(rows)[names], use.names = FALSE), ncol = length(names), dimnames = list(NULL, names))
}

# Predictions for the rows that were `kept`, NA for the others.
with_gaps <- function(answers, kept) {
  if (is.matrix(answers)) {
    found <- matrix(answers[NA_integer_], length(kept), ncol(answers))
    found[kept, ] <- answers
  } else {
    found <- rep(answers[NA_integer_], length(kept))
    found[kept] <- answers
  }
  found
}

# One row that R can predict, only to learn the shape of its result.
rows_without_holes <- function(rows) {
  rows <- rows[1, , drop = FALSE]
  for (name in names(rows)) {
    if (is.na(rows[[name]])) {
      known <- levels(rows[[name]])
      rows[[name]] <- if (is.factor(rows[[name]])) factor(known[[1]], known, ordered = is.ordered(rows[[name]])) else 1
    }
  }
  rows
}
