# What the model runs in: R, its packages, its libraries.
environment_of <- function(model, packages) list(r = as.character(getRversion()))
