// A golden case through the public face of the library.
#pragma once

#include "cases.hpp"
#include "size_class/size_class.hpp"

namespace size_class::tests {

/// What the model answers. Throws what the library throws.
Columns answers(const SizeClass& model, const Columns& inputs);

}  // namespace size_class::tests
