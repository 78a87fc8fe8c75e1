// Checks UTF-8 without overlong forms, surrogates and values beyond U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mlpack_server {

/// The number of bytes of the character at a position, 0 where it is invalid.
std::size_t character(std::string_view text, std::size_t place);

bool is_utf8(std::string_view text);

void append_character(std::string& out, std::uint32_t code);

}  // namespace mlpack_server
