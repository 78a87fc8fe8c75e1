# The right-hand side of a formula, as far as it is row-wise: variables, contrasts, terms, offsets.

ROWWISE <- c(
  "+", "-", "*", "/", "^", "(", "I", "log", "log2", "log10", "log1p", "exp", "expm1", "sqrt", "abs", "sin", "cos", "tan",
  "asin", "acos", "atan", "sinh", "cosh", "tanh", "floor", "ceiling", "trunc", "round", "sign", "<", "<=", ">", ">=",
  "==", "!=", "!", "&", "|", "ifelse", "pmin", "pmax", "%%", "%/%", "as.numeric", "as.double", "as.integer", "as.logical",
  "offset", "is.na", "%in%", "cbind"
)
FRAMEWISE <- c("mean", "sd", "var", "median", "rank", "order", "cumsum", "cumprod", "diff", "lag", "min", "max", "sum",
  "quantile", "ave", "rev", "sort", "prod", "range", "cummax", "cummin")

number <- function(value) list(op = "number", value = as.double(value))

# An expression on columns, with all constants in it; `where`: the formula's environment.
expression_of <- function(e, where, columns = character()) {
  if (is.symbol(e)) return(symbol_of(as.character(e), where, columns))
  if (is.numeric(e) || is.logical(e)) return(number(e))
  if (is.character(e)) return(list(op = "text", value = e))
  if (!is.call(e)) refuse("the formula contains ", said(e), ", which is not an expression on columns")
  name <- called(e)
  special <- SPECIAL[[name]]
  if (!is.null(special)) return(special(e, where, columns))
  if (name %in% FRAMEWISE) {
    refuse("the term ", said(e), " depends on all rows of a frame, so a row's prediction differs between frames")
  }
  fixed <- constant(e, where, columns)
  if (!is.null(fixed)) return(fixed)
  if (!name %in% ROWWISE) refuse("the term ", said(e), " uses the function ", name, "(), which has no converter")
  list(op = "call", name = name, args = lapply(unname(as.list(e)[-1]), expression_of, where, columns))
}

# The name of the called function, without its package.
called <- function(e) {
  f <- e[[1]]
  if (is.call(f) && as.character(f[[1]]) %in% c("::", ":::")) f <- f[[3]]
  if (!is.symbol(f)) refuse("the term ", said(e), " calls something that is not a named function")
  as.character(f)
}

# A symbol is a column, unless the formula's environment has a single number of that name.
symbol_of <- function(name, where, columns) {
  if (!name %in% columns && is.environment(where) && exists(name, envir = where)) {
    value <- get(name, envir = where)
    if ((is.numeric(value) || is.logical(value)) && length(value) == 1 && is.null(dim(value))) return(number(value))
  }
  list(op = "column", name = name)
}

# A call on constants only, such as c(1, 2) or 10^-3.
constant <- function(e, where, columns) {
  free <- all.vars(e)
  if (any(vapply(free, function(v) identical(symbol_of(v, where, columns)$op, "column"), TRUE))) return(NULL)
  value <- tryCatch(eval(e, if (is.environment(where)) where else baseenv()), error = function(error) NULL)
  if (is.numeric(value) || is.logical(value)) number(value)
  else if (is.character(value)) list(op = "text", value = value)
}

constant_argument <- function(e, name, where) {
  if (is.null(e[[name]])) return(NULL)
  eval(e[[name]], if (is.environment(where)) where else baseenv())
}

frozen <- function(e, name, where) {
  value <- constant_argument(e, name, where)
  if (is.null(value)) {
    refuse("the term ", said(e), " is fitted again on every frame: its ", name, " is not stored in the model")
  }
  value
}

