// Cells as a request brings them, brought into the kind and the shape of the model's inputs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "json.hpp"
#include "model.hpp"

namespace mlpack_server {

/// The cells of one input, flat or nested, with the shape that they have.
struct Given {
    std::vector<const Node*> cells;
    std::vector<std::int64_t> shape;
};

/// The tensor that an object of `inputs` holds, in its own datatype. Throws Refusal.
Array array_of(const std::string& name, const Node& tensor);

/// The same from cells that have no datatype of their own: they are read as the input wants them.
Array array_of(const Tensor& input, Given given);

/// The shape of such an object, and its datatype. Both throw Refusal.
std::vector<std::int64_t> shape_of(const std::string& name, const Node& tensor);
std::string datatype_of(const std::string& name, const Node& tensor);

/// The product of the sizes; more than any request holds where it does not fit.
std::size_t product(const std::vector<std::int64_t>& shape);

/// Refuses a list where a row has one cell. Throws Refusal.
void check_cells(const Tensor& input, const Given& given);

/// Brings an array into an input's kind and shape. Throws Refusal.
void fit(Array& array, const Tensor& input);

/// Throws Refusal unless sizes of one name are of one size in all inputs.
void check_sizes(const Arrays& arrays, const std::vector<Tensor>& inputs);

/// A name in quotes, cut to a length that fits a message.
std::string quote(std::string_view name);

/// The number that a shape's size is, -1 for a name.
std::int64_t size_of(const std::string& size);

}  // namespace mlpack_server
