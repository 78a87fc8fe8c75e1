#include "settings.hpp"

#include <charconv>
#include <cstdlib>
#include <utility>

#include "refusal.hpp"

namespace mlpack_server {
namespace {

std::string variable(const std::string& name) {
    const char* text = std::getenv(name.c_str());
    return text == nullptr ? "" : text;
}

void read(const std::string& name, std::size_t& value, std::size_t least = 1) {
    const std::string text = variable(name);
    if (text.empty()) return;
    const auto done = std::from_chars(text.data(), text.data() + text.size(), value);
    if (done.ec == std::errc() && done.ptr == text.data() + text.size() && text.size() <= 12 && value >= least) return;
    throw Misuse("the variable " + name + " must be a whole number from " + std::to_string(least) + ", not '" + text + "'");
}

}  // namespace

Settings settings_of_environment() {
    Settings found;
    const std::pair<const char*, std::size_t*> numbers[] = {
        {"MLPACK_WORKERS", &found.workers},         {"MLPACK_THREADS", &found.threads},
        {"MLPACK_MAX_BODY", &found.body},           {"MLPACK_MAX_ROWS", &found.rows},
        {"MLPACK_MAX_REQUESTS", &found.requests},   {"MLPACK_MAX_CONNECTIONS", &found.connections},
        {"MLPACK_MAX_HEADER", &found.header},       {"MLPACK_MAX_BUFFER", &found.buffer},
        {"MLPACK_REQUEST_SECONDS", &found.seconds}, {"MLPACK_GRACE_SECONDS", &found.grace},
    };
    for (const auto& [name, value] : numbers) read(name, *value);
    for (const char* name : {"PORT", "AIP_HTTP_PORT", "SAGEMAKER_BIND_TO_PORT"}) read(name, found.port, 0);
    if (found.port > 65535) throw Misuse("there is no port " + std::to_string(found.port));
    if (found.workers > 1024) throw Misuse("MLPACK_WORKERS must be at most 1024");
    if (!variable("MLPACK_GRPC_PORT").empty()) throw Misuse("this server has no gRPC: leave MLPACK_GRPC_PORT unset");
    if (!variable("MLPACK_HOST").empty()) found.host = variable("MLPACK_HOST");
    found.health_route = variable("AIP_HEALTH_ROUTE");
    found.predict_route = variable("AIP_PREDICT_ROUTE");
    return found;
}

}  // namespace mlpack_server
