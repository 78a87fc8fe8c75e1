# What `_program.py` asks an R before it holds a model: its version, its own binary, and the environment of that, in hex.
binary <- tryCatch(Sys.readlink("/proc/self/exe"), error = function(e) "")
block <- tryCatch(suppressWarnings(readBin("/proc/self/environ", "raw", 2^24)), error = function(e) raw())
lines <- c(R.version$major, sub("[.].*", "", R.version$minor), binary, paste(as.character(block), collapse = ""))
writeLines(c("", lines))
