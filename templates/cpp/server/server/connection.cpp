#include "connection.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <utility>

#include "loop.hpp"
#include "refusal.hpp"

namespace mlpack_server {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::size_t piece = 16384;  // bytes per read
constexpr std::size_t largest_inline = 65536;
constexpr double slowest_inline = 0.005;
constexpr std::chrono::seconds idle_time{75};
constexpr std::chrono::seconds linger_time{2};

double seconds_since(Clock::time_point begun) { return std::chrono::duration<double>(Clock::now() - begun).count(); }

double thread_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

std::string text_of(boost::beast::string_view text) { return {text.data(), text.size()}; }

// Whether the end of the body is unambiguous: one length, or chunks and no other coding.
bool is_framed_plainly(const http::fields& head) {
    const auto codings = head.count(http::field::transfer_encoding);
    const auto lengths = head.count(http::field::content_length);
    if (codings + lengths > 1) return false;
    if (codings == 1) return boost::beast::iequals(head[http::field::transfer_encoding], "chunked");
    return head[http::field::content_length].find(',') == boost::beast::string_view::npos;
}

}  // namespace

Connection::Connection(boost::asio::ip::tcp::socket socket, Loop& loop)
    : socket_(std::move(socket)), loop_(loop), since_(Clock::now()) {
    loop_.add(this);
}

Connection::~Connection() {
    leave(499, 0);
    loop_.remove(this);
}

void Connection::start(bool full) {
    if (full) turn_away(503, "there are too many connections: try again later");
    else read();
}

void Connection::read() {
    socket_.async_read_some(buffer_.prepare(piece), [self = shared_from_this()](error_code error, std::size_t size) {
        self->on_read(error, size);
    });
}

void Connection::on_read(error_code error, std::size_t size) {
    if (state_ == State::over) return;
    if (state_ == State::lingering) {
        if (error) abort();
        else linger();
        return;
    }
    if (timed_out_) return turn_away(408, "the request took too long to arrive");
    if (error) return abort();
    buffer_.commit(size);
    advance();
}

// Reads the available bytes of one request.
void Connection::advance() {
    while (buffer_.size() != 0) {
        if (!parser_) begin();
        error_code error;
        const std::size_t used = parser_->put(buffer_.data(), error);
        buffer_.consume(used);
        if (error == http::error::need_more) error = {};
        if (error == http::error::body_limit) {
            return turn_away(413, "the body has more than " + std::to_string(loop_.settings().body) + " bytes: send fewer rows");
        }
        if (error == http::error::header_limit) {
            return turn_away(431, "the request headers have more than " + std::to_string(loop_.settings().header) + " bytes");
        }
        if (error) return turn_away(400, "this is not an HTTP/1.1 request");
        if (parser_->is_header_done() && route_ == nullptr) on_head();
        if (state_ != State::reading) return;
        count_body();
        if (state_ != State::reading) return;
        if (parser_->is_done()) return on_request();
        if (used == 0) break;
    }
    read();
}

void Connection::begin() {
    parser_.emplace();
    parser_->eager(true);
    parser_->header_limit(static_cast<std::uint32_t>(std::min<std::size_t>(loop_.settings().header, 1u << 30)));
    parser_->body_limit(loop_.settings().body);
    state_ = State::reading;
    since_ = Clock::now();
    late_ = false;
}

// The headers are complete: accepts the request, or refuses one too many.
void Connection::on_head() {
    const auto& request = parser_->get();
    if (!is_framed_plainly(request)) return turn_away(400, "this is not an HTTP/1.1 request");
    const std::size_t hosts = request.count(http::field::host);
    if (hosts > 1 || (hosts == 0 && request.version() >= 11)) return turn_away(400, "the request must have one Host header");
    route_ = &loop_.routes().at({request.target().data(), request.target().size()});
    loop_.board().enter();
    late_ = loop_.taken() >= loop_.settings().requests;
    taken_ = !late_;
    if (taken_) loop_.take(1);
    if (parser_->is_done()) return;
    if (late_ && route_->post) return turn_away(503, "the server is at its limit: try again later");
    if (boost::beast::iequals(request[http::field::expect], "100-continue")) {
        static const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
        error_code ignored;
        socket_.non_blocking(true, ignored);
        socket_.write_some(boost::asio::buffer(go_on), ignored);
    }
}

