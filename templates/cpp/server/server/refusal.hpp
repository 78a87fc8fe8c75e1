// Every way in which a request or a model is turned down.
#pragma once

#include <stdexcept>
#include <string>

namespace mlpack_server {

/// A request that is not answered. `status` is HTTP's, `reason` a word for the metrics, the message its sender's, which
/// may hold U+0000 as the request did.
class Refusal : public std::runtime_error {
public:
    explicit Refusal(const std::string& message, int status = 400, const char* reason = "invalid")
        : std::runtime_error(message), message(message), status(status), reason(reason) {}

    std::string message;
    int status;
    const char* reason;
};

/// The options or variables are wrong, or the port is taken.
class Misuse : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The model cannot be loaded, or is not as it was built.
class Damaged : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

}  // namespace mlpack_server
