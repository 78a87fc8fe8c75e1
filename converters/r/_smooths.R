# mgcv's smooth terms as piecewise polynomials, radial functions and model matrices, computed by mgcv's own code.

# One smooth: `bases`, whose columns' products (the first basis slowest) are weighted and added to `constant`; `by`.
# `linked`: whether the prediction is more than the sum, so that an error of the sum counts in full.
smooth_form <- function(smooth, coefficients, where, linked, frame) {
  own <- coefficients[smooth$first.para:smooth$last.para]
  if (inherits(smooth, c("tensor.smooth", "t2.smooth"))) {
    margins <- lapply(seq_along(smooth$margin), smooth_margin, smooth = smooth, frame = frame, where = where)
    sums <- tensor_weights(smooth, vapply(margins, function(each) each$columns, 0L), own)
    bases <- lapply(margins, basis_form, where, linked, frame)
  } else {
    sums <- raw_weights(smooth, raw_columns(smooth, frame, where), own)
    margin <- list(
      smooth = smooth, matrix = function(data) mgcv::Predict.matrix(smooth, data) %*% sums$weights, columns = 1L,
      constant = 0, each = matrix(sums$weights)
    )
    bases <- list(basis_form(margin, where, linked, frame))
    sums$weights <- 1
  }
  list(
    label = smooth$label, bases = bases, weights = as.double(sums$weights), constant = sums$constant,
    by = smooth_multiplier(smooth, where, frame)
  )
}

smooth_multiplier <- function(smooth, where, frame) {
  if (smooth$by == "NA") return(NULL)
  if (is.null(smooth$by.level)) return(list(x = expression_of(str2lang(smooth$by), where)))
  list(name = smooth$by, level = match(smooth$by.level, levels(frame[[smooth$by]])) - 1)
}

# predict()'s other uses of a smooth's columns: rows of arbitrary numbers in place of the basis.
Predict.matrix.rows_given <- function(object, data) object$rows

given <- function(smooth, rows) {
  smooth$rows <- rows
  smooth$by <- "NA"
  class(smooth) <- "rows_given"
  smooth
}

no_data <- function(smooth, count) as.data.frame(
  stats::setNames(lapply(smooth$term, function(name) rep(0, count)), smooth$term), optional = TRUE
)

# The constraints and the coefficients of a smooth as weights of its basis's columns, and a constant.
raw_weights <- function(smooth, columns, coefficients) {
  rows <- rbind(0, diag(columns))
  found <- drop(mgcv::PredictMat(given(smooth, rows), no_data(smooth, nrow(rows))) %*% coefficients)
  list(constant = found[[1]], weights = found[-1] - found[[1]])
}

tensor_weights <- function(smooth, columns, coefficients) {
  count <- length(columns)
  grid <- as.matrix(expand.grid(rev(lapply(columns, seq_len))))[, rev(seq_len(count)), drop = FALSE]
  smooth$margin <- lapply(seq_len(count), function(i) {
    given(smooth$margin[[i]], rbind(0, diag(columns[[i]])[grid[, i], , drop = FALSE]))
  })
  smooth$mc <- rep(FALSE, count)
  smooth$XP <- NULL
  if (!is.null(smooth$P)) smooth$P <- lapply(columns, diag)
  smooth$by <- "NA"
  found <- drop(mgcv::PredictMat(smooth, no_data(smooth, nrow(grid) + 1)) %*% coefficients)
  list(constant = found[[1]], weights = found[-1] - found[[1]])
}

# A margin of a tensor product with everything that predict() applies to it: `matrix` of data; `each`, `constant`: the
# factors of its basis's columns, and what is added.
smooth_margin <- function(smooth, i, frame, where) {
  margin <- smooth$margin[[i]]
  raw <- raw_columns(margin, frame, where)
  made <- function(margin, data, count) {
    if (inherits(smooth, "t2.smooth")) return(mgcv::Predict.matrix(margin, data) %*% smooth$P[[i]])
    found <- if (isTRUE(smooth$mc[[i]])) mgcv::PredictMat(margin, data, n = count) else mgcv::Predict.matrix(
      margin, data
    )
    after <- if (i <= length(smooth$XP)) smooth$XP[[i]]
    if (is.null(after)) found else found %*% after
  }
  rows <- rbind(0, diag(raw))
  each <- unclass(made(given(margin, rows), no_data(margin, raw + 1), raw + 1))
  list(
    smooth = margin, matrix = function(data) unclass(made(margin, data, length(data[[1]]))), columns = ncol(each),
    constant = each[1, ], each = sweep(each[-1, , drop = FALSE], 2, each[1, ])
  )
}

