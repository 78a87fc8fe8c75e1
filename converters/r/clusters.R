# kmeans: the nearest centre, for which R itself has no predict().

export_clusters <- function(model, training) {
  list(
    task = "clusterer", inputs = double_inputs(centre_names(model)), centers = unname(model$centers), status = FALSE
  )
}

# To R, a matrix without names is a frame of V1, V2, ...
centre_names <- function(model) {
  names <- colnames(model$centers)
  if (is.null(names)) paste0("V", seq_len(ncol(model$centers))) else names
}

# The first of the nearest centres by the sum of squares, taken column by column; 0 where a cell is missing.
predict_clusters <- function(model, rows, training) {
  names <- centre_names(model)
  distance <- function(i) {
    found <- numeric(nrow(rows))
    for (j in seq_along(names)) found <- found + (as.double(rows[[names[[j]]]]) - model$centers[[i, j]])^2
    found
  }
  least <- distance(1)
  label <- rep(1L, nrow(rows))
  for (i in seq_len(nrow(model$centers))[-1]) {
    new <- distance(i)
    nearer <- new < least
    label[nearer %in% TRUE] <- i
    least <- ifelse(nearer, new, least)
  }
  missing <- is.na(least)
  label[missing] <- 0L
  list(label = label, status = as.integer(missing))
}

family("clusters", "kmeans", export_clusters, predict_clusters)
