# What the scripts that fit models for the tests share: a frame with every kind of column, and `put` to save a model.
set.seed(42)
made <- function(n) {
  d <- data.frame(
    x1 = rnorm(n), x2 = runif(n, 0.1, 10), x3 = as.double(sample(1:20, n, TRUE)),
    f = factor(sample(c("a", "b:c", "d e", "", "NA"), n, TRUE), levels = c("a", "b:c", "d e", "", "NA")),
    g = factor(sample(c("u", "v", "w"), n, TRUE)),
    o = factor(sample(c("lo", "mid", "hi"), n, TRUE), levels = c("lo", "mid", "hi"), ordered = TRUE),
    lg = sample(c(TRUE, FALSE), n, TRUE), ex = runif(n, .5, 2)
  )
  eta <- with(d, .6 * x1 + .3 * log(x2) - .05 * x3 + c(0, .5, -.5, 1, .2)[f] + c(0, .4, -.4)[g] * x1 +
    c(-.3, 0, .5)[o] + .4 * lg)
  d$y <- eta + rnorm(n, 0, .5)
  d$yp <- exp(d$y / 2)
  d$yb <- factor(ifelse(runif(n) < plogis(eta), "yes", "no"))
  d$yc <- rpois(n, d$ex * exp(.5 * eta))
  d$y3 <- factor(c("A", "B", "C")[1 + (eta + rnorm(n) > -.3) + (eta + rnorm(n) > .8)])
  d
}
train <- made(600)
holes <- train
for (v in c("x1", "x2", "x3", "f", "g")) holes[[v]][sample(nrow(holes), 40)] <- NA
folder <- commandArgs(TRUE)[[1]]
put <- function(name, model) saveRDS(model, file.path(folder, paste0(name, ".rds")))
saveRDS(train, file.path(folder, "train.rds"))
saveRDS(made(200), file.path(folder, "rows.rds"))
