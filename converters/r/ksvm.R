# kernlab's ksvm: one-vs-one, one-vs-rest and one-class machines, and regressions.

KSVM_PAIRS <- c("C-svc", "nu-svc", "C-bsvc")
KSVM_JOINT <- c("spoc-svc", "kbb-svc")
KSVM_REGRESSIONS <- c("eps-svr", "nu-svr", "eps-bsvr")
KSVM_KERNELS <- c("rbfkernel", "polykernel", "vanillakernel", "tanhkernel", "anovakernel", "splinekernel")

export_ksvm <- function(model, training) {
  kernel <- kernel_of_ksvm(model)
  columns <- columns_of_ksvm(model)
  read <- if (is.null(model@terms)) matrix_columns(columns) else regressors_of_terms(model@terms, NULL, NULL, training)
  classes <- classes_of_ksvm(model)
  machines <- machines_of_ksvm(model)
  c(read, ksvm_scaling(model, length(columns)), list(
    task = if (is.null(classes)) "regressor" else "classifier", classes = classes, type = family_of_ksvm(model),
    kernel = kernel, parameters = if (length(model@kernelf@kpar)) lapply(model@kernelf@kpar, as.double),
    machines = machines,
    slope = if (has_probabilities(model)) vapply(model@prob.model, function(p) p$A, 0),
    offset = if (has_probabilities(model)) vapply(model@prob.model, function(p) p$B, 0)
  ))
}

kernel_of_ksvm <- function(model) {
  kernel <- class(model@kernelf)[[1]]
  if (kernel %in% c("laplacekernel", "besselkernel")) {
    refuse("kernlab rounds distances to 9 digits for its ", kernel, ", so predictions depend on the last bits of the ",
      "machine's own linear algebra: use rbfdot")
  }
  if (!kernel %in% KSVM_KERNELS) {
    known <- paste(KSVM_KERNELS, collapse = ", ")
    refuse("the kernel ", kernel, " of the ksvm has no converter; supported: ", known)
  }
  kernel
}

family_of_ksvm <- function(model) {
  type <- model@type
  if (type %in% KSVM_PAIRS) "pairs"
  else if (type %in% KSVM_JOINT) "joint"
  else if (type %in% KSVM_REGRESSIONS) "regression"
  else if (type == "one-svc") "one"
  else refuse("the type ", type, " of the ksvm has no converter")
}

classes_of_ksvm <- function(model) {
  family <- family_of_ksvm(model)
  if (family == "regression") return(NULL)
  if (family == "one") return(c("FALSE", "TRUE"))
  if (length(model@lev) != model@nclass) {
    refuse("a class had no rows, for which R's own predict() mixes up the classes: fit on droplevels() of the response")
  }
  as.character(model@lev)
}

has_probabilities <- function(model) family_of_ksvm(model) == "pairs" && !is.null(model@prob.model[[1]])

first_vectors <- function(model) if (is.list(model@xmatrix)) model@xmatrix[[1]] else model@xmatrix

columns_of_ksvm <- function(model) {
  vectors <- first_vectors(model)
  if (!is.matrix(vectors) || methods::is(vectors, "kernelMatrix")) {
    refuse("the ksvm was fitted on a kernel matrix or on text, which has no converter: fit it on columns of numbers")
  }
  names_or_places(colnames(vectors), ncol(vectors))
}

ksvm_scaling <- function(model, count) {
  scaling <- model@scaling
  center <- numeric(count)
  width <- rep(1, count)
  if (is.list(scaling) && !is.null(scaling$x.scale)) {
    center[scaling$scaled] <- scaling$x.scale[[1]]
    width[scaling$scaled] <- scaling$x.scale[[2]]
  }
  unit <- if (is.list(scaling) && family_of_ksvm(model) == "regression") scaling$y.scale
  list(center = center, width = width, unit = if (!is.null(unit)) as.double(unlist(unit)))
}

