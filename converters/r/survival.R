# Package survival: coxph (linear predictor or risk) and survreg (the time, or its linear predictor).

export_survival <- function(model, training) {
  # strata() in a formula is found only where the package is attached, as it was when the model was fitted
  library("survival", character.only = TRUE)
  if (inherits(model, "survreg")) survreg_form(model, training) else coxph_form(model, training)
}

predict_survival <- function(model, rows, training) {
  if (inherits(model, "survreg")) predict_survreg(model, rows, training) else predict_coxph(model, rows, training)
}

# The terms without those of strata(), which are not part of the model matrix.
without_strata <- function(tt) {
  tt <- stats::delete.response(tt)
  drop <- attr(tt, "specials")$strata
  if (!length(drop)) return(tt)
  factors <- attr(tt, "factors")
  with <- colSums(factors[drop, , drop = FALSE]) > 0
  if (any(attr(tt, "order")[with] > 1)) {
    refuse(
      "the term ", colnames(factors)[with & attr(tt, "order") > 1][[1]],
      " lets an effect differ by strata, which has no converter"
    )
  }
  offsets <- attr(tt, "offset")
  for (part in c("variables", "predvars")) {
    if (!is.null(attr(tt, part))) attr(tt, part) <- attr(tt, part)[-(drop + 1)]
  }
  attr(tt, "factors") <- if (all(with)) integer() else factors[-drop, !with, drop = FALSE]
  if (length(offsets)) attr(tt, "offset") <- offsets - vapply(offsets, function(place) sum(drop < place), 0L)
  tt
}

no_special_terms <- function(model) {
  if (inherits(model, c("coxph.penal", "survreg.penal"))) {
    refuse("the model has a penalised term (frailty, ridge or pspline), which has no converter")
  }
  if (inherits(model, "coxphms")) refuse("a Cox model of several states has no converter")
  if (length(attr(stats::terms(model), "specials")$tt)) {
    refuse("a term with tt() changes with time, which has no converter")
  }
}

# survreg --------------------------------------------------------------------------------------------------------------

survreg_form <- function(model, training) {
  no_special_terms(model)
  design <- design_of(without_strata(model$terms), model$xlevels, model$contrasts, training)
  # predict() ignores the offset
  design$offsets <- NULL
  inputs <- design$inputs
  design$inputs <- NULL
  coefficients <- unname(model$coefficients)
  if (anyNA(coefficients)) {
    refuse(
      "the coefficient ", names(model$coefficients)[is.na(coefficients)][[1]],
      " is NA, for which R returns NA for every row: remove its term"
    )
  }
  list(
    task = "regressor", inputs = inputs, design = design, coefficients = coefficients,
    output = "prediction", exponential = survreg_type(training) == "response" && survreg_exponential(model)
  )
}

survreg_type <- function(training) {
  type <- training$argument("type", "response")
  if (type %in% c("lp", "link", "linear")) return("lp")
  if (type != "response") {
    refuse("a survreg model with type = \"", type, "\" has no converter; supported: \"response\" and \"lp\"")
  }
  type
}

survreg_exponential <- function(model) {
  distribution <- if (is.character(model$dist)) survival::survreg.distributions[[model$dist]] else model$dist
  back <- distribution$itrans
  if (is.null(back)) return(FALSE)
  if (!identical(body(back), quote(exp(x)))) {
    refuse("the distribution ", distribution$name, " has its own transformation, which has no converter")
  }
  TRUE
}

predict_survreg <- function(model, rows, training) {
  # strata affect only the scale
  for (name in setdiff(all.vars(stats::delete.response(model$terms)), names(rows))) rows[[name]] <- rep(1, nrow(rows))
  list(prediction = as.double(stats::predict(model, rows, type = survreg_type(training))))
}

# coxph ----------------------------------------------------------------------------------------------------------------

coxph_form <- function(model, training) {
  no_special_terms(model)
  tt <- model$terms
  attr(tt, "intercept") <- 1
  design <- design_of(without_strata(tt), model$xlevels, model$contrasts, training)
  inputs <- design$inputs
  design$inputs <- NULL
  coefficients <- as.double(model$coefficients)
  coefficients[is.na(coefficients)] <- 0
  form <- list(
    task = "regressor", inputs = inputs, design = design, coefficients = coefficients,
    output = coxph_type(training), exponential = coxph_type(training) == "risk"
  )
  merged_form(form, coxph_centre(model, training))
}

merged_form <- function(form, more) {
  form$inputs <- merged_inputs(form$inputs, more$inputs)
  more$inputs <- NULL
  c(form, more)
}

coxph_type <- function(training) {
  type <- training$argument("type", "lp")
  if (!type %in% c("lp", "risk")) {
    refuse("a Cox model with type = \"", type, "\" has no converter; supported: \"lp\" and \"risk\"")
  }
  type
}

coxph_reference <- function(training) {
  reference <- training$argument("reference", "strata")
  if (!reference %in% c("strata", "sample")) {
    refuse("a Cox model with reference = \"", reference, "\" has no converter; supported: \"strata\" and \"sample\"")
  }
  reference
}

