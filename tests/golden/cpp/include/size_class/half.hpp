// Numbers of two bytes, for which C++17 has no type.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

namespace size_class {

/// IEEE half precision. Numbers are rounded to the nearest, ties to even; those beyond 65504 become infinity.
struct Float16 {
    std::uint16_t bits = 0;

    Float16() = default;
    explicit Float16(double value) : bits(bits_of(value)) {}
    operator float() const {
        const int exponent = bits >> 10 & 31;
        const int fraction = bits & 1023;
        const float size = exponent == 0    ? std::ldexp(static_cast<float>(fraction), -24)
                           : exponent != 31 ? std::ldexp(static_cast<float>(fraction + 1024), exponent - 25)
                           : fraction == 0  ? std::numeric_limits<float>::infinity()
                                            : std::numeric_limits<float>::quiet_NaN();
        return bits >> 15 != 0 ? -size : size;
    }

private:
    static std::uint16_t bits_of(double value) {
        const int sign = std::signbit(value) ? 0x8000 : 0;
        const double size = std::fabs(value);
        if (std::isnan(size)) return static_cast<std::uint16_t>(sign | 0x7E00);
        if (size >= 65520) return static_cast<std::uint16_t>(sign | 0x7C00);
        int exponent = 0;
        std::frexp(size, &exponent);
        const int step = size == 0 ? -24 : std::max(exponent - 11, -24);  // the power of two between neighbours
        return static_cast<std::uint16_t>(sign | (((step + 24) << 10) + static_cast<int>(std::nearbyint(std::ldexp(size, -step)))));
    }
};

/// bfloat16: the upper half of a float. Numbers are rounded to the nearest, ties to even.
struct BFloat16 {
    std::uint16_t bits = 0;

    BFloat16() = default;
    explicit BFloat16(double value) : bits(bits_of(static_cast<float>(value))) {}
    operator float() const {
        const std::uint32_t whole = static_cast<std::uint32_t>(bits) << 16;
        float value = 0;
        std::memcpy(&value, &whole, sizeof value);
        return value;
    }

private:
    static std::uint16_t bits_of(float value) {
        std::uint32_t whole = 0;
        std::memcpy(&whole, &value, sizeof whole);
        if (std::isnan(value)) return static_cast<std::uint16_t>(whole >> 16 | 0x40);
        return static_cast<std::uint16_t>((whole + 0x7FFF + (whole >> 16 & 1)) >> 16);
    }
};

/// Whether T holds numbers with fractions.
template <class T>
constexpr bool is_real = std::is_floating_point_v<T> || std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>;

}  // namespace size_class
