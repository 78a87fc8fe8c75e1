#include "text.hpp"

#include <cstddef>
#include <cstdint>

namespace size_class::detail {
namespace {

// The number of bytes of the character at `i`, 0 when it is not UTF-8: overlong forms, surrogates and
// everything beyond U+10FFFF are invalid.
std::size_t character(const std::string& text, std::size_t i) {
    const auto byte = [&](std::size_t k) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[k])); };
    const std::uint32_t first = byte(i);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || i + length > text.size()) return 0;
    std::uint32_t code = first & (0x7Fu >> length);
    for (std::size_t k = 1; k != length; ++k) {
        if ((byte(i + k) & 0xC0u) != 0x80u) return 0;
        code = (code << 6) | (byte(i + k) & 0x3Fu);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    return overlong || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF) ? 0 : length;
}

}  // namespace

std::string problem_of_text(const std::string& text) {
    for (std::size_t i = 0; i != text.size();) {
        if (text[i] == '\0') return "text with the character U+0000 is refused, as the graph cannot hold it; remove it";
        const std::size_t length = character(text, i);
        if (length == 0) return "text that is not UTF-8 is refused (byte " + std::to_string(i) + "); convert it to UTF-8";
        i += length;
    }
    return "";
}

std::string quoted(const std::string& text) {
    constexpr std::size_t most = 60;
    if (text.size() <= most) return "\"" + text + "\"";
    std::size_t end = most;
    while (end != 0 && (static_cast<unsigned char>(text[end]) & 0xC0u) == 0x80u) --end;
    return "\"" + text.substr(0, end) + "...\"";
}

}  // namespace size_class::detail
