// Replays every golden case: golden MODEL FOLDER.

#include <cstdio>
#include <exception>

#include "answers.hpp"
#include "cases.hpp"

namespace {

using namespace size_class;

// The fault of the answer to a case; empty for a right answer.
std::string fault(const SizeClass& model, const tests::Case& golden) {
    try {
        const tests::Columns got = tests::answers(model, golden.inputs);
        return golden.refused ? "is answered, where the original model refuses it" : tests::difference(golden.outputs, got);
    } catch (const InvalidInput& error) {
        return golden.refused ? "" : std::string("is refused: ") + error.what();
    } catch (const ModelError& error) {
        return golden.refused ? "" : std::string("is refused: ") + error.what();
    }
}

int replay(const char* path, const char* folder) {
    const SizeClass model{std::filesystem::path(path)};
    const std::vector<tests::Case> cases = tests::read_cases(folder);
    int failed = 0;
    for (const tests::Case& golden : cases) {
        const std::string found = fault(model, golden);
        if (!found.empty()) std::printf("%s %s\n", golden.name.c_str(), found.c_str());
        failed += !found.empty();
    }
    std::printf("%zu cases replayed, %d failed\n", cases.size(), failed);
    return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
    try {
        if (count == 3) return replay(arguments[1], arguments[2]);
        std::puts("usage: golden MODEL FOLDER");
    } catch (const std::exception& error) {
        std::printf("%s\n", error.what());
    }
    return 1;
}
