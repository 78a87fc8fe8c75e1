# mgcv's gam and bam: parametric terms and smooths with a link. The gam package's model is refused.

# What predict() needs from the export: how far from its knots a smooth is reproducible.
LIMITS <- new.env()

export_gam <- function(model, training) {
  if (inherits(model, "Gam")) {
    refuse(
      "the package gam's model has no converter: its predict() fits the smooth terms again to the rows of its ",
      "training; fit it with mgcv's gam()"
    )
  }
  gam_limits(model, training)
  tt <- stats::delete.response(model$pterms)
  design <- design_of(tt, model$xlevels, gam_contrasts(model, tt), training)
  # an offset by argument is not part of mgcv's predictions
  if (!length(attr(attr(model$model, "terms"), "offset"))) design$offsets <- NULL
  inputs <- gam_inputs(model, design)
  design$inputs <- NULL
  link <- gam_link(model$family)
  smooths <- lapply(
    model$smooth, smooth_form, unname(model$coefficients), environment(model$formula), link != "identity", model$model
  )
  LIMITS$found <- smooth_limits(model$smooth, smooths)
  list(
    task = "regressor", inputs = inputs, design = design, coefficients = unname(
      model$coefficients[seq_len(model$nsdf)]
    ),
    link = link, smooths = smooths
  )
}

gam_contrasts <- function(model, tt) model$contrasts[names(model$contrasts) %in% attr(tt, "term.labels")]

gam_limits <- function(model, training) {
  if (is.list(model$pterms) || is.list(model$formula)) {
    refuse("a gam of several linear predictors (family ", model$family$family, ") has no converter")
  }
  if (!is.null(model$Xcentre) || !is.null(attr(model$nsdf, "drop.ind")) || isTRUE(model$family$drop.intercept)) {
    refuse("the gam drops or centres columns of its model matrix in a way that has no converter")
  }
  if (!is.null(model$dinfo) && !isFALSE(training$argument("discrete", TRUE))) {
    refuse(
      "the bam was fitted with discrete = TRUE, and predict() rounds the columns of a frame to a grid that depends ",
      "on all its rows: set predict()'s argument discrete = FALSE"
    )
  }
  held <- vapply(model$model, function(column) is.matrix(column) && ncol(column) > 1, TRUE)
  held[attr(attr(model$model, "terms"), "response")] <- FALSE
  if (any(held)) {
    refuse("the gam sums over the columns of the matrix ", names(held)[held][[1]], ", which has no converter")
  }
}

gam_link <- function(family) {
  if (!is.null(family$predict)) {
    refuse("the family ", family$family, " has its own prediction function, which has no converter")
  }
  link <- link_of(family)
  if (!identical(body(family$linkinv), body(stats::make.link(link)$linkinv))) {
    refuse("the family ", family$family, " has a custom link, which has no converter")
  }
  link
}

# All columns that predict() requires; a row in which any is missing is NA. A factor that only random effects read may
# have unknown levels: they have no effect.
gam_inputs <- function(model, design) {
  fixed <- merged_inputs(design$inputs, list())
  known <- function() vapply(fixed, function(each) each$name, "")
  by <- unlist(lapply(model$smooth, smooth_by))
  for (name in all.vars(if (is.null(model$pred.formula)) model$pterms[-2] else model$pred.formula)) {
    if (name %in% known()) next
    column <- model$model[[name]]
    if (is.null(column)) column <- model$var.summary[[name]]
    fixed <- c(fixed, list(gam_input(name, column, !name %in% by)))
  }
  fixed
}

smooth_by <- function(smooth) {
  within <- unlist(lapply(smooth$margin, smooth_by))
  c(
    within, if (smooth$by != "NA") smooth$by,
    if (!inherits(smooth, "random.effect") && is.null(smooth$margin)) smooth$term
  )
}

gam_input <- function(name, column, open) {
  if (is.factor(column)) {
    found <- list(name = name, type = if (is.ordered(column)) "ordered" else "factor", levels = levels(column))
    if (open) found$open <- TRUE
    return(found)
  }
  list(name = name, type = if (is.logical(column)) "logical" else "double")
}

# predict() drops a row in which the formula gives NaN, and then moves the later ones up: such rows
# are NA here, and not passed to it.
predict_gam <- function(model, rows, training) {
  within_limits(LIMITS$found, rows, environment(model$formula))
  parametric <- stats::model.frame(
    stats::delete.response(model$pterms), rows, na.action = stats::na.pass, xlev = model$xlevels
  )
  kept <- if (length(parametric)) stats::complete.cases(parametric) else rep(TRUE, nrow(rows))
  found <- rep(NA_real_, nrow(rows))
  options <- list(model, rows[kept, , drop = FALSE], type = "response")
  if (!is.null(model$dinfo)) options$discrete <- FALSE
  if (any(kept)) found[kept] <- as.double(do.call(stats::predict, options))
  list(prediction = found)
}

family("gam", c("gam glm lm", "bam gam glm lm", "Gam glm lm"), export_gam, predict_gam, packages = "mgcv")
