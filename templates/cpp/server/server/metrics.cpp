#include "metrics.hpp"

#include <algorithm>
#include <iterator>

#include "writing.hpp"

namespace mlpack_server {
namespace {

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) out += c == '\\' ? "\\\\" : c == '"' ? "\\\"" : c == '\n' ? "\\n" : std::string(1, c);
    return out;
}

void write_head(std::string& out, const std::string& name, const std::string& kind, const std::string& words) {
    out += "# HELP mlpack_" + name + " " + words + "\n# TYPE mlpack_" + name + " " + kind + "\n";
}

std::string text_of(double value) {
    std::string text;
    write_finite(text, value);
    return text;
}

template <class Counters>
std::uint64_t sum(const Counters& counters) {
    std::uint64_t total = 0;
    for (const auto& counter : counters) total += counter.load(std::memory_order_relaxed);
    return total;
}

}  // namespace

void Board::leave(Label label, int status, double seconds, std::size_t rows) {
    Route& route = routes_[static_cast<std::size_t>(label)];
    in_flight_.fetch_sub(1, std::memory_order_relaxed);
    const auto known = std::find(std::begin(statuses), std::end(statuses), status);
    if (known != std::end(statuses)) ++route.by_status[static_cast<std::size_t>(known - std::begin(statuses))];
    const auto bound = std::lower_bound(std::begin(buckets), std::end(buckets), seconds);
    ++route.by_bucket[static_cast<std::size_t>(bound - std::begin(buckets))];
    double before = route.seconds.load(std::memory_order_relaxed);
    while (!route.seconds.compare_exchange_weak(before, before + seconds, std::memory_order_relaxed)) {}
    if (rows != 0) rows_.fetch_add(rows, std::memory_order_relaxed);
}

void Board::refuse(const std::string& reason) {
    const auto known = std::find(std::begin(reasons), std::end(reasons), reason);
    if (known != std::end(reasons)) ++refusals_[static_cast<std::size_t>(known - std::begin(reasons))];
}

void Board::write_histogram(std::string& out, std::size_t label) const {
    const Route& route = routes_[label];
    if (sum(route.by_bucket) == 0) return;
    const std::string name = std::string("{route=\"") + labels[label] + "\"";
    std::uint64_t total = 0;
    for (std::size_t i = 0; i != route.by_bucket.size(); ++i) {
        total += route.by_bucket[i];
        const std::string bound = i == std::size(buckets) ? "+Inf" : text_of(buckets[i]);
        out += "mlpack_request_seconds_bucket" + name + ",le=\"" + bound + "\"} " + std::to_string(total) + "\n";
    }
    out += "mlpack_request_seconds_sum" + name + "} " + text_of(route.seconds) + "\n";
    out += "mlpack_request_seconds_count" + name + "} " + std::to_string(total) + "\n";
}

std::string Board::text(const std::string& name, const std::string& version, const std::string& identity) const {
    std::string out;
    write_head(out, "model_info", "gauge", "The served model.");
    out += "mlpack_model_info{name=\"" + escaped(name) + "\",version=\"" + escaped(version) + "\",identity=\"" + identity + "\"} 1\n";
    write_head(out, "requests_total", "counter", "Requests answered, by route and status.");
    for (std::size_t i = 0; i != std::size(labels); ++i) {
        for (std::size_t k = 0; k != std::size(statuses); ++k) {
            const std::uint64_t count = routes_[i].by_status[k];
            if (count == 0) continue;
            out += std::string("mlpack_requests_total{route=\"") + labels[i] + "\",status=\"" + std::to_string(statuses[k]) + "\"} " +
                   std::to_string(count) + "\n";
        }
    }
    write_head(out, "request_seconds", "histogram", "Seconds from a request's start to its answer, by route.");
    for (std::size_t i = 0; i != std::size(labels); ++i) write_histogram(out, i);
    write_head(out, "refusals_total", "counter", "Refused requests, by reason.");
    for (std::size_t i = 0; i != std::size(reasons); ++i) {
        out += std::string("mlpack_refusals_total{reason=\"") + reasons[i] + "\"} " + std::to_string(refusals_[i]) + "\n";
    }
    write_head(out, "rows_total", "counter", "Rows answered.");
    out += "mlpack_rows_total " + std::to_string(rows_) + "\n";
    write_head(out, "requests_in_flight", "gauge", "Requests in work.");
    out += "mlpack_requests_in_flight " + std::to_string(in_flight_) + "\n";
    write_head(out, "worker_starts_total", "counter", "Workers started, including replacements of dead ones.");
    return out + "mlpack_worker_starts_total 1\n";
}

}  // namespace mlpack_server
