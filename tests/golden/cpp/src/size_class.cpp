#include "size_class/size_class.hpp"

#include <cmath>
#include <stdexcept>
#include <utility>

#include "results.hpp"
#include "rows.hpp"
#include "session.hpp"

namespace size_class {

using detail::none;
using detail::Rule;
using detail::Type;

namespace {

const Rule rules[] = {
    {"size (mm)", Type::float32, true, "", 3.4028234663852886e+38, none, none, nullptr},
};
constexpr std::size_t width = sizeof(rules) / sizeof(rules[0]);

std::vector<Tensor> empty_inputs(std::size_t count) {
    const auto n = static_cast<std::int64_t>(count);
    std::vector<Tensor> inputs;
    inputs.reserve(1);
    inputs.push_back(detail::make_tensor(Type::float32, {n, 1}));
    return inputs;
}

void put_row(std::vector<Tensor>& inputs, std::size_t index, const Row& row) {
    detail::put(inputs[0], rules[0], index, row.size_mm);
}

}  // namespace

struct SizeClass::Implementation {
    detail::Session session;

    Implementation(const std::vector<unsigned char>& model, const std::string& origin, const Options& options)
        : session(model, origin, options,
                  {"size (mm)"},
                  {"label", "probabilities"}) {}
};

SizeClass::SizeClass(const std::filesystem::path& model, const Options& options)
    : implementation_(std::make_unique<Implementation>(detail::read_file(model.string()), model.string(), options)) {}
SizeClass::SizeClass(const std::vector<unsigned char>& model, const Options& options)
    : implementation_(std::make_unique<Implementation>(model, "the model in memory", options)) {}
SizeClass::SizeClass(SizeClass&& other) noexcept = default;
SizeClass& SizeClass::operator=(SizeClass&& other) noexcept = default;
SizeClass::~SizeClass() = default;

std::vector<Result> SizeClass::predict(const std::vector<Row>& rows) const { return predict(rows.data(), rows.size()); }

Result SizeClass::predict(const Row& row) const { return std::move(predict(&row, 1).front()); }

std::vector<Result> SizeClass::predict(const Row* rows, std::size_t count) const {
    if (implementation_ == nullptr) throw std::logic_error("[size_class] this SizeClass was moved from");
    std::vector<Result> results(count);
    if (count == 0) return results;  // some operators of ONNX Runtime fail on an empty batch
    std::vector<Tensor> inputs = empty_inputs(count);
    for (std::size_t i = 0; i != count; ++i) put_row(inputs, i, rows[i]);
    std::vector<const Tensor*> places;
    for (const Tensor& tensor : inputs) places.push_back(&tensor);
    const std::vector<Tensor> outputs = implementation_->session.run(places);
    detail::read(outputs[0], "label", results, &Result::label);
    detail::read(outputs[1], "probabilities", results, &Result::probabilities);
    return results;
}

const std::vector<std::string>& SizeClass::columns() {
    static const std::vector<std::string> names = detail::names_of(rules, width);
    return names;
}

Row SizeClass::row_from(const std::vector<Cell>& values) {
    detail::check_width(values.size(), width);
    Row row{};
    detail::take(values[0], rules[0], row.size_mm);
    return row;
}

Row SizeClass::row_from_names(const std::map<std::string, Cell>& values) {
    return row_from(detail::in_order(values, rules, width));
}

const std::array<std::string, 2>& SizeClass::classes() {
    static const std::array<std::string, 2> labels = {{"big", "small"}};
    return labels;
}

}  // namespace size_class
