# A nested model, whose columns the outer model preprocesses.

# What is known besides the inner model: its factors' levels, and the outer model's arguments to predict().
inner_training <- function(frame, arguments) {
  list(
    frame = frame,
    argument = function(name, default = NULL) if (is.null(arguments[[name]])) default else arguments[[name]],
    levels = function(name) if (is.factor(frame[[name]])) levels(frame[[name]]),
    wanted = function(name) refuse("the levels of the factor '", name, "' are not stored in the model")
  )
}

inner_form <- function(model, training) {
  found <- family_of(model)
  c(list(kind = found$kind), found$export(model, training))
}
