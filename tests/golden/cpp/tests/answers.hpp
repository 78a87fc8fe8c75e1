// Runs a golden case through the library's public interface.
#pragma once

#include "cases.hpp"
#include "size_class/size_class.hpp"

namespace size_class::tests {

/// The model's answer. Throws the library's exceptions.
Columns answers(const SizeClass& model, const Columns& inputs);

}  // namespace size_class::tests