SPECIAL <- list(
  poly = function(e, where, columns) {
    e <- match.call(stats::poly, e, expand.dots = FALSE)
    if (!all(vapply(e$..., is.numeric, TRUE))) refuse("the term ", said(e), ": poly() of several columns has no converter")
    if (isTRUE(constant_argument(e, "raw", where))) {
      degree <- if (length(e$...)) e$...[[1]] else constant_argument(e, "degree", where)
      if (is.null(degree)) degree <- 1
      return(list(op = "powers", x = expression_of(e$x, where, columns), degree = as.double(degree)))
    }
    coefs <- frozen(e, "coefs", where)
    list(op = "poly", x = expression_of(e$x, where, columns), alpha = as.double(coefs$alpha), norm2 = as.double(coefs$norm2))
  },
  ns = function(e, where, columns) pieces_of(e, where, columns, "ns"),
  bs = function(e, where, columns) pieces_of(e, where, columns, "bs"),
  scale = function(e, where, columns) {
    e <- match.call(base::scale, e)
    list(
      op = "scale", x = expression_of(e$x, where, columns),
      center = as.double(frozen(e, "center", where)), scale = as.double(frozen(e, "scale", where))
    )
  },
  cut = function(e, where, columns) {
    e <- match.call(base::cut.default, e)
    breaks <- frozen(e, "breaks", where)
    if (length(breaks) == 1) {
      refuse("the term ", said(e), " cuts into a number of intervals, which depend on all rows of a frame: fix the breaks")
    }
    list(
      op = "cut", x = expression_of(e$x, where, columns), breaks = sort(as.double(breaks)),
      right = !isFALSE(constant_argument(e, "right", where)), lowest = isTRUE(constant_argument(e, "include.lowest", where))
    )
  },
  factor = function(e, where, columns) recoded(e, where, columns),
  as.factor = function(e, where, columns) recoded(e, where, columns),
  ordered = function(e, where, columns) recoded(e, where, columns),
  as.ordered = function(e, where, columns) recoded(e, where, columns),
  as.character = function(e, where, columns) recoded(e, where, columns),
  # the factor itself: the model stores its contrasts
  C = function(e, where, columns) {
    object <- match.call(stats::C, e)$object
    if (is.symbol(object)) return(expression_of(object, where, columns))
    refuse("the term ", said(e), " stops in predict() where a frame has a single value: create the factor in the frame")
  }
)

# A column that the formula converts to a factor; the model stores its levels.
recoded <- function(e, where, columns) {
  if (!is.null(e$labels)) refuse("the term ", said(e), " sets labels in the formula: create the factor in the frame")
  list(op = "recoded", x = expression_of(e[[2]], where, columns))
}

# ns() and bs() with frozen knots are cubics between them: computed from R's own basis at four points of each piece.
pieces_of <- function(e, where, columns, name) {
  full <- match.call(getExportedValue("splines", name), e)
  inner <- c(frozen(full, "Boundary.knots", where), constant_argument(full, "knots", where))
  degree <- constant_argument(full, "degree", where)
  degree <- if (name == "ns" || is.null(degree)) 3 else degree
  basis <- function(x) {
    full[[1]] <- as.name(name)
    full$x <- x
    suppressWarnings(unclass(eval(full, asNamespace("splines"))))
  }
  outer <- if (name == "ns") 1 else degree
  found <- cubics(basis, sort(unique(as.double(inner))), degree, outer)
  # infinity times 0 is NaN, and which of R's own steps produce one is up to R
  found$ends <- tryCatch(basis(c(-Inf, Inf))[, , drop = FALSE], error = function(e) NULL)
  c(list(op = "pieces", x = expression_of(full$x, where, columns)), found)
}

# Polynomials of `basis` between and beyond `breaks`: their origins and coefficients, piece x power x column.
# `outer`: the degree beyond; a cubic fitted to a line would deviate from it far out.
cubics <- function(basis, breaks, degree = 3, outer = degree) {
  widths <- diff(breaks)
  starts <- c(breaks[[1]] - widths[[1]], breaks)
  widths <- c(widths[[1]], widths, widths[[length(widths)]])
  columns <- ncol(basis(mean(breaks)))
  coefficients <- array(0, c(length(starts), degree + 1, columns))
  for (i in seq_along(starts)) {
    powers <- 0:(if (i %in% c(1, length(starts))) outer else degree)
    u <- (1 - cos((2 * powers + 1) * pi / (2 * length(powers)))) / 2
    values <- basis(starts[[i]] + widths[[i]] * u)
    coefficients[i, powers + 1, ] <- solve(base::outer(u, powers, "^"), values) / widths[[i]]^powers
  }
  list(breaks = breaks, origins = starts, coefficients = coefficients)
}

