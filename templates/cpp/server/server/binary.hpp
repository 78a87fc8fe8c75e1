// Tensors as raw little-endian bytes: the protocol's binary extension.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model.hpp"

namespace mlpack_server {

/// The array in the bytes; texts carry their length in four bytes. Throws Refusal.
Array array_of_bytes(const std::string& name, const std::string& type, std::vector<std::int64_t> shape, std::string_view raw);

/// Appends an output's bytes.
void write_bytes(std::string& out, const Tensor& output, const Array& array);

}  // namespace mlpack_server
