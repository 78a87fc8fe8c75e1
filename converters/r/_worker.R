# The process that holds an R model: `Rscript --vanilla _worker.R REPLIES`.
# Each line on standard input names a request, an .rds file; the reply goes to NAME.answer, and a line to REPLIES, a
# named pipe. Base R only, and the packages that the model itself needs. Numbers are transferred as bits, in R's format.
FORMAT <- 1L

# The sandbox lets R start no program: PATH is empty, for packages that look for one while they load (utils does).
local({
  unlockBinding("Sys.which", baseenv())
  assign("Sys.which", function(names) structure(character(length(names)), names = names), envir = baseenv())
  lockBinding("Sys.which", baseenv())
})
library(stats) # which loads utils

FAMILIES <- new.env()
NEEDED <- new.env() # `packages`: of all requested families, including those of nested models

# The registration of a class: `classes`: the values of class(model), pasted together; `packages`: needed to predict;
# `export(model, training)`: the fields of the intermediate form; `predict(model, rows, training)`: the predictions by
# output, numbers, text (NA: none) or a matrix. `training`: see training_of.
family <- function(kind, classes, export, predict, packages = character()) {
  entry <- list(kind = kind, export = export, predict = predict, packages = packages)
  for (name in classes) assign(name, entry, envir = FAMILIES)
}

refuse <- function(...) stop(structure(class = c("refusal", "error", "condition"), list(message = paste0(...), call = NULL)))

said <- function(expression) paste(deparse(expression, width.cutoff = 500L), collapse = " ")

# An error message for rows, a list or a bare value in place of a model, with the next step; NULL for anything else.
held <- function(model) {
  if (is.data.frame(model)) return("the file holds a data frame: rows, not a model; save the fitted model, and give rows as --example")
  if (identical(class(model), "list")) return(held_in(model))
  if (is.atomic(model)) return("the file holds a vector or a matrix, not a model: save the fitted model")
  if (is.function(model) || is.environment(model)) return("the file holds a function or an environment, not a model: save the fitted model")
  NULL
}

held_in <- function(items) {
  known <- which(vapply(items, function(each) !is.null(FAMILIES[[paste(class(each), collapse = " ")]]), TRUE))
  if (!length(known)) return("the file holds a list in which no model is found: save the fitted model alone")
  name <- names(items)[known[[1L]]]
  place <- if (length(name) && !is.na(name) && nzchar(name)) paste0("its item '", name, "'") else paste("its item", known[[1L]])
  several <- if (length(known) > 1L) paste0(" (of ", length(known), " models)") else ""
  paste0("the file holds a list; ", place, " is of class ", paste(class(items[[known[[1L]]]]), collapse = " "), several, ": save that alone")
}

family_of <- function(model) {
  name <- paste(class(model), collapse = " ")
  found <- FAMILIES[[name]]
  if (is.null(found) && !is.null(words <- held(model))) refuse(words)
  if (is.null(found)) {
    refuse("there is no converter for R's class ", name, "; supported classes: ", paste(sort(ls(FAMILIES)), collapse = ", "))
  }
  NEEDED$packages <- unique(c(NEEDED$packages, found$packages))
  for (package in found$packages) {
    if (!requireNamespace(package, quietly = TRUE)) {
      refuse("the model needs R's package ", package, ", which is not installed here: install.packages(\"", package, "\")")
    }
  }
  found
}

# The object of a file that saveRDS or save wrote, and the other objects of a workspace.
loaded <- function(path, wanted) {
  start <- tryCatch(readRDS(path), error = function(e) NULL)
  if (!is.null(start)) return(list(model = start, beside = emptyenv()))
  beside <- new.env()
  names <- load(path, envir = beside)
  if (!nzchar(wanted) && length(names) == 1) wanted <- names
  if (!nzchar(wanted)) {
    known <- Filter(function(n) exists(paste(class(beside[[n]]), collapse = " "), envir = FAMILIES, inherits = FALSE), names)
    if (length(known) == 1) wanted <- known
  }
  if (!wanted %in% names) {
    refuse("the file holds the objects ", paste(sort(names), collapse = ", "), ": name the model with --object NAME")
  }
  list(model = beside[[wanted]], beside = beside)
}

# What is known besides the model. `levels(name)`: the levels of a factor of the training frame, or NULL: as given by
# the user, else from the frame itself where it is stored with the model; `wanted(name)`: refuses as they are missing.
# `frame`: that frame, or NULL. `argument(name, default)`: an argument of predict() that the user gave.
training_of <- function(model, beside, request) {
  frame <- training_frame(model, beside)
  list(
    frame = frame,
    argument = function(name, default = NULL) {
      value <- request$arguments[[name]]
      if (is.null(value)) default else value
    },
    levels = function(name) {
      if (!is.null(request$levels[[name]])) return(request$levels[[name]])
      if (is.factor(frame[[name]])) levels(frame[[name]])
      else if (is.character(frame[[name]])) levels(factor(frame[[name]]))
    },
    wanted = function(name) {
      refuse(
        "the model does not store the levels of the factor '", name, "', and R would silently use those of whatever ",
        "frame it predicts: pass the frame that it was fitted on, saved with saveRDS (--training FILE)"
      )
    }
  )
}

