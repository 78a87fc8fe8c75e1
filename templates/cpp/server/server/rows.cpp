#include "rows.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "binary.hpp"
#include "refusal.hpp"
#include "writing.hpp"

namespace mlpack_server {
namespace {

std::string row(std::size_t index) { return "row " + std::to_string(index) + ": "; }

template <class Names>
std::string some(const Names& names) {
    std::string text;
    for (std::size_t i = 0; i != std::min<std::size_t>(names.size(), 20); ++i) text += (i == 0 ? "" : ", ") + quote(names[i]);
    return text + (names.size() > 20 ? ", … (" + std::to_string(names.size()) + " in all)" : "");
}

// The text that names missing columns.
template <class Names>
std::string missing(const Names& names) {
    return names.size() == 1 ? "the column " + some(names) + " is missing" : "the columns " + some(names) + " are missing";
}

// Views of data that lives as long as the model.
std::vector<std::string_view> names_of(const std::vector<Tensor>& tensors) {
    std::vector<std::string_view> names;
    for (const Tensor& tensor : tensors) names.emplace_back(tensor.name);
    return names;
}

template <class Wanted, class Names>
Wanted wanted_of(const Names& names) {
    Wanted wanted;
    for (const std::string_view name : names) wanted.order.push_back(wanted.places.emplace(name, wanted.places.size()).first->second);
    return wanted;
}

// One column of the answers: the key in each row's object, and the place of its cells.
struct Column {
    std::string key;
    const Array* array;
    std::size_t first;
    std::size_t step;
};

void write_cell(std::string& out, const Array& array, std::size_t index) {
    switch (array.data.index()) {
        case 0: {
            const double value = std::get<0>(array.data)[index];
            if (std::isfinite(value)) write_finite(out, value);
            else out += "null";
            break;
        }
        case 1: write_integer(out, std::get<1>(array.data)[index]); break;
        case 2: write_natural(out, std::get<2>(array.data)[index]); break;
        case 3: out += std::get<3>(array.data)[index] ? "true" : "false"; break;
        default: write_text(out, std::get<4>(array.data)[index].value_or("")); break;
    }
}

void add_columns(std::vector<Column>& columns, const Tensor& output, const Array& array, std::size_t rows) {
    const std::size_t size = std::visit([](const auto& data) { return data.size(); }, array.data);
    const std::size_t width = rows == 0 ? 0 : size / rows;
    const bool scalar = array.shape.size() == 1 || (array.shape.size() == 2 && array.shape[1] == 1);
    const bool classes = output.name.rfind("probabilities", 0) == 0 && output.columns.size() == width;
    const std::string stem = output.name == "probabilities" && classes ? "probability" : output.name;
    for (std::size_t i = 0; i != width; ++i) {
        const std::string last = classes ? output.columns[i] : std::to_string(i);
        std::string key;
        write_text(key, scalar ? output.name : stem + "." + last);
        columns.push_back({key + ":", &array, i, width});
    }
}

}  // namespace

void within(std::size_t rows, std::size_t most) {
    if (most == 0 || rows <= most) return;
    throw Refusal(std::to_string(rows) + " rows, and this server takes " + std::to_string(most) + " at once: send fewer", 413,
                  "too_many_rows");
}

Columns::Columns(const About& about) : about_(about), inputs_(wanted_of<Wanted>(names_of(about.inputs))) {
    const Tensor* only = matrix();
    if (only != nullptr && std::to_string(only->columns.size()) == only->shape[1]) columns_ = wanted_of<Wanted>(only->columns);
}

const Tensor* Columns::matrix() const {
    return about_.inputs.size() == 1 && about_.inputs[0].shape.size() == 2 ? &about_.inputs[0] : nullptr;
}

void Columns::refuse_stranger(std::string_view name, const std::string& where) const {
    throw Refusal(where + "the model has no column " + quote(name) + "; it takes: " + some(names_of(about_.inputs)));
}

// The inputs missing in a request, in the model's order.
std::vector<std::string_view> Columns::lacking(const std::vector<bool>& there) const {
    std::vector<std::string_view> absent;
    for (std::size_t i = 0; i != there.size(); ++i) if (!there[i]) absent.emplace_back(about_.inputs[i].name);
    return absent;
}

Arrays Columns::of_rows(const Node& rows, std::size_t most) const {
    if (!rows.is(Sort::list)) throw Refusal("the rows must be a list");
    within(rows.count, most);
    return rows.count != 0 && rows.inside()->is(Sort::object) ? by_name(rows) : in_order(rows);
}

// The requested cells of an object.
Columns::Cells Columns::picked(const Wanted& wanted, const Node& object, std::size_t index) const {
    if (!object.is(Sort::object)) throw Refusal(row(index) + "it must be an object, as the first row is");
    Cells cells(wanted.places.size(), nullptr);
    each_member(object, [&](std::string_view name, const Node& value) {
        const auto found = wanted.places.find(name);
        if (found != wanted.places.end()) cells[found->second] = &value;
        else if (inputs_.places.count(name) == 0) refuse_stranger(name, row(index));
    });
    std::vector<std::string_view> absent;
    for (const auto& [name, place] : wanted.places) if (cells[place] == nullptr) absent.push_back(name);
    std::sort(absent.begin(), absent.end());
    if (!absent.empty()) throw Refusal(row(index) + missing(absent));
    return cells;
}

std::vector<Given> Columns::room(const Wanted& wanted) const {
    std::vector<Given> given(about_.inputs.size());
    if (&wanted == &columns_) given[0].shape = {0, static_cast<std::int64_t>(wanted.order.size())};
    return given;
}

void Columns::put(std::vector<Given>& given, const Wanted& wanted, const Cells& cells) const {
    const bool one = &wanted == &columns_;
    for (std::size_t i = 0; i != wanted.order.size(); ++i) given[one ? 0 : i].cells.push_back(cells[wanted.order[i]]);
    if (one) ++given[0].shape[0];
}

Arrays Columns::by_name(const Node& rows) const {
    const bool columns = !columns_.order.empty() && find(*rows.inside(), about_.inputs[0].name) == nullptr;
    const Wanted& wanted = columns ? columns_ : inputs_;
    std::vector<Given> given = room(wanted);
    std::size_t index = 0;
    each(rows, [&](const Node& object) { put(given, wanted, picked(wanted, object, index++)); });
    return of_cells(std::move(given));
}

Arrays Columns::of_row(const Node& object) const {
    const bool columns = !columns_.order.empty() && find(object, about_.inputs[0].name) == nullptr;
    const Wanted& wanted = columns ? columns_ : inputs_;
    std::vector<Given> given = room(wanted);
    put(given, wanted, picked(wanted, object, 0));
    return of_cells(std::move(given));
}

// The position of each requested column among the names of a frame.
std::vector<std::size_t> Columns::places(const Wanted& wanted, const std::vector<std::string>& names) const {
    std::vector<std::size_t> places(wanted.places.size(), names.size());
    for (std::size_t i = 0; i != names.size(); ++i) {
        const auto found = wanted.places.find(names[i]);
        if (found != wanted.places.end()) places[found->second] = i;
        else if (inputs_.places.count(names[i]) == 0) refuse_stranger(names[i], "");
    }
    std::vector<std::pair<std::size_t, std::string_view>> lacking;
    for (const auto& [name, place] : wanted.places) if (places[place] == names.size()) lacking.emplace_back(place, name);
    std::sort(lacking.begin(), lacking.end());
    std::vector<std::string_view> absent;
    for (const auto& [place, name] : lacking) absent.push_back(name);
    if (!absent.empty()) throw Refusal(missing(absent) + "; there are: " + some(names));
    return places;
}

Arrays Columns::of_frame(const std::vector<std::string>& names, const Node& rows, std::size_t most) const {
    within(rows.count, most);
    const bool columns = !columns_.order.empty() && std::count(names.begin(), names.end(), about_.inputs[0].name) == 0;
    const Wanted& wanted = columns ? columns_ : inputs_;
    const std::vector<std::size_t> order = places(wanted, names);
    std::vector<Given> given = room(wanted);
    std::size_t index = 0;
    each(rows, [&](const Node& cells) {
        if (!cells.is(Sort::list) || cells.count != names.size()) {
            throw Refusal(row(index) + "it must be a list of " + std::to_string(names.size()) + " cells, one for each column");
        }
        ++index;
        Cells all;
        each(cells, [&](const Node& cell) { all.push_back(&cell); });
        Cells picked;
        for (const std::size_t place : order) picked.push_back(all[place]);
        put(given, wanted, picked);
    });
    return of_cells(std::move(given));
}

Arrays Columns::in_order(const Node& rows) const {
    const std::vector<Tensor>& inputs = about_.inputs;
    std::vector<Given> given(inputs.size());
    const bool single = inputs.size() == 1;
    const bool alone = single && (inputs[0].shape.size() < 2 || (inputs[0].shape.size() == 2 && inputs[0].shape[1] == "1"));
    std::size_t index = 0;
    each(rows, [&](const Node& cells) {
        const std::string where = row(index++);
        if (single && cells.is(Sort::object)) throw Refusal(where + "it must be no object, as the first row is none");
        if (!single && !cells.is(Sort::list)) throw Refusal(where + "it must be a list, as the first row is, or all must be objects");
        const std::size_t wanted = alone ? 1 : inputs.size();
        if ((!single || (alone && cells.is(Sort::list))) && cells.count != wanted) {
            throw Refusal(where + "it has " + std::to_string(cells.count) + " cells, the model has " + std::to_string(wanted) +
                          (wanted == 1 ? " column" : " columns"));
        }
        std::size_t place = 0;
        if (single) given[0].cells.push_back(alone && cells.is(Sort::list) ? cells.inside() : &cells);
        else each(cells, [&](const Node& cell) { given[place++].cells.push_back(&cell); });
    });
    return of_cells(std::move(given));
}

Arrays Columns::of_columns(const Node& columns, std::size_t most) const {
    std::vector<Given> given(about_.inputs.size());
    std::vector<bool> there(about_.inputs.size(), false);
    std::vector<std::string_view> names;
    each_member(columns, [&](std::string_view name, const Node& cells) {
        const auto found = inputs_.places.find(name);
        if (found == inputs_.places.end()) refuse_stranger(name, "");
        if (!cells.is(Sort::list)) throw Refusal("column " + quote(name) + ": its cells must be a list, one for each row");
        within(cells.count, most);
        there[found->second] = true;
        names.emplace_back(name);
        given[found->second].cells.clear();
        each(cells, [&](const Node& cell) { given[found->second].cells.push_back(&cell); });
    });
    const std::vector<std::string_view> absent = lacking(there);
    if (!absent.empty()) throw Refusal(missing(absent) + "; there are: " + some(names));
    return arrays(std::move(given));
}

Arrays Columns::of_cells(std::vector<Given> given) const {
    for (std::size_t i = 0; i != given.size(); ++i) check_cells(about_.inputs[i], given[i]);
    return arrays(std::move(given));
}

Arrays Columns::arrays(std::vector<Given> given) const {
    Arrays found;
    for (std::size_t i = 0; i != given.size(); ++i) {
        found.push_back(array_of(about_.inputs[i], std::move(given[i])));
        fit(found.back(), about_.inputs[i]);
    }
    check_sizes(found, about_.inputs);
    return found;
}

// One of the protocol's tensors, as JSON or as bytes, which come from `raw`.
Array Columns::tensor(const std::string& name, const Node& tensor, std::optional<std::string_view>& raw) const {
    const Node* parameters = find(tensor, "parameters");
    if (parameters != nullptr && !parameters->is(Sort::object)) throw Refusal("'parameters' must be an object");
    const Node* size = parameters == nullptr ? nullptr : find(*parameters, "binary_data_size");
    if (size == nullptr) return array_of(name, tensor);
    bool data = false;
    each_member(tensor, [&](std::string_view key, const Node&) { data = data || key == "data"; });
    const bool right = raw && !data && size->is(Sort::integer) && size->integer >= 0;
    if (!right || static_cast<std::size_t>(size->integer) > raw->size()) {
        throw Refusal("input " + quote(name) + ": 'binary_data_size' says otherwise than the body");
    }
    const auto length = static_cast<std::size_t>(size->integer);
    Array array = array_of_bytes(name, datatype_of(name, tensor), shape_of(name, tensor), raw->substr(0, length));
    raw->remove_prefix(length);
    return array;
}

Arrays Columns::of_tensors(const Node& tensors, std::optional<std::string_view> raw, std::size_t most) const {
    if (!tensors.is(Sort::list) || tensors.count == 0) throw Refusal("'inputs' must be a list of tensors");
    Arrays found(about_.inputs.size());
    std::vector<bool> there(about_.inputs.size(), false);
    std::vector<std::string> names;
    each(tensors, [&](const Node& each) {
        const Node* name = each.is(Sort::object) ? find(each, "name") : nullptr;
        if (name == nullptr || !name->is(Sort::text)) throw Refusal("each of 'inputs' must be an object with a 'name'");
        const auto place = inputs_.places.find(name->view());
        if (place == inputs_.places.end()) refuse_stranger(name->view(), "");
        if (there[place->second]) throw Refusal("the input " + quote(name->view()) + " is given twice");
        Array array = tensor(std::string(name->view()), each, raw);
        within(rows_of(array, about_.inputs[place->second]), most);
        fit(array, about_.inputs[place->second]);
        found[place->second] = std::move(array);
        there[place->second] = true;
        names.emplace_back(name->view());
    });
    if (raw && !raw->empty()) throw Refusal("the body has " + std::to_string(raw->size()) + " bytes that belong to no input");
    const std::vector<std::string_view> absent = lacking(there);
    if (!absent.empty()) throw Refusal(missing(absent) + "; there are: " + some(names));
    check_sizes(found, about_.inputs);
    return found;
}

std::string write_rows(const About& about, const Arrays& answers, std::size_t rows, bool bare) {
    std::vector<Column> columns;
    for (std::size_t i = 0; i != answers.size(); ++i) {
        if (!about.outputs[i].rows_first() || answers[i].shape.empty() || answers[i].rows() != rows) {
            throw Refusal("the output " + quote(about.outputs[i].name) + " has no answer for each row: ask the model by /v2");
        }
        add_columns(columns, about.outputs[i], answers[i], rows);
    }
    std::string out = "[";
    for (std::size_t r = 0; r != rows; ++r) {
        if (r != 0) out += ',';
        if (bare && columns.size() == 1) {
            write_cell(out, *columns[0].array, r);
            continue;
        }
        out += '{';
        for (const Column& column : columns) {
            out += out.back() == '{' ? "" : ",";
            out += column.key;
            write_cell(out, *column.array, r * column.step + column.first);
        }
        out += '}';
    }
    return out + "]";
}

}  // namespace mlpack_server
