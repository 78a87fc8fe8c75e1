#include "utf8.hpp"

namespace mlpack_server {

std::size_t character(std::string_view text, std::size_t place) {
    const auto byte = [&](std::size_t k) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[k])); };
    const std::uint32_t first = byte(place);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || place + length > text.size()) return 0;
    std::uint32_t code = first & (0x7Fu >> length);
    for (std::size_t k = 1; k != length; ++k) {
        if ((byte(place + k) & 0xC0u) != 0x80u) return 0;
        code = (code << 6) | (byte(place + k) & 0x3Fu);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    return overlong || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF) ? 0 : length;
}

bool is_utf8(std::string_view text) {
    for (std::size_t i = 0; i != text.size();) {
        const std::size_t length = character(text, i);
        if (length == 0) return false;
        i += length;
    }
    return true;
}

void append_character(std::string& out, std::uint32_t code) {
    const auto tail = [&](int shift) { out += static_cast<char>(0x80u | (code >> shift & 0x3Fu)); };
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xC0u | code >> 6);
        tail(0);
    } else if (code < 0x10000) {
        out += static_cast<char>(0xE0u | code >> 12);
        tail(6);
        tail(0);
    } else {
        out += static_cast<char>(0xF0u | code >> 18);
        tail(12);
        tail(6);
        tail(0);
    }
}

}  // namespace mlpack_server
