#include "answers.hpp"

#include <stdexcept>

#include "columns.hpp"

namespace size_class::tests {
std::vector<std::vector<Cell>> cells_of(const Columns& inputs) {
    static const char* const names[] = {"size (mm)"};
    std::vector<std::vector<Cell>> rows;
    for (const char* name : names) {
        const Column& column = inputs.at(name);
        const auto count = static_cast<std::size_t>(column.shape.at(0));
        if (rows.empty()) rows.resize(count);
        if (rows.size() != count) throw std::runtime_error("the inputs of this case differ in length");
        const std::size_t width = count == 0 ? 0 : column.data.size() / count;
        for (std::size_t i = 0; i != count * width; ++i) rows[i / width].push_back(column.data[i]);
    }
    return rows;
}

namespace {

template <class T>
void append(std::vector<Cell>& cells, const T& value) {
    cells.emplace_back(value);
}

template <class T, std::size_t Width>
void append(std::vector<Cell>& cells, const std::array<T, Width>& values) {
    for (const T& value : values) cells.emplace_back(value);
}

template <class T>
void append(std::vector<Cell>& cells, const std::vector<T>& values) {
    for (const T& value : values) cells.emplace_back(value);
}

template <class T>
Column column_of(const std::vector<Result>& results, T Result::*member, bool scalar) {
    Column column;
    for (const Result& result : results) append(column.data, result.*member);
    const auto count = static_cast<std::int64_t>(results.size());
    const auto size = static_cast<std::int64_t>(column.data.size());
    column.shape = {count};
    if (!scalar) column.shape.push_back(count == 0 ? 0 : size / count);
    return column;
}

}  // namespace

Columns answers(const SizeClass& model, const Columns& inputs) {
    std::vector<Row> rows;
    for (const std::vector<Cell>& cells : cells_of(inputs)) rows.push_back(SizeClass::row_from(cells));
    const std::vector<Result> results = model.predict(rows);
    if (results.size() != rows.size()) throw std::runtime_error("there is not one answer per row");
    Columns found;
    found["label"] = column_of(results, &Result::label, true);
    found["probabilities"] = column_of(results, &Result::probabilities, false);
    return found;
}

}  // namespace size_class::tests