# The number of columns of a basis, before any constraint.
raw_columns <- function(smooth, frame, where) {
  some <- utils::head(frame)
  data <- lapply(stats::setNames(nm = smooth$term), function(term) {
    if (is.null(some[[term]])) eval(str2lang(term), some, where) else some[[term]]
  })
  ncol(mgcv::Predict.matrix(smooth, data))
}

# The basis of one margin, or of a univariate smooth.
basis_form <- function(margin, where, linked, frame) {
  smooth <- margin$smooth
  if (inherits(smooth, "random.effect")) return(effects_form(margin, frame))
  if (inherits(smooth, c("tprs.smooth", "ts.smooth")) && smooth$dim > 1) return(radial_form(margin, where, linked))
  ends <- pieces_ends(smooth)
  values <- function(x) margin$matrix(stats::setNames(list(x), smooth$term))
  pieces <- smooth_pieces(values, ends)
  if (!is.null(ends$order)) pieces <- plate_beyond(pieces, margin, ends$order)
  c(
    list(kind = "pieces", x = expression_of(str2lang(smooth$term), where), wrap = ends$wrap),
    pieces, pieces_limits(smooth, values, pieces, ends, linked)
  )
}

# The breaks of a basis's polynomials, their degree between and beyond; `wrap`: the ends of a period.
pieces_ends <- function(smooth) {
  if (length(smooth$deriv) && any(smooth$deriv != 0)) {
    refuse("the derivative of a smooth, ", smooth$label, ", has no converter")
  }
  kind <- sub("[.]smooth.*", "", class(smooth)[[1]])
  switch(kind,
    cr = , cs = list(breaks = sort(as.double(smooth$xp)), degree = 3, outer = 1),
    cyclic = list(breaks = sort(as.double(smooth$xp)), degree = 3, wrap = range(smooth$xp)),
    pspline = bspline_ends(smooth$knots, smooth$m[[1]] + 1),
    Bspline = bspline_ends(smooth$knots, smooth$m[[1]]),
    cpspline = list(breaks = sort(as.double(smooth$knots)), degree = smooth$m[[1]] + 1, wrap = range(smooth$knots)),
    tprs = , ts = plate_ends(smooth),
    refuse(
      "the smooth ", smooth$label, " has a basis of class ", class(smooth)[[1]], ", without converter; supported: cr, ",
      "cs, cc, ps, bs, cp, re, tp and ts, and te, ti and t2 of them"
    )
  )
}

bspline_ends <- function(knots, degree) {
  list(breaks = unique(as.double(knots[(degree + 1):(length(knots) - degree)])), degree = degree, outer = 1)
}

# A one-dimensional plate is a spline between its knots and a polynomial beyond, whose coefficients are sums.
plate_ends <- function(smooth) {
  order <- plate_order(smooth)
  list(breaks = sort(unique(as.double(smooth$Xu) + as.double(smooth$shift))), degree = 2 * order - 1, order = order)
}

plate_beyond <- function(pieces, margin, order) {
  smooth <- margin$smooth
  sums <- plate_sums(margin)
  knots <- as.double(smooth$Xu)
  high <- 2 * order - 1
  for (side in c(-1, 1)) {
    place <- if (side < 0) 1 else length(pieces$origins)
    at <- if (side < 0) pieces$breaks[[1]] else pieces$breaks[[length(pieces$breaks)]]
    local <- at - as.double(smooth$shift)
    found <- matrix(0, high + 1, ncol(sums$weights))
    for (power in 0:(order - 1)) {
      factor <- side^high * plate_constant(order, 1) * choose(high, power)
      found[power + 1, ] <- factor * colSums(
        (local - knots)^(high - power) * sums$weights[seq_along(knots), , drop = FALSE]
      )
      for (i in power:(order - 1)) {
        slope <- sums$weights[length(knots) + i + 1, ]
        found[power + 1, ] <- found[power + 1, ] + choose(i, power) * local^(i - power) * slope
      }
    }
    found[1, ] <- found[1, ] + sums$constant
    pieces$origins[[place]] <- at
    pieces$coefficients[place, , ] <- found
  }
  pieces
}

# The margin's weights of each knot and each polynomial, and its constant. Where requested, mgcv omits the columns of
# the null space, and then subtracts means from the others.
plate_sums <- function(margin) {
  smooth <- margin$smooth
  kept <- smooth$UZ[, seq_len(nrow(margin$each)), drop = FALSE]
  dropped <- if (is.null(smooth$drop.null) || smooth$drop.null == 0) 0 else drop(smooth$cmX %*% margin$each)
  list(weights = kept %*% margin$each, constant = margin$constant - dropped)
}

