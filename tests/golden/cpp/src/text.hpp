// Text as the graph takes it: UTF-8 without U+0000.
#pragma once

#include <string>

namespace size_class::detail {

/// What is wrong with a text, as a sentence; empty when nothing is.
std::string problem_of_text(const std::string& text);

/// The text in quotes, cut to a length that fits a message.
std::string quoted(const std::string& text);

}  // namespace size_class::detail
