// The server's interface to the model: inputs, outputs and answers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace mlpack_server {

enum class Kind { real, truth, integer, boolean, text };

/// An input or an output. `kind`: `truth` is a float that is true (1), false (0) or missing. `type`: its datatype in the Open Inference Protocol. `shape`: numbers, and names for free
/// dimensions. `columns`: the names of a matrix's columns, if any. `missing`: the text that stands for a missing one in
/// the graph.
struct Tensor {
    std::string name;
    Kind kind;
    std::string type;
    std::vector<std::string> shape;
    std::vector<std::string> columns;
    bool nullable;
    std::string missing;

    /// The axis along which a batch grows, which the shape calls N; none: the tensor is the same for all rows.
    std::optional<std::size_t> batch_axis() const {
        const auto found = std::find(shape.begin(), shape.end(), "N");
        if (std::count(shape.begin(), shape.end(), "N") != 1) return std::nullopt;
        return static_cast<std::size_t>(found - shape.begin());
    }

    /// Whether rows are the first dimension, where they are any.
    bool rows_first() const { return !shape.empty() && batch_axis().value_or(0) == 0; }
};

/// What is known of the model before it is loaded. `digest`: the sha256 of the graph; `metadata`: the protocol's, as JSON.
/// `beside`: the graph's external data, by path relative to it, and their sha256.
struct About {
    std::string name;
    std::string version;
    std::string digest;
    std::string metadata;
    std::vector<Tensor> inputs;
    std::vector<Tensor> outputs;
    std::vector<std::pair<std::string, std::string>> beside = {};
};

using Text = std::optional<std::string>;

/// Values in row-major order, as many as the product of `shape`.
struct Array {
    using Data = std::variant<std::vector<double>, std::vector<std::int64_t>, std::vector<std::uint64_t>, std::vector<bool>,
                              std::vector<Text>>;
    std::vector<std::int64_t> shape;
    Data data;

    std::size_t rows() const { return shape.empty() ? 0 : static_cast<std::size_t>(shape.front()); }
};

using Arrays = std::vector<Array>;

/// How many rows an array has along its tensor's batch axis; 1 where it has none.
inline std::size_t rows_of(const Array& array, const Tensor& tensor) {
    const std::optional<std::size_t> axis = tensor.batch_axis();
    return axis && *axis < array.shape.size() ? static_cast<std::size_t>(array.shape[*axis]) : 1;
}

/// A loaded model; `ask` may be called from many threads at once.
class Model {
public:
    virtual ~Model() = default;
    /// All outputs for these inputs, both in the order of `About`. Throws Refusal.
    virtual Arrays ask(const Arrays& inputs) const = 0;
};

/// Both are defined in the model's own model.cpp.
const About& about();
/// Throws Damaged.
std::unique_ptr<Model> load(const std::string& graph, int threads);

}  // namespace mlpack_server