# Per machine its vectors, and per vector a weight in each of its sums; `moved` is added to the sums. The vanilla kernel
# has weights of columns instead, summed as in kernelMult, to the last bit.
machines_of_ksvm <- function(model) {
  plain <- methods::is(model@kernelf, "vanillakernel")
  machine <- function(vectors, weights, moved) {
    weights <- if (plain) crossprod(vectors, weights) else as.matrix(weights)
    list(vectors = if (!plain) unname(vectors), weights = unname(weights), moved = as.double(moved))
  }
  if (model@type == "spoc-svc") return(list(machine(model@xmatrix, spoc_weights(model), numeric(model@nclass))))
  if (model@type == "kbb-svc") {
    weights <- kbb_weights(model)
    return(list(machine(model@xmatrix, weights, colSums(weights))))
  }
  if (!is.list(model@xmatrix)) return(list(machine(model@xmatrix, model@coef, -model@b)))
  lapply(seq_along(model@xmatrix), function(p) machine(model@xmatrix[[p]], model@coef[[p]], -model@b[[p]]))
}

spoc_weights <- function(model) {
  weights <- matrix(0, nrow(model@xmatrix), model@nclass)
  for (i in seq_len(model@nclass)) weights[model@alphaindex[[i]], i] <- model@coef[[i]]
  weights
}

# What predict()'s loops add to and subtract from the votes of each class.
kbb_weights <- function(model) {
  alpha <- as.matrix(model@alpha)
  weights <- matrix(0, nrow(model@xmatrix), model@nclass)
  for (i in seq_len(model@nclass)) {
    own <- model@alphaindex[[i]]
    for (k in (1:i)[-i]) weights[own, k] <- weights[own, k] - alpha[own, k]
    weights[own, i] <- weights[own, i] + rowSums(alpha)[own]
    if (i <= model@nclass - 1) {
      for (k in i:(model@nclass - 1)) weights[own, k + 1] <- weights[own, k + 1] - alpha[own, k]
    }
  }
  weights
}

# R drops rows of a frame with an NA; it predicts those of a matrix from the rows around them.
predict_ksvm <- function(model, rows, training) {
  if (!identical(training$argument("coupler", "minpair"), "minpair")) {
    refuse("the argument coupler of predict() must be minpair: the others have no converter")
  }
  kept <- answered_by_ksvm(model, rows)
  used <- if (any(kept)) rows[kept, , drop = FALSE] else rows_without_holes(rows)
  put_back <- function(table) {
    table <- unname(as.matrix(table))
    found <- if (any(kept)) with_gaps(table, kept) else matrix(table[NA_integer_], length(kept), ncol(table))
    if (ncol(found) == 1) found[, 1] else found
  }
  asked <- function(type) put_back(answers_of_ksvm(model, used, type))
  family <- family_of_ksvm(model)
  if (family == "regression") return(list(prediction = asked("response")))
  label <- asked("response")
  if (family == "joint") return(list(label = as.character(label), votes = asked("votes")))
  found <- list(label = as.character(label))
  if (has_probabilities(model)) found$probabilities <- asked("probabilities")
  c(found, list(decision = asked("decision")))
}

answered_by_ksvm <- function(model, rows) {
  kept <- stats::complete.cases(rows)
  if (is.null(model@terms) || !any(kept)) return(kept)
  tt <- stats::delete.response(model@terms)
  kept[kept] <- stats::complete.cases(stats::model.frame(tt, rows[kept, , drop = FALSE], na.action = stats::na.pass))
  kept
}

# kernlab's spline kernel is wrong from the 257th row of a batch on.
answers_of_ksvm <- function(model, rows, type) {
  if (is.null(model@terms)) rows <- matrix_of_columns(rows, columns_of_ksvm(model))
  starts <- if (methods::is(model@kernelf, "splinekernel")) seq(1, nrow(rows), 256) else 1
  parts <- lapply(starts, function(start) {
    chosen <- if (length(starts) > 1) start:min(start + 255, nrow(rows)) else seq_len(nrow(rows))
    answer <- kernlab::predict(model, rows[chosen, , drop = FALSE], type = type)
    if (type == "votes") t(answer) else if (is.factor(answer)) as.matrix(as.character(answer)) else as.matrix(answer)
  })
  do.call(rbind, parts)
}

family("ksvm", "ksvm", export_ksvm, predict_ksvm, "kernlab")
