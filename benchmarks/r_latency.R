# The models of benchmarks/latency_r.py: `Rscript r_latency.R FOLDER ROWS`; 5 columns, 2 of them factors.
arguments <- commandArgs(TRUE)
folder <- arguments[[1]]
count <- as.integer(arguments[[2]])
suppressMessages({ library(rpart); library(randomForest); library(gbm); library(nnet); library(e1071); library(earth) })
set.seed(1)
made <- function(n) {
  d <- data.frame(
    x1 = rnorm(n), x2 = runif(n, 0.1, 10), x3 = as.double(sample(1:20, n, TRUE)),
    f = factor(sample(letters[1:5], n, TRUE)), g = factor(sample(c("u", "v", "w"), n, TRUE))
  )
  score <- with(d, .6 * x1 + .3 * log(x2) - .05 * x3 + c(0, .5, -.5, 1, .2)[f] + c(0, .4, -.4)[g] * x1)
  d$y <- score + rnorm(n, 0, .5)
  d$b <- factor(ifelse(runif(n) < plogis(score), "yes", "no"))
  d
}
train <- made(count)
put <- function(name, model) saveRDS(model, file.path(folder, paste0(name, ".rds")))
saveRDS(train, file.path(folder, "train.rds"))
rows <- made(10000)
saveRDS(rows, file.path(folder, "rows.rds"))
inputs <- ~ x1 + x2 + x3 + f + g
forest <- function(...) ranger::ranger(..., num.trees = 300, num.threads = 1, seed = 1)
put("lm", lm(update(inputs, y ~ . + poly(x1, 3)), train))
put("glm", glm(update(inputs, b ~ .), binomial, train))
put("rpart", rpart(update(inputs, b ~ .), train, control = rpart.control(cp = 0.001)))
put("randomForest", randomForest(update(inputs, b ~ .), train, ntree = 300))
put("randomForest, regression", randomForest(update(inputs, y ~ .), train, ntree = 300))
put("ranger, probability", forest(update(inputs, b ~ .), train, probability = TRUE))
put("ranger, regression", forest(update(inputs, y ~ .), train, respect.unordered.factors = "order"))
put("gbm", gbm(update(inputs, y ~ .), "gaussian", train, n.trees = 300, interaction.depth = 4))
put("nnet", nnet(update(inputs, b ~ .), train, size = 6, trace = FALSE))
put("svm", svm(update(inputs, b ~ .), train[seq_len(min(count, 2000)), ]))
put("earth", earth(update(inputs, y ~ .), train, degree = 2))
put("gam", mgcv::gam(y ~ s(x1, bs = "cr") + s(x2, bs = "cr") + f + g, data = train))
