# e1071's naiveBayes: a table per variable; missing or unknown values are skipped.

export_naivebayes <- function(model, training) {
  asked <- naivebayes_arguments(training)
  if (any(model$apriori == 0)) {
    none <- names(model$apriori)[model$apriori == 0][[1]]
    refuse("the class ", none, " had no rows, for which R returns NA: fit on droplevels() of the response")
  }
  variables <- lapply(names(model$tables), naivebayes_variable, model = model, asked = asked)
  list(
    task = "classifier", status = FALSE, classes = as.character(model$levels),
    inputs = lapply(variables, naivebayes_input, training = training),
    variables = variables, prior = log(as.double(model$apriori)), threshold = asked$threshold, eps = asked$eps
  )
}

naivebayes_arguments <- function(training) {
  threshold <- as.double(training$argument("threshold", 0.001))
  if (!(threshold > 0)) refuse("the argument threshold of predict() must be above 0")
  list(threshold = threshold, eps = as.double(training$argument("eps", 0)))
}

# For a number, mean and deviation by class; for a factor, logarithms of frequencies, level by class.
naivebayes_variable <- function(name, model, asked) {
  table <- unclass(model$tables[[name]])
  if (anyNA(table)) {
    refuse("a class had too few rows with the variable ", name, " to estimate its share or deviation: R returns NA")
  }
  if (model$isnumeric[[name]]) {
    deviation <- as.double(table[, 2])
    deviation[deviation <= asked$eps] <- asked$threshold
    return(list(name = name, mean = as.double(table[, 1]), deviation = deviation))
  }
  table[table <= asked$eps] <- asked$threshold
  list(name = name, levels = colnames(table), shares = unname(t(log(table))))
}

naivebayes_input <- function(variable, training) {
  name <- variable$name
  if (is.null(variable$levels)) return(list(name = name, type = "double"))
  truth <- identical(variable$levels, c("FALSE", "TRUE")) && is.null(training$levels(name))
  if (truth) return(list(name = name, type = "logical"))
  list(name = name, type = "factor", levels = variable$levels, open = TRUE)
}

predict_naivebayes <- function(model, rows, training) {
  asked <- naivebayes_arguments(training)
  answer <- function(type) stats::predict(model, rows, type = type, threshold = asked$threshold, eps = asked$eps)
  list(label = as.character(answer("class")), probabilities = unname(answer("raw")))
}

family("naivebayes", "naiveBayes", export_naivebayes, predict_naivebayes, "e1071")