# The design: `variables` with an expression each, factors with levels and contrasts; `terms`: per term its variables
# (0: not, 1: contrasts, 2: indicators); `offsets`: positions among the variables. `xlevels`, `contrasts`: as stored.
design_of <- function(tt, xlevels, contrasts, training, columns = character()) {
  tt <- stats::delete.response(tt)
  where <- environment(tt)
  plain <- as.list(attr(tt, "variables"))[-1]
  used <- attr(tt, "predvars")
  used <- if (is.null(used)) plain else as.list(used)[-1]
  classes <- attr(tt, "dataClasses")
  factors <- attr(tt, "factors")
  variables <- lapply(seq_along(plain), function(i) {
    name <- said_variable(plain[[i]])
    variable_of(name, used[[i]], unname(classes[name]), xlevels[[name]], contrasts[[name]], where, training, columns)
  })
  inputs <- inputs_of(variables)
  for (input in inputs) {
    if (input$type == "double" && !is.null(training$levels(input$name))) {
      refuse("the formula uses the factor '", input$name, "' as a number, its level's code: make it a numeric column")
    }
  }
  terms <- if (length(factors)) lapply(seq_len(ncol(factors)), function(j) as.integer(factors[, j])) else list()
  list(
    inputs = inputs,
    variables = variables, terms = terms, intercept = attr(tt, "intercept") == 1,
    offsets = as.integer(attr(tt, "offset"))
  )
}

# The variable's name according to terms().
said_variable <- function(e) paste(deparse(e, width.cutoff = 500L, backtick = !is.symbol(e)), collapse = " ")

variable_of <- function(name, e, class, levels, contrast, where, training, columns) {
  expression <- expression_of(e, where, columns)
  categorical <- class %in% c("factor", "ordered", "character", "logical")
  if (!isTRUE(categorical)) return(list(name = name, class = "numeric", expression = expression))
  if (class == "logical") levels <- c("FALSE", "TRUE")
  if (is.null(levels)) levels <- training$levels(name)
  if (is.null(levels)) training$wanted(name)
  matrix <- contrast_matrix(contrast, levels, class == "ordered", where)
  list(name = name, class = class, expression = expression, levels = levels, contrast = matrix)
}

contrast_matrix <- function(contrast, levels, ordered, where) {
  count <- length(levels)
  if (count < 2) return(matrix(0, count, 0))
  if (is.null(contrast)) contrast <- if (ordered) "contr.poly" else "contr.treatment"
  if (is.matrix(contrast)) return(unname(contrast))
  if (is.character(contrast)) contrast <- get(contrast, mode = "function", envir = if (is.environment(where)) where else baseenv())
  unname(as.matrix(contrast(count)))
}

# The columns that the expressions read, once each: text where the column itself is a factor.
inputs_of <- function(variables) {
  found <- list()
  add <- function(input) {
    known <- found[[input$name]]
    if (is.null(input$levels)) input$levels <- known$levels
    if (is.null(known) || known$type == "any") found[[input$name]] <<- input
  }
  walk <- function(e, type, levels = NULL) {
    if (identical(e$op, "column")) add(list(name = e$name, type = type, levels = levels))
    if (!is.null(e$x)) walk(e$x, if (e$op == "recoded") "any" else "double", if (e$op == "recoded") levels)
    for (each in e$args) walk(each, if (identical(e$name, "%in%") || compares_text(e)) "text" else "double")
  }
  for (v in variables) {
    direct <- identical(v$expression$op, "column")
    if (direct && !is.null(v$levels)) {
      type <- if (v$class %in% c("logical", "ordered")) v$class else "factor"
      add(list(name = v$expression$name, type = type, levels = if (type != "logical") v$levels))
    } else walk(v$expression, if (identical(v$class, "logical")) "logical" else "double", v$levels)
  }
  unname(found)
}

compares_text <- function(e) any(vapply(e$args, function(a) identical(a$op, "text"), TRUE))

double_inputs <- function(names) lapply(names, function(name) list(name = name, type = "double"))

merged_inputs <- function(inputs, more) {
  known <- vapply(inputs, function(each) each$name, "")
  c(inputs, Filter(function(each) !each$name %in% known, more))
}
