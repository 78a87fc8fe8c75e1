#include "arrays.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <string_view>

#include "refusal.hpp"
#include "writing.hpp"

namespace mlpack_server {
namespace {

constexpr std::size_t most_rank = 32;
constexpr std::int64_t most_size = std::int64_t{1} << 53;
constexpr double exact = 9007199254740992.0;  // 2^53: from here on a double does not represent every integer

// The cell and its column, for messages.
struct Place {
    const std::string& name;
    std::size_t row;
};

std::string at(const Place& place) { return "row " + std::to_string(place.row) + ", column " + quote(place.name) + ": "; }

std::string shown(const Node& cell) {
    std::string text = "the number ";
    switch (cell.sort) {
        case Sort::null: return "a missing value";
        case Sort::flag: return cell.flag ? "true" : "false";
        case Sort::list: return "a list";
        case Sort::object: return "an object";
        case Sort::text: return "the text " + quote(cell.view());
        case Sort::integer: write_integer(text, cell.integer); break;
        case Sort::natural: write_natural(text, cell.natural); break;
        case Sort::real: write_number(text, cell.real); break;
    }
    return text;
}

[[noreturn]] void refuse_kind(const Place& place, const Node& cell, const char* wanted) {
    throw Refusal(at(place) + shown(cell) + ", and the model takes " + wanted + " here");
}

[[noreturn]] void refuse_missing(const Place& place, const char* wanted) {
    throw Refusal(at(place) + "a missing value, and the model takes " + wanted + " here");
}

// Rounds to half precision, ties to even; the result is a double.
double half(double value) {
    if (!std::isfinite(value) || value == 0) return value;
    int exponent = 0;
    std::frexp(value, &exponent);
    const double step = std::ldexp(1.0, std::max(exponent - 11, -24));
    const double rounded = std::nearbyint(value / step) * step;
    return std::fabs(rounded) > 65504 ? std::copysign(std::numeric_limits<double>::infinity(), value) : rounded;
}

// Rounds to bfloat16, the upper half of a float, ties to even.
double brain(double value) {
    const auto single = static_cast<float>(value);
    if (!std::isfinite(single)) return single;
    std::uint32_t bits = 0;
    std::memcpy(&bits, &single, sizeof bits);
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000;
    float rounded = 0;
    std::memcpy(&rounded, &bits, sizeof rounded);
    return rounded;
}

// Rounds to a type of the protocol.
double rounded(double value, const std::string& type) {
    if (type == "FP32") return static_cast<float>(value);
    return type == "FP16" ? half(value) : type == "BF16" ? brain(value) : value;
}

double real_of(const Place& place, const Node& cell) {
    switch (cell.sort) {
        case Sort::real: return cell.real;
        case Sort::integer: return static_cast<double>(cell.integer);
        case Sort::natural: return static_cast<double>(cell.natural);
        case Sort::null: return std::nan("");
        default: break;
    }
    if (cell.is(Sort::text)) {
        if (cell.view() == "NaN") return std::nan("");
        if (cell.view() == "Infinity") return std::numeric_limits<double>::infinity();
        if (cell.view() == "-Infinity") return -std::numeric_limits<double>::infinity();
    }
    refuse_kind(place, cell, "a number");
}

[[noreturn]] void refuse_beyond(const Place& place, const std::string& type) {
    throw Refusal(at(place) + "a whole number beyond those of " + type);
}

// The whole number in a cell, unless it is beyond 64 bits.
Node whole_of(const Place& place, const Node& cell, const std::string& type) {
    if (cell.is(Sort::integer) || cell.is(Sort::natural)) return cell;
    if (cell.is(Sort::null)) refuse_missing(place, "whole numbers");
    if (!cell.is(Sort::real)) refuse_kind(place, cell, "a whole number");
    if (std::fabs(cell.real) >= exact) {
        throw Refusal(at(place) + "a whole number that is too large, or written with a fraction");
    }
    if (std::trunc(cell.real) != cell.real) refuse_kind(place, cell, ("a whole number of " + type).c_str());
    Node node(Sort::integer);
    node.integer = static_cast<std::int64_t>(cell.real);
    return node;
}

struct Range {
    std::int64_t least;
    std::int64_t most;
};

Range range_of(const std::string& type) {
    const bool is_signed = type.front() == 'I';
    const int bits = std::stoi(type.substr(is_signed ? 3 : 4));
    if (bits == 64) return {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};
    const std::int64_t half = std::int64_t{1} << (bits - 1);
    return is_signed ? Range{-half, half - 1} : Range{0, 2 * half - 1};
}

using Cells = std::vector<const Node*>;

std::vector<double> reals(const std::string& name, const Cells& cells, const std::string& type, std::size_t width) {
    std::vector<double> values;
    values.reserve(cells.size());
    for (const Node* cell : cells) values.push_back(rounded(real_of({name, values.size() / width}, *cell), type));
    return values;
}

std::vector<std::int64_t> integers(const std::string& name, const Cells& cells, const std::string& type, std::size_t width) {
    const Range range = range_of(type);
    std::vector<std::int64_t> values;
    values.reserve(cells.size());
    for (const Node* cell : cells) {
        const Place place{name, values.size() / width};
        const Node whole = whole_of(place, *cell, type);
        if (whole.is(Sort::natural) || whole.integer < range.least || whole.integer > range.most) refuse_beyond(place, type);
        values.push_back(whole.integer);
    }
    return values;
}

std::vector<std::uint64_t> naturals(const std::string& name, const Cells& cells, const std::string& type, std::size_t width) {
    std::vector<std::uint64_t> values;
    values.reserve(cells.size());
    for (const Node* cell : cells) {
        const Place place{name, values.size() / width};
        const Node whole = whole_of(place, *cell, type);
        if (whole.is(Sort::integer) && whole.integer < 0) refuse_beyond(place, type);
        values.push_back(whole.is(Sort::natural) ? whole.natural : static_cast<std::uint64_t>(whole.integer));
    }
    return values;
}

std::vector<bool> flags(const std::string& name, const Cells& cells, std::size_t width) {
    std::vector<bool> values;
    values.reserve(cells.size());
    for (const Node* cell : cells) {
        if (!cell->is(Sort::flag)) refuse_kind({name, values.size() / width}, *cell, "true or false");
        values.push_back(cell->flag);
    }
    return values;
}

// Numbers, and true and false as 1 and 0.
std::vector<double> truths(const std::string& name, const Cells& cells, std::size_t width) {
    std::vector<double> values;
    values.reserve(cells.size());
    for (const Node* cell : cells) {
        if (cell->is(Sort::flag)) values.push_back(cell->flag ? 1 : 0);
        else values.push_back(real_of({name, values.size() / width}, *cell));
    }
    return values;
}

std::vector<Text> texts(const std::string& name, const Cells& cells, std::size_t width) {
    std::vector<Text> values;
    values.reserve(cells.size());
    for (const Node* cell : cells) {
        if (cell->is(Sort::text)) values.emplace_back(cell->view());
        else if (cell->is(Sort::null)) values.emplace_back();
        else refuse_kind({name, values.size() / width}, *cell, "text");
    }
    return values;
}

const char* const datatypes[] = {"FP64",   "FP32",   "FP16",   "BF16",  "INT64", "INT32", "INT16",
                                 "INT8",   "UINT64", "UINT32", "UINT16", "UINT8", "BOOL",  "BYTES"};

// The type of boolean cells without a datatype of their own, which is none of the protocol's.
const char* const truth = "TRUTH";

Array::Data read(const std::string& name, const Cells& cells, const std::string& type, std::size_t width) {
    if (type == truth) return truths(name, cells, width);
    if (type == "BYTES") return texts(name, cells, width);
    if (type == "BOOL") return flags(name, cells, width);
    if (type == "UINT64") return naturals(name, cells, type, width);
    if (type.front() == 'F' || type == "BF16") return reals(name, cells, type, width);
    return integers(name, cells, type, width);
}

std::string text_of(const std::vector<std::int64_t>& shape) {
    std::string text = "[";
    for (const std::int64_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
    return text + "]";
}

void flatten(const std::string& name, Given& given) {
    const auto refuse = [&] {
        throw Refusal("input " + quote(name) + ": its data nesting does not match its shape " + text_of(given.shape));
    };
    if (given.cells.empty() || given.shape.empty() || !given.cells.front()->is(Sort::list)) {
        throw Refusal("input " + quote(name) + ": its data has " + std::to_string(given.cells.size()) +
                      " cells, which is not its shape " + text_of(given.shape));
    }
    for (std::size_t depth = 1; depth != given.shape.size(); ++depth) {
        Cells inner;
        for (const Node* cell : given.cells) {
            if (!cell->is(Sort::list) || cell->count != static_cast<std::uint64_t>(given.shape[depth])) refuse();
            each(*cell, [&](const Node& node) { inner.push_back(&node); });
        }
        given.cells = std::move(inner);
    }
    if (given.cells.size() != product(given.shape)) refuse();
}

Array read(const std::string& name, Given given, const std::string& type) {
    const std::size_t size = product(given.shape);
    if (given.cells.size() != size || (size != 0 && given.cells.front()->is(Sort::list))) flatten(name, given);
    const std::size_t width = size != 0 && !given.shape.empty() ? size / static_cast<std::size_t>(given.shape.front()) : 1;
    return {given.shape, read(name, given.cells, type, width)};
}

// The type in which cells without a datatype of their own are read, before the cast to the input's.
std::string wire(const Tensor& input) {
    switch (input.kind) {
        case Kind::text: return "BYTES";
        case Kind::boolean: return "BOOL";
        case Kind::real: return "FP64";
        case Kind::truth: return truth;
        case Kind::integer: break;
    }
    return input.type == "UINT64" ? "UINT64" : "INT64";
}

// The length of the lists at a depth, by the first of them.
std::int64_t length(const Cells& cells, std::size_t depth) {
    const Node* first = cells.empty() ? nullptr : cells.front();
    for (std::size_t i = 0; i != depth; ++i) {
        if (first != nullptr) first = first->is(Sort::list) && first->count != 0 ? first->inside() : nullptr;
    }
    return first != nullptr && first->is(Sort::list) ? first->count : 0;
}

const char* const kinds[] = {"numbers", "numbers", "numbers", "true or false", "text"};

void fit_kind(Array& array, const Tensor& input) {
    const bool numbers = array.data.index() < 3 || (input.kind == Kind::truth && array.data.index() == 3);
    const char* wanted = input.kind == Kind::text ? "text" : input.kind == Kind::boolean ? "true or false" : "numbers";
    if (wanted != std::string_view(numbers ? "numbers" : kinds[array.data.index()])) {
        throw Refusal("column " + quote(input.name) + ": it holds " + kinds[array.data.index()] + ", the model takes " + wanted +
                      " there");
    }
    if ((input.kind == Kind::real || input.kind == Kind::truth) && array.data.index() != 0) {
        std::vector<double> values;
        const auto append = [&](const auto& data) {
            for (const auto value : data) values.push_back(static_cast<double>(value));
        };
        if (const auto* integers = std::get_if<1>(&array.data)) append(*integers);
        else if (const auto* naturals = std::get_if<2>(&array.data)) append(*naturals);
        else append(std::get<3>(array.data));
        array.data = std::move(values);
    }
}

// An array of doubles for a column of whole numbers.
void fit_whole(Array& array, const Tensor& input) {
    if (input.kind != Kind::integer || array.data.index() != 0) return;
    const std::vector<double> given = std::get<0>(array.data);
    const std::size_t rows = array.rows();
    const std::size_t width = rows == 0 ? 1 : std::max<std::size_t>(1, given.size() / rows);
    std::vector<std::int64_t> values;
    for (const double value : given) {
        const Place place{input.name, values.size() / width};
        if (!std::isfinite(value)) refuse_missing(place, "whole numbers");
        if (std::floor(value) != value) throw Refusal(at(place) + "a fraction, and the model takes whole numbers here");
        if (!(value >= -9223372036854775808.0 && value < 9223372036854775808.0)) refuse_beyond(place, input.type);
        values.push_back(static_cast<std::int64_t>(value));
    }
    array.data = std::move(values);
}

void fit_shape(Array& array, const Tensor& input) {
    std::vector<std::int64_t>& shape = array.shape;
    const std::vector<std::string>& wanted = input.shape;
    if (shape.size() == 1 && wanted.size() == 2 && wanted[1] == "1") {
        shape.push_back(1);
        return;
    }
    const std::vector<std::int64_t> before = shape;
    if (shape.size() == wanted.size() + 1 && shape.back() == 1 && !wanted.empty()) shape.pop_back();
    bool right = shape.size() == wanted.size();
    std::vector<std::int64_t> sizes;
    for (const std::string& size : wanted) sizes.push_back(size_of(size));
    for (std::size_t i = 0; right && i != wanted.size(); ++i) right = sizes[i] < 0 || sizes[i] == shape[i];
    if (!right) {
        throw Refusal("input " + quote(input.name) + ": its shape is " + text_of(before) + ", the model takes " + text_of(sizes));
    }
}

}  // namespace

std::size_t product(const std::vector<std::int64_t>& shape) {
    std::size_t size = 1;
    for (const std::int64_t each : shape) {
        if (each == 0) return 0;
        const auto wide = static_cast<unsigned __int128>(size) * static_cast<std::size_t>(each);
        size = wide > static_cast<std::size_t>(most_size) ? static_cast<std::size_t>(most_size) : static_cast<std::size_t>(wide);
    }
    return size;
}

std::vector<std::int64_t> shape_of(const std::string& name, const Node& tensor) {
    const Node* shape = find(tensor, "shape");
    std::vector<std::int64_t> sizes;
    bool right = shape != nullptr && shape->is(Sort::list) && shape->count <= most_rank;
    if (right) {
        each(*shape, [&](const Node& size) {
            right = right && size.is(Sort::integer) && size.integer >= 0 && size.integer < most_size;
            sizes.push_back(right ? size.integer : 0);
        });
    }
    if (!right) throw Refusal("input " + quote(name) + ": 'shape' must be a list of whole numbers from 0");
    return sizes;
}

std::string datatype_of(const std::string& name, const Node& tensor) {
    const Node* type = find(tensor, "datatype");
    std::string all;
    for (const char* known : datatypes) {
        if (type != nullptr && type->is(Sort::text) && type->view() == known) return known;
        all += std::string(all.empty() ? "" : ", ") + known;
    }
    const std::string got = type == nullptr ? "none" : shown(*type);
    throw Refusal("input " + quote(name) + ": its 'datatype' is " + got + "; there are: " + all);
}

Array array_of(const std::string& name, const Node& tensor) {
    Given given{{}, shape_of(name, tensor)};
    const std::string type = datatype_of(name, tensor);
    const Node* data = find(tensor, "data");
    if (data == nullptr || !data->is(Sort::list)) throw Refusal("input " + quote(name) + ": 'data' must be a list");
    given.cells.reserve(data->count);
    each(*data, [&](const Node& cell) { given.cells.push_back(&cell); });
    return read(name, std::move(given), type);
}

void check_cells(const Tensor& input, const Given& given) {
    const bool single = input.shape.size() == 1 || (input.shape.size() == 2 && input.shape[1] == "1");
    if (!single || !given.shape.empty()) return;
    const std::string type = wire(input);
    const char* const wanted = type == "BYTES"  ? "text"
                               : type == "BOOL" ? "true or false"
                               : type == "FP64" ? "a number"
                                                : "a whole number";
    for (std::size_t row = 0; row != given.cells.size(); ++row) {
        if (given.cells[row]->is(Sort::list)) refuse_kind({input.name, row}, *given.cells[row], wanted);
    }
}

Array array_of(const Tensor& input, Given given) {
    if (!input.rows_first()) {
        throw Refusal("input " + quote(input.name) + ": rows are not its first dimension: ask the model by /v2");
    }
    if (given.shape.empty()) {
        given.shape = {static_cast<std::int64_t>(given.cells.size())};
        for (std::size_t i = 1; i != input.shape.size(); ++i) {
            const std::int64_t size = size_of(input.shape[i]);
            given.shape.push_back(size < 0 ? length(given.cells, i - 1) : size);
        }
    }
    return read(input.name, std::move(given), wire(input));
}

void fit(Array& array, const Tensor& input) {
    fit_kind(array, input);
    fit_whole(array, input);
    fit_shape(array, input);
}

void check_sizes(const Arrays& arrays, const std::vector<Tensor>& inputs) {
    std::map<std::string_view, std::int64_t> sizes;
    for (std::size_t i = 0; i != inputs.size(); ++i) {
        for (std::size_t k = 0; k != inputs[i].shape.size(); ++k) {
            const std::string& size = inputs[i].shape[k];
            if (size_of(size) >= 0 || size.empty()) continue;
            const std::int64_t other = sizes.emplace(size, arrays[i].shape[k]).first->second;
            if (other == arrays[i].shape[k]) continue;
            throw Refusal("input " + quote(inputs[i].name) + ": its dimension " + size + " is " +
                          std::to_string(arrays[i].shape[k]) + ", that of another is " + std::to_string(other));
        }
    }
}

std::string quote(std::string_view name) {
    std::size_t end = std::min<std::size_t>(name.size(), 80);
    while (end != name.size() && end != 0 && (static_cast<unsigned char>(name[end]) & 0xC0u) == 0x80u) --end;
    return "'" + std::string(name.substr(0, end)) + (end == name.size() ? "'" : "…'");
}

std::int64_t size_of(const std::string& size) {
    std::int64_t found = -1;
    const auto done = std::from_chars(size.data(), size.data() + size.size(), found);
    return done.ec == std::errc() && done.ptr == size.data() + size.size() && found >= 0 ? found : -1;
}

}  // namespace mlpack_server
