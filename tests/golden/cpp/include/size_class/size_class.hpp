// size-class 1.0.0, typed by its own columns.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "size_class/types.hpp"

namespace size_class {

/// One row of input. predict() reports refused values with row and column.
struct Row {
    /// "size (mm)"; NaN where it is missing; magnitudes up to 3.4028235e+38
    double size_mm = std::numeric_limits<double>::quiet_NaN();
};

/// The answer for one row.
struct Result {
    /// "label"
    std::string label{};
    /// "probabilities", in the order of classes()
    std::array<double, 2> probabilities{};
};

#ifdef SIZE_CLASS_MODEL_PATH
/// The path of model.onnx: beside the sources, or below share/ once installed. CMake's target provides it.
inline std::filesystem::path default_model_path() { return SIZE_CLASS_MODEL_PATH; }
#endif

/// The model: movable, not copyable. predict() may be called from many threads at once.
class SizeClass {
public:
    /// Reads the file. Throws ModelError when it is not this model, LibraryError when there is no ONNX Runtime.
    explicit SizeClass(const std::filesystem::path& model, const Options& options = {});
    /// The same from bytes in memory, which need not outlive the call.
    explicit SizeClass(const std::vector<unsigned char>& model, const Options& options = {});
    SizeClass(SizeClass&& other) noexcept;
    SizeClass& operator=(SizeClass&& other) noexcept;
    SizeClass(const SizeClass&) = delete;
    SizeClass& operator=(const SizeClass&) = delete;
    ~SizeClass();

    /// One answer per row, in order; no rows give no answers. Throws InvalidInput when a value is refused, ModelError
    /// when the model itself fails.
    std::vector<Result> predict(const std::vector<Row>& rows) const;
    std::vector<Result> predict(const Row* rows, std::size_t count) const;
    Result predict(const Row& row) const;

    /// The names of the columns at fitting, in the order of row_from().
    static const std::vector<std::string>& columns();
    /// A row from values in the order of columns(). Throws InvalidInput when there are too few or too many, or when one is
    /// of another type.
    static Row row_from(const std::vector<Cell>& values);
    /// A row from values by the names of columns(). Throws InvalidInput when a name is unknown or missing.
    static Row row_from_names(const std::map<std::string, Cell>& values);
    /// The labels, in the order of `probabilities`.
    static const std::array<std::string, 2>& classes();

private:
    struct Implementation;
    std::unique_ptr<Implementation> implementation_;
};

}  // namespace size_class
