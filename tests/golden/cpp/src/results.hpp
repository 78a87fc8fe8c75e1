// Converts output tensors, row by row, to the members of a result.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "size_class/tensor.hpp"
#include "size_class/types.hpp"

namespace size_class::detail {

/// The elements as T, without loss: integers as std::int64_t, all numbers as double.
template <class T>
std::vector<T> elements_as(const Tensor& tensor, const std::string& name) {
    return std::visit(
        [&](const auto& data) -> std::vector<T> {
            using From = typename std::decay_t<decltype(data)>::value_type;
            constexpr bool integer = std::is_integral_v<From> && !std::is_same_v<From, bool>;
            constexpr bool same = std::is_same_v<From, T>;
            constexpr bool to_double = std::is_same_v<T, double> && (integer || is_real<From>);
            constexpr bool to_integer = std::is_same_v<T, std::int64_t> && integer;
            if constexpr (same || to_double || to_integer) {
                std::vector<T> elements;
                elements.reserve(data.size());
                for (const auto& element : data) elements.push_back(static_cast<T>(element));
                return elements;
            } else {
                throw ModelError("[size_class.model] output \"" + name + "\" is of another type than this code was written for");
            }
        },
        tensor.data);
}

inline void check_size(const std::string& name, std::size_t got, std::size_t rows, std::size_t width) {
    if (got == rows * width) return;
    throw ModelError("[size_class.model] output \"" + name + "\" has " + std::to_string(got) + " elements for " +
                     std::to_string(rows) + " rows of " + std::to_string(width));
}

template <class R, class T>
void read(const Tensor& tensor, const std::string& name, std::vector<R>& results, T R::*member) {
    const std::vector<T> elements = elements_as<T>(tensor, name);
    check_size(name, elements.size(), results.size(), 1);
    for (std::size_t i = 0; i != results.size(); ++i) results[i].*member = elements[i];
}

template <class R, class T, std::size_t Width>
void read(const Tensor& tensor, const std::string& name, std::vector<R>& results, std::array<T, Width> R::*member) {
    const std::vector<T> elements = elements_as<T>(tensor, name);
    check_size(name, elements.size(), results.size(), Width);
    for (std::size_t i = 0; i != results.size(); ++i) {
        std::copy_n(elements.begin() + static_cast<std::ptrdiff_t>(i * Width), Width, (results[i].*member).begin());
    }
}

template <class R, class T>
void read(const Tensor& tensor, const std::string& name, std::vector<R>& results, std::vector<T> R::*member) {
    const std::vector<T> elements = elements_as<T>(tensor, name);
    const std::size_t width = elements.size() / results.size();
    check_size(name, elements.size(), results.size(), width);
    for (std::size_t i = 0; i != results.size(); ++i) {
        (results[i].*member).assign(elements.begin() + static_cast<std::ptrdiff_t>(i * width),
                                    elements.begin() + static_cast<std::ptrdiff_t>((i + 1) * width));
    }
}

}  // namespace size_class::detail
