#include "rows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "text.hpp"

namespace size_class::detail {
namespace {

constexpr Place nowhere{"", 0, "column"};

Place at(std::size_t row) { return {"row", row, "column"}; }

[[noreturn]] void refuse_type(const Rule& rule, const Cell& cell, const std::string& wanted) {
    static const char* const names[] = {"a missing value", "a boolean", "an integer", "a number", "a text"};
    refuse(rule, nowhere, std::string(names[cell.index()]) + " is refused, as the model takes " + wanted);
}

template <class T>
void append(Tensor& tensor, T value) {
    std::get<std::vector<T>>(tensor.data).push_back(std::move(value));
}

template <class T>
void append_integer(Tensor& tensor, const Rule& rule, std::size_t row, std::int64_t value) {
    if (value != static_cast<std::int64_t>(static_cast<T>(value)) || (std::is_unsigned_v<T> && value < 0)) {
        refuse(rule, at(row), std::to_string(value) + " does not fit the model's type of " + std::to_string(8 * sizeof(T)) +
                                  (std::is_unsigned_v<T> ? " bits without sign" : " bits"));
    }
    append(tensor, static_cast<T>(value));
}

}  // namespace

Tensor make_tensor(Type type, std::vector<std::int64_t> shape) {
    static const Tensor::Data empty[] = {
        std::vector<float>(), std::vector<double>(), std::vector<std::int8_t>(), std::vector<std::int16_t>(),
        std::vector<std::int32_t>(), std::vector<std::int64_t>(), std::vector<std::uint8_t>(), std::vector<std::uint16_t>(),
        std::vector<std::uint32_t>(), std::vector<std::uint64_t>(), std::vector<bool>(), std::vector<std::string>(),
        std::vector<Float16>(), std::vector<BFloat16>()};
    std::size_t count = 1;
    for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
    Tensor tensor{std::move(shape), empty[static_cast<std::size_t>(type)]};
    std::visit([count](auto& data) { data.reserve(count); }, tensor.data);
    return tensor;
}

void put(Tensor& tensor, const Rule& rule, std::size_t row, double value) {
    check(rule, at(row), value);
    switch (rule.type) {
        case Type::float16: return append(tensor, Float16(value));
        case Type::bfloat16: return append(tensor, BFloat16(value));
        case Type::float32: return append(tensor, static_cast<float>(value));
        default: return append(tensor, value);
    }
}

void put(Tensor& tensor, const Rule& rule, std::size_t row, std::int64_t value) {
    check(rule, at(row), value);
    switch (rule.type) {
        case Type::int8: return append_integer<std::int8_t>(tensor, rule, row, value);
        case Type::int16: return append_integer<std::int16_t>(tensor, rule, row, value);
        case Type::int32: return append_integer<std::int32_t>(tensor, rule, row, value);
        case Type::uint8: return append_integer<std::uint8_t>(tensor, rule, row, value);
        case Type::uint16: return append_integer<std::uint16_t>(tensor, rule, row, value);
        case Type::uint32: return append_integer<std::uint32_t>(tensor, rule, row, value);
        case Type::uint64: return append_integer<std::uint64_t>(tensor, rule, row, value);
        default: return append(tensor, value);
    }
}

void put(Tensor& tensor, const Rule& rule, std::size_t row, bool value) {
    check(rule, at(row), value);
    append(tensor, value);
}

void put(Tensor& tensor, const Rule& rule, std::size_t row, const std::string& value) {
    check(rule, at(row), value);
    append(tensor, value);
}

void put(Tensor& tensor, const Rule& rule, std::size_t row, const std::optional<std::string>& value) {
    if (!value) {
        if (!rule.nullable) refuse_missing(rule, at(row));
        append(tensor, std::string(rule.missing));
    } else if (rule.nullable && *value == rule.missing) {
        // An empty text that stands for a missing one is accepted, as the model does not distinguish the two.
        if (!value->empty()) {
            refuse(rule, at(row), quoted(*value) + " is refused, as it stands for a missing value; pass std::nullopt for one");
        }
        append(tensor, *value);
    } else {
        put(tensor, rule, row, *value);
    }
}

void take(const Cell& cell, const Rule& rule, double& value) {
    if (const double* number = std::get_if<double>(&cell)) {
        value = *number;
    } else if (const std::int64_t* integer = std::get_if<std::int64_t>(&cell)) {
        value = static_cast<double>(*integer);
        constexpr std::int64_t exact = std::int64_t{1} << 53;
        if (*integer > exact || *integer < -exact) {
            refuse(rule, nowhere, std::to_string(*integer) + " is refused, as a floating-point column cannot hold it exactly");
        }
    } else if (std::holds_alternative<std::monostate>(cell)) {
        if (!rule.nullable) refuse_missing(rule, nowhere);
        value = std::numeric_limits<double>::quiet_NaN();
    } else {
        refuse_type(rule, cell, "a number");
    }
}

void take(const Cell& cell, const Rule& rule, std::int64_t& value) {
    constexpr double beyond = 9223372036854775808.0;  // 2^63
    if (const std::int64_t* integer = std::get_if<std::int64_t>(&cell)) {
        value = *integer;
    } else if (const double* number = std::get_if<double>(&cell)) {
        if (!(*number >= -beyond && *number < beyond) || std::trunc(*number) != *number) {
            refuse(rule, nowhere, shown(*number) + " is refused, as the model takes an integer");
        }
        value = static_cast<std::int64_t>(*number);
    } else if (std::holds_alternative<std::monostate>(cell)) {
        refuse_missing(rule, nowhere);
    } else {
        refuse_type(rule, cell, "an integer");
    }
}

void take(const Cell& cell, const Rule& rule, bool& value) {
    if (std::holds_alternative<std::monostate>(cell)) refuse_missing(rule, nowhere);
    if (!std::holds_alternative<bool>(cell)) refuse_type(rule, cell, "a boolean");
    value = std::get<bool>(cell);
}

void take(const Cell& cell, const Rule& rule, std::string& value) {
    if (std::holds_alternative<std::monostate>(cell)) refuse_missing(rule, nowhere);
    if (!std::holds_alternative<std::string>(cell)) refuse_type(rule, cell, "a text");
    value = std::get<std::string>(cell);
}

void take(const Cell& cell, const Rule& rule, std::optional<std::string>& value) {
    if (std::holds_alternative<std::monostate>(cell)) {
        if (!rule.nullable) refuse_missing(rule, nowhere);
        value.reset();
    } else {
        take(cell, rule, value.emplace());
    }
}

std::vector<std::string> names_of(const Rule* rules, std::size_t width) {
    std::vector<std::string> names;
    names.reserve(width);
    for (std::size_t i = 0; i != width; ++i) names.emplace_back(rules[i].name);
    return names;
}

void check_width(std::size_t got, std::size_t width) {
    if (got == width) return;
    throw InvalidInput("[size_class.input] a row of " + std::to_string(got) + " values is refused, as the model takes " +
                       std::to_string(width) + "; see columns()");
}

std::vector<Cell> in_order(const std::map<std::string, Cell>& values, const Rule* rules, std::size_t width) {
    std::vector<Cell> cells;
    cells.reserve(width);
    for (std::size_t i = 0; i != width; ++i) {
        const auto found = values.find(rules[i].name);
        if (found == values.end()) {
            throw InvalidInput(std::string("[size_class.input] column \"") + rules[i].name +
                               "\" is not given; pass std::monostate where its value is missing");
        }
        cells.push_back(found->second);
    }
    if (values.size() == width) return cells;
    for (const auto& [name, value] : values) {
        const auto same = [&name = name](const Rule& rule) { return name == rule.name; };
        if (std::none_of(rules, rules + width, same)) {
            throw InvalidInput("[size_class.input] column \"" + name + "\" is unknown to the model; see columns()");
        }
    }
    return cells;
}

}  // namespace size_class::detail
