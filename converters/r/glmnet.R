# glmnet and cv.glmnet: linear predictors at one penalty, interpolated along the path as in predict(), or at all.

GLMNET_LINKS <- list(
  elnet = "identity", mrelnet = "identity", fishnet = "exp", coxnet = "exp", lognet = "logit", multnet = "shares"
)

export_glmnet <- function(model, training) {
  fit <- path_of_glmnet(model)
  if (isTRUE(as.logical(fit$offset))) {
    refuse("the model was fitted with an offset, and predict() then requires newoffset, not a column: fit without it")
  }
  if (isTRUE(as.logical(training$argument("exact", FALSE)))) {
    refuse("exact = TRUE fits the model again, which needs its training data: fit at that penalty yourself")
  }
  tables <- tables_of_glmnet(model, training)
  classes <- classes_of_glmnet(fit, ncol(tables[[1]]))
  c(matrix_columns(columns_of_glmnet(fit)), list(
    task = if (is.null(classes)) "regressor" else "classifier", classes = classes,
    intercept = !inherits(fit, "coxnet"), link = link_of_glmnet(fit), tables = lapply(unname(tables), table_of_glmnet)
  ))
}

path_of_glmnet <- function(model) if (inherits(model, "cv.glmnet")) model$glmnet.fit else model

columns_of_glmnet <- function(fit) {
  names_or_places(rownames(if (is.list(fit$beta)) fit$beta[[1]] else fit$beta), fit$dim[[1]])
}

link_of_glmnet <- function(fit) {
  if (inherits(fit, "glmnetfit")) return(paste0("family ", fit$family$link))
  GLMNET_LINKS[[intersect(class(fit), names(GLMNET_LINKS))]]
}

number_or_name <- function(given) {
  number <- suppressWarnings(as.double(given))
  if (is.null(given) || anyNA(number)) given else number
}

# A number or several; NULL: the whole path.
penalty_of <- function(model, training) {
  cross <- inherits(model, "cv.glmnet")
  s <- training$argument("s", if (cross) "lambda.1se")
  if (is.null(s)) return(NULL)
  s <- number_or_name(s)
  if (is.numeric(s)) return(s)
  chosen <- if (inherits(model, "cv.relaxed")) model$relaxed else model
  if (!cross) refuse("the penalty s = ", s[[1]], " is for a cv.glmnet, this is a ", class(model)[[1]], ": use a number")
  if (!s[[1]] %in% c("lambda.1se", "lambda.min")) {
    refuse("the penalty s = ", s[[1]], " must be a number, lambda.1se or lambda.min")
  }
  chosen[[s[[1]]]]
}

# The fraction of the shrunken coefficients in a relaxed fit; NULL for one that is not relaxed.
share_of_shrunken <- function(model, training) {
  if (!inherits(path_of_glmnet(model), "relaxed")) return(NULL)
  if (!inherits(model, "cv.relaxed")) return(as.double(training$argument("gamma", 1)))
  s <- training$argument("s", "lambda.1se")
  gamma <- training$argument("gamma", if (identical(s, "lambda.min")) "gamma.min" else "gamma.1se")
  gamma <- number_or_name(gamma)
  if (is.numeric(gamma)) return(gamma)
  if (!gamma %in% c("gamma.1se", "gamma.min")) refuse("gamma = ", gamma, " must be a number, gamma.1se or gamma.min")
  model$relaxed[[gamma]]
}

# The coefficients, with one column per penalty; several tables where a row has several predictions at each.
tables_of_glmnet <- function(model, training) {
  gamma <- share_of_shrunken(model, training)
  if (length(gamma) > 1) refuse("with several values of gamma each row has a table of predictions: use one")
  asked <- list(path_of_glmnet(model), s = penalty_of(model, training), gamma = gamma, type = "coefficients")
  tables <- do.call(stats::predict, asked[!vapply(asked, is.null, TRUE)])
  if (is.list(tables)) tables else list(tables)
}

# NULL where the prediction is a number: the probability of the second class, on the whole path.
classes_of_glmnet <- function(fit, penalties) {
  if (is.list(fit$beta) && penalties > 1) {
    refuse("at ", penalties, " penalties each row has a table of predictions: choose one (the argument s of predict)")
  }
  if (inherits(fit, "multnet") && is.null(fit$classnames)) return(as.character(seq_along(fit$beta)))
  if (inherits(fit, "multnet")) return(fit$classnames)
  if (inherits(fit, "lognet") && penalties == 1) fit$classnames
}

# `stored`: where the sparse matrix stores a number; missing cells elsewhere are ignored.
table_of_glmnet <- function(table) {
  sparse <- methods::as(table, "CsparseMatrix")
  stored <- matrix(FALSE, sparse@Dim[[1]], sparse@Dim[[2]])
  stored[cbind(sparse@i + 1L, rep(seq_len(sparse@Dim[[2]]), diff(sparse@p)))] <- TRUE
  list(values = unname(as.matrix(table)), stored = stored)
}

predict_glmnet <- function(model, rows, training) {
  fit <- path_of_glmnet(model)
  x <- matrix_of_columns(rows, columns_of_glmnet(fit))
  given <- list(s = number_or_name(training$argument("s")), gamma = number_or_name(training$argument("gamma")))
  given <- given[!vapply(given, is.null, TRUE)]
  asked <- function(type) do.call(stats::predict, c(list(model, newx = x, type = type), given))
  classes <- classes_of_glmnet(fit, ncol(tables_of_glmnet(model, training)[[1]]))
  answer <- unname(matrix(asked("response"), nrow(x)))
  if (is.null(classes)) return(list(prediction = if (ncol(answer) == 1) answer[, 1] else answer))
  if (ncol(answer) == 1) answer <- cbind(1 - answer, answer)
  list(label = as.character(asked("class")), probabilities = answer)
}

family(
  "glmnet",
  c(
    "elnet glmnet", "lognet glmnet", "fishnet glmnet", "multnet glmnet", "mrelnet glmnet", "coxnet glmnet",
    "glmnetfit glmnet", "relaxed elnet glmnet", "relaxed lognet glmnet", "relaxed fishnet glmnet",
    "relaxed multnet glmnet", "relaxed mrelnet glmnet", "relaxed coxnet glmnet", "relaxed glmnetfit glmnet",
    "cv.glmnet", "cv.relaxed cv.glmnet"
  ),
  export_glmnet, predict_glmnet, "glmnet"
)
