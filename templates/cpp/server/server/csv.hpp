// Reads a csv body as rows.
#pragma once

#include <string_view>

#include "rows.hpp"

namespace mlpack_server {

/// The inputs of a csv body; `headed`: its first line names the columns. Throws Refusal.
Arrays arrays_of_csv(const Columns& columns, std::string_view body, bool headed, std::size_t most);

}  // namespace mlpack_server
