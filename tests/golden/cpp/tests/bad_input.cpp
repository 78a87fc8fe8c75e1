// Tests that bad input is refused with a message, and the class's other promises: bad_input MODEL FOLDER.

#include <cmath>
#include <cstdio>
#include <exception>
#include <functional>
#include <limits>
#include <thread>
#include <type_traits>

#include "answers.hpp"
#include "cases.hpp"
#include "columns.hpp"

namespace {

using namespace size_class;
using tests::Trait;

static_assert(std::is_nothrow_move_constructible_v<SizeClass> && std::is_nothrow_move_assignable_v<SizeClass>);
static_assert(!std::is_copy_constructible_v<SizeClass> && !std::is_copy_assignable_v<SizeClass>);

int failed = 0;

void fail(const std::string& what) {
    std::printf("%s\n", what.c_str());
    ++failed;
}

// Fails unless `act` throws E with a message that contains `hint`.
template <class E>
void refuses(const std::string& what, const std::string& hint, const std::function<void()>& act) {
    try {
        act();
        fail(what + " is not refused");
    } catch (const E& error) {
        const std::string message = error.what();
        if (message.find(hint) == std::string::npos) fail(what + ": the message does not name \"" + hint + "\": " + message);
    } catch (const std::exception& error) {
        fail(what + " is refused with an error of another kind: " + error.what());
    }
}

void accepts(const std::string& what, const std::function<void()>& act) {
    try {
        act();
    } catch (const InvalidInput& error) {
        fail(what + " is refused: " + error.what());
    } catch (const ModelError&) {  // the model's own failure, not a rule of a column
    }
}

std::vector<Cell> good_cells(const std::filesystem::path& folder) {
    for (const tests::Case& golden : tests::read_cases(folder)) {
        if (golden.refused) continue;
        const std::vector<std::vector<Cell>> rows = tests::cells_of(golden.inputs);
        if (!rows.empty()) return rows.front();
    }
    throw std::runtime_error("no golden case holds a row that is answered");
}

void test_model_files(const std::filesystem::path& path) {
    refuses<ModelError>("a missing file", "no-such-file.onnx", [] { SizeClass model{std::filesystem::path("no-such-file.onnx")}; });
    const std::vector<unsigned char> garbage(100, 0xAB);
    refuses<ModelError>("a model of garbage", "model", [&] { SizeClass model{garbage}; });
    refuses<ModelError>("an empty model", "model", [] { SizeClass model{std::vector<unsigned char>()}; });
    const Options nowhere{"/no/such/library.so", 0};
    refuses<LibraryError>("a missing library", "/no/such/library.so", [&] { SizeClass model{path, nowhere}; });
    const Options threads{"", -1};
    refuses<std::invalid_argument>("a negative number of threads", "threads", [&] { SizeClass model{path, threads}; });
}

void test_width(std::vector<Cell> cells) {
    cells.emplace_back(1.0);
    refuses<InvalidInput>("a row that is too wide", std::to_string(cells.size()), [&] { SizeClass::row_from(cells); });
    cells.resize(cells.size() - 2);
    refuses<InvalidInput>("a row that is too narrow", std::to_string(cells.size()), [&] { SizeClass::row_from(cells); });
}

void test_names(const SizeClass& model, const std::vector<Cell>& cells) {
    std::map<std::string, Cell> named;
    for (std::size_t i = 0; i != cells.size(); ++i) named[SizeClass::columns()[i]] = cells[i];
    accepts("a row by names", [&] { model.predict(SizeClass::row_from_names(named)); });
    const auto last = named.extract(SizeClass::columns().back());
    refuses<InvalidInput>("a missing column", last.key(), [&] { SizeClass::row_from_names(named); });
    named["no such column"] = 1.0;
    refuses<InvalidInput>("an unknown column", last.key(), [&] { SizeClass::row_from_names(named); });
    named[last.key()] = last.mapped();
    refuses<InvalidInput>("one column too many", "no such column", [&] { SizeClass::row_from_names(named); });
}

// One row with one cell replaced.
class Trial {
public:
    Trial(const SizeClass& model, const std::vector<Cell>& cells, std::size_t index)
        : model_(model), cells_(cells), index_(index), name_(SizeClass::columns()[index]) {}

