// A tensor, the graph's input and output type.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "size_class/half.hpp"

namespace size_class {

/// `data` is flat, in row-major order; it holds as many elements as the product of `shape`.
struct Tensor {
    using Data = std::variant<std::vector<float>, std::vector<double>, std::vector<std::int8_t>,
                              std::vector<std::int16_t>, std::vector<std::int32_t>, std::vector<std::int64_t>,
                              std::vector<std::uint8_t>, std::vector<std::uint16_t>, std::vector<std::uint32_t>,
                              std::vector<std::uint64_t>, std::vector<bool>, std::vector<std::string>,
                              std::vector<Float16>, std::vector<BFloat16>>;
    std::vector<std::int64_t> shape;
    Data data;
};

}  // namespace size_class
