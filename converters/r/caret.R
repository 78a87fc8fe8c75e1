# caret: train(), its columns and its preProcess around a model of another class; preProcess on its own.

export_caret <- function(model, training) {
  classes <- if (model$modelType == "Classification") levels(model)
  caret_limits(model, classes)
  columns <- caret_columns(model, training)
  inner <- inner_form(model$finalModel, inner_training(columns$frame, caret_arguments(model)))
  form <- list(
    task = if (is.null(classes)) "regressor" else "classifier",
    inputs = caret_inputs(columns$inputs, inner), classes = classes,
    design = columns$design, names = columns$names, dropped = columns$dropped,
    dropping = columns$dropping, recipe = columns$recipe,
    steps = if (!is.null(model$preProcess)) preprocess_steps(model$preProcess), inner = inner
  )
  if (is.null(classes)) return(c(form, list(bounds = caret_bounds(model))))
  c(form, list(rule = caret_rule(model), order = caret_order(classes, inner)))
}

# How the class follows from the inner model's predictions: its own class, the most probable one, or from the only
# number that it returns for two classes.
CARET_RULES <- c(
  glm = "second_from_half", glmStepAIC = "second_from_half", earth = "second_above_half",
  gcvEarth = "second_above_half", gbm = "first_from_half", ranger = "largest", svmRadial = "largest",
  svmLinear = "largest", svmPoly = "largest",
  svmRadialSigma = "largest", svmRadialCost = "largest", rpart = "same", rpart1SE = "same", rpart2 = "same",
  rf = "same", nnet = "same", lda = "same", qda = "same", polr = "same", multinom = "same", glmnet = "same"
)

caret_limits <- function(model, classes) {
  if (is.list(model$method) || identical(model$method, "custom")) {
    refuse("a custom method of caret's train() has no converter")
  }
  if (inherits(model$finalModel, "gam")) {
    refuse("mgcv's gam() inside caret's train() has no converter, as its smooths end far out: fit it without caret")
  }
  if (is.null(classes)) return()
  if (!model$method %in% names(CARET_RULES)) {
    refuse(
      "for a factor, caret's method ", model$method, " has no converter; supported: ",
      paste(sort(names(CARET_RULES)), collapse = ", ")
    )
  }
  fitted <- model$finalModel
  without <- is.null(model$modelInfo$prob) ||
    (inherits(fitted, "ksvm") && !length(unlist(methods::slot(fitted, "prob.model")))) ||
    (inherits(fitted, "ranger") && fitted$treetype != "Probability estimation")
  if (without) {
    refuse(
      "caret's model of method ", model$method,
      " returns no probabilities: fit it with trainControl(classProbs = TRUE)"
    )
  }
}

caret_rule <- function(model) CARET_RULES[[model$method]]

# The positions of the inner model's classes among caret's.
caret_order <- function(classes, inner) {
  if (is.null(inner$classes)) return(NULL)
  if (!setequal(inner$classes, classes)) refuse("the classes of the inner model are not those of caret's train()")
  match(classes, inner$classes) - 1L
}

caret_arguments <- function(model) {
  tuned <- if (isS4(model$finalModel)) NULL else model$finalModel$tuneValue
  switch(model$method,
    gbm = list(n.trees = tuned$n.trees),
    glmnet = list(s = model$finalModel$lambdaOpt),
    list()
  )
}

caret_columns <- function(model, training) {
  if (inherits(model, "train.recipe")) {
    recipe <- recipe_form(model$recipe)
    return(list(inputs = recipe$inputs, recipe = recipe$steps, names = recipe$names))
  }
  kept <- caret_kept(model)
  if (inherits(model, "train.formula")) {
    tt <- stats::delete.response(model$terms)
    if (length(attr(tt, "offset"))) {
      refuse("caret's predict() ignores an offset in the formula of train(), which has no converter")
    }
    design <- design_of(tt, model$xlevels, model$contrasts, training)
    inputs <- design$inputs
    design$inputs <- NULL
    names <- model$coefnames
    dropping <- caret_missing(training) == "na.omit"
    dropped <- setdiff(names, kept(names))
    return(list(inputs = inputs, design = design, names = names, dropped = dropped, dropping = dropping))
  }
  frame <- if (is.null(model$ptype)) model$trainingData else model$ptype
  if (is.null(frame)) {
    refuse("the model was fitted with returnData = FALSE by a caret that stores no columns: fit it by a formula")
  }
  frame <- as.data.frame(frame)
  names <- kept(setdiff(names(frame), c(".outcome", ".weights")))
  list(inputs = lapply(names, function(name) caret_input(name, frame[[name]])), names = names, frame = frame[names])
}

