// Errors, options and cells of model 1.2.0.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <variant>

namespace model {

/// The input is invalid for the model; the message names the row, the column and what to do.
class InvalidInput : public std::invalid_argument {
public:
    using std::invalid_argument::invalid_argument;
};

/// The model file cannot be read, is another model, or failed while it ran.
class ModelError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// No usable ONNX Runtime library was found; the message lists the paths that were tried.
class LibraryError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct Options {
    /// Path of ONNX Runtime's shared library. Empty: the variable ONNXRUNTIME_LIBRARY of the environment, then
    /// the path given to CMake, then the system's own library.
    std::string library{};
    /// Threads for one call of predict(). 0: one per core.
    int threads = 0;
    /// Path of mlpack's own operators, for a graph that needs them (a bundle's variant `compiled`). It is native code:
    /// name only a file that you trust.
    std::string operators{};
    /// The GPU, by CUDA's number. There is no fall-back to the CPU: without CUDAExecutionProvider opening throws ModelError.
    int device = 0;
};

/// One value as read from a file or a message; std::monostate is a missing one.
using Cell = std::variant<std::monostate, bool, std::int64_t, double, std::string>;

}  // namespace model
