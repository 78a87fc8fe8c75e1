#include "json.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "refusal.hpp"
#include "utf8.hpp"

namespace mlpack_server {
namespace {

constexpr std::size_t most_depth = 100;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Parses strict JSON into a document.
class Reader {
public:
    Reader(std::string_view text, Document& document) : text_(text), document_(document) {}

    void read() {
        value();
        if (at_ != text_.size()) refuse("something comes after its end");
    }

private:
    [[noreturn]] void refuse(const std::string& what) const {
        throw Refusal("the request is not JSON: " + what + " (byte " + std::to_string(at_) + ")", 400, "not_json");
    }

    // The next character that is not a blank; U+0000 at the end.
    char next() {
        while (at_ != text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) ++at_;
        return peek();
    }
    char peek() const { return at_ == text_.size() ? '\0' : text_[at_]; }

    void value() {
        const char first = next();
        if (is_digit(first) || first == '-') number();
        else if (first == '"') document_.end_text(Sort::text, text(document_.begin_text()));
        else if (first == '[') list();
        else if (first == '{') object();
        else word();
        next();
    }

    void open(Sort sort) {
        if (document_.depth() >= most_depth) refuse("it is nested too deeply");
        document_.open(sort);
        ++at_;
    }

    void list() {
        open(Sort::list);
        for (bool more = next() != ']'; more;) {
            value();
            more = peek() == ',';
            if (more) ++at_;
            else if (peek() != ']') refuse("a comma or the end of a list is missing");
        }
        ++at_;
        document_.close();
    }

    void object() {
        open(Sort::object);
        for (bool more = next() != '}'; more;) {
            if (next() != '"') refuse("a name in quotes is missing");
            document_.end_text(Sort::null, text(document_.begin_text()));
            if (next() != ':') refuse("a colon is missing");
            ++at_;
            value();
            more = peek() == ',';
            if (more) ++at_;
            else if (peek() != '}') refuse("a comma or the end of an object is missing");
        }
        ++at_;
        document_.close();
    }

    void word() {
        const std::string_view rest = text_.substr(at_);
        Node node;
        if (rest.substr(0, 4) == "true" || rest.substr(0, 5) == "false") {
            node.sort = Sort::flag;
            node.flag = rest.front() == 't';
        } else if (rest.substr(0, 4) != "null") {
            refuse(rest.empty() ? "it ends too early" : "here is no value");
        }
        document_.add(node);
        at_ += node.is(Sort::flag) && !node.flag ? 5 : 4;
    }

    void digits() {
        if (!is_digit(peek())) refuse("a digit is missing");
        while (is_digit(peek())) ++at_;
    }

    void number() {
        const std::size_t begin = at_;
        if (peek() == '-') ++at_;
        if (peek() == '0') ++at_;
        else digits();
        bool whole = true;
        if (peek() == '.') {
            whole = false;
            ++at_;
            digits();
        }
        if (peek() == 'e' || peek() == 'E') {
            whole = false;
            ++at_;
            if (peek() == '+' || peek() == '-') ++at_;
            digits();
        }
        const std::string_view read = text_.substr(begin, at_ - begin);
        if (!whole || !add_whole(read)) add_real(read);
    }

    bool add_whole(std::string_view read) {
        const char* end = read.data() + read.size();
        Node node(Sort::integer);
        if (std::from_chars(read.data(), end, node.integer).ec != std::errc()) {
            node.sort = Sort::natural;
            if (read.front() == '-' || std::from_chars(read.data(), end, node.natural).ec != std::errc()) return false;
        }
        document_.add(node);
        return true;
    }

    void add_real(std::string_view read) {
        Node node(Sort::real);
        const auto done = std::from_chars(read.data(), read.data() + read.size(), node.real);
        if (done.ec != std::errc()) node.real = std::strtod(std::string(read).c_str(), nullptr);  // out of range, or denormal
        if (std::isinf(node.real)) refuse("a number is too large");
        document_.add(node);
    }

