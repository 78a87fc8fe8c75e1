# Principal components: prcomp and princomp.

export_components <- function(model, training) {
  rotation <- component_rotation(model)
  list(
    task = "transformer", inputs = double_inputs(component_names(rotation)), rotation = unname(rotation),
    center = if (!isFALSE(model$center)) as.double(model$center), scale = if (!isFALSE(model$scale)) as.double(
      model$scale
    )
  )
}

component_rotation <- function(model) {
  found <- if (inherits(model, "princomp")) model$loadings else model$rotation
  unclass(found)[, , drop = FALSE]
}

component_names <- function(rotation) {
  names <- rownames(rotation)
  if (is.null(names)) paste0("V", seq_len(nrow(rotation))) else names
}

predict_components <- function(model, rows, training) {
  names <- component_names(component_rotation(model))
  # from a matrix of one row, or a frame of one column, predict.princomp makes a vector, and stops
  newdata <- if (inherits(model, "princomp") && length(names) > 1) rows[names] else as.matrix(rows[names])
  found <- stats::predict(model, newdata)
  list(transformed = matrix(as.double(found), nrow(rows)))
}

family("components", c("prcomp", "princomp"), export_components, predict_components)
