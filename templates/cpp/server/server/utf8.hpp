// UTF-8, without overlong forms, surrogates and what is beyond U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mlpack_server {

/// The bytes of the character that starts at a place, 0 where there is none.
std::size_t character(std::string_view text, std::size_t place);

bool is_utf8(std::string_view text);

void append_character(std::string& out, std::uint32_t code);

}  // namespace mlpack_server
