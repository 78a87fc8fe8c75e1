# Fits a real model: is a newborn too light? 189 births at Baystate Medical Center, Springfield, 1986 (MASS::birthwt).
#
#   Rscript examples/birthweight/fit.R demo
#   mlpack build demo/birthweight.rds --example demo/births.csv -o demo/dist
#
# Two factors, an interaction, a natural spline, and a smoker's column that is true or false.

library(splines)

folder <- commandArgs(TRUE)[1]
if (is.na(folder)) folder <- "."
dir.create(folder, showWarnings = FALSE, recursive = TRUE)

births <- with(MASS::birthwt, data.frame(
  light = factor(low, labels = c("no", "yes")),
  age = age,
  weight = 0.45359237 * lwt, # the mother's, in kg
  race = factor(race, labels = c("white", "black", "other")),
  smokes = smoke == 1,
  visits = cut(ftv, c(-1, 0, 1, 99), labels = c("none", "one", "more"))
))
fit <- glm(light ~ ns(weight, 3) + race * smokes + age + visits, binomial, births)

saveRDS(fit, file.path(folder, "birthweight.rds"))
write.csv(births[, -1], file.path(folder, "births.csv"), row.names = FALSE)
cat(file.path(folder, "birthweight.rds"), ", fitted on ", nrow(births), " births\n", sep = "")
