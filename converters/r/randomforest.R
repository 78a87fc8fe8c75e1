# randomForest: votes of trees, or their mean; by a formula, a frame or a matrix.

export_forest <- function(model, training) {
  if (model$type == "unsupervised") refuse("this randomForest is unsupervised: R itself cannot predict with it")
  if (is.null(model$forest)) refuse("this randomForest was fitted with keep.forest = FALSE: it contains no trees")
  forest <- model$forest
  classes <- if (model$type == "classification") model$classes
  names <- if (is.null(dim(model$importance))) base::names(model$importance) else rownames(model$importance)
  predictors <- if (inherits(model, "randomForest.formula")) forest_formula(model, training)
  else forest_columns(model, names)
  nodes <- forest_nodes(forest, length(classes) > 0)
  place <- places_of(names, predictors$variables)
  feature <- ifelse(nodes$feature < 0, -1L, place[pmax(nodes$feature, 0) + 1])
  sets <- nodes$feature >= 0 & unname(forest$ncat)[pmax(nodes$feature, 0) + 1] > 1
  list(
    task = if (length(classes)) "classifier" else "regressor", inputs = predictors$inputs, classes = classes,
    variables = predictors$variables, roots = nodes$roots, feature = feature, threshold = nodes$threshold,
    left = nodes$left, right = nodes$right, leaf = nodes$leaf, set = which(sets) - 1L,
    cutoff = if (length(classes)) forest_cutoff(model, training), correction = as.double(model$coefs),
    thresholds = split_thresholds(predictors$variables, ifelse(sets, -1L, feature), nodes$threshold)
  )
}

# All trees' nodes in sequence; children are positions among them, from 0.
forest_nodes <- function(forest, voting) {
  sizes <- forest$ndbigtree
  rows <- forest$nrnodes
  kept <- rep(seq_len(rows), length(sizes)) <= rep(sizes, each = rows)
  start <- rep(starts_of(sizes), sizes)
  daughters <- if (is.null(forest$treemap)) list(forest$leftDaughter, forest$rightDaughter)
  else list(forest$treemap[, 1, ], forest$treemap[, 2, ])
  leaf <- forest$nodestatus[kept] == -1
  child <- function(daughter) ifelse(leaf, 0L, start + as.integer(daughter[kept]) - 1L)
  list(
    roots = starts_of(sizes), feature = ifelse(leaf, -1L, as.integer(forest$bestvar[kept]) - 1L),
    threshold = as.double(forest$xbestsplit[kept]), left = child(daughters[[1]]), right = child(daughters[[2]]),
    leaf = as.double(forest$nodepred[kept])
  )
}

forest_formula <- function(model, training) {
  classes <- attr(model$terms, "dataClasses")
  text <- intersect(names(classes)[classes == "character"], attr(model$terms, "term.labels"))
  if (length(text)) {
    refuse(
      "this randomForest was fitted on the text column ", text[[1]], ", which it recodes on every frame: make it a ",
      "factor before fitting"
    )
  }
  predictors_of(model$terms, Filter(is.character, model$forest$xlevels), training)
}

# An ordered factor has levels, but is split like a number.
forest_columns <- function(model, names) {
  forest <- model$forest
  kept <- lapply(names, function(name) {
    levels <- if (is.list(forest$xlevels)) forest$xlevels[[name]]
    if (is.character(levels)) levels
  })
  number <- vapply(kept, is.null, TRUE)
  types <- ifelse(number, "double", ifelse(forest$ncat == 1, "ordered", "factor"))
  plain_predictors(names, types, kept)
}

forest_cutoff <- function(model, training) {
  cutoff <- unlist(training$argument("cutoff", model$forest$cutoff))
  if (length(cutoff) != length(model$classes) || any(cutoff <= 0) || sum(cutoff) > 1 + 1e-12) {
    refuse(
      "the argument cutoff must contain a positive number for each of the ", length(model$classes),
      " classes, together at most 1"
    )
  }
  if (!is.null(names(cutoff))) cutoff <- cutoff[model$classes]
  as.double(cutoff)
}

# R's label is the class with the most votes for its cutoff; among equals it chooses at random, and we take the first.
predict_forest <- function(model, rows, training) {
  if (model$type == "regression") return(list(prediction = unname(stats::predict(model, rows))))
  shares <- unclass(stats::predict(model, rows, type = "prob"))
  shares <- matrix(shares, nrow(rows))
  weighed <- sweep(shares, 2, forest_cutoff(model, training), "/")
  list(label = most_probable(weighed, model$classes), probabilities = shares)
}

family(
  "randomforest", c("randomForest", "randomForest.formula randomForest"), export_forest, predict_forest, "randomForest"
)