training_frame <- function(model, beside) {
  parts <- if (isS4(model)) list() else unclass(model)
  if (is.data.frame(parts$model)) return(parts$model)
  data <- if (is.call(parts$call)) parts$call$data
  where <- tryCatch(environment(formula(model)), error = function(e) NULL)
  for (place in list(where, beside)) {
    if (is.null(data) || !is.environment(place) || identical(place, globalenv())) next
    found <- tryCatch(eval(data, place), error = function(e) NULL)
    if (is.data.frame(found)) return(found)
  }
  NULL
}

# The rows as a data frame: text of a factor with its levels, so that R does not take them from these rows.
frame_of <- function(columns, inputs) {
  rows <- lapply(columns, function(cell) cell)
  for (input in inputs) {
    name <- input$name
    if (is.null(rows[[name]])) rows[[name]] <- rep(filler(input), length(rows[[1]]))
    if (input$type %in% c("factor", "ordered")) {
      known <- input$levels
      strange <- setdiff(unique(rows[[name]][!is.na(rows[[name]])]), known)
      rows[[name]] <- factor(rows[[name]], levels = c(known, strange), ordered = input$type == "ordered", exclude = NULL)
      rows[[name]][rows[[name]] %in% NA] <- NA
    }
  }
  structure(rows, class = "data.frame", row.names = .set_row_names(length(rows[[1]])))
}

# The class of the largest probability, the first among equals; NA where one is missing.
most_probable <- function(probabilities, classes) {
  none <- rowSums(is.na(probabilities)) > 0
  probabilities[none, ] <- 0
  label <- classes[max.col(probabilities, ties.method = "first")]
  label[none] <- NA
  label
}

# Any value will do for a column that does not affect the predictions.
filler <- function(input) switch(input$type, double = 0, logical = FALSE, input$levels[[1]])

unseen <- function(rows, inputs) {
  for (input in inputs) {
    if (input$type %in% c("factor", "ordered") && !isTRUE(input$open)) {
      strange <- setdiff(levels(rows[[input$name]]), input$levels)
      if (length(strange)) refuse("factor ", input$name, " has new level ", dQuote(strange[[1]], FALSE))
    }
  }
}

# Some of R's functions stop where a column is all NA, and return NA for such a row among others (ns() of splines
# does). Then the rows are predicted again together with a complete one, whose prediction is dropped.
beside_another <- function(state, rows, ask) {
  whole <- which(rowSums(is.na(rows)) == 0)
  if (is.null(state$whole) && length(whole)) state$whole <- rows[whole[[1]], , drop = FALSE]
  if (is.null(state$whole) || length(whole) || !nrow(rows)) return(ask(rows))
  lapply(ask(rbind(rows, state$whole)), function(answer) {
    kept <- seq_len(nrow(rows))
    if (is.matrix(answer)) answer[kept, , drop = FALSE] else answer[kept]
  })
}

# A formula with ns() or bs() finds them only where their package is attached, as it was when the model was fitted.
attach_splines <- function(model) {
  tt <- if (!isS4(model)) tryCatch(stats::terms(model), error = function(e) NULL)
  if (any(c("ns", "bs") %in% all.names(attr(tt, "variables")))) library("splines", character.only = TRUE)
}

COMMANDS <- list(
  load = function(state, request) {
    for (file in sort(list.files(request$families, "^[^_].*[.]R$", full.names = TRUE))) sys.source(file, globalenv())
    rm(list = ls(state), envir = state)
    NEEDED$packages <- character()
    found <- loaded(request$model, request$object)
    state$model <- found$model
    state$family <- family_of(state$model)
    attach_splines(state$model)
    state$training <- training_of(state$model, found$beside, request)
    list()
  },
  export = function(state, request) {
    form <- state$family$export(state$model, state$training)
    state$inputs <- form$inputs
    state$status <- !isFALSE(form$status)
    c(list(format = FORMAT, kind = state$family$kind, class = class(state$model), r = as.character(getRversion())), form)
  },
  predict = function(state, request) {
    rows <- frame_of(request$rows, state$inputs)
    unseen(rows, state$inputs)
    answers <- beside_another(state, rows, function(rows) state$family$predict(state$model, rows, state$training))
    if (state$status) answers$status <- as.integer(rowSums(is.na(as.matrix(answers[[length(answers)]]))) > 0)
    answers
  },
  clock = function(state, request) {
    rows <- frame_of(request$rows, state$inputs)
    start <- Sys.time()
    state$family$predict(state$model, rows, state$training)
    list(seconds = as.double(Sys.time() - start, units = "secs"))
  },
  environment = function(state, request) environment_of(state$model, NEEDED$packages)
)

answer <- function(state, request) {
  tryCatch(
    suppressWarnings(suppressMessages(list(ok = TRUE, value = COMMANDS[[request$command]](state, request)))),
    refusal = function(e) list(ok = FALSE, refusal = TRUE, message = conditionMessage(e)),
    error = function(e) list(ok = FALSE, refusal = FALSE, message = conditionMessage(e))
  )
}

serve <- function(replies) {
  state <- new.env()
  set.seed(1)
  out <- fifo(replies, "w", blocking = TRUE)
  commands <- file("stdin", "r", blocking = TRUE)
  while (length(path <- readLines(commands, 1))) {
    reply <- answer(state, readRDS(path))
    saveRDS(reply, paste0(path, ".answer"), version = 2, compress = FALSE)
    writeLines("done", out)
    flush(out)
  }
}

HERE <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[[1]]))
for (file in sort(list.files(HERE, "^_[^w].*[.]R$", full.names = TRUE))) sys.source(file, globalenv())
serve(commandArgs(TRUE)[[1]])
