// Checks text for the graph: UTF-8 without U+0000.
#pragma once

#include <string>

namespace size_class::detail {

/// The fault of a text, as a sentence; empty for a valid text.
std::string problem_of_text(const std::string& text);

/// The text in quotes, shortened for a message.
std::string quoted(const std::string& text);

}  // namespace size_class::detail
