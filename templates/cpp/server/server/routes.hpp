// The server's routes by path.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "metrics.hpp"
#include "payloads.hpp"
#include "settings.hpp"

namespace mlpack_server {

/// The handler of one path.
struct Route {
    Label label = Label::other;
    std::function<Reply()> get;
    std::function<Reply(const Head&, std::string_view)> post;

    /// The methods as the header `Allow` lists them.
    std::string methods() const;
};

class Routes {
public:
    /// `identity`: of the bundle, empty where it is unknown.
    Routes(const About& about, const Payloads& payloads, const Settings& settings, const Board& board, const std::string& identity);
    Routes(const Routes&) = delete;
    Routes& operator=(const Routes&) = delete;

    /// The route of a request's target without its query; one without methods where there is none.
    const Route& at(std::string_view target) const;

    /// The served model's name, for an unknown target below the paths of models; empty for others.
    std::string hint(std::string_view target) const;

private:
    using Payload = Reply (Payloads::*)(const Head&, std::string_view) const;
    void add_get(const std::string& path, Label label, const std::string& body);
    void add_post(const std::string& path, Label label, const Payloads& payloads, Payload payload);
    void add_v2(const About& about, const Payloads& payloads);

    std::unordered_map<std::string, Route> routes_;
    Route other_;
    std::string model_;
};

}  // namespace mlpack_server