# The columns that predict() keeps: those that the inner model was fitted on, where it declares them.
caret_kept <- function(model) {
  known <- if (isS4(model$finalModel)) NULL else model$finalModel$xNames
  rotated <- !is.null(model$preProcess$method$pca) || !is.null(model$preProcess$method$ica)
  function(names) if (is.null(known) || rotated) names else names[names %in% known]
}

caret_input <- function(name, column) {
  if (is.factor(column)) list(
    name = name, type = if (is.ordered(column)) "ordered" else "factor", levels = levels(column)
  )
  else if (is.logical(column)) list(name = name, type = "logical")
  else if (is.numeric(column)) list(name = name, type = "double")
  else refuse(
    "caret was given the column ", name, " of class ", class(column)[[1]],
    ", which has no converter: make it a factor"
  )
}

# A factor that the inner model receives unchanged may have other levels where that model accepts them.
caret_inputs <- function(inputs, inner) {
  open <- vapply(Filter(function(each) isTRUE(each$open), inner$inputs), function(each) each$name, "")
  lapply(inputs, function(each) if (each$name %in% open) c(each, list(open = TRUE)) else each)
}

caret_bounds <- function(model) {
  bounds <- model$control$predictionBounds
  if (is.logical(bounds)) bounds <- ifelse(bounds, model$yLimits, NA)
  if (length(bounds) != 2 || all(is.na(bounds))) NULL else as.double(bounds)
}

predict_caret <- function(model, rows, training) {
  missing <- caret_missing(training)
  kept <- if (missing == "na.omit") caret_complete(model, rows) else rep(TRUE, nrow(rows))
  asked <- rows[kept, , drop = FALSE]
  if (model$modelType != "Classification") {
    found <- rep(NA_real_, nrow(rows))
    if (any(kept)) found[kept] <- as.double(stats::predict(model, asked, na.action = match.fun(missing)))
    return(list(prediction = found))
  }
  label <- rep(NA_character_, nrow(rows))
  probabilities <- matrix(NA_real_, nrow(rows), length(levels(model)))
  if (any(kept)) {
    shares <- stats::predict(model, asked, type = "prob", na.action = match.fun(missing))
    probabilities[kept, ] <- as.matrix(shares[levels(model)])
    label[kept] <- caret_label(model, asked, missing, probabilities[kept, , drop = FALSE])
  }
  list(label = label, probabilities = probabilities)
}

# randomForest breaks a tie of votes at random.
caret_label <- function(model, rows, missing, probabilities) {
  if (!inherits(model$finalModel, "randomForest")) {
    return(as.character(stats::predict(model, rows, na.action = match.fun(missing))))
  }
  cutoff <- model$finalModel$forest$cutoff
  most_probable(
    sweep(probabilities, 2, if (is.null(names(cutoff))) cutoff else cutoff[levels(model)], "/"), levels(model)
  )
}

caret_missing <- function(training) {
  asked <- training$argument("na.action", "na.omit")
  if (!asked %in% c("na.omit", "na.pass")) {
    refuse("caret's predict() has a converter only for na.action = \"na.omit\" and \"na.pass\"")
  }
  asked
}

# With a formula predict() drops a row in which anything is missing.
caret_complete <- function(model, rows) {
  if (!inherits(model, "train.formula")) return(rep(TRUE, nrow(rows)))
  frame <- stats::model.frame(
    stats::delete.response(model$terms), rows, na.action = stats::na.pass, xlev = model$xlevels
  )
  stats::complete.cases(frame)
}

export_preprocess <- function(model) {
  names <- preprocess_columns(model)
  steps <- preprocess_steps(model)
  list(task = "transformer", inputs = double_inputs(names), steps = steps)
}

predict_preprocess <- function(model, rows) {
  found <- stats::predict(model, rows[preprocess_columns(model)])
  list(transformed = unname(as.matrix(found)))
}

family(
  "caret", c("train", "train train.formula", "train.recipe train", "preProcess"),
  function(model, training) if (inherits(model, "preProcess")) export_preprocess(model) else export_caret(
    model, training
  ),
  function(model, rows, training) {
    if (inherits(model, "preProcess")) predict_preprocess(model, rows) else predict_caret(model, rows, training)
  },
  packages = "caret"
)