void Connection::count_body() {
    if (route_ == nullptr) return;
    const std::size_t size = parser_->get().body().size();
    loop_.buffer(static_cast<std::ptrdiff_t>(size) - static_cast<std::ptrdiff_t>(counted_));
    counted_ = size;
    if (loop_.buffered() > loop_.settings().buffer) turn_away(503, "too many bodies are in transfer: try again later");
}

Head Connection::head() const {
    const auto& request = parser_->get();
    const auto kind = request[http::field::content_type];
    const auto length = request.find("Inference-Header-Content-Length");
    Head found{text_of(kind), {}};
    if (length != request.end()) found.json_length = text_of(length->value());
    return found;
}

// Throws Refusal unless the request on this route may be answered.
void Connection::check_post() const {
    if (late_) throw Refusal("the server is at its limit: try again later", 503, "overload");
    const auto coding = parser_->get()[http::field::content_encoding];
    if (coding.empty() || boost::beast::iequals(coding, "identity")) return;
    throw Refusal("this server does not accept compressed bodies: send them uncompressed", 415, "encoding");
}

Reply Connection::guarded(const Route& route, const Head& head, std::string_view body) {
    try {
        return route.post(head, body);
    } catch (const Refusal& refusal) {
        loop_.board().refuse(refusal.reason);
        return reply_of(refusal.message, refusal.status, refusal.status == 503 ? "retry-after: 1\r\n" : "");
    } catch (const std::bad_alloc&) {
        loop_.board().refuse("memory");
        return reply_of("too little memory for these rows: send fewer", 503, "retry-after: 1\r\n");
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return reply_of("internal server error: the server's log has the details", 500);
    }
}

// The request is complete.
void Connection::on_request() {
    keeps_ = parser_->get().keep_alive();
    const auto method = parser_->get().method();
    const Route& route = *route_;
    const bool gets = method == http::verb::get || method == http::verb::head;
    if (gets && route.get) return reply(route.get());
    if (method != http::verb::post || !route.post) {
        loop_.board().refuse("route");
        if (!route.get && !route.post) {
            const auto target = parser_->get().target();
            return reply(reply_of("there is nothing at this path" + loop_.routes().hint({target.data(), target.size()}), 404));
        }
        return reply(reply_of(text_of(parser_->get().method_string()) + " is not allowed for this path", 405, "allow: " + route.methods() + "\r\n"));
    }
    try {
        check_post();
    } catch (const Refusal& refusal) {
        loop_.board().refuse(refusal.reason);
        return reply(reply_of(refusal.message, refusal.status, refusal.status == 503 ? "retry-after: 1\r\n" : ""));
    }
    if (parser_->get().body().size() > largest_inline || loop_.pace() > slowest_inline) return reply_elsewhere(route, head());
    reply(reply_here(route));
}

Reply Connection::reply_here(const Route& route) {
    if (!loop_.is_measured()) return guarded(route, head(), parser_->get().body());
    const double begun = thread_seconds();
    Reply made = guarded(route, head(), parser_->get().body());
    loop_.keep_pace(thread_seconds() - begun);
    return made;
}

// In a thread of the pool, so that the loop stays free.
void Connection::reply_elsewhere(const Route& route, Head head) {
    state_ = State::answering;
    since_ = Clock::now();
    auto body = std::make_shared<std::string>(std::move(parser_->get().body()));
    const std::uint64_t ticket = ++ticket_;
    loop_.in_pool([self = shared_from_this(), &route, head = std::move(head), body, ticket]() mutable {
        const double begun = thread_seconds();
        auto made = std::make_shared<Reply>(self->guarded(route, head, *body));
        const double took = body->size() <= largest_inline ? thread_seconds() - begun : -1;
        body->clear();
        body->shrink_to_fit();
        const auto executor = self->socket_.get_executor();
        // The last reference to a connection must be released in its own loop's thread.
        boost::asio::post(executor, [self = std::move(self), made, ticket, took] {
            if (took >= 0) self->loop_.keep_pace(took);
            if (self->state_ == State::answering && self->ticket_ == ticket) self->reply(std::move(*made));
        });
    });
}

