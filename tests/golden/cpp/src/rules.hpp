// Checks values against the model's rules, column by column, with a message for each refusal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "size_class/types.hpp"

namespace size_class::detail {

/// Element types, in the order of the alternatives of Tensor::Data.
enum class Type { float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64, boolean, text, float16, bfloat16 };

/// A closed set of values, in the list for the column's type.
struct Values {
    const char* const* texts;
    const double* numbers;
    const std::int64_t* integers;
    std::size_t count;
};

/// No limit.
constexpr double none = std::numeric_limits<double>::quiet_NaN();

/// The rule of one column; plain data, so that a table of thousands needs no code.
struct Rule {
    const char* name;
    Type type;
    bool nullable;         // a missing value is accepted: NaN, or std::nullopt in a text column
    const char* missing;   // the text that stands for a missing value in the graph
    double limit;          // the largest magnitude that is accepted; NaN: no limit, infinity included
    double least;          // the smallest number that is accepted; NaN: no such bound
    double most;           // the largest number that is accepted; NaN: no such bound
    const Values* values;  // the only values that are accepted; nullptr: any
};

/// The place of a value, for messages: `row 3, column "x"`.
struct Place {
    const char* unit;
    std::size_t index;
    const char* noun;
};

/// Each throws InvalidInput when the rule refuses the value. `check` of a number reads NaN as missing.
void check(const Rule& rule, const Place& place, double value);
void check(const Rule& rule, const Place& place, std::int64_t value);
void check(const Rule& rule, const Place& place, bool value);
void check(const Rule& rule, const Place& place, const std::string& value);

[[noreturn]] void refuse(const Rule& rule, const Place& place, const std::string& what);
[[noreturn]] void refuse_missing(const Rule& rule, const Place& place);

/// A number with all its digits.
std::string shown(double value);

}  // namespace size_class::detail
