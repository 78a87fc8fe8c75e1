# Prepped recipes as steps on columns.

# `inputs`; `steps`; `names`: the resulting predictors, in order.
recipe_form <- function(recipe) {
  if (any(!vapply(recipe$steps, function(step) isTRUE(step$trained), TRUE))) {
    refuse("the recipe is not trained: run prep() on it")
  }
  info <- recipe$var_info
  used <- unique(info$variable[info$role %in% "predictor"])
  inputs <- lapply(used, function(name) recipe_input(name, recipe, unlist(info$type[match(name, info$variable)])))
  state <- list(sample = recipe_sample(inputs), steps = list())
  for (step in recipe$steps) if (!isTRUE(step$skip)) state <- recipe_step(step, state)
  names <- recipe$term_info$variable[recipe$term_info$role %in% "predictor"]
  if (!all(names %in% names(state$sample))) refuse("the recipe creates columns in a way that has no converter")
  list(
    inputs = lapply(inputs, opened, state$steps), steps = c(state$steps, keep_step(names)), names = names,
    made = state$sample[names]
  )
}

# An unknown level is missing to a step that makes indicators, or becomes what a step declares. To others it has a
# position among the levels that depends on the frame.
opened <- function(input, steps) {
  for (step in steps) {
    if (identical(step$name, input$name)) {
      if (step$op == "relevel" || !identical(step$made, input$name)) input$open <- TRUE
      break
    }
  }
  input
}

recipe_input <- function(name, recipe, type) {
  known <- recipe$orig_lvls[[name]]
  if (!is.null(known$values) && !anyNA(known$values)) {
    return(list(name = name, type = if (isTRUE(known$ordered)) "ordered" else "factor", levels = known$values))
  }
  if ("logical" %in% type) return(list(name = name, type = "logical"))
  if (!any(c("numeric", "double", "integer") %in% type)) {
    refuse(
      "the recipe reads the column ", name, " of type ", paste(type, collapse = "/"), ", which has no converter"
    )
  }
  list(name = name, type = "double")
}

# Two arbitrary rows, baked beside the steps: they show how columns are called, and which levels a factor has.
recipe_sample <- function(inputs) {
  columns <- lapply(inputs, function(input) {
    switch(input$type,
      double = c(0.5, 0.25), logical = c(TRUE, FALSE),
      factor(input$levels[c(1, 1)], input$levels, ordered = input$type == "ordered")
    )
  })
  names(columns) <- vapply(inputs, function(input) input$name, "")
  tibble::as_tibble(columns)
}

recipe_step <- function(step, state) {
  kind <- class(step)[[1]]
  made <- RECIPE_STEPS[[kind]]
  if (is.null(made)) {
    refuse(
      "the recipe's ", kind, "() has no converter; supported: ", paste(
        sort(names(RECIPE_STEPS)), collapse = ", "
      )
    )
  }
  after <- tryCatch(
    recipes::bake(step, new_data = state$sample),
    error = function(e) refuse("the recipe's ", kind, "(): ", conditionMessage(e))
  )
  steps <- made(step, state$sample, after)
  gone <- setdiff(names(state$sample), names(after))
  list(sample = after, steps = c(state$steps, steps, drop_step(gone)))
}

new_columns <- function(before, after) setdiff(names(after), names(before))

# The new level for each old level, for a missing cell and for an unknown level: positions, -1:
# missing.
relevel_step <- function(name, before, after, mapped, missing = NA, unknown = NA) {
  new <- levels(after[[name]])
  places <- match(c(mapped(levels(before[[name]])), missing, unknown), new) - 1L
  places[is.na(places)] <- -1L
  list(list(op = "relevel", name = name, levels = new, places = places))
}

removed <- function(step, before, after) list()

one_each <- function(columns, made) set_step(
  lapply(stats::setNames(nm = unname(columns)), function(name) made(as.name(name)))
)

