// Converts values by position or by name to a typed row, and typed rows to tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "rules.hpp"
#include "size_class/tensor.hpp"
#include "size_class/types.hpp"

namespace size_class::detail {

/// An empty tensor of that type and shape, with its capacity reserved.
Tensor make_tensor(Type type, std::vector<std::int64_t> shape);

/// Appends one value, checked and cast to the type of the graph. Each throws InvalidInput.
void put(Tensor& tensor, const Rule& rule, std::size_t row, double value);
void put(Tensor& tensor, const Rule& rule, std::size_t row, std::int64_t value);
void put(Tensor& tensor, const Rule& rule, std::size_t row, bool value);
void put(Tensor& tensor, const Rule& rule, std::size_t row, const std::string& value);
void put(Tensor& tensor, const Rule& rule, std::size_t row, const std::optional<std::string>& value);

/// A cell's value for a row's member, without loss. Each throws InvalidInput.
void take(const Cell& cell, const Rule& rule, double& value);
void take(const Cell& cell, const Rule& rule, std::int64_t& value);
void take(const Cell& cell, const Rule& rule, bool& value);
void take(const Cell& cell, const Rule& rule, std::string& value);
void take(const Cell& cell, const Rule& rule, std::optional<std::string>& value);

/// The names of the columns.
std::vector<std::string> names_of(const Rule* rules, std::size_t width);

/// Throws InvalidInput when there are too few or too many values.
void check_width(std::size_t got, std::size_t width);

/// The values in the order of the columns. Throws InvalidInput when a name is unknown or missing.
std::vector<Cell> in_order(const std::map<std::string, Cell>& values, const Rule* rules, std::size_t width);

}  // namespace size_class::detail
