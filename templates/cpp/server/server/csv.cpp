#include "csv.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string>
#include <unordered_set>
#include <vector>

#include "refusal.hpp"
#include "utf8.hpp"

namespace mlpack_server {
namespace {

using Line = std::vector<std::string>;

// The cells that mean "missing": those of pandas.read_csv.
bool is_missing(const std::string& cell) {
    static const std::unordered_set<std::string> known = {
        "",     "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
        "<NA>", "N/A",  "NA",       "NULL", "NaN",    "None",     "n/a",  "nan",  "null"};
    return known.count(cell) != 0;
}

// Lines of cells; a quoted cell may contain commas, doubled quotes and line ends.
class Splitter {
public:
    explicit Splitter(std::string_view text) : text_(text) {}

    std::vector<Line> lines() {
        while (at_ != text_.size()) {
            const bool empty = text_[at_] == '\n' || text_[at_] == '\r';
            Line line = next();
            if (!empty) lines_.push_back(std::move(line));
        }
        return std::move(lines_);
    }

private:
    Line next() {
        Line line;
        for (;;) {
            line.push_back(at_ != text_.size() && text_[at_] == '"' ? in_quotes() : plain());
            if (at_ == text_.size()) return line;
            const char end = text_[at_++];
            if (end == ',') continue;
            if (end == '\r' && at_ != text_.size() && text_[at_] == '\n') ++at_;
            return line;
        }
    }

    std::string plain() {
        const std::size_t begin = at_;
        at_ = std::min(text_.find_first_of(",\r\n", begin), text_.size());
        return std::string(text_.substr(begin, at_ - begin));
    }

