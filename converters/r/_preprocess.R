# caret's preProcess as steps on columns.

preprocess_steps <- function(object) {
  if (is.vector(object$method) && !is.list(object$method)) {
    object <- utils::getFromNamespace("convert_method", "caret")(object)
  }
  method <- object$method
  known <- c(
    "center", "scale", "range", "BoxCox", "YeoJohnson", "expoTrans", "invHyperbolicSine", "medianImpute", "pca",
    "spatialSign", "remove", "ignore", "zv", "nzv", "corr", "conditionalX", "keep"
  )
  strange <- setdiff(names(method)[lengths(method) > 0], known)
  if (length(strange)) refuse("caret's preProcess method ", strange[[1]], " has no converter")
  moved <- function(names, template, values) each_column(names, template, v = unname(values))
  bounds <- if (is.null(object$rangeBounds)) c(0, 1) else object$rangeBounds
  width <- (object$ranges[2, ] - object$ranges[1, ]) / (bounds[[2]] - bounds[[1]])
  c(
    drop_step(method$remove),
    each_column(object$invHyperbolicSine, quote(log(x + sqrt(x^2 + 1)))),
    set_step(
      Filter(
        Negate(is.null),
        lapply(stats::setNames(nm = names(object$bc)), function(name) caret_box_cox(name, object$bc[[name]]))
      )
    ),
    caret_yeo_johnson(object$yj),
    set_step(
      Filter(
        Negate(is.null),
        lapply(stats::setNames(nm = names(object$et)), function(name) manly_of(name, object$et[[name]]$lambda))
      )
    ),
    if (length(method$range)) each_column(
      method$range, quote((x - low) / width + base),
      low = unname(object$ranges[1, ]), width = unname(width), base = rep(bounds[[1]], length(width))
    ),
    if (length(method$center)) moved(method$center, quote(x - v), object$mean),
    if (length(method$scale)) moved(method$scale, quote(x / v), object$std),
    if (length(method$medianImpute)) impute_step(names(object$median), object$median),
    preprocess_rotation(object)
  )
}

caret_box_cox <- function(name, box) {
  x <- as.name(name)
  lambda <- box$lambda
  if (is.na(lambda) || abs(lambda - 1) < box$fudge) return(NULL)
  if (abs(lambda) < box$fudge) bquote(log(.(x))) else bquote((.(x)^.(lambda) - 1) / .(lambda))
}

caret_yeo_johnson <- function(found) {
  if (!length(found)) return(list())
  lambda <- utils::getFromNamespace("get_yj_lambda", "caret")(found)
  lambda <- lambda[!is.na(lambda)]
  set_step(stats::setNames(lapply(names(lambda), function(name) yeo_johnson(name, lambda[[name]])), names(lambda)))
}

manly_of <- function(name, lambda) {
  if (is.na(lambda) || lambda == 0) return(NULL)
  bquote((exp(.(as.name(name)) * .(lambda)) - 1) / .(lambda))
}

preprocess_rotation <- function(object) {
  method <- object$method
  signed <- method$spatialSign
  made <- character()
  steps <- list()
  if (length(method$pca)) {
    made <- if (ncol(object$rotation) == 1) "PC1" else colnames(object$rotation)
    if (any(object$wildcards$PCA == "spatialSign")) signed <- c(signed, made)
    gone <- setdiff(method$pca, if (is.null(method$keep)) method$spatialSign else method$keep)
    steps <- c(rotate_step(method$pca, object$rotation, made), drop_step(gone))
  }
  if (length(signed)) steps <- c(steps, sign_step(signed, TRUE, .Machine$double.eps))
  steps
}

# The columns of the object; it leaves others unchanged.
preprocess_columns <- function(object) {
  if (is.vector(object$method) && !is.list(object$method)) {
    object <- utils::getFromNamespace("convert_method", "caret")(object)
  }
  method <- object$method[setdiff(names(object$method), c("ignore", "remove", "keep"))]
  setdiff(unique(unlist(method, use.names = FALSE)), if (length(object$method$pca)) colnames(object$rotation))
}