RECIPE_STEPS <- list(
  step_center = function(step, before, after) each_column(names(step$means), quote(x - v), v = unname(step$means)),
  step_scale = function(step, before, after) each_column(names(step$sds), quote(x / v), v = unname(step$sds)),
  step_normalize = function(step, before, after) {
    each_column(names(step$means), quote((x - m) / s), m = unname(step$means), s = unname(step$sds[names(step$means)]))
  },
  step_range = function(step, before, after) {
    low <- step$ranges["mins", ]
    width <- step$ranges["maxs", ] - low
    template <- bquote((x - low) * .(step$max - step$min) / width + .(step$min))
    if (!isFALSE(step$clipping)) template <- bquote(pmin(pmax(.(template), .(step$min)), .(step$max)))
    each_column(colnames(step$ranges), template, low = unname(low), width = unname(width))
  },
  step_log = function(step, before, after) {
    log_of <- function(x) if (step$base == exp(1)) bquote(log(.(x))) else bquote(log(.(x), .(step$base)))
    offset <- if (is.null(step$offset)) 0 else step$offset
    one_each(step$columns, function(x) {
      if (isTRUE(step$signed)) bquote(ifelse(abs(.(x)) < 1, 0, sign(.(x)) * .(log_of(bquote(abs(.(x)))))))
      else log_of(bquote(.(x) + .(offset)))
    })
  },
  step_sqrt = function(step, before, after) one_each(step$columns, function(x) bquote(sqrt(.(x)))),
  step_inverse = function(step, before, after) one_each(step$columns, function(x) bquote(1 / (.(x) + .(step$offset)))),
  step_logit = function(step, before, after) {
    one_each(step$columns, function(x) {
      inside <- bquote(ifelse(.(x) == 1, .(x) - .(step$offset), .(x)))
      inside <- bquote(ifelse(.(inside) == 0, .(step$offset), .(inside)))
      bquote(log(.(inside) / (1 - .(inside))))
    })
  },
  step_invlogit = function(step, before, after) {
    least <- .Machine$double.eps / (1 + .Machine$double.eps)
    most <- (1 / .Machine$double.eps) / (1 + 1 / .Machine$double.eps)
    one_each(
      step$columns,
      function(x) bquote(ifelse(.(x) < -30, .(least), ifelse(.(x) > 30, .(most), exp(.(x)) / (1 + exp(.(x))))))
    )
  },
  step_BoxCox = function(step, before, after) {
    lambda <- step$lambdas[!is.na(step$lambdas)]
    set_step(lapply(stats::setNames(nm = names(lambda)), function(name) {
      x <- as.name(name)
      power <- unname(lambda[[name]])
      if (abs(power) < 0.001) bquote(log(.(x))) else bquote((.(x)^.(power) - 1) / .(power))
    }))
  },
  step_YeoJohnson = function(step, before, after) {
    lambda <- step$lambdas[!is.na(step$lambdas)]
    set_step(lapply(stats::setNames(nm = names(lambda)), function(name) yeo_johnson(name, unname(lambda[[name]]))))
  },
  step_hyperbolic = function(step, before, after) {
    name <- if (step$inverse) paste0("a", step$func) else step$func
    one_each(step$columns, function(x) call(name, x))
  },
  step_poly = function(step, before, after) recipe_basis(step, before, after, "poly"),
  step_ns = function(step, before, after) recipe_basis(step, before, after, "ns"),
  step_bs = function(step, before, after) recipe_basis(step, before, after, "bs"),
  step_dummy = function(step, before, after) recipe_dummies(step, before),
  step_ordinalscore = function(step, before, after) {
    if (!identical(step$convert, as.numeric)) {
      refuse("the recipe's step_ordinalscore() uses a custom function, which has no converter")
    }
    lapply(unname(step$columns), function(name) {
      list(op = "dummy", name = name, made = name, table = matrix(as.double(seq_along(levels(before[[name]])))))
    })
  },
  step_impute_mean = function(step, before, after) impute_step(names(step$means), unlist(step$means)),
  step_impute_median = function(step, before, after) impute_step(names(step$medians), unlist(step$medians)),
  step_impute_mode = function(step, before, after) {
    unlist(
      lapply(
        names(step$modes), function(name) relevel_step(name, before, after, identity, missing = step$modes[[name]])
      ),
      FALSE
    )
  },
  step_pca = function(step, before, after) {
    if (!length(step$res$rotation) || anyNA(step$res$rotation)) return(list())
    found <- rotate_step(
      rownames(step$res$rotation), step$res$rotation[, seq_len(step$num_comp), drop = FALSE], new_columns(before, after)
    )
    if (!isFALSE(step$res$center)) found[[1]]$center <- as.double(step$res$center)
    if (!isFALSE(step$res$scale)) found[[1]]$scale <- as.double(step$res$scale)
    found
  },
  step_interact = function(step, before, after) recipe_products(step, before, after),
  step_ratio = function(step, before, after) {
    columns <- step$columns
    values <- lapply(
      seq_len(nrow(columns)), function(i) bquote(.(as.name(columns$top[[i]])) / .(as.name(columns$bottom[[i]])))
    )
    set_step(stats::setNames(values, new_columns(before, after)))
  },
  step_relu = function(step, before, after) {
    values <- lapply(unname(step$columns), function(name) {
      moved <- if (step$reverse) bquote(.(step$shift) - .(as.name(name))) else bquote(.(as.name(name)) - .(step$shift))
      if (step$smooth) bquote(log1p(exp(.(moved)))) else bquote(pmax(.(moved), 0))
    })
    set_step(stats::setNames(values, paste0(step$prefix, step$columns)))
  },
  step_mutate = function(step, before, after) {
    known <- names(before)
    found <- list()
    for (name in names(step$inputs)) {
      value <- expression_of(rlang::quo_get_expr(step$inputs[[name]]), rlang::quo_get_env(step$inputs[[name]]), known)
      found <- c(found, list(list(op = "set", values = list(list(names = name, x = value)))))
      known <- union(known, name)
    }
    found
  },
  step_rm = removed, step_zv = removed, step_nzv = removed, step_corr = removed, step_lincomb = removed,
  step_filter_missing = removed, step_unorder = removed,
  step_select = function(step, before, after) {
    if (length(new_columns(before, after))) {
      refuse("the recipe's step_select() renames columns, which has no converter")
    }
    keep_step(names(after))
  },
  step_novel = function(step, before, after) {
    unlist(
      lapply(names(step$objects), function(name) relevel_step(name, before, after, identity, unknown = step$new_level)),
      FALSE
    )
  },
  step_unknown = function(step, before, after) {
    unlist(
      lapply(names(step$objects), function(name) relevel_step(name, before, after, identity, missing = step$new_level)),
      FALSE
    )
  },
  step_other = function(step, before, after) {
    kept <- Filter(function(name) step$objects[[name]]$collapse, names(step$objects))
    unlist(lapply(kept, function(name) {
      rest <- step$objects[[name]]$other
      mapped <- function(old) ifelse(old %in% step$objects[[name]]$keep, old, rest)
      relevel_step(name, before, after, mapped, unknown = rest)
    }), FALSE)
  },
  step_spatialsign = function(step, before, after) {
    if (isTRUE(step$case_weights)) refuse("the recipe's step_spatialsign() with case weights has no converter")
    sign_step(unname(step$columns), isTRUE(step$na_rm), -1)
  }
)

