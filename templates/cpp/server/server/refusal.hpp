// Errors for refused requests and models.
#pragma once

#include <stdexcept>
#include <string>

namespace mlpack_server {

/// A refused request. `status`: HTTP's; `reason`: a word for the metrics; the message is for the sender and may
/// contain U+0000 from the request.
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

/// The model cannot be loaded, or has changed since its build.
class Damaged : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

}  // namespace mlpack_server
