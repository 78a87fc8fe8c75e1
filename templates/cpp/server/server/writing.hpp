// Writes JSON.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mlpack_server {

/// Each appends to `out`. A number is the shortest text that reads back as the same bits.
void write_text(std::string& out, std::string_view text);
void write_integer(std::string& out, std::int64_t value);
void write_natural(std::string& out, std::uint64_t value);
void write_finite(std::string& out, double value);
/// NaN and the infinities as the Open Inference Protocol's words.
void write_number(std::string& out, double value);

/// `{"error": ...}`
std::string error_body(std::string_view message);

}  // namespace mlpack_server
