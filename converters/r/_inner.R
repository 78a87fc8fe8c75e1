# A model inside another one, which prepares the columns for it.

# What is known besides the inner model: the levels of its factors, and the arguments that the outer one predicts with.
inner_training <- function(frame, arguments) {
  list(
    frame = frame,
    argument = function(name, default = NULL) if (is.null(arguments[[name]])) default else arguments[[name]],
    levels = function(name) if (is.factor(frame[[name]])) levels(frame[[name]]),
    wanted = function(name) refuse("the levels of the factor '", name, "' are not kept in the model")
  )
}

inner_form <- function(model, training) {
  found <- family_of(model)
  c(list(kind = found$kind), found$export(model, training))
}
