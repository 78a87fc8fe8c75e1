# nnet's nnet: by a formula or a matrix; classes where it has labels.

places_of_nnet <- function(model) paste0("V", seq_len(model$n[[1]]))

export_nnet <- function(model, training) {
  classes <- classes_of_nnet(model)
  network <- network_of(model)
  read <- regressors_of(model, places_of_nnet(model), training)
  if (is.null(classes)) return(c(read, list(task = "regressor", network = network)))
  c(read, list(task = "classifier", classes = classes, network = network))
}

classes_of_nnet <- function(model) {
  outputs <- model$n[[3]]
  if (is.null(model$lev)) return(NULL)
  if (outputs > 1 && length(model$lev) != outputs) {
    refuse("a class had no rows, for which R's own predict() returns wrong labels: fit on droplevels() of the response")
  }
  if (outputs == 1 && length(model$lev) != 2) return(NULL)
  model$lev
}

predict_nnet <- function(model, rows, training) {
  classes <- classes_of_nnet(model)
  answer <- raw_of_nnet(model, rows)
  if (is.null(classes)) return(list(prediction = if (ncol(answer) == 1) answer[, 1] else unname(answer)))
  if (ncol(answer) == 1) answer <- cbind(1 - answer, answer)
  list(label = most_probable(answer, classes), probabilities = unname(answer))
}

# R stops where a matrix has an NA, and where a frame has nothing else.
raw_of_nnet <- function(model, rows) {
  if (is.null(model$terms)) return(stats::predict(model, matrix_of_columns(rows, places_of_nnet(model))))
  if (any(read_whole(model, rows))) return(stats::predict(model, rows))
  matrix(NA_real_, nrow(rows), model$n[[3]])
}

family("nnet", c("nnet.formula nnet", "nnet"), export_nnet, predict_nnet, "nnet")
