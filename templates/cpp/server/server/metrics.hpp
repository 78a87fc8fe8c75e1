// Counters shared by all threads, and their Prometheus text.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

namespace mlpack_server {

inline constexpr const char* labels[] = {"v2", "predict", "invocations", "vertex", "v1", "health", "metadata", "metrics", "other"};
inline constexpr int statuses[] = {200, 400, 404, 405, 408, 413, 415, 431, 499, 500, 503};
inline constexpr const char* reasons[] = {"invalid",  "not_json", "too_large", "too_many_rows", "encoding",
                                          "overload", "memory",   "time",      "route"};
inline constexpr double buckets[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10};

enum class Label : std::size_t { v2, predict, invocations, vertex, v1, health, metadata, metrics, other };

class Board {
public:
    /// Counts a request in work.
    void enter() { in_flight_.fetch_add(1, std::memory_order_relaxed); }
    /// Counts an answered or abandoned (499) request.
    void leave(Label label, int status, double seconds, std::size_t rows);
    /// Counts a refused request.
    void refuse(const std::string& reason);
    std::string text(const std::string& name, const std::string& version, const std::string& identity) const;

private:
    using Counter = std::atomic<std::uint64_t>;
    struct Route {
        std::array<Counter, std::size(statuses)> by_status{};
        std::array<Counter, std::size(buckets) + 1> by_bucket{};
        std::atomic<double> seconds{0};
    };
    void write_histogram(std::string& out, std::size_t label) const;

    std::array<Route, std::size(labels)> routes_{};
    std::array<Counter, std::size(reasons)> refusals_{};
    Counter rows_{0};
    std::atomic<std::int64_t> in_flight_{0};
};

}  // namespace mlpack_server
