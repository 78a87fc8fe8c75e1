# rpart: one tree, with surrogate splits for missing values.

export_rpart <- function(model, training) {
  frame <- model$frame
  predictors <- predictors_of(model$terms, attr(model, "xlevels"), training)
  classes <- attr(model, "ylevels")
  splits <- rpart_splits(model, predictors$variables)
  c(
    list(
      task = if (length(classes)) "classifier" else "regressor", inputs = predictors$inputs, classes = classes,
      variables = predictors$variables, values = as.double(frame$yval),
      shares = if (length(classes)) {
        unname(as.matrix(frame$yval2[, 1L + length(classes) + seq_along(classes), drop = FALSE]))
      }
    ),
    splits
  )
}

# The nodes: children as rows of the frame from 0 (-1: a leaf), the direction of rows that no split places (-1 left,
# 1 right, 0: they stay). The tests: those of a node in sequence, primary first; each with the direction of rows below
# the threshold, or with the direction of each level.
rpart_splits <- function(model, variables) {
  frame <- model$frame
  if (any(frame$nsurrogate > 0) && !model$control$usesurrogate %in% 0:2) {
    refuse("this rpart has an unknown usesurrogate")
  }
  number <- as.integer(row.names(frame))
  inner <- frame$var != "<leaf>"
  if (!any(inner)) return(list(left = -1L, unplaced = 0, counts = integer()))
  left <- ifelse(inner, match(2 * number, number), 0L) - 1L
  right <- ifelse(inner, match(2 * number + 1, number), 0L) - 1L
  heavier <- ifelse(inner, sign(frame$n[pmax(right, 0) + 1] - frame$n[pmax(left, 0) + 1]), 0)
  used <- model$control$usesurrogate
  first <- cumsum(c(0, inner + frame$ncompete + frame$nsurrogate))[seq_len(nrow(frame))] + 1
  tests <- lapply(which(inner), function(i) {
    c(first[[i]], if (used > 0) first[[i]] + frame$ncompete[[i]] + seq_len(frame$nsurrogate[[i]]))
  })
  chosen <- unlist(tests)
  splits <- model$splits[chosen, , drop = FALSE]
  category <- abs(splits[, "ncat"]) >= 2
  place <- places_of(rownames(splits), variables)
  threshold <- ifelse(category, NaN, splits[, "index"])
  list(
    left = left, right = right, unplaced = if (used > 1) heavier else 0 * heavier,
    counts = lengths(tests), test_variable = place,
    test_threshold = threshold, test_below = as.integer(splits[, "ncat"]),
    test_row = ifelse(category, splits[, "index"], 0) - 1,
    ways = if (is.null(model$csplit)) matrix(0L, 0, 0) else unname(model$csplit) - 2L,
    thresholds = split_thresholds(variables, place, threshold)
  )
}

predict_rpart <- function(model, rows, training) {
  classes <- attr(model, "ylevels")
  answers <- stats::predict(model, rows)
  if (!length(classes)) return(list(prediction = unname(answers)))
  label <- as.character(stats::predict(model, rows, type = "class"))
  list(label = label, probabilities = matrix(answers, nrow(rows)))
}

family("rpart", "rpart", export_rpart, predict_rpart, "rpart")