# The order of the derivatives; mgcv's default is the smallest that makes the result smooth.
plate_order <- function(smooth) {
  order <- smooth$p.order[[1]]
  if (2 * order > smooth$dim) order else ceiling((smooth$dim + 2) / 2)
}

plate_constant <- function(order, dimensions) {
  if (dimensions %% 2 == 0) {
    half <- dimensions / 2
    (-1)^(order + 1 + half) / (2^(2 * order - 1) * pi^half * factorial(order - 1) * factorial(order - half))
  } else gamma(dimensions / 2 - order) / (2^(2 * order) * pi^(dimensions / 2) * factorial(order - 1))
}

# Polynomials of `values` (their origins and coefficients, piece x power x column) between and beyond the breaks.
smooth_pieces <- function(values, ends) {
  breaks <- ends$breaks
  widths <- diff(breaks)
  # beyond the breaks, a line is measured over a long distance
  far <- 16 * sum(widths)
  starts <- c(breaks[[1]] - far, breaks)
  widths <- c(far, widths, far)
  columns <- ncol(values(breaks[1:2]))
  coefficients <- array(0, c(length(starts), ends$degree + 1, columns))
  last <- length(starts)
  between <- powers_of(values, starts[-c(1, last)], widths[-c(1, last)], ends$degree)
  coefficients[-c(1, last), , ] <- between
  if (!is.null(ends$wrap)) {
    coefficients[c(1, last), 1, ] <- values(ends$wrap)
    starts[[1]] <- breaks[[1]]
  } else if (is.null(ends$order)) {
    coefficients[c(1, last), seq_len(ends$outer + 1), ] <- powers_of(
      values, starts[c(1, last)], widths[c(1, last)], ends$outer
    )
  }
  list(breaks = breaks, origins = starts, coefficients = coefficients)
}

# The polynomials through R's own values at as many points of each piece: piece x power x column.
powers_of <- function(values, starts, widths, degree) {
  count <- degree + 1
  u <- (1 - cos((2 * seq_len(count) - 1) * pi / (2 * count))) / 2
  found <- values(c(t(outer(widths, u) + starts)))
  inverse <- solve(outer(u, 0:degree, "^"))
  pieces <- array(0, c(length(starts), count, ncol(found)))
  for (j in seq_len(ncol(found))) {
    pieces[, , j] <- t(inverse %*% matrix(found[, j], count)) / outer(widths, 0:degree, "^")
  }
  pieces
}

pieces_at <- function(pieces, x) {
  place <- findInterval(x, pieces$breaks) + 1
  u <- x - pieces$origins[place]
  size <- dim(pieces$coefficients)
  found <- matrix(0, length(x), size[[3]])
  for (power in rev(seq_len(size[[2]]))) found <- found * u + matrix(pieces$coefficients[place, power, ], length(x))
  found
}

# Sums of large terms that cancel leave noise, which no other program can reproduce: it begins where mgcv's result and
# a more exact one differ. `low`, `high`: how far from the knots they agree; NULL: everywhere.
pieces_limits <- function(smooth, values, pieces, ends, linked) {
  low <- min(ends$breaks)
  high <- max(ends$breaks)
  width <- high - low
  # predict() finds the position in a period with the precision of a long double
  if (!is.null(ends$wrap)) return(list(low = low - 1e5 * width, high = high + 1e5 * width))
  apart <- function(x) noise(values(x), pieces_at(pieces, x), linked)
  inside <- c(ends$breaks[-1] - diff(ends$breaks) / 3, ends$breaks)
  too_noisy(smooth, apart(inside))
  reach <- 0
  for (step in 2^(0:140)) {
    if (apart(c(low - c(1, 1.3, 1.7) * step * width, high + c(1, 1.3, 1.7) * step * width)) > 1) break
    reach <- step / 2
  }
  if (step < 2^140) list(low = low - reach * width, high = high + reach * width)
}

# The largest difference, relative to the allowed one: a tenth of a proof's tolerance, or less. With a link an
# error of the sum counts in full, until the mean reaches a limit.
noise <- function(given, exact, linked) {
  size <- abs(exact)
  allowed <- if (linked) ifelse(size < 750, 1e-12, 1e-6 * size) else 2e-13 * pmax(1, size)
  apart <- abs(given - exact) / allowed
  if (anyNA(apart)) Inf else max(apart)
}

too_noisy <- function(smooth, found) {
  if (found > 10) {
    refuse(
      "mgcv's own rounding errors of the smooth ", smooth$label, " are too large for a converter: give it fewer knots"
    )
  }
}

