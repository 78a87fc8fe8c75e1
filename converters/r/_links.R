# The name of a family's link.

link_of <- function(family) {
  known <- c("identity", "logit", "probit", "cloglog", "cauchit", "log", "inverse", "sqrt", "1/mu^2")
  if (!family$link %in% known) refuse("the link ", family$link, " of the family ", family$family, " has no converter")
  family$link
}
