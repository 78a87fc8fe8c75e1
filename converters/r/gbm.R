# gbm: sums of trees with three branches per split: left, right, missing.

export_gbm <- function(model, training) {
  name <- model$distribution$name
  count <- if (is.null(model$num.classes)) 1L else as.integer(model$num.classes)
  predictors <- gbm_predictors(model, training)
  trees <- model$trees[seq_len(gbm_trees(model, training) * count)]
  nodes <- gbm_nodes(trees, model)
  list(
    task = if (name == "multinomial") "classifier" else "regressor", status = FALSE, inputs = predictors$inputs,
    classes = if (name == "multinomial") model$classes, variables = predictors$variables,
    roots = nodes$roots, feature = nodes$feature, threshold = nodes$threshold, left = nodes$left, right = nodes$right,
    missing = nodes$missing, leaf = nodes$threshold, set = which(nodes$set) - 1L,
    ways = lapply(model$c.splits, as.integer), base = as.double(model$initF)[[1]], targets = count,
    distribution = name,
    thresholds = split_thresholds(predictors$variables, ifelse(nodes$set, -1L, nodes$feature), nodes$threshold)
  )
}

gbm_trees <- function(model, training) {
  count <- training$argument("n.trees")
  if (is.null(count)) {
    count <- if (model$train.fraction < 1) gbm::gbm.perf(model, method = "test", plot.it = FALSE)
    else if (!is.null(model$cv.error)) gbm::gbm.perf(model, method = "cv", plot.it = FALSE)
    else length(model$train.error)
  }
  if (length(count) != 1) refuse("the argument n.trees must be one number, as the graph returns one prediction per row")
  min(as.integer(count), model$n.trees)
}

gbm_predictors <- function(model, training) {
  coded <- vapply(model$var.levels, is.character, TRUE)
  kept <- structure(model$var.levels, names = model$var.names)
  if (is.null(model$Terms)) {
    types <- ifelse(coded, ifelse(model$var.type == 0, "ordered", "factor"), "double")
    return(plain_predictors(model$var.names, types, kept, open = TRUE))
  }
  tt <- stats::terms(stats::reformulate(model$var.names, env = environment(model$Terms)))
  attr(tt, "dataClasses") <- attr(model$Terms, "dataClasses")
  found <- predictors_of(tt, kept[coded], training)
  if (length(found$variables) != length(model$var.names)) {
    refuse("the formula of this gbm has interactions, whose columns R itself cannot create")
  }
  found$inputs <- lapply(found$inputs, function(input) c(input, open = input$type %in% c("factor", "ordered")))
  found
}

# All trees' nodes in sequence; children are positions among them, from 0.
gbm_nodes <- function(trees, model) {
  field <- function(i) unlist(lapply(trees, `[[`, i), use.names = FALSE)
  feature <- as.integer(field(1))
  sizes <- lengths(lapply(trees, `[[`, 1))
  start <- rep(starts_of(sizes), sizes)
  child <- function(i) ifelse(feature < 0, 0L, as.integer(field(i)) + start)
  coded <- feature >= 0 & vapply(model$var.levels, is.character, TRUE)[pmax(feature, 0) + 1]
  # gbm counts the codes of an ordered factor from 0, our columns from 1
  from_one <- coded & model$var.type[pmax(feature, 0) + 1] == 0
  list(
    roots = starts_of(sizes), feature = feature, threshold = as.double(field(2)) + from_one, left = child(3),
    right = child(4), missing = child(5), set = coded & model$var.type[pmax(feature, 0) + 1] > 0
  )
}

# A missing cell is R's NA, which gbm distinguishes from NaN; that one goes right.
predict_gbm <- function(model, rows, training) {
  rows[] <- lapply(rows, function(cells) replace(cells, is.na(cells), NA))
  if (is.null(model$Terms)) rows <- rows[model$var.names]
  found <- stats::predict(model, rows, n.trees = gbm_trees(model, training), type = "response")
  if (model$distribution$name != "multinomial") return(list(prediction = as.double(found)))
  shares <- matrix(as.double(found), nrow(rows))
  list(label = most_probable(shares, model$classes), probabilities = shares)
}

family("gbm", "gbm", export_gbm, predict_gbm, "gbm")