# Polynomials and splines, with the step's fitted coefficients and knots; the new columns of each in order.
recipe_basis <- function(step, before, after, kind) {
  made <- new_columns(before, after)
  values <- list()
  for (name in names(step$objects)) {
    object <- step$objects[[name]]
    own <- made[seq_len(ncol(object)) + sum(lengths(lapply(values, function(v) v$names)))]
    values <- c(values, list(list(names = own, x = recipe_curve(as.name(name), object, kind))))
  }
  if (length(values)) list(list(op = "set", values = values)) else list()
}

recipe_curve <- function(x, object, kind) {
  given <- attributes(object)
  column <- list(op = "column", name = as.character(x))
  if (kind == "poly") {
    coefs <- given$coefs
    if (is.null(coefs)) return(list(op = "powers", x = column, degree = as.double(max(given$degree))))
    return(list(op = "poly", x = column, alpha = as.double(coefs$alpha), norm2 = as.double(coefs$norm2)))
  }
  e <- as.call(c(as.name(kind), list(
    x, knots = as.double(given$knots), Boundary.knots = as.double(given$Boundary.knots), intercept = isTRUE(
      given$intercept
    )
  ), if (kind == "bs") list(degree = given$degree)))
  found <- pieces_of(e, NULL, as.character(x), kind)
  found$ends <- tryCatch(
    suppressWarnings(unclass(stats::predict(object, c(-Inf, Inf)))[, , drop = FALSE]), error = function(e) NULL
  )
  found
}

# The step's own result for each level.
recipe_dummies <- function(step, before) {
  lapply(names(step$levels), function(name) {
    alone <- step
    alone$levels <- step$levels[name]
    values <- attr(step$levels[[name]], "values")
    column <- factor(values, levels = values, ordered = is.ordered(before[[name]]))
    found <- recipes::bake(alone, new_data = tibble::as_tibble(stats::setNames(list(column), name)))
    table <- as.matrix(found[setdiff(names(found), name)])
    list(
      op = "dummy", name = name, made = colnames(table),
      table = unname(table[match(levels(before[[name]]), values), , drop = FALSE])
    )
  })
}

recipe_products <- function(step, before, after) {
  made <- new_columns(before, after)
  products <- list()
  for (tt in step$objects) {
    factors <- attr(stats::terms(tt), "factors")
    for (j in which(colSums(factors > 0) > 1)) {
      names <- all.vars(str2lang(paste(rownames(factors)[factors[, j] > 0], collapse = "+")))
      plain <- vapply(before[names], function(column) is.numeric(column), TRUE)
      if (!all(plain)) {
        refuse(
          "the recipe's step_interact() of the factor ", names[!plain][[1]],
          " has no converter: put step_dummy() before it"
        )
      }
      products <- c(products, list(Reduce(function(a, b) bquote(.(a) * .(b)), lapply(names, as.name))))
    }
  }
  if (length(products) != length(made)) {
    refuse("the recipe's step_interact() creates columns in a way that has no converter")
  }
  set_step(stats::setNames(products, made))
}
