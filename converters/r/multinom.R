# nnet's multinom: a network without a hidden layer on the design with its intercept.

export_multinom <- function(model, training) {
  classes <- classes_of_multinom(model)
  if (model$n[[1]] != length(model$vcoefnames)) {
    refuse("the model was fitted with an offset, and R's own predict() then stops: fit it without one")
  }
  read <- regressors_of(model, NULL, training)
  c(read, list(task = "classifier", classes = classes, network = network_of(model), width = length(model$vcoefnames)))
}

# A response of counts has labels where its columns have names, else positions.
classes_of_multinom <- function(model) if (length(model$lev)) model$lev else as.character(model$lab)

# A vector where there is one row or one column.
predict_multinom <- function(model, rows, training) {
  classes <- classes_of_multinom(model)
  kept <- tryCatch(read_whole(model, rows), error = function(e) rep(TRUE, nrow(rows)))
  if (!any(kept)) {
    probabilities <- matrix(NA_real_, nrow(rows), length(classes))
  } else {
    probabilities <- stats::predict(model, rows, type = "probs")
    probabilities <- matrix(probabilities, ncol = if (two_alone(model)) 1 else length(classes))
    if (two_alone(model)) probabilities <- cbind(1 - probabilities, probabilities)
  }
  list(label = most_probable(probabilities, classes), probabilities = probabilities)
}

# One output represents both classes.
two_alone <- function(model) model$n[[3]] == 1

family("multinom", "multinom nnet", export_multinom, predict_multinom, "nnet")
