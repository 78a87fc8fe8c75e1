// The server's interface to size-class 1.0.0.
#include "model.hpp"

#include <exception>
#include <limits>
#include <type_traits>

#include "refusal.hpp"
#include "size_class/size_class.hpp"

namespace mlpack_server {
namespace {

using size_class::Cell;
using size_class::Result;
using size_class::Row;

void add_cells(std::vector<Cell>& cells, const Array& array, std::size_t first, std::size_t count) {
    std::visit(
        [&](const auto& data) {
            for (std::size_t i = first; i != first + count; ++i) {
                using T = typename std::decay_t<decltype(data)>::value_type;
                if constexpr (std::is_same_v<T, Text>) {
                    if (data[i]) cells.emplace_back(*data[i]);
                    else cells.emplace_back();
                } else if constexpr (std::is_same_v<T, std::uint64_t>) {
                    if (data[i] > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
                        throw size_class::InvalidInput("a whole number beyond 64 bits with sign");
                    }
                    cells.emplace_back(static_cast<std::int64_t>(data[i]));
                } else {
                    cells.emplace_back(static_cast<T>(data[i]));
                }
            }
        },
        array.data);
}

// The library's message without its bracketed prefix.
std::string words_of(const std::exception& error) {
    const std::string words = error.what();
    const std::size_t end = words.find("] ");
    return words.front() == '[' && end != std::string::npos ? words.substr(end + 2) : words;
}

template <class T>
using Stored = std::conditional_t<std::is_same_v<T, std::string>, Text, T>;

template <class T>
Array column_of(const std::vector<Result>& results, T Result::*member) {
    std::vector<Stored<T>> values;
    values.reserve(results.size());
    for (const Result& result : results) values.emplace_back(result.*member);
    return {{static_cast<std::int64_t>(results.size())}, std::move(values)};
}

template <class Many>
Array matrix_of(const std::vector<Result>& results, Many Result::*member, std::int64_t width) {
    std::vector<Stored<typename Many::value_type>> values;
    for (const Result& result : results) values.insert(values.end(), (result.*member).begin(), (result.*member).end());
    const auto count = static_cast<std::int64_t>(results.size());
    if (count != 0) width = static_cast<std::int64_t>(values.size()) / count;
    return {{count, width}, std::move(values)};
}

class Rows final : public Model {
public:
    Rows(const std::string& graph, int threads) : model_(std::filesystem::path(graph), size_class::Options{"", threads}) {}

    Arrays ask(const Arrays& inputs) const override {
        try {
            const std::vector<Result> results = model_.predict(rows_of(inputs));
            Arrays answers;
            answers.push_back(column_of(results, &Result::label));
            answers.push_back(matrix_of(results, &Result::probabilities, 2));
            return answers;
        } catch (const size_class::InvalidInput& error) {
            throw Refusal(words_of(error));
        } catch (const size_class::ModelError& error) {
            const std::string words = words_of(error);
            const bool memory = words.find("allocate memory") != std::string::npos || words.find("bad_alloc") != std::string::npos;
            if (memory) throw Refusal("too little memory for these rows: send fewer", 503, "memory");
            throw Refusal("the graph stops on these rows: " + words);
        }
    }

private:
    static std::vector<Row> rows_of(const Arrays& inputs) {
        static constexpr std::size_t widths[] = {1};
        const std::size_t count = inputs.front().rows();
        std::vector<Row> rows;
        rows.reserve(count);
        std::vector<Cell> cells;
        for (std::size_t i = 0; i != count; ++i) {
            cells.clear();
            for (std::size_t k = 0; k != inputs.size(); ++k) add_cells(cells, inputs[k], i * widths[k], widths[k]);
            try {
                rows.push_back(size_class::SizeClass::row_from(cells));
            } catch (const size_class::InvalidInput& error) {
                throw Refusal("row " + std::to_string(i) + ", " + words_of(error));
            }
        }
        return rows;
    }

    size_class::SizeClass model_;
};

}  // namespace

const About& about() {
    static const About described{
        "size-class",
        "1.0.0",
        "708811ccb1510c6d6c6e6379ef09be39bdbb0e7edcf44fefcca21c6228ee6d89",
        "{\"name\":\"size-class\",\"versions\":[\"1.0.0\"],\"platform\":\"onnxruntime_onnx\",\"inputs\":[{\"name\":\"size (mm)\",\"datatype\":\"FP32\",\"shape\":[-1,1]}],\"outputs\":[{\"name\":\"label\",\"datatype\":\"BYTES\",\"shape\":[-1]},{\"name\":\"probabilities\",\"datatype\":\"FP32\",\"shape\":[-1,2]}]}",
        {
            {"size (mm)", Kind::real, "FP32", std::vector<std::string>{"N", "1"}, std::vector<std::string>{}, true, ""},
        },
        {
            {"label", Kind::text, "BYTES", std::vector<std::string>{"N"}, std::vector<std::string>{}, false, ""},
            {"probabilities", Kind::real, "FP32", std::vector<std::string>{"N", "2"}, std::vector<std::string>{}, true, ""},
        },
    };
    return described;
}

std::unique_ptr<Model> load(const std::string& graph, int threads) {
    try {
        return std::make_unique<Rows>(graph, threads);
    } catch (const std::exception& error) {
        throw Damaged(words_of(error));
    }
}

}  // namespace mlpack_server
