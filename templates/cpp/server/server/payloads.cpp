#include "payloads.hpp"

#include <algorithm>
#include <cctype>
#include <initializer_list>
#include <set>

#include "arrays.hpp"
#include "binary.hpp"
#include "csv.hpp"
#include "json.hpp"
#include "refusal.hpp"
#include "writing.hpp"

namespace mlpack_server {
namespace {

constexpr const char* forms[] = {"dataframe_split", "dataframe_records", "instances", "inputs"};

// The member, which must be an object; nullptr where there is none.
const Node* object_in(const Node& object, std::string_view key) {
    const Node* found = find(object, key);
    if (found != nullptr && !found->is(Sort::object)) throw Refusal(quote(key) + " must be an object");
    return found;
}

bool flag_in(const Node* parameters, std::string_view key, bool otherwise) {
    const Node* found = parameters == nullptr ? nullptr : find(*parameters, key);
    if (found == nullptr) return otherwise;
    if (!found->is(Sort::flag)) throw Refusal(quote(key) + " must be true or false");
    return found->flag;
}

bool is_empty(const Node& value) {
    switch (value.sort) {
        case Sort::null: return true;
        case Sort::flag: return !value.flag;
        case Sort::integer: return value.integer == 0;
        case Sort::real: return value.real == 0;
        case Sort::natural: return false;
        default: return value.count == 0;
    }
}

// A node must not be copied, as its content follows it in memory.
const Node& or_null(const Node* node) {
    static const Node nothing;
    return node == nullptr ? nothing : *node;
}

// Whether the member is there, with any value.
bool has(const Node& object, std::string_view key) {
    bool found = false;
    each_member(object, [&](std::string_view name, const Node&) { found = found || name == key; });
    return found;
}

void check_members(const Node& object, std::string_view form, std::initializer_list<std::string_view> others) {
    each_member(object, [&](std::string_view name, const Node& value) {
        const bool known = std::find(others.begin(), others.end(), name) != others.end();
        if (name != form && !known) throw Refusal("the request has the unknown key " + quote(name) + " beside " + quote(form));
        if (known && name != "signature_name" && !is_empty(value)) throw Refusal("the model takes no " + quote(name));
    });
}

bool is_v2(const Node& inputs) {
    return inputs.is(Sort::list) && inputs.count != 0 && inputs.inside()->is(Sort::object) && has(*inputs.inside(), "datatype");
}

void write_cells(std::string& out, const Array& array) {
    const auto list = [&](const auto& values, auto&& write) {
        bool first = true;
        for (const auto& value : values) {
            if (!first) out += ',';
            first = false;
            write(value);
        }
    };
    switch (array.data.index()) {
        case 0: return list(std::get<0>(array.data), [&](double value) { write_number(out, value); });
        case 1: return list(std::get<1>(array.data), [&](std::int64_t value) { write_integer(out, value); });
        case 2: return list(std::get<2>(array.data), [&](std::uint64_t value) { write_natural(out, value); });
        case 3: return list(std::get<3>(array.data), [&](bool value) { out += value ? "true" : "false"; });
        default: return list(std::get<4>(array.data), [&](const Text& value) { write_text(out, value.value_or("")); });
    }
}

// The tensor's object; its data goes to `raw` where bytes are requested.
void write_tensor(std::string& out, std::string& raw, const Tensor& output, const Array& array, bool binary) {
    out += "{\"name\":";
    write_text(out, output.name);
    out += ",\"shape\":[";
    for (std::size_t i = 0; i != array.shape.size(); ++i) {
        if (i != 0) out += ',';
        write_integer(out, array.shape[i]);
    }
    out += "],\"datatype\":\"" + output.type + "\",";
    if (binary) {
        const std::size_t before = raw.size();
        write_bytes(raw, output, array);
        out += "\"parameters\":{\"binary_data_size\":" + std::to_string(raw.size() - before) + "}}";
    } else {
        out += "\"data\":[";
        write_cells(out, array);
        out += "]}";
    }
}

std::size_t most_rows(const Arrays& arrays) {
    std::size_t most = 0;
    for (const Array& array : arrays) most = std::max(most, array.rows());
    return most;
}

Reply rows_reply(std::string body, std::size_t rows) {
    Reply reply;
    reply.body = std::move(body);
    reply.rows = rows;
    return reply;
}

}  // namespace

Reply reply_of(const std::string& message, int status, const std::string& extra) {
    Reply reply;
    reply.body = error_body(message);
    reply.status = status;
    reply.extra = extra;
    return reply;
}

Payloads::Payloads(const About& about, const Model& model, std::size_t most_rows)
    : about_(about), model_(model), columns_(about), most_(most_rows) {}

Reply Payloads::v2(const Head& head, std::string_view body) const {
    if (!head.json_length) {
        const Document request = parse(body);
        return answer(request.root());
    }
    const std::string& text = *head.json_length;
    const bool digits = !text.empty() && text.size() <= 18 && text.find_first_not_of("0123456789") == std::string::npos;
    const std::size_t length = digits ? std::stoull(text) : 0;
    if (!digits || length > body.size()) {
        throw Refusal("Inference-Header-Content-Length must be the length of the JSON part, at most that of the body");
    }
    const Document request = parse(body.substr(0, length));
    return answer(request.root(), body.substr(length));
}

Reply Payloads::predict(const Head&, std::string_view body) const {
    const Document request = parse(body);
    const bool one = request.root().is(Sort::object);
    const Arrays inputs = one ? columns_.of_row(request.root()) : columns_.of_rows(request.root(), most_);
    const std::size_t rows = most_rows(inputs);
    return rows_reply(write_rows(about_, model_.ask(inputs), rows, false), rows);
}

Reply Payloads::instances(const Head&, std::string_view body) const {
    const Document request = parse(body);
    const Node& plain = request.root();
    if (!plain.is(Sort::object) || has(plain, "instances") == has(plain, "inputs")) {
        throw Refusal("the request must be a JSON object with 'instances', a list of rows");
    }
    const char* name = has(plain, "instances") ? "instances" : "inputs";
    check_members(plain, name, {"parameters", "signature_name"});
    return predictions(form("instances", or_null(find(plain, name))));
}

Reply Payloads::invocations(const Head& head, std::string_view body) const {
    std::string kind;
    for (const char c : head.content_type) if (c != ' ') kind += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (kind.rfind("text/csv", 0) == 0) {
        const bool headed = kind.find("header=absent") == std::string::npos;
        return predictions(arrays_of_csv(columns_, body, headed, most_));
    }
    if (head.json_length) return v2(head, body);
    const Document request = parse(body);
    const Node& plain = request.root();
    if (!plain.is(Sort::object)) return predictions(columns_.of_rows(plain, most_));
    std::vector<const char*> given;
    for (const char* name : forms) if (has(plain, name)) given.push_back(name);
    if (given.empty()) return predictions(columns_.of_row(plain));
    if (given.size() > 1) {
        throw Refusal("the request has both " + quote(given[0]) + " and " + quote(given[1]) + ": send one");
    }
    const Node* value = find(plain, given[0]);
    if (given[0] == std::string_view("inputs") && value != nullptr && is_v2(*value)) return answer(plain);
    check_members(plain, given[0], {"params", "parameters", "signature_name"});
    return predictions(form(given[0], or_null(value)));
}

Arrays Payloads::form(std::string_view name, const Node& value) const {
    if (name == "dataframe_split") return split(value);
    if (name == "inputs" && value.is(Sort::object)) return columns_.of_columns(value, most_);
    return columns_.of_rows(value, most_);
}

Arrays Payloads::split(const Node& frame) const {
    const Node* data = frame.is(Sort::object) ? find(frame, "data") : nullptr;
    if (data == nullptr || !data->is(Sort::list)) {
        throw Refusal("'dataframe_split' must be an object with 'columns' and 'data'");
    }
    within(data->count, most_);
    const Node* names = find(frame, "columns");
    const Tensor* matrix = columns_.matrix();
    const bool nameless = matrix != nullptr && matrix->columns.empty() && size_of(matrix->shape[1]) > 1;
    if (names == nullptr) return columns_.of_rows(*data, most_);
    if (names->is(Sort::list) && nameless && names->count == size_of(matrix->shape[1])) return columns_.of_rows(*data, most_);
    std::vector<std::string> texts;
    std::int64_t numbers = 0;
    if (names->is(Sort::list)) {
        each(*names, [&](const Node& each) {
            if (each.is(Sort::text)) texts.emplace_back(each.view());
            else if (each.is(Sort::integer) && each.integer == numbers) ++numbers;
        });
    }
    if (numbers != 0 && numbers == names->count) return columns_.of_rows(*data, most_);
    const bool once = std::set<std::string>(texts.begin(), texts.end()).size() == texts.size();
    if (!names->is(Sort::list) || texts.size() != names->count || !once) {
        throw Refusal("'columns' must be a list of unique names");
    }
    if (data->count == 0) return columns_.of_rows(*data, most_);
    return columns_.of_frame(texts, *data, most_);
}

Reply Payloads::predictions(const Arrays& inputs) const {
    const std::size_t rows = most_rows(inputs);
    return rows_reply("{\"predictions\":" + write_rows(about_, model_.ask(inputs), rows, true) + "}", rows);
}

// The requested outputs; all where the request names none.
std::vector<Payloads::Wanted> Payloads::wanted(const Node& request) const {
    const bool binary = flag_in(object_in(request, "parameters"), "binary_data_output", false);
    std::vector<Wanted> found;
    const Node* outputs = find(request, "outputs");
    if (outputs != nullptr && !outputs->is(Sort::list)) throw Refusal("'outputs' must be a list");
    if (outputs == nullptr || outputs->count == 0) {
        for (std::size_t i = 0; i != about_.outputs.size(); ++i) found.push_back({i, binary});
        return found;
    }
    each(*outputs, [&](const Node& output) {
        const Node* name = output.is(Sort::object) ? find(output, "name") : nullptr;
        if (name == nullptr || !name->is(Sort::text)) throw Refusal("each of 'outputs' must be an object with a 'name'");
        const Node* parameters = object_in(output, "parameters");
        const Node* classes = parameters == nullptr ? nullptr : find(*parameters, "classification");
        if (classes != nullptr && !is_empty(*classes)) {
            throw Refusal("output " + quote(name->view()) + ": this server has no classification extension");
        }
        const std::size_t place = place_of(name->view());
        for (const Wanted& each : found) {
            if (each.place == place) throw Refusal("the output " + quote(name->view()) + " is requested twice");
        }
        found.push_back({place, flag_in(parameters, "binary_data", binary)});
    });
    return found;
}

std::size_t Payloads::place_of(std::string_view name) const {
    std::string all;
    for (std::size_t i = 0; i != about_.outputs.size(); ++i) {
        if (about_.outputs[i].name == name) return i;
        all += (i == 0 ? "" : ", ") + about_.outputs[i].name;
    }
    throw Refusal("the model has no output " + quote(name) + "; it has: " + all);
}

Reply Payloads::answer(const Node& request, std::optional<std::string_view> raw) const {
    if (!request.is(Sort::object)) throw Refusal("the request must be a JSON object with 'inputs'");
    const Node* identifier = find(request, "id");
    if (identifier != nullptr && !identifier->is(Sort::text)) throw Refusal("'id' must be a string");
    const Arrays inputs = columns_.of_tensors(or_null(find(request, "inputs")), raw, most_);
    const std::vector<Wanted> outputs = wanted(request);
    const Arrays answers = model_.ask(inputs);
    std::string out = "{\"model_name\":";
    write_text(out, about_.name);
    out += ",\"model_version\":";
    write_text(out, about_.version);
    if (identifier != nullptr) {
        out += ",\"id\":";
        write_text(out, identifier->view());
    }
    out += ",\"outputs\":[";
    std::string bytes;
    std::size_t rows = 1;
    bool binary = false;
    for (const auto& [place, as_bytes] : outputs) {
        if (out.back() != '[') out += ',';
        write_tensor(out, bytes, about_.outputs[place], answers[place], as_bytes);
        if (about_.outputs[place].batch_axis()) rows = rows_of(answers[place], about_.outputs[place]);
        binary = binary || as_bytes;
    }
    out += "]}";
    if (!binary) return rows_reply(std::move(out), rows);
    Reply reply = rows_reply(out + bytes, rows);
    reply.kind = "application/octet-stream";
    reply.extra = "inference-header-content-length: " + std::to_string(out.size()) + "\r\n";
    return reply;
}

}  // namespace mlpack_server
