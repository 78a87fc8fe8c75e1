// Converts a request's cells to the type and shape of the model's inputs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "json.hpp"
#include "model.hpp"

namespace mlpack_server {

/// The cells of one input, flat or nested, with their shape.
struct Given {
    std::vector<const Node*> cells;
    std::vector<std::int64_t> shape;
};

/// The tensor in an object of `inputs`, in its own datatype. Throws Refusal.
Array array_of(const std::string& name, const Node& tensor);

/// The tensor from cells without a datatype of their own, read by the input's type.
Array array_of(const Tensor& input, Given given);

/// The shape of such an object, and its datatype. Both throw Refusal.
std::vector<std::int64_t> shape_of(const std::string& name, const Node& tensor);
std::string datatype_of(const std::string& name, const Node& tensor);

/// The product of the sizes; on overflow, more than any request can hold.
std::size_t product(const std::vector<std::int64_t>& shape);

/// Throws Refusal for a list where a row has one cell.
void check_cells(const Tensor& input, const Given& given);

/// Converts an array to an input's type and shape. Throws Refusal.
void fit(Array& array, const Tensor& input);

/// Throws Refusal unless dimensions of one name have one size in all inputs.
void check_sizes(const Arrays& arrays, const std::vector<Tensor>& inputs);

/// A name in quotes, shortened for a message.
std::string quote(std::string_view name);

/// The size of a dimension, -1 for a name.
std::int64_t size_of(const std::string& size);

}  // namespace mlpack_server
