# Shapes of predictions.

# A matrix without names; a vector where it has one column.
narrow <- function(values) if (NCOL(values) == 1) as.double(values) else matrix(
  as.double(as.matrix(values)), nrow(values)
)