    // Appends the quoted text that begins here to `out` and returns `out`.
    std::string& text(std::string& out) {
        for (++at_;;) {
            const std::size_t begin = at_;
            while (at_ != text_.size() && static_cast<unsigned char>(text_[at_]) >= 0x20 && static_cast<unsigned char>(text_[at_]) < 0x80 &&
                   text_[at_] != '"' && text_[at_] != '\\') {
                ++at_;
            }
            out.append(text_, begin, at_ - begin);
            if (at_ == text_.size()) refuse("a text does not end");
            if (text_[at_] == '"') break;
            if (text_[at_] == '\\') escape(out);
            else other(out);
        }
        ++at_;
        return out;
    }

    // A character beyond ASCII, or one that is not allowed in a text.
    void other(std::string& out) {
        const std::size_t length = static_cast<unsigned char>(text_[at_]) < 0x20 ? 0 : character(text_, at_);
        if (length == 0) refuse("a text holds a control character, or is not UTF-8");
        out.append(text_, at_, length);
        at_ += length;
    }

    std::uint32_t four_digits() {
        std::uint32_t code = 0;
        const auto done = std::from_chars(text_.data() + at_, text_.data() + std::min(at_ + 4, text_.size()), code, 16);
        if (done.ptr != text_.data() + at_ + 4 || text_[at_] == '-') refuse("four digits are missing after \\u");
        at_ += 4;
        return code;
    }

    void escape(std::string& out) {
        static constexpr std::string_view codes = "\"\\/bfnrt";
        static constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
        ++at_;
        const char c = peek();
        const std::size_t known = codes.find(c);
        if (known == std::string_view::npos && c != 'u') refuse("a backslash before what needs none");
        ++at_;
        if (known != std::string_view::npos) {
            out += meanings[known];
            return;
        }
        std::uint32_t code = four_digits();
        if (code >= 0xD800 && code < 0xDC00 && text_.substr(at_, 2) == "\\u") {
            at_ += 2;
            const std::uint32_t low = four_digits();
            code = low >= 0xDC00 && low < 0xE000 ? 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00) : code;
        }
        if (code >= 0xD800 && code < 0xE000) refuse("half of a surrogate pair");
        append_character(out, code);
    }

    std::string_view text_;
    Document& document_;
    std::size_t at_ = 0;
};

}  // namespace

const Node* find(const Node& object, std::string_view key) {
    const Node* found = nullptr;
    each_member(object, [&](std::string_view name, const Node& value) {
        if (name == key) found = value.is(Sort::null) ? nullptr : &value;
    });
    return found;
}

void Document::add(Node node) {
    if (!open_.empty()) ++nodes_[open_.back()].count;
    nodes_.push_back(node);
}

std::string& Document::begin_text() {
    begun_ = texts_.size();
    return texts_;
}

void Document::end_text(Sort sort, const std::string& texts) {
    Node node(Sort::text, static_cast<std::uint32_t>(texts.size() - begun_));
    node.text = texts.data() + begun_;
    if (sort == Sort::text) add(node);
    else nodes_.push_back(node);
}

void Document::add_text(std::string_view text) { end_text(Sort::text, begin_text().append(text)); }

void Document::open(Sort sort) {
    add(Node(sort));
    open_.push_back(nodes_.size() - 1);
}

void Document::close() {
    nodes_[open_.back()].span = nodes_.size() - open_.back();
    open_.pop_back();
}

Document parse(std::string_view text) {
    if (text.size() > std::numeric_limits<std::uint32_t>::max()) throw Refusal("the body is too large", 413, "too_large");
    Document document;
    // Each value but the first follows one of these, and no text is longer than its JSON.
    const auto values = std::count_if(text.begin(), text.end(), [](char c) { return c == ',' || c == ':' || c == '[' || c == '{'; });
    document.reserve(static_cast<std::size_t>(values) + 1, text.size());
    Reader(text, document).read();
    return document;
}

}  // namespace mlpack_server
