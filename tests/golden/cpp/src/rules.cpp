#include "rules.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "text.hpp"

namespace size_class::detail {
namespace {

std::string choices(const Rule& rule) {
    constexpr std::size_t most = 10;
    std::string list;
    for (std::size_t i = 0; i != std::min(rule.values->count, most); ++i) {
        list += i == 0 ? "" : ", ";
        if (rule.type == Type::text) list += quoted(rule.values->texts[i]);
        else if (rule.type == Type::boolean) list += rule.values->integers[i] != 0 ? "true" : "false";
        else if (rule.values->integers != nullptr) list += std::to_string(rule.values->integers[i]);
        else list += shown(rule.values->numbers[i]);
    }
    return list + (rule.values->count > most ? ", ... (" + std::to_string(rule.values->count) + " in all)" : "");
}

[[noreturn]] void refuse_unknown(const Rule& rule, const Place& place, const std::string& value) {
    refuse(rule, place, value + " is not a value that the model knows; it takes " + choices(rule));
}

template <class T, class U>
bool holds(const T* values, std::size_t count, const U& value) {
    return std::find(values, values + count, value) != values + count;
}

void check_bounds(const Rule& rule, const Place& place, double value) {
    if (std::fabs(value) > rule.limit) {
        refuse(rule, place, shown(value) + " is refused, as the model takes magnitudes up to " + shown(rule.limit));
    }
    if (value < rule.least) {
        refuse(rule, place, shown(value) + " is refused, as the model takes no number below " + shown(rule.least));
    }
    if (value > rule.most) {
        refuse(rule, place, shown(value) + " is refused, as the model takes no number above " + shown(rule.most));
    }
}

}  // namespace

void refuse(const Rule& rule, const Place& place, const std::string& what) {
    const std::string where = *place.unit == '\0' ? "" : place.unit + (" " + std::to_string(place.index)) + ", ";
    throw InvalidInput("[size_class.input] " + where + place.noun + " \"" + rule.name + "\": " + what);
}

void refuse_missing(const Rule& rule, const Place& place) {
    refuse(rule, place, "a missing value is refused, as the model takes none here; fill it or leave the row out");
}

std::string shown(double value) {
    std::ostringstream out;
    out.precision(std::numeric_limits<double>::max_digits10);
    out << value;
    return out.str();
}

void check(const Rule& rule, const Place& place, double value) {
    if (std::isnan(value)) {
        if (!rule.nullable) refuse_missing(rule, place);
        return;
    }
    check_bounds(rule, place, value);
    if (rule.values != nullptr && !holds(rule.values->numbers, rule.values->count, value)) {
        refuse_unknown(rule, place, shown(value));
    }
}

void check(const Rule& rule, const Place& place, std::int64_t value) {
    check_bounds(rule, place, static_cast<double>(value));
    if (rule.values != nullptr && !holds(rule.values->integers, rule.values->count, value)) {
        refuse_unknown(rule, place, std::to_string(value));
    }
}

void check(const Rule& rule, const Place& place, bool value) {
    if (rule.values != nullptr && !holds(rule.values->integers, rule.values->count, std::int64_t{value})) {
        refuse_unknown(rule, place, value ? "true" : "false");
    }
}

void check(const Rule& rule, const Place& place, const std::string& value) {
    const std::string problem = problem_of_text(value);
    if (!problem.empty()) refuse(rule, place, problem);
    if (rule.values != nullptr && !holds(rule.values->texts, rule.values->count, value)) {
        refuse_unknown(rule, place, quoted(value));
    }
}

}  // namespace size_class::detail
