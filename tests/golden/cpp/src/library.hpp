// Loads ONNX Runtime at run time, so that one binary works with every release since 1.28.
#pragma once

#include <onnxruntime_c_api.h>

#include <string>

namespace size_class::detail {

/// The functions of the library at `path`; empty: see Options::library. Throws LibraryError.
const OrtApi& load_runtime(const std::string& path);

}  // namespace size_class::detail
