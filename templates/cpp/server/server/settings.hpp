// The server's settings, from environment variables.
#pragma once

#include <cstddef>
#include <string>

namespace mlpack_server {

/// The address and the limits; those on requests, connections and bodies are per worker, which is a thread.
struct Settings {
    std::string host = "0.0.0.0";
    std::size_t port = 8080;
    std::size_t workers = 1;
    std::size_t threads = 1;            // ONNX Runtime's, per request
    std::size_t body = 16u << 20;       // bytes of a body
    std::size_t rows = 100'000;         // rows of a batch
    std::size_t requests = 128;         // accepted and not yet answered
    std::size_t connections = 2048;
    std::size_t header = 64u << 10;     // bytes of a request's headers
    std::size_t buffer = 128u << 20;    // bytes of all incomplete bodies, and of all unread answers
    std::size_t seconds = 60;           // for a request to arrive, and for an answer
    std::size_t grace = 25;             // seconds for the accepted requests after SIGTERM
    std::string health_route;
    std::string predict_route;
};

/// The settings of this process. Throws Misuse.
Settings settings_of_environment();

}  // namespace mlpack_server
