# The predictors of a tree model: numbers, and factors as the codes of their levels.

# Those of a formula, in its order. `levels`: by a variable's name, as stored in the model (none: those of the training
# frame). Offsets are among the variables: predict() requires them in the frame, too. `inputs`: the columns they read.
predictors_of <- function(tt, xlevels, training) {
  known <- names(attr(tt, "dataClasses"))
  plain <- structure(rep(list("contr.treatment"), length(known)), names = known)
  design <- design_of(tt, xlevels, plain, training)
  variables <- lapply(design$variables, function(v) {
    coded <- v$class %in% c("factor", "ordered", "character")
    list(name = v$name, class = v$class, expression = v$expression, levels = if (coded) v$levels)
  })
  list(inputs = design$inputs, variables = variables)
}

# Those of a model fitted on a frame or a matrix. `types`: of each column, as in an input.
plain_predictors <- function(names, types, levels, open = FALSE) {
  each <- function(f) lapply(seq_along(names), f)
  coded <- types %in% c("factor", "ordered")
  list(
    inputs = each(function(i) {
      list(name = names[[i]], type = types[[i]], levels = if (coded[[i]]) levels[[i]], open = open && coded[[i]])
    }),
    variables = each(function(i) {
      list(
        name = names[[i]], class = types[[i]], expression = list(op = "column", name = names[[i]]),
        levels = if (coded[[i]]) levels[[i]]
      )
    })
  )
}

# The positions of `wanted` among the variables, from 0; refuses where one is missing.
places_of <- function(wanted, variables) {
  place <- match(wanted, vapply(variables, function(v) v$name, ""))
  if (anyNA(place)) {
    refuse("the model splits on ", wanted[is.na(place)][[1]], ", which is not a single variable of its formula")
  }
  place - 1L
}

# Where the nodes of trees of these sizes start, from 0, when they are concatenated.
starts_of <- function(sizes) as.integer(cumsum(c(0, sizes))[seq_along(sizes)])

# By column, the thresholds of nodes that split on the column itself, not on a function of it.
split_thresholds <- function(variables, feature, threshold) {
  found <- list()
  for (i in seq_along(variables)) {
    v <- variables[[i]]
    if (identical(v$expression$op, "column") && is.null(v$levels) && v$class != "logical") {
      found[[v$expression$name]] <- sort(unique(threshold[feature == i - 1]))
    }
  }
  found
}
