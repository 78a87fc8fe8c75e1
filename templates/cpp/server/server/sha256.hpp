// The sha256 of bytes, in hex.
#pragma once

#include <cstddef>
#include <string>

namespace mlpack_server {

std::string sha256(const unsigned char* bytes, std::size_t size);

/// The sha256 of a file. Throws Damaged.
std::string sha256_of_file(const std::string& path);

}  // namespace mlpack_server
