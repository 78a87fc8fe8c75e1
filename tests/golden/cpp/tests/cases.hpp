// Golden cases: requests with the original model's answers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "size_class/types.hpp"

namespace size_class::tests {

/// A tensor of a case: `data` is flat, in row-major order. The tolerances are those of a response.
struct Column {
    std::string datatype{};
    std::vector<std::int64_t> shape{};
    std::vector<Cell> data{};
    double atol = 0;
    double rtol = 0;
};
using Columns = std::map<std::string, Column>;

struct Case {
    std::string name;
    Columns inputs;
    Columns outputs;
    bool refused = false;  // the original refuses this request
};

/// All cases of a folder, sorted by name. Throws when there are none, or when a case is incomplete.
std::vector<Case> read_cases(const std::filesystem::path& folder);

/// The difference between an answer and the expected one, as a sentence; empty when they agree.
std::string difference(const Columns& wanted, const Columns& got);

}  // namespace size_class::tests
