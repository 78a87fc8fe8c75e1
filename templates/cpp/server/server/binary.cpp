#include "binary.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "arrays.hpp"
#include "refusal.hpp"

namespace mlpack_server {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the protocol's raw tensors are little-endian, as this machine must be");

[[noreturn]] void refuse(const std::string& name, const std::string& what) { throw Refusal("input " + quote(name) + ": " + what); }

// The elements, stored as From, as numbers of type To.
template <class From, class To>
std::vector<To> numbers(const std::string& name, std::string_view raw, std::size_t size) {
    if (raw.size() % sizeof(From) != 0 || raw.size() / sizeof(From) != size) {
        refuse(name, std::to_string(raw.size()) + " bytes, which are not " + std::to_string(size) + " elements of " +
                         std::to_string(sizeof(From)));
    }
    std::vector<To> found;
    found.reserve(size);
    for (std::size_t i = 0; i != size; ++i) {
        From value;
        std::memcpy(&value, raw.data() + i * sizeof(From), sizeof(From));
        found.push_back(static_cast<To>(value));
    }
    return found;
}

double of_half(std::uint16_t bits) {
    const int exponent = bits >> 10 & 31;
    const int fraction = bits & 1023;
    const double magnitude = exponent == 0    ? std::ldexp(fraction, -24)
                             : exponent != 31 ? std::ldexp(fraction + 1024, exponent - 25)
                             : fraction == 0  ? std::numeric_limits<double>::infinity()
                                              : std::nan("");
    return bits >> 15 != 0 ? -magnitude : magnitude;
}

double of_brain(std::uint16_t bits) {
    const std::uint32_t whole = static_cast<std::uint32_t>(bits) << 16;
    float value = 0;
    std::memcpy(&value, &whole, sizeof value);
    return value;
}

std::vector<double> halves(const std::string& name, std::string_view raw, std::size_t size, double (*value)(std::uint16_t)) {
    std::vector<double> found;
    for (const std::int64_t bits : numbers<std::uint16_t, std::int64_t>(name, raw, size)) {
        found.push_back(value(static_cast<std::uint16_t>(bits)));
    }
    return found;
}

std::vector<bool> flags(const std::string& name, std::string_view raw, std::size_t size) {
    std::vector<bool> found;
    for (const std::int64_t byte : numbers<std::uint8_t, std::int64_t>(name, raw, size)) {
        if (byte > 1) refuse(name, "a byte that is neither true (1) nor false (0)");
        found.push_back(byte == 1);
    }
    return found;
}

std::vector<Text> texts(const std::string& name, std::string_view raw, std::size_t size) {
    std::vector<Text> found;
    while (!raw.empty()) {
        std::uint32_t length = 0;
        const bool whole = raw.size() >= sizeof length;
        if (whole) std::memcpy(&length, raw.data(), sizeof length);
        if (!whole || length > raw.size() - sizeof length) {
            refuse(name, "its bytes end within element " + std::to_string(found.size()));
        }
        found.emplace_back(raw.substr(sizeof length, length));
        raw.remove_prefix(sizeof length + length);
    }
    if (found.size() == size) return found;
    refuse(name, std::to_string(found.size()) + " elements, and its shape has " + std::to_string(size));
}

Array::Data read(const std::string& name, const std::string& type, std::string_view raw, std::size_t size) {
    if (type == "FP64") return numbers<double, double>(name, raw, size);
    if (type == "FP32") return numbers<float, double>(name, raw, size);
    if (type == "FP16") return halves(name, raw, size, of_half);
    if (type == "BF16") return halves(name, raw, size, of_brain);
    if (type == "INT64") return numbers<std::int64_t, std::int64_t>(name, raw, size);
    if (type == "INT32") return numbers<std::int32_t, std::int64_t>(name, raw, size);
    if (type == "INT16") return numbers<std::int16_t, std::int64_t>(name, raw, size);
    if (type == "INT8") return numbers<std::int8_t, std::int64_t>(name, raw, size);
    if (type == "UINT64") return numbers<std::uint64_t, std::uint64_t>(name, raw, size);
    if (type == "UINT32") return numbers<std::uint32_t, std::int64_t>(name, raw, size);
    if (type == "UINT16") return numbers<std::uint16_t, std::int64_t>(name, raw, size);
    if (type == "UINT8") return numbers<std::uint8_t, std::int64_t>(name, raw, size);
    if (type == "BOOL") return flags(name, raw, size);
    return texts(name, raw, size);
}

template <class To, class From>
void write(std::string& out, const std::vector<From>& values) {
    for (const From each : values) {
        const To value = static_cast<To>(each);
        char bytes[sizeof(To)];
        std::memcpy(bytes, &value, sizeof value);
        out.append(bytes, sizeof value);
    }
}

// The bits of a number that half precision holds.
std::uint16_t to_half(double value) {
    const int sign = std::signbit(value) ? 0x8000 : 0;
    const double size = std::fabs(value);
    if (!std::isfinite(size)) return static_cast<std::uint16_t>(sign | (std::isnan(size) ? 0x7E00 : 0x7C00));
    int exponent = 0;
    std::frexp(size, &exponent);
    const int step = size == 0 ? -24 : std::max(exponent - 11, -24);
    return static_cast<std::uint16_t>(sign | (((step + 24) << 10) + static_cast<int>(std::ldexp(size, -step))));
}

// The bits of a number that bfloat16 holds.
std::uint16_t to_brain(double value) {
    const auto single = static_cast<float>(value);
    std::uint32_t bits = 0;
    std::memcpy(&bits, &single, sizeof bits);
    return static_cast<std::uint16_t>(bits >> 16);
}

void write_reals(std::string& out, const std::string& type, const std::vector<double>& values) {
    if (type == "FP32") return write<float>(out, values);
    if (type == "FP64") return write<double>(out, values);
    std::vector<std::uint16_t> bits;
    bits.reserve(values.size());
    for (const double value : values) bits.push_back(type == "FP16" ? to_half(value) : to_brain(value));
    write<std::uint16_t>(out, bits);
}

void write_integers(std::string& out, const std::string& type, const std::vector<std::int64_t>& values) {
    if (type == "INT64" || type == "UINT64") write<std::int64_t>(out, values);
    else if (type == "INT32" || type == "UINT32") write<std::uint32_t>(out, values);
    else if (type == "INT16" || type == "UINT16") write<std::uint16_t>(out, values);
    else write<std::uint8_t>(out, values);
}

}  // namespace

Array array_of_bytes(const std::string& name, const std::string& type, std::vector<std::int64_t> shape, std::string_view raw) {
    const std::size_t size = product(shape);
    return {std::move(shape), read(name, type, raw, size)};
}

void write_bytes(std::string& out, const Tensor& output, const Array& array) {
    switch (array.data.index()) {
        case 0: write_reals(out, output.type, std::get<0>(array.data)); break;
        case 1: write_integers(out, output.type, std::get<1>(array.data)); break;
        case 2: write<std::uint64_t>(out, std::get<2>(array.data)); break;
        case 3: write<std::uint8_t>(out, std::get<3>(array.data)); break;
        default:
            for (const Text& text : std::get<4>(array.data)) {
                const std::string plain = text.value_or("");
                write<std::uint32_t>(out, std::vector<std::size_t>{plain.size()});
                out += plain;
            }
    }
}

}  // namespace mlpack_server
