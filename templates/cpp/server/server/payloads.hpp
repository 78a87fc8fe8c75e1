// Reads the request bodies of the Open Inference Protocol v2, SageMaker, MLflow, Vertex AI, KServe v1, and plain rows.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model.hpp"
#include "rows.hpp"

namespace mlpack_server {

/// A response. `kind`: its content type; `rows`: the number of answered rows; `extra`: further header lines.
struct Reply {
    std::string body;
    int status = 200;
    const char* kind = "application/json";
    std::size_t rows = 0;
    std::string extra{};
};

/// The response to a refusal.
Reply reply_of(const std::string& message, int status, const std::string& extra = "");

/// The headers that matter for a body.
struct Head {
    std::string content_type;
    std::optional<std::string> json_length{};  // of the part before raw tensors
};

/// A loaded model with the routes' handlers. Each throws Refusal.
class Payloads {
public:
    Payloads(const About& about, const Model& model, std::size_t most_rows);

    Reply v2(const Head& head, std::string_view body) const;
    /// Rows by column name, answered with a list of objects.
    Reply predict(const Head& head, std::string_view body) const;
    /// `instances` answered with `predictions`.
    Reply instances(const Head& head, std::string_view body) const;
    /// SageMaker's and MLflow's route: csv, one of MLflow's four forms, a request of the protocol, or plain rows.
    Reply invocations(const Head& head, std::string_view body) const;

private:
    Reply answer(const Node& request, std::optional<std::string_view> raw = {}) const;
    Reply predictions(const Arrays& inputs) const;
    Arrays split(const Node& frame) const;
    Arrays form(std::string_view name, const Node& value) const;
    // The index of a requested output, and whether as bytes.
    struct Wanted {
        std::size_t place;
        bool binary;
    };
    std::vector<Wanted> wanted(const Node& request) const;
    std::size_t place_of(std::string_view name) const;

    const About& about_;
    const Model& model_;
    Columns columns_;
    std::size_t most_;
};

}  // namespace mlpack_server
