# Package earth: products of hinges of the columns of a model matrix; with a glm on them if requested.

export_earth <- function(model, training) {
  chosen <- model$selected.terms
  design <- earth_design(model, training)
  inputs <- design$inputs
  design$inputs <- NULL
  dirs <- unname(model$dirs[chosen, , drop = FALSE])
  cuts <- unname(model$cuts[chosen, , drop = FALSE])
  list(
    task = "regressor", inputs = inputs, design = design, dirs = dirs, cuts = cuts, thresholds = earth_cuts(
      model, inputs
    ),
    responses = if (is.null(model$glm.list)) earth_plain(model) else lapply(model$glm.list, earth_glm, length(chosen))
  )
}

# The model matrix's columns as terms; a model of a matrix or a frame has no formula, so its columns replace it.
earth_design <- function(model, training) {
  if (!is.null(model$terms)) {
    if (length(attr(model$terms, "offset")) && !is.null(model$call$offset)) {
      refuse("an earth model with two offsets has no converter")
    }
    return(design_of(model$terms, model$xlevels, NULL, training))
  }
  names <- rownames(model$modvars)
  tt <- stats::terms(stats::reformulate(sprintf("`%s`", names)))
  attr(tt, "dataClasses") <- stats::setNames(
    vapply(names, earth_class, "", model), vapply(as.list(attr(tt, "variables"))[-1], said_variable, "")
  )
  levels <- lapply(stats::setNames(nm = names), function(name) training$levels(name))
  design_of(tt, levels, NULL, training)
}

earth_class <- function(name, model) {
  columns <- colnames(model$modvars)[model$modvars[name, ] != 0]
  if (identical(columns, name)) "numeric"
  else if (identical(columns, paste0(name, "TRUE"))) "logical"
  else if (identical(columns[[1]], paste0(name, ".L"))) "ordered"
  else "factor"
}

earth_cuts <- function(model, inputs) {
  names <- intersect(vapply(inputs, function(each) each$name, ""), colnames(model$dirs))
  found <- lapply(stats::setNames(nm = names), function(name) {
    hinged <- model$selected.terms[abs(model$dirs[model$selected.terms, name]) == 1]
    sort(unique(as.double(model$cuts[hinged, name])))
  })
  Filter(length, found)
}

earth_plain <- function(model) {
  lapply(
    seq_len(ncol(model$coefficients)),
    function(i) list(coefficients = unname(model$coefficients[, i]), link = "identity")
  )
}

earth_glm <- function(glm, count) {
  coefficients <- unname(glm$coefficients)
  if (length(coefficients) != count) {
    refuse("the glm of the earth model does not have a coefficient for each of its terms")
  }
  coefficients[is.na(coefficients)] <- 0
  list(coefficients = coefficients, link = link_of(stats::family(glm)))
}

predict_earth <- function(model, rows, training) {
  names <- if (is.null(model$terms)) rownames(model$modvars) else names(rows)
  list(prediction = narrow(stats::predict(model, rows[names], type = "response")))
}

family("earth", "earth", export_earth, predict_earth, packages = "earth")
