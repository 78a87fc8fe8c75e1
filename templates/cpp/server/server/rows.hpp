// Reads rows in people's notation, and writes answers as rows.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "arrays.hpp"
#include "json.hpp"
#include "model.hpp"

namespace mlpack_server {

/// The model's columns, indexed by name.
class Columns {
public:
    explicit Columns(const About& about);

    /// The inputs of rows: objects by column name, lists in order, or bare values for a single column. Throws Refusal for
    /// invalid rows and for more than `most` rows.
    Arrays of_rows(const Node& rows, std::size_t most) const;
    /// The inputs of one object by column name.
    Arrays of_row(const Node& row) const;
    /// The inputs of rows given as lists, with the cells in the order of `names`.
    Arrays of_frame(const std::vector<std::string>& names, const Node& rows, std::size_t most) const;
    /// The inputs of an object with a list of cells for each input.
    Arrays of_columns(const Node& columns, std::size_t most) const;
    /// The inputs of a list of the protocol's tensors. `raw`: the bytes after the JSON part, if any.
    Arrays of_tensors(const Node& tensors, std::optional<std::string_view> raw, std::size_t most) const;

    const About& about() const { return about_; }
    /// The only input if it is a matrix; nullptr otherwise.
    const Tensor* matrix() const;

private:
    // The requested cells of a row, by name, and their number.
    struct Wanted {
        std::unordered_map<std::string_view, std::size_t> places;
        std::vector<std::size_t> order;
    };
    using Cells = std::vector<const Node*>;

    Array tensor(const std::string& name, const Node& tensor, std::optional<std::string_view>& raw) const;
    Arrays by_name(const Node& rows) const;
    Arrays in_order(const Node& rows) const;
    Cells picked(const Wanted& wanted, const Node& row, std::size_t index) const;
    std::vector<std::size_t> places(const Wanted& wanted, const std::vector<std::string>& names) const;
    Arrays of_cells(std::vector<Given> given) const;
    Arrays arrays(std::vector<Given> given) const;
    std::vector<Given> room(const Wanted& wanted) const;
    void put(std::vector<Given>& given, const Wanted& wanted, const Cells& cells) const;
    std::vector<std::string_view> lacking(const std::vector<bool>& there) const;
    [[noreturn]] void refuse_stranger(std::string_view name, const std::string& where) const;

    const About& about_;
    Wanted inputs_;
    Wanted columns_;  // the matrix's named columns
};

/// Throws Refusal for more rows than the server accepts at once.
void within(std::size_t rows, std::size_t most);

/// Answers as one object per row, or with `bare` and a single column as one bare value per row.
std::string write_rows(const About& about, const Arrays& answers, std::size_t rows, bool bare);

}  // namespace mlpack_server