# What predict() subtracts from the columns: their means, or their means in the row's own stratum.
coxph_centre <- function(model, training) {
  stratified <- coxph_reference(training) == "strata" && length(attr(model$terms, "specials")$strata) > 0
  if (!stratified) return(list(center = as.double(model$means)))
  fitted <- coxph_rows(model)
  means <- rowsum(fitted$x * fitted$weights, fitted$strata) / c(rowsum(fitted$weights, fitted$strata))
  strata <- coxph_strata(model, levels(fitted$strata))
  list(
    inputs = strata$inputs, shift = mean(fitted$offset), strata = strata$variables, cells = strata$cells,
    centers = unname(means[match(levels(fitted$strata), rownames(means)), , drop = FALSE])
  )
}

# What predict() looks up in the training rows.
coxph_rows <- function(model) {
  plain <- is.null(model$call$weights) && is.null(attr(model$terms, "offset"))
  kept <- plain && !is.null(model[["x"]]) && !is.null(model$strata)
  if (kept) return(list(x = model[["x"]], strata = model$strata, weights = rep(1, nrow(model[["x"]])), offset = 0))
  frame <- tryCatch(stats::model.frame(model), error = function(e) NULL)
  if (is.null(frame)) {
    refuse(
      "predict() of this Cox model looks up the rows that it was fitted on, for the means of each stratum, and they ",
      "are not in the file: fit it with model = TRUE, or use reference = \"sample\""
    )
  }
  weights <- stats::model.weights(frame)
  offset <- stats::model.offset(frame)
  terms <- survival::untangle.specials(model$terms, "strata")$vars
  list(
    x = stats::model.matrix(model, data = frame), strata = frame[[terms[[1]]]],
    weights = if (is.null(weights)) rep(1, nrow(frame)) else weights, offset = if (is.null(offset)) 0 else offset
  )
}

# The variables of strata(): their values in each stratum, parsed from the labels that strata() creates.
coxph_strata <- function(model, labels) {
  terms <- as.list(attr(model$terms, "variables"))[-1][attr(model$terms, "specials")$strata]
  if (length(terms) > 1) refuse("several strata() in one formula have no converter: write strata(a, b)")
  arguments <- as.list(terms[[1]])[-1]
  names <- as.character(terms[[1]])[-1]
  where <- environment(model$terms)
  expressions <- lapply(arguments, stratum_expression, where)
  if (!is.null(names(arguments)) || any(vapply(expressions, is.null, TRUE))) {
    refuse("the term ", said(terms[[1]]), " has no converter; supported: strata() of columns and of comparisons")
  }
  cells <- strata_cells(labels, names)
  variables <- lapply(seq_along(names), function(i) {
    found <- list(name = names[[i]], levels = unique(cells$values[, i]))
    if (!is.symbol(arguments[[i]])) found$expression <- expressions[[i]]
    found
  })
  inputs <- lapply(variables, function(v) {
    if (!is.null(v$expression)) inputs_of(list(list(class = "numeric", expression = v$expression)))
    else if (cells$short) list(list(name = v$name, type = "factor", levels = v$levels))
    else list(list(name = v$name, type = if (all(v$levels %in% c("FALSE", "TRUE"))) "logical" else "any"))
  })
  codes <- vapply(
    seq_along(names), function(i) match(cells$values[, i], variables[[i]]$levels) - 1L, integer(length(labels))
  )
  list(inputs = merged_inputs(list(), do.call(c, inputs)), variables = variables, cells = matrix(codes, length(labels)))
}

# A column, or a test of columns that is TRUE or FALSE; NULL: another expression, whose values become labels.
stratum_expression <- function(e, where) {
  tests <- c("<", "<=", ">", ">=", "==", "!=", "!", "&", "|", "is.na", "%in%")
  if (is.call(e) && identical(e[[1]], quote(`(`))) return(stratum_expression(e[[2]], where))
  if (is.symbol(e) || is.call(e) && called(e) %in% tests) expression_of(e, where)
}

strata_cells <- function(labels, names) {
  short <- !all(startsWith(labels, paste0(names[[1]], "=")))
  rest <- if (short) labels else substring(labels, nchar(names[[1]]) + 2)
  values <- matrix("", length(labels), length(names))
  for (i in seq_along(names)[-1]) {
    mark <- if (short) ", " else paste0(", ", names[[i]], "=")
    at <- regexpr(mark, rest, fixed = TRUE)
    values[, i - 1] <- substr(rest, 1, at - 1)
    rest <- substring(rest, at + nchar(mark))
  }
  values[, length(names)] <- rest
  commas <- lengths(regmatches(labels, gregexpr(", ", labels, fixed = TRUE)))
  if (short && length(names) > 1 && any(commas != length(names) - 1)) {
    refuse("a level of the strata contains a comma, with which R separates the names of strata: rename it")
  }
  # format() pads the values of all but the first
  if (!short) values[] <- trimws(values)
  list(short = short, values = values)
}

predict_coxph <- function(model, rows, training) {
  type <- coxph_type(training)
  reference <- coxph_reference(training)
  if (reference != "strata") {
    for (name in setdiff(all.vars(stats::delete.response(model$terms)), names(rows))) rows[[name]] <- rep(1, nrow(rows))
  }
  found <- as.double(stats::predict(model, rows, type = type, reference = reference))
  stats::setNames(list(found), type)
}

family(
  "survival",
  c("coxph", "coxph.null coxph", "coxph.penal coxph", "coxphms coxph", "survreg", "survreg.penal survreg"),
  export_survival, predict_survival, packages = "survival"
)
