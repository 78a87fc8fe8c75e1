#include "routes.hpp"

#include "writing.hpp"

namespace mlpack_server {
namespace {

int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string path_of(std::string_view target) {
    target = target.substr(0, target.find_first_of("?#"));
    for (const std::string_view scheme : {"http://", "https://"}) {  // the form that proxies are asked in
        if (target.substr(0, scheme.size()) != scheme) continue;
        const std::size_t slash = target.find('/', scheme.size());
        target = slash == std::string_view::npos ? "/" : target.substr(slash);
        break;
    }
    std::string path;
    for (std::size_t i = 0; i != target.size(); ++i) {
        const bool coded = target[i] == '%' && i + 2 < target.size() && digit(target[i + 1]) >= 0 && digit(target[i + 2]) >= 0;
        path += coded ? static_cast<char>(digit(target[i + 1]) * 16 + digit(target[i + 2])) : target[i];
        if (coded) i += 2;
    }
    return path;
}

std::string text(const std::string& plain) {
    std::string out;
    write_text(out, plain);
    return out;
}

}  // namespace

std::string Route::methods() const { return get && post ? "GET, HEAD, POST" : get ? "GET, HEAD" : "POST"; }

Routes::Routes(const About& about, const Payloads& payloads, const Settings& settings, const Board& board,
               const std::string& identity)
    : model_("; the model here is '" + about.name + "', version '" + about.version + "'") {
    for (const char* path : {"/livez", "/readyz"}) add_get(path, Label::health, "{}");
    for (const char* path : {"/ping", "/health"}) add_get(path, Label::health, "");
    add_get("/version", Label::metadata, "{\"name\":" + text(about.name) + ",\"version\":" + text(about.version) + "}");
    routes_["/metrics"] = {Label::metrics,
                           [&about, &board, identity] {
                               Reply reply;
                               reply.body = board.text(about.name, about.version, identity);
                               reply.kind = "text/plain; version=0.0.4; charset=utf-8";
                               return reply;
                           },
                           nullptr};
    add_post("/predict", Label::predict, payloads, &Payloads::predict);
    add_post("/invocations", Label::invocations, payloads, &Payloads::invocations);
    const std::string v1 = "/v1/models/" + about.name;
    add_get("/v1/models", Label::metadata, "{\"models\":[" + text(about.name) + "]}");
    add_get(v1, Label::health, "{\"name\":" + text(about.name) + ",\"ready\":true}");
    add_post(v1 + ":predict", Label::v1, payloads, &Payloads::instances);
    add_v2(about, payloads);
    if (!settings.health_route.empty()) add_get(settings.health_route, Label::health, "{}");
    if (!settings.predict_route.empty()) add_post(settings.predict_route, Label::vertex, payloads, &Payloads::instances);
}

void Routes::add_v2(const About& about, const Payloads& payloads) {
    add_get("/v2", Label::metadata, "{\"name\":\"mlpack\",\"version\":\"1\",\"extensions\":[\"binary_tensor_data\"]}");
    add_get("/v2/health/live", Label::health, "{\"live\":true}");
    add_get("/v2/health/ready", Label::health, "{\"ready\":true}");
    const std::string place = "/v2/models/" + about.name;
    for (const std::string& path : {place, place + "/versions/" + about.version}) {
        add_get(path, Label::metadata, about.metadata);
        add_get(path + "/ready", Label::health, "{\"name\":" + text(about.name) + ",\"ready\":true}");
        add_post(path + "/infer", Label::v2, payloads, &Payloads::v2);
    }
}

void Routes::add_get(const std::string& path, Label label, const std::string& body) {
    Route& route = routes_[path];
    route.label = label;
    route.get = [body] {
        Reply reply;
        reply.body = body;
        return reply;
    };
}

void Routes::add_post(const std::string& path, Label label, const Payloads& payloads, Payload payload) {
    Route& route = routes_[path];
    route.label = label;
    route.post = [&payloads, payload](const Head& head, std::string_view body) { return (payloads.*payload)(head, body); };
}

std::string Routes::hint(std::string_view target) const {
    const std::string path = path_of(target);
    const bool names_a_model = path.rfind("/v1/models/", 0) == 0 || path.rfind("/v2/models/", 0) == 0;
    return names_a_model ? model_ : "";
}

const Route& Routes::at(std::string_view target) const {
    const auto found = routes_.find(path_of(target));
    return found == routes_.end() ? other_ : found->second;
}

}  // namespace mlpack_server
