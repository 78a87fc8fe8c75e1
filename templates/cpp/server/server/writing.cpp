#include "writing.hpp"

#include <charconv>
#include <cmath>

namespace mlpack_server {
namespace {

template <class T>
void write_whole(std::string& out, T value) {
    char digits[24];
    const auto done = std::to_chars(digits, digits + sizeof digits, value);
    out.append(digits, done.ptr);
}

// The digits of a finite number and its exponent: 0.`digits` times ten to the power of `point`.
struct Digits {
    char text[20];
    int count = 0;
    int point = 0;
};

Digits digits_of(double value) {
    char text[32];
    const auto done = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific);
    Digits digits;
    const char* at = text;
    for (; at != done.ptr && *at != 'e'; ++at) {
        if (*at != '.') digits.text[digits.count++] = *at;
    }
    const char* exponent = at + (at[1] == '+' ? 2 : 1);
    std::from_chars(exponent, done.ptr, digits.point);
    ++digits.point;
    return digits;
}

void write_scientific(std::string& out, const Digits& digits) {
    out += digits.text[0];
    if (digits.count > 1) out.append(".").append(digits.text + 1, static_cast<std::size_t>(digits.count - 1));
    out += digits.point > 0 ? "e+" : "e";
    write_whole(out, digits.point - 1);
}

}  // namespace

void write_text(std::string& out, std::string_view text) {
    static const char* const hex = "0123456789abcdef";
    out += '"';
    for (const char c : text) {
        switch (c) {
            case '"': out += "\\\""; break;
            case '\\': out += "\\\\"; break;
            case '\b': out += "\\b"; break;
            case '\f': out += "\\f"; break;
            case '\n': out += "\\n"; break;
            case '\r': out += "\\r"; break;
            case '\t': out += "\\t"; break;
            default:
                if (static_cast<unsigned char>(c) < 0x20) out.append("\\u00").append(1, hex[c >> 4]).append(1, hex[c & 15]);
                else out += c;
        }
    }
    out += '"';
}

void write_integer(std::string& out, std::int64_t value) { write_whole(out, value); }

void write_natural(std::string& out, std::uint64_t value) { write_whole(out, value); }

void write_finite(std::string& out, double value) {
    if (std::signbit(value)) out += '-';
    if (value == 0) {
        out += "0.0";
        return;
    }
    const Digits digits = digits_of(std::fabs(value));
    const auto count = static_cast<std::size_t>(digits.count);
    const auto point = static_cast<std::size_t>(digits.point);
    if (digits.count <= digits.point && digits.point <= 16) {
        out.append(digits.text, count).append(point - count, '0').append(".0");
    } else if (0 < digits.point && digits.point <= 16) {
        out.append(digits.text, point).append(".").append(digits.text + point, count - point);
    } else if (-5 < digits.point && digits.point <= 0) {
        out.append("0.").append(static_cast<std::size_t>(-digits.point), '0').append(digits.text, count);
    } else {
        write_scientific(out, digits);
    }
}

void write_number(std::string& out, double value) {
    if (std::isfinite(value)) write_finite(out, value);
    else out += std::isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
}

std::string error_body(std::string_view message) {
    std::string body = "{\"error\":";
    write_text(body, message);
    return body + "}";
}

}  // namespace mlpack_server