    std::string in_quotes() {
        std::string cell;
        for (++at_;; ++at_) {
            if (at_ == text_.size()) throw Refusal("the csv cannot be read: it ends within quotes");
            if (text_[at_] != '"') {
                cell += text_[at_];
            } else if (at_ + 1 != text_.size() && text_[at_ + 1] == '"') {
                cell += text_[at_++];
            } else {
                break;
            }
        }
        ++at_;
        if (at_ != text_.size() && std::string_view(",\r\n").find(text_[at_]) == std::string_view::npos) {
            throw Refusal("the csv cannot be read: after the quotes of a cell there must be a comma");
        }
        return cell;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::vector<Line> lines_;
};

// A number in people's notation: blanks around it, a sign, words for the infinities; decimal only.
bool read_real(const std::string& cell, double& value) {
    const auto blank = [](unsigned char c) { return std::isspace(c) != 0; };
    const auto begin = std::find_if_not(cell.begin(), cell.end(), blank);
    const auto end = std::find_if_not(cell.rbegin(), std::make_reverse_iterator(begin), blank).base();
    std::string text(begin, end);
    if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.erase(0, 1);
    if (text.empty() || text.find('(') != std::string::npos) return false;
    const auto done = std::from_chars(text.data(), text.data() + text.size(), value);
    if (done.ptr != text.data() + text.size() || done.ec == std::errc::invalid_argument) return false;
    if (done.ec == std::errc::result_out_of_range) value = std::strtod(text.c_str(), nullptr);
    return true;
}

void add_real(Document& document, double value) {
    if (std::isfinite(value)) {
        Node node(Sort::real);
        node.real = value;
        document.add(node);
    } else {
        document.add_text(value > 0 ? "Infinity" : value < 0 ? "-Infinity" : "NaN");
    }
}

bool add_whole(Document& document, const std::string& cell) {
    const char* begin = cell.data() + (cell.front() == '+' ? 1 : 0);
    Node node(Sort::integer);
    auto done = std::from_chars(begin, cell.data() + cell.size(), node.integer);
    if (done.ec == std::errc::result_out_of_range) {
        node.sort = Sort::natural;
        done = std::from_chars(begin, cell.data() + cell.size(), node.natural);
    }
    if (done.ec != std::errc() || done.ptr != cell.data() + cell.size()) return false;
    document.add(node);
    return true;
}

// A cell as in JSON: null where it is missing.
void add_cell(Document& document, const Tensor& column, std::size_t row, const std::string& cell) {
    double value = 0;
    std::string lower;
    for (const char c : cell) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (is_missing(cell)) {
        document.add(Node());
    } else if ((column.kind == Kind::boolean || column.kind == Kind::truth) && (lower == "true" || lower == "false")) {
        Node node(Sort::flag);
        node.flag = lower == "true";
        document.add(node);
    } else if (column.kind == Kind::text || column.kind == Kind::boolean) {
        document.add_text(cell);
    } else if (column.kind == Kind::integer && add_whole(document, cell)) {
    } else if (read_real(cell, value)) {
        add_real(document, value);
    } else {
        throw Refusal("row " + std::to_string(row) + ", column " + quote(column.name) + ": the text " + quote(cell) +
                      ", and the model takes a number here");
    }
}

void check_even(const std::vector<Line>& lines, std::size_t first, std::size_t width) {
    for (std::size_t i = first; i != lines.size(); ++i) {
        if (lines[i].size() == width) continue;
        throw Refusal("row " + std::to_string(i - first) + ": it has " + std::to_string(lines[i].size()) + " cells, there must be " +
                      std::to_string(width));
    }
}

// Rows as lists. `columns`: the input of each cell of a line.
Document rows_of(const std::vector<Line>& lines, std::size_t first, const std::vector<const Tensor*>& columns) {
    check_even(lines, first, columns.size());
    std::size_t bytes = 0;
    for (const Line& line : lines) {
        for (const std::string& cell : line) bytes += std::max<std::size_t>(cell.size(), 9);  // "-Infinity"
    }
    Document document;
    document.reserve(lines.size() * (columns.size() + 1) + 1, bytes);
    document.open(Sort::list);
    for (std::size_t i = first; i != lines.size(); ++i) {
        document.open(Sort::list);
        for (std::size_t k = 0; k != columns.size(); ++k) add_cell(document, *columns[k], i - first, lines[i][k]);
        document.close();
    }
    document.close();
    return document;
}

bool is_number(const std::string& cell) {
    double value = 0;
    return is_missing(cell) || read_real(cell, value);
}

// A matrix; a first line that is not all numbers is a header, with the columns in any order.
Arrays matrix_of(const Columns& columns, const Tensor& input, const std::vector<Line>& lines, bool headed, std::size_t most) {
    const bool head = headed && !lines.empty() && !std::all_of(lines[0].begin(), lines[0].end(), is_number);
    within(lines.size() - (head ? 1 : 0), most);
    const std::vector<const Tensor*> owners(static_cast<std::size_t>(size_of(input.shape[1])), &input);
    const Document rows = rows_of(lines, head ? 1 : 0, owners);
    if (head && std::is_permutation(lines[0].begin(), lines[0].end(), input.columns.begin(), input.columns.end())) {
        return columns.of_frame(lines[0], rows.root(), most);
    }
    return columns.of_rows(rows.root(), most);
}

Arrays named(const Columns& columns, const std::vector<Line>& lines, std::size_t most) {
    if (lines.empty()) throw Refusal("the csv is empty: its first line must name the columns");
    const std::vector<Tensor>& inputs = columns.about().inputs;
    const Line& head = lines[0];
    within(lines.size() - 1, most);
    std::vector<const Tensor*> owners;
    for (const std::string& name : head) {
        if (std::count(head.begin(), head.end(), name) > 1) throw Refusal("the csv has the column " + quote(name) + " twice");
    }
    for (const Tensor& input : inputs) {
        if (std::count(head.begin(), head.end(), input.name) != 0) continue;
        throw Refusal("the first line of the csv lacks the column " + quote(input.name) +
                      "; where it is a row, send Content-Type: text/csv; header=absent");
    }
    for (const std::string& name : head) {
        const auto owner = std::find_if(inputs.begin(), inputs.end(), [&](const Tensor& input) { return input.name == name; });
        owners.push_back(owner == inputs.end() ? &inputs[0] : &*owner);  // an unknown column is refused by its name below
    }
    const Document rows = rows_of(head.size() == inputs.size() ? lines : std::vector<Line>{head}, 1, owners);
    return columns.of_frame(head, rows.root(), most);
}

}  // namespace

Arrays arrays_of_csv(const Columns& columns, std::string_view body, bool headed, std::size_t most) {
    if (body.substr(0, 3) == "\xEF\xBB\xBF") body.remove_prefix(3);
    if (!is_utf8(body)) throw Refusal("the csv is not UTF-8");
    const std::vector<Line> lines = Splitter(body).lines();
    const Tensor* matrix = columns.matrix();
    if (matrix != nullptr && matrix->kind != Kind::text && size_of(matrix->shape[1]) > 1) {
        return matrix_of(columns, *matrix, lines, headed, most);
    }
    if (headed) return named(columns, lines, most);
    within(lines.size(), most);
    std::vector<const Tensor*> owners;
    for (const Tensor& input : columns.about().inputs) owners.push_back(&input);
    const Document rows = rows_of(lines, 0, owners);
    return columns.of_rows(rows.root(), most);
}

}  // namespace mlpack_server