void Connection::reply(Reply reply) {
    bodyless_ = parser_->get().method() == http::verb::head;
    const int version = static_cast<int>(parser_->get().version());
    const bool keeps = keeps_ && !ending_;
    leave(reply.status, reply.rows);
    parser_.reset();
    write(std::move(reply), keeps && version >= 11);
}

// Answers without the application, and closes after the sender has had time to read the answer.
void Connection::turn_away(int status, const std::string& message) {
    loop_.board().refuse(status == 413 ? "too_large" : status == 503 ? "overload" : status == 408 ? "time" : "invalid");
    if (route_ == nullptr) loop_.board().enter();
    route_ = route_ == nullptr ? &loop_.routes().at("") : route_;
    leave(status, 0);
    parser_.reset();
    bodyless_ = false;
    buffer_.consume(buffer_.size());
    write(reply_of(message, status, status == 503 ? "retry-after: 1\r\n" : ""), false);
}

void Connection::write(Reply reply, bool keeps) {
    keeps_ = keeps;
    const std::size_t size = reply.body.size();
    if (bodyless_) reply.body.clear();
    out_ = "HTTP/1.1 " + std::to_string(reply.status) + " ";
    out_ += text_of(http::obsolete_reason(static_cast<http::status>(reply.status)));
    out_.append("\r\ncontent-type: ").append(reply.kind).append("\r\n").append(reply.extra);
    out_ += "content-length: " + std::to_string(size) + "\r\n";
    out_ += keeps ? "\r\n" : "connection: close\r\n\r\n";
    out_ += reply.body;
    state_ = State::writing;
    since_ = Clock::now();
    boost::asio::async_write(socket_, boost::asio::buffer(out_),
                             [self = shared_from_this()](error_code error, std::size_t) { self->on_written(error); });
}

void Connection::on_written(error_code error) {
    if (state_ == State::over) return;
    if (error) return abort();
    out_.clear();
    if (out_.capacity() > 4 * piece) out_.shrink_to_fit();
    since_ = Clock::now();
    if (!keeps_ || ending_) {
        state_ = State::lingering;
        socket_.shutdown(boost::asio::ip::tcp::socket::shutdown_send, error);
        return linger();
    }
    state_ = State::idle;
    advance();
}

// Drains the sender's data for a while, as closing at once could discard the answer.
void Connection::linger() {
    socket_.async_read_some(buffer_.prepare(piece), [self = shared_from_this()](error_code error, std::size_t size) {
        self->on_read(error, size);
    });
}

void Connection::leave(int status, std::size_t rows) {
    if (route_ != nullptr) loop_.board().leave(route_->label, status, seconds_since(since_), rows);
    route_ = nullptr;
    if (taken_) loop_.take(-1);
    taken_ = false;
    loop_.buffer(-static_cast<std::ptrdiff_t>(counted_));
    counted_ = 0;
}

void Connection::sweep(Clock::time_point now) {
    const auto age = now - since_;
    const std::chrono::seconds bound(loop_.settings().seconds);
    if (state_ == State::reading && age > bound) {
        timed_out_ = true;
        socket_.cancel();
    } else if (state_ == State::answering && age > bound) {
        ++ticket_;
        loop_.board().refuse("time");
        reply(reply_of("no answer within " + std::to_string(bound.count()) + " s: send fewer rows", 503, "retry-after: 1\r\n"));
    } else if ((state_ == State::writing && age > 2 * bound) || (state_ == State::idle && age > idle_time) ||
               (state_ == State::lingering && age > linger_time)) {
        abort();
    }
}

void Connection::finish() {
    ending_ = true;
    if (state_ == State::idle || (state_ == State::reading && route_ == nullptr)) abort();
}

void Connection::abort() {
    if (state_ == State::over) return;
    state_ = State::over;
    ++ticket_;
    leave(499, 0);
    error_code ignored;
    socket_.close(ignored);
}

}  // namespace mlpack_server