    void refused(const std::string& what, const Cell& cell) const {
        refuses<InvalidInput>(what + " in column \"" + name_ + "\"", name_, [&] { predict(cell); });
    }
    void taken(const std::string& what, const Cell& cell) const {
        accepts(what + " in column \"" + name_ + "\"", [&] { predict(cell); });
    }

private:
    void predict(const Cell& cell) const {
        std::vector<Cell> cells = cells_;
        cells[index_] = cell;
        model_.predict(SizeClass::row_from(cells));
    }

    const SizeClass& model_;
    const std::vector<Cell>& cells_;
    std::size_t index_;
    std::string name_;
};

void test_bounds(const Trial& trial, const Trait& trait) {
    const double infinity = std::numeric_limits<double>::infinity();
    if (!std::isnan(trait.least)) trial.refused("a number below the least", std::nextafter(trait.least, -infinity));
    if (!std::isnan(trait.most)) trial.refused("a number above the most", std::nextafter(trait.most, infinity));
}

void test_number(const Trial& trial, const Trait& trait) {
    const double infinity = std::numeric_limits<double>::infinity();
    if (trait.nullable) trial.taken("NaN", std::nan(""));
    else trial.refused("NaN", std::nan(""));
    if (!std::isnan(trait.limit)) {
        trial.refused("infinity", infinity);
        trial.refused("minus infinity", -infinity);
        if (trait.limit < 1e300) trial.refused("a number beyond the limit", trait.limit * 2 + 1);
    }
    test_bounds(trial, trait);
    trial.refused("a text", Cell(std::string("text")));
}

void test_text(const Trial& trial, const Trait& trait) {
    trial.refused("text with U+0000", Cell(std::string("a\0b", 3)));
    trial.refused("text that is not UTF-8", Cell(std::string("\xC3(")));
    trial.refused("a surrogate", Cell(std::string("\xED\xA0\x80")));
    trial.refused("a number", 1.0);
    if (trait.nullable && *trait.missing != '\0') trial.refused("the mark of a missing text", Cell(std::string(trait.missing)));
    if (trait.closed) trial.refused("an unknown text", Cell(std::string("no such value, surely")));
}

void test_column(const SizeClass& model, const std::vector<Cell>& cells, std::size_t index) {
    const Trait& trait = tests::traits[index];
    const Trial trial(model, cells, index);
    if (trait.nullable) trial.taken("a missing value", std::monostate{});
    else trial.refused("a missing value", std::monostate{});
    if (trait.kind == 'f') test_number(trial, trait);
    if (trait.kind == 'i') trial.refused("a fraction", 0.5);
    if (trait.kind == 'b') trial.refused("a number", 1.0);
    if (trait.kind == 's') test_text(trial, trait);
}

void test_class(SizeClass& model, const std::filesystem::path& path, const std::vector<Cell>& cells) {
    if (!model.predict(std::vector<Row>()).empty()) fail("no rows give an answer");
    const std::vector<Row> rows(50, SizeClass::row_from(cells));
    std::size_t answers[4] = {};
    std::vector<std::thread> threads;
    for (std::size_t& count : answers) threads.emplace_back([&] { count = model.predict(rows).size(); });
    for (std::thread& thread : threads) thread.join();
    for (const std::size_t count : answers) if (count != rows.size()) fail("predict() from many threads loses rows");
    SizeClass other{path, Options{"", 1}};
    other = std::move(model);
    if (other.predict(rows).size() != rows.size()) fail("a model that was moved does not answer");
    refuses<std::logic_error>("a model that was moved from", "moved", [&] { model.predict(rows); });
}

int run(const std::filesystem::path& path, const std::filesystem::path& folder) {
    SizeClass model{path};
    const std::vector<Cell> cells = good_cells(folder);
    test_model_files(path);
    test_width(cells);
    test_names(model, cells);
    constexpr std::size_t most = 100;  // a very wide model has many columns of one kind
    for (std::size_t i = 0; i != std::min(cells.size(), most); ++i) test_column(model, cells, i);
    test_class(model, path, cells);
    std::printf("%zu columns, %d failures\n", cells.size(), failed);
    return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
    try {
        if (count == 3) return run(arguments[1], arguments[2]);
        std::puts("usage: bad_input MODEL FOLDER");
    } catch (const std::exception& error) {
        std::printf("%s\n", error.what());
    }
    return 1;
}
