# loess: every prediction is an interpolation on the vertices of a k-d tree over all training rows.

refuse_loess <- function(model, training) {
  refuse(
    "R's class loess has no converter: predict() interpolates local fits between the vertices of a k-d tree that is ",
    "built again from all training rows; fit a spline, for example mgcv's gam(y ~ s(x)) or lm(y ~ ns(x, 5))"
  )
}

family("loess", "loess", refuse_loess, refuse_loess)
