# Describes the model's environment: R, its libraries, and the packages that predict() needs.

DESCRIBED <- c(
  "Package", "Version", "Priority", "License", "Depends", "Imports", "LinkingTo", "Built", "Repository",
  "RemoteType", "RemoteUrl", "RemoteRef", "RemoteSha", "NeedsCompilation"
)

environment_of <- function(model, packages) {
  needed <- closure_of(unique(c(packages, packages_of(model))))
  list(
    language = "R",
    interpreter = list(version = as.character(getRversion()), nickname = R.version$nickname, platform = R.version$platform,
             build = paste(R.version$status, R.version$`svn rev`), bits = 8 * .Machine$sizeof.pointer),
    libraries = list(
      blas = basename(extSoftVersion()[["BLAS"]]), lapack = basename(La_library()), lapack_version = La_version()
    ),
    locale = Sys.getlocale("LC_COLLATE"),
    packages = lapply(needed, described)
  )
}

described <- function(name) {
  fields <- unlist(utils::packageDescription(name, fields = DESCRIBED))
  c(as.list(fields[!is.na(fields)]), list(path = find.package(name)))
}

# The packages whose code predict() runs: those of its methods, of the functions in the formula, of nested closures.
packages_of <- function(model) {
  found <- character()
  add <- function(name) if (length(name) == 1 && !is.na(name) && nzchar(name)) found <<- unique(c(found, name))
  for (class in class(model)) {
    method <- utils::getS3method("predict", class, optional = TRUE)
    if (is.function(method)) add(namespace_of(environment(method)))
  }
  if (isS4(model)) add(attr(class(model), "package"))
  tt <- tryCatch(stats::terms(model), error = function(e) NULL)
  for (part in list(attr(tt, "variables"), attr(tt, "predvars"))) for (name in called_packages(part)) add(name)
  for (name in closures_in(model, 6)) add(name)
  for (name in told_packages(model)) add(name)
  setdiff(found, ".GlobalEnv")
}

# What a caret model and a recipe declare themselves.
told_packages <- function(model) {
  told <- if (inherits(model, "train")) model$modelInfo$library
    else if (inherits(model, "recipe")) tryCatch(generics::required_pkgs(model), error = function(e) NULL)
  Filter(function(name) nzchar(system.file(package = name)), as.character(unlist(told)))
}

called_packages <- function(e) {
  if (!is.call(e)) return(character())
  f <- e[[1]]
  own <- if (is.call(f) && as.character(f[[1]]) %in% c("::", ":::")) as.character(f[[2]])
    else if (is.symbol(f)) package_with(as.character(f))
  c(own, unlist(lapply(as.list(e)[-1], called_packages)))
}

package_with <- function(name) {
  found <- tryCatch(get(name, mode = "function"), error = function(e) NULL)
  if (is.null(found)) character() else if (is.primitive(found)) "base" else namespace_of(environment(found))
}

namespace_of <- function(where) {
  while (is.environment(where) && !identical(where, emptyenv())) {
    if (isNamespace(where)) return(unname(getNamespaceName(where)))
    if (identical(where, globalenv())) break
    where <- parent.env(where)
  }
  character()
}

closures_in <- function(x, depth) {
  if (is.function(x) && !is.primitive(x)) return(namespace_of(environment(x)))
  if (depth == 0 || !is.list(x)) return(character())
  unlist(lapply(unclass(x), closures_in, depth - 1))
}

# With everything that they import, depend on or link to; R's own packages are omitted: they are R's version.
closure_of <- function(names) {
  seen <- character()
  while (length(names)) {
    name <- names[[1]]
    names <- names[-1]
    if (name %in% seen || name == "R" || !nzchar(system.file(package = name))) next
    seen <- c(seen, name)
    fields <- unlist(utils::packageDescription(name, fields = c("Depends", "Imports", "LinkingTo")))
    listed <- unlist(strsplit(as.character(fields[!is.na(fields)]), ","))
    names <- c(names, gsub("\\s|[(].*", "", listed))
  }
  sort(seen)
}
