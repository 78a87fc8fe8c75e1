// Incoming JSON as one flat list: limited in depth, with 16 bytes per value at any nesting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mlpack_server {

enum class Sort : std::uint8_t { null, flag, integer, natural, real, text, list, object };

/// One value. A list's values follow it; so do an object's, each after its key.
struct Node {
    Node() = default;
    explicit Node(Sort sort, std::uint32_t count = 0) : sort(sort), count(count) {}

    Sort sort = Sort::null;
    std::uint32_t count = 0;  // a list's values, an object's members, a text's bytes
    union {
        bool flag;
        std::int64_t integer = 0;
        std::uint64_t natural;  // beyond the largest integer
        double real;
        const char* text;
        std::size_t span;  // of a list or an object: its number of nodes, including its own
    };

    bool is(Sort wanted) const { return sort == wanted; }
    std::string_view view() const { return {text, count}; }
    const Node* inside() const { return this + 1; }
    const Node* next() const { return this + (sort >= Sort::list ? span : 1); }
};

static_assert(sizeof(Node) == 16);

/// The value of an object's last member of that name; nullptr where it is absent or null.
const Node* find(const Node& object, std::string_view key);

/// Calls `act(value)` for each value of a list.
template <class Act>
void each(const Node& list, Act&& act) {
    const Node* node = list.inside();
    for (std::uint32_t i = 0; i != list.count; ++i, node = node->next()) act(*node);
}

/// Calls `act(key, value)` for each member of an object.
template <class Act>
void each_member(const Node& object, Act&& act) {
    const Node* node = object.inside();
    for (std::uint32_t i = 0; i != object.count; ++i, node = (node + 1)->next()) act(node->view(), *(node + 1));
}

/// A document with the texts that its nodes point to.
class Document {
public:
    Document() = default;
    Document(Document&&) = default;
    Document& operator=(Document&&) = default;
    Document(const Document&) = delete;
    Document& operator=(const Document&) = delete;

    const Node& root() const { return nodes_.front(); }

    /// Reserves space for so many nodes, and for texts of so many bytes in total; exceeding it would move earlier ones.
    void reserve(std::size_t nodes, std::size_t bytes) {
        nodes_.reserve(nodes);
        texts_.reserve(bytes + 64);  // never in the small-string buffer, which moves with the object
    }
    void add(Node node);
    void add_text(std::string_view text);
    /// The buffer for a text until `end_text`, which adds it as a value, or as a key for another `sort`.
    std::string& begin_text();
    void end_text(Sort sort, const std::string& texts);
    /// Opens a list or an object, whose values come next, until `close`.
    void open(Sort sort);
    void close();
    std::size_t depth() const { return open_.size(); }

private:
    std::vector<Node> nodes_;
    std::vector<std::size_t> open_;
    std::string texts_;
    std::size_t begun_ = 0;
};

/// Parses a text. Throws Refusal.
Document parse(std::string_view text);

}  // namespace mlpack_server
