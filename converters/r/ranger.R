# ranger: regression, class votes, class probabilities.

export_ranger <- function(model, training) {
  forest <- model$forest
  if (is.null(forest)) refuse("this ranger was fitted with write.forest = FALSE: it contains no trees")
  if (!model$treetype %in% c("Classification", "Regression", "Probability estimation")) {
    refuse("a ranger of type ", model$treetype, " has no converter: it predicts a curve for each row")
  }
  type <- training$argument("type", "response")
  if (type != "response") {
    refuse("ranger's predict(type = \"", type, "\") has no converter: omit the argument type")
  }
  predictors <- ranger_predictors(model, training)
  nodes <- ranger_nodes(forest)
  sets <- nodes$feature >= 0 & !forest$is.ordered[pmax(nodes$feature, 0) + 1]
  c(
    list(
      task = if (model$treetype == "Regression") "regressor" else "classifier", inputs = predictors$inputs,
      classes = ranger_classes(forest), variables = predictors$variables, set = which(sets) - 1L,
      thresholds = split_thresholds(predictors$variables, ifelse(sets, -1L, nodes$feature), nodes$threshold),
      answers_missing = ranger_answers_missing(), unordered = which(!forest$is.ordered) - 1L
    ),
    nodes,
    ranger_leaves(model, forest, nodes)
  )
}

# Since this version a missing number goes to the side that a node has learnt, or left.
ranger_answers_missing <- function() utils::packageVersion("ranger") >= "0.17.0"

ranger_predictors <- function(model, training) {
  forest <- model$forest
  names <- forest$independent.variable.names
  kept <- lapply(seq_along(names), function(i) {
    own <- forest$covariate.levels[[names[[i]]]]
    if (!is.null(own)) return(own)
    levels <- training$levels(names[[i]])
    if (is.null(levels) && !forest$is.ordered[[i]]) training$wanted(names[[i]])
    levels
  })
  frame <- training$frame
  types <- vapply(seq_along(names), function(i) {
    if (is.null(kept[[i]])) if (is.logical(frame[[names[[i]]]])) "logical" else "double"
    else if (is.ordered(frame[[names[[i]]]])) "ordered"
    else "factor"
  }, "")
  plain_predictors(names, types, kept)
}

# All trees' nodes in sequence; children are positions among them, from 0.
ranger_nodes <- function(forest) {
  sizes <- lengths(forest$split.varIDs)
  start <- rep(starts_of(sizes), sizes)
  children <- function(side) as.integer(unlist(lapply(forest$child.nodeIDs, `[[`, side), use.names = FALSE))
  left <- children(1)
  right <- children(2)
  third <- if (lengths(forest$child.nodeIDs)[[1]] > 2) children(3) else 0L
  leaf <- left == 0 & right == 0
  feature <- ifelse(leaf, -1L, as.integer(unlist(forest$split.varIDs, use.names = FALSE)))
  if (any(feature >= length(forest$independent.variable.names))) {
    refuse("this ranger was grown with a corrected importance and splits on permuted columns: grow it without")
  }
  list(
    roots = starts_of(sizes), feature = feature, threshold = as.double(unlist(forest$split.values, use.names = FALSE)),
    left = ifelse(leaf, 0L, left + start), right = ifelse(leaf, 0L, right + start),
    missing_left = third <= 0 | third == left
  )
}

# R sorts a forest's classes by their numbers.
ranger_classes <- function(forest) {
  if (is.null(forest$class.values)) return(NULL)
  values <- sort(forest$class.values)
  if (is.null(forest$levels)) as.character(values) else forest$levels[values]
}

ranger_leaves <- function(model, forest, nodes) {
  order <- if (length(forest$class.values)) order(forest$class.values)
  switch(
    model$treetype,
    Regression = list(leaf = nodes$threshold),
    Classification = list(leaf = match(nodes$threshold, forest$class.values[order])),
    {
      counts <- unlist(forest$terminal.class.counts, recursive = FALSE, use.names = FALSE)
      shares <- matrix(0, length(counts), length(order))
      filled <- lengths(counts) > 0
      shares[filled, ] <- matrix(unlist(counts[filled], use.names = FALSE), ncol = length(order), byrow = TRUE)
      list(shares = shares[, order, drop = FALSE])
    }
  )
}

# R chooses among equal numbers of votes at random; the label is then the first of them.
predict_ranger <- function(model, rows, training) {
  rows <- rows[model$forest$independent.variable.names]
  if (ranger_answers_missing() && anyNA(rows[!model$forest$is.ordered])) {
    stop("ranger does not define where a missing level in a node's set goes")
  }
  votes <- model$treetype == "Classification"
  found <- stats::predict(model, rows, predict.all = votes, num.threads = 1, verbose = FALSE)$predictions
  if (model$treetype == "Regression") return(list(prediction = as.double(found)))
  classes <- ranger_classes(model$forest)
  shares <- if (votes) {
    values <- sort(model$forest$class.values)
    vapply(values, function(value) rowMeans(found == value), double(nrow(rows)))
  } else found
  shares <- matrix(as.double(shares), nrow(rows))
  list(label = most_probable(shares, classes), probabilities = shares)
}

family("ranger", "ranger", export_ranger, predict_ranger, "ranger")
