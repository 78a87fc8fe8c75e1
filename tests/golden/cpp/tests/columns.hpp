// The signature's rules per column for the tests, written separately from the library's tables.
#pragma once

#include <limits>
#include <vector>

#include "cases.hpp"

namespace size_class::tests {

struct Trait {
    char kind;  // f: floating point, i: integer, b: boolean, s: text
    bool nullable;
    const char* missing;
    double limit;  // NaN: none
    double least;  // NaN: none
    double most;   // NaN: none
    bool closed;   // a closed set of values
};

constexpr double none = std::numeric_limits<double>::quiet_NaN();
const Trait traits[] = {
    {'f', true, "", 3.4028234663852886e+38, none, none, false},
};

/// The cells of every row, in the order of SizeClass::columns().
std::vector<std::vector<Cell>> cells_of(const Columns& inputs);

}  // namespace size_class::tests
