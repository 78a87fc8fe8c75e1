# Preprocessing steps that compute columns from columns, as in caret's preProcess and recipes.

# Columns set to expressions on the current columns; `expressions`: R's own, by the column that they set.
set_step <- function(expressions, where = NULL) {
  if (!length(expressions)) return(list())
  values <- lapply(unname(expressions), expression_of, where, names(expressions))
  list(
    list(
      op = "set", values = lapply(seq_along(values), function(i) list(names = names(expressions)[[i]], x = values[[i]]))
    )
  )
}

# One expression per column, made from the column's name (`x`) and its numbers.
each_column <- function(names, template, ...) {
  numbers <- list(...)
  expressions <- lapply(stats::setNames(seq_along(names), names), function(i) {
    eval(call("substitute", template, c(list(x = as.name(names[[i]])), lapply(numbers, function(n) n[[i]]))))
  })
  set_step(expressions)
}

impute_step <- function(names, numbers) each_column(names, quote(ifelse(is.na(x), v, x)), v = unname(numbers))

drop_step <- function(names) if (length(names)) list(list(op = "drop", names = names)) else list()

keep_step <- function(names) list(list(op = "keep", names = names))

rotate_step <- function(names, rotation, made) {
  list(list(op = "rotate", names = names, rotation = unname(as.matrix(rotation)), made = made))
}

sign_step <- function(names, skip, least) list(list(op = "sign", names = names, skip = skip, least = least))

yeo_johnson <- function(name, lambda, eps = 0.001) {
  x <- as.name(name)
  high <- if (abs(lambda) < eps) bquote(log(.(x) + 1)) else bquote(((.(x) + 1)^.(lambda) - 1) / .(lambda))
  low <- if (abs(lambda - 2) < eps) bquote(-log(-.(x) + 1)) else bquote(
    -((-.(x) + 1)^.(2 - lambda) - 1) / .(2 - lambda)
  )
  bquote(ifelse(.(x) < 0, .(low), .(high)))
}
