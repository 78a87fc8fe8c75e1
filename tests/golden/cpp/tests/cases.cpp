#include "cases.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <stdexcept>
#include <type_traits>

#include "size_class/half.hpp"

namespace size_class::tests {
namespace {

using nlohmann::json;

json read_json(const std::filesystem::path& path) {
    std::ifstream file(path);
    if (!file) throw std::runtime_error(path.string() + " cannot be opened");
    return json::parse(file);
}

bool is_float(const std::string& datatype) { return datatype.rfind("FP", 0) == 0 || datatype == "BF16"; }

Cell cell_from(const json& value, const std::string& datatype) {
    if (value.is_null()) return std::monostate{};
    if (value.is_boolean()) return value.get<bool>();
    if (is_float(datatype)) {
        if (value.is_number()) return value.get<double>();
        const auto text = value.get<std::string>();
        if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
        if (text == "Infinity") return std::numeric_limits<double>::infinity();
        if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
        throw std::runtime_error("\"" + text + "\" is not a number");
    }
    if (value.is_string()) return value.get<std::string>();
    if (value.is_number_integer()) return value.get<std::int64_t>();
    return value.get<double>();
}

// Raw little-endian numbers of the type T.
template <class T>
void append_raw(std::vector<Cell>& cells, const std::string& raw) {
    for (std::size_t at = 0; at + sizeof(T) <= raw.size(); at += sizeof(T)) {
        T value;
        std::memcpy(&value, raw.data() + at, sizeof(T));
        if constexpr (is_real<T>) cells.emplace_back(static_cast<double>(value));
        else cells.emplace_back(static_cast<std::int64_t>(value));
    }
}

std::vector<Cell> cells_from_raw(const std::string& raw, const std::string& datatype) {
    std::vector<Cell> cells;
    if (datatype == "FP64") append_raw<double>(cells, raw);
    else if (datatype == "FP32") append_raw<float>(cells, raw);
    else if (datatype == "FP16") append_raw<Float16>(cells, raw);
    else if (datatype == "BF16") append_raw<BFloat16>(cells, raw);
    else if (datatype == "INT64") append_raw<std::int64_t>(cells, raw);
    else if (datatype == "INT32") append_raw<std::int32_t>(cells, raw);
    else if (datatype == "INT16") append_raw<std::int16_t>(cells, raw);
    else if (datatype == "INT8") append_raw<std::int8_t>(cells, raw);
    else if (datatype == "UINT64") append_raw<std::uint64_t>(cells, raw);
    else if (datatype == "UINT32") append_raw<std::uint32_t>(cells, raw);
    else if (datatype == "UINT16") append_raw<std::uint16_t>(cells, raw);
    else if (datatype == "UINT8") append_raw<std::uint8_t>(cells, raw);
    else if (datatype == "BOOL") for (const char byte : raw) cells.emplace_back(byte != 0);
    else throw std::runtime_error("raw numbers of the datatype " + datatype);
    return cells;
}

// `raw`: the data of tensors that are not in the JSON, one after the other.
Columns columns_from(const json& tensors, std::istream& raw) {
    Columns columns;
    for (const json& tensor : tensors) {
        Column column;
        column.datatype = tensor.at("datatype").get<std::string>();
        column.shape = tensor.at("shape").get<std::vector<std::int64_t>>();
        const json parameters = tensor.value("parameters", json::object());
        if (parameters.contains("binary_data_size")) {
            std::string own(parameters.at("binary_data_size").get<std::size_t>(), '\0');
            if (!raw.read(&own[0], static_cast<std::streamsize>(own.size()))) throw std::runtime_error("raw numbers are cut short");
            column.data = cells_from_raw(own, column.datatype);
        } else {
            for (const json& value : tensor.at("data")) column.data.push_back(cell_from(value, column.datatype));
        }
        column.atol = parameters.value("atol", 0.0);
        column.rtol = parameters.value("rtol", 0.0);
        columns[tensor.at("name").get<std::string>()] = column;
    }
    return columns;
}

std::set<std::string> names_ending_in(const std::filesystem::path& folder, const std::string& suffix) {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const std::string file = entry.path().filename().string();
        const bool ends = file.size() > suffix.size() && file.compare(file.size() - suffix.size(), suffix.size(), suffix) == 0;
        if (ends) names.insert(file.substr(0, file.size() - suffix.size()));
    }
    return names;
}

Case read_case(const std::filesystem::path& folder, const std::string& name) {
    const json request = read_json(folder / (name + ".request.json"));
    const json response = read_json(folder / (name + ".response.json"));
    std::ifstream inputs(folder / (name + ".request.bin"), std::ios::binary);
    std::ifstream outputs(folder / (name + ".response.bin"), std::ios::binary);
    Case read{name, columns_from(request.at("inputs"), inputs), {}, response.contains("error")};
    if (!read.refused) read.outputs = columns_from(response.at("outputs"), outputs);
    if (!read.refused && read.outputs.empty()) throw std::runtime_error(name + ": the response holds no output");
    return read;
}

bool close(double wanted, double got, const Column& column) {
    if (std::isnan(wanted) || std::isnan(got)) return std::isnan(wanted) && std::isnan(got);
    if (wanted == got) return true;
    if (std::isinf(wanted) || std::isinf(got)) return false;
    return std::fabs(got - wanted) <= column.atol + column.rtol * std::fabs(wanted);
}

bool same(const Cell& wanted, const Cell& got, const Column& column) {
    const double* a = std::get_if<double>(&wanted);
    const double* b = std::get_if<double>(&got);
    return a != nullptr && b != nullptr ? close(*a, *b, column) : wanted == got;
}

std::string text_of(const Cell& cell) { return cell.index() == 0 ? "null" : std::visit([](const auto& value) {
    std::ostringstream out;
    out.precision(std::numeric_limits<double>::max_digits10);
    if constexpr (!std::is_same_v<std::decay_t<decltype(value)>, std::monostate>) out << value;
    return out.str();
}, cell); }

std::string text_of(const std::vector<std::int64_t>& shape) {
    std::string text = "[";
    for (const std::int64_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
    return text + "]";
}

std::string difference(const Column& wanted, const Column& got) {
    // Without rows, only their number is known.
    const bool none = wanted.data.empty() && got.data.empty() && !wanted.shape.empty() && !got.shape.empty();
    const bool same_shape = none ? wanted.shape.front() == got.shape.front() : wanted.shape == got.shape;
    if (!same_shape) return "has shape " + text_of(got.shape) + " instead of " + text_of(wanted.shape);
    if (wanted.data.size() != got.data.size()) {
        return "has " + std::to_string(got.data.size()) + " elements instead of " + std::to_string(wanted.data.size());
    }
    for (std::size_t i = 0; i != wanted.data.size(); ++i) {
        if (same(wanted.data[i], got.data[i], wanted)) continue;
        return "element " + std::to_string(i) + " is " + text_of(got.data[i]) + " instead of " + text_of(wanted.data[i]);
    }
    return "";
}

}  // namespace

std::vector<Case> read_cases(const std::filesystem::path& folder) {
    const std::set<std::string> requests = names_ending_in(folder, ".request.json");
    if (requests.empty()) throw std::runtime_error(folder.string() + " holds no golden case");
    if (requests != names_ending_in(folder, ".response.json")) {
        throw std::runtime_error(folder.string() + ": a request has no response, or a response no request");
    }
    std::vector<Case> cases;
    for (const std::string& name : requests) cases.push_back(read_case(folder, name));
    return cases;
}

std::string difference(const Columns& wanted, const Columns& got) {
    for (const auto& [name, column] : wanted) {
        const auto found = got.find(name);
        if (found == got.end()) return "output \"" + name + "\" is not given";
        const std::string how = difference(column, found->second);
        if (!how.empty()) return "output \"" + name + "\" " + how;
    }
    return "";
}

}  // namespace size_class::tests
