# Package recipes: a prepped recipe on its own, with its numeric predictors.

export_recipe <- function(model, training) {
  found <- recipe_form(model)
  text <- !vapply(found$made, function(column) is.numeric(column) || is.logical(column), TRUE)
  if (any(text)) {
    refuse("the recipe ends with the column ", found$names[text][[1]], ", which is not numeric: add step_dummy() to it")
  }
  list(task = "transformer", inputs = found$inputs, steps = found$steps)
}

predict_recipe <- function(model, rows, training) {
  found <- recipes::bake(model, new_data = recipe_rows(model, rows), recipes::all_predictors())
  list(transformed = matrix(as.double(as.matrix(as.data.frame(lapply(found, as.double)))), nrow(rows)))
}

# bake() also requires the columns of other roles, which no predictor uses.
recipe_rows <- function(recipe, rows) {
  others <- recipe$var_info$variable[!recipe$var_info$role %in% c("predictor", "outcome")]
  for (name in setdiff(others, names(rows))) rows[[name]] <- rep(1, nrow(rows))
  rows
}

family("recipe", "recipe", export_recipe, predict_recipe, packages = "recipes")