# A random effect: a model matrix in which anything not finite, including an unknown level, is 0.
effects_form <- function(margin, frame) {
  smooth <- margin$smooth
  if (!all(smooth$term %in% names(frame))) {
    refuse("the random effect ", smooth$label, " of anything but a column has no converter")
  }
  tt <- stats::terms(smooth$form)
  attr(tt, "dataClasses") <- vapply(frame[smooth$term], function(column) class(column)[[1]], "")
  design <- design_of(tt, lapply(frame[smooth$term], levels), NULL, inner_training(frame, list()))
  design$inputs <- NULL
  list(kind = "effects", design = design, weights = margin$each, constant = margin$constant)
}

# A thin plate of several dimensions: powers of the distance to each knot, times its logarithm in even dimensions.
radial_form <- function(margin, where, linked) {
  smooth <- margin$smooth
  sums <- plate_sums(margin)
  knots <- matrix(as.double(smooth$Xu), ncol = smooth$dim)
  order <- plate_order(smooth)
  form <- list(
    kind = "radial", xs = lapply(smooth$term, function(name) expression_of(str2lang(name), where)),
    shift = as.double(smooth$shift), knots = knots, power = 2 * order - smooth$dim, log = smooth$dim %% 2 == 0,
    weights = plate_constant(order, smooth$dim) * sums$weights[seq_len(nrow(knots)), , drop = FALSE],
    powers = plate_powers(order, smooth$dim), slopes = sums$weights[-seq_len(nrow(knots)), , drop = FALSE],
    constant = as.double(sums$constant)
  )
  c(form, radial_limits(smooth, form, margin$matrix, linked))
}

# The exponents of the polynomials of the null space, in mgcv's order.
plate_powers <- function(order, dimensions) {
  grid <- as.matrix(expand.grid(rep(list(0:(order - 1)), dimensions)))
  unname(grid[rowSums(grid) < order, , drop = FALSE])
}

radial_at <- function(form, data) {
  at <- sweep(do.call(cbind, data), 2, form$shift)
  squares <- 0
  for (j in seq_len(ncol(at))) squares <- squares + outer(at[, j], form$knots[, j], "-")^2
  kernel <- squares^(form$power / 2)
  if (form$log) kernel <- ifelse(squares > 0, kernel * log(squares) / 2, 0)
  plane <- apply(form$powers, 1, function(p) apply(sweep(at, 2, p, "^"), 1, prod))
  sweep(kernel %*% form$weights + matrix(plane, nrow(at)) %*% form$slopes, 2, form$constant, "+")
}

radial_limits <- function(smooth, form, values, linked) {
  at <- sweep(form$knots, 2, form$shift, "+")
  low <- apply(at, 2, min)
  high <- apply(at, 2, max)
  sides <- as.matrix(expand.grid(rep(list(c(-1, -0.4, 0.3, 1)), smooth$dim)))
  apart <- function(reach) {
    points <- sweep(sweep(sides, 2, (high - low) * (0.5 + reach), "*"), 2, (high + low) / 2, "+")
    data <- stats::setNames(lapply(seq_len(ncol(points)), function(j) points[, j]), smooth$term)
    noise(values(data), radial_at(form, data), linked)
  }
  too_noisy(smooth, apart(0))
  reach <- 0
  for (step in 2^(0:140)) {
    if (apart(step) > 1) break
    reach <- step / 2
  }
  list(low = low - reach * (high - low), high = high + reach * (high - low))
}

# The limits of all bases and multipliers: the terms that R evaluates, the lower and the upper limit.
smooth_limits <- function(smooths, forms) {
  found <- list()
  for (i in seq_along(smooths)) {
    if (!is.null(forms[[i]]$by$x)) found <- c(found, list(list(term = smooths[[i]]$by)))
    margins <- if (is.null(smooths[[i]]$margin)) smooths[i] else smooths[[i]]$margin
    for (j in seq_along(margins)) {
      basis <- forms[[i]]$bases[[j]]
      for (k in seq_along(basis$low)) {
        found <- c(found, list(list(term = margins[[j]]$term[[k]], low = basis$low[[k]], high = basis$high[[k]])))
      }
    }
  }
  found
}

# Stops where a prediction would be noise, or depend on the signs of the columns that infinity is multiplied by.
within_limits <- function(limits, rows, where) {
  for (each in limits) {
    x <- eval(str2lang(each$term), rows, where)
    if (is.null(each$low)) {
      if (any(is.infinite(x))) stop("a smooth is multiplied by ", each$term, ", which is infinite")
    } else if (any(is.finite(x) & (x < each$low | x > each$high))) {
      stop(
        "beyond ", format(each$low), " and ", format(each$high), " of ", each$term, " the rounding errors of mgcv's ",
        "own predict() outweigh the tolerance"
      )
    }
  }
}
