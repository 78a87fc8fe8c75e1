// One connection: reads requests within limits and answers them one after the other.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "payloads.hpp"
#include "routes.hpp"

namespace mlpack_server {

class Loop;

using Clock = std::chrono::steady_clock;

class Connection : public std::enable_shared_from_this<Connection> {
public:
    Connection(boost::asio::ip::tcp::socket socket, Loop& loop);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Reads the first request, or answers at once that there are too many connections.
    void start(bool full);
    /// Aborts a request that takes too long.
    void sweep(Clock::time_point now);
    /// Ends after the accepted request, at once where there is none.
    void finish();
    void abort();
    /// Bytes of an answer that is not yet sent.
    std::size_t unread() const { return state_ == State::writing ? out_.size() : 0; }

private:
    using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
    enum class State { idle, reading, answering, writing, lingering, over };

    void read();
    void on_read(boost::system::error_code error, std::size_t size);
    void advance();
    void begin();
    void on_head();
    void count_body();
    void on_request();
    Reply reply_here(const Route& route);
    void reply_elsewhere(const Route& route, Head head);
    Reply guarded(const Route& route, const Head& head, std::string_view body);
    void check_post() const;
    Head head() const;
    void reply(Reply reply);
    void turn_away(int status, const std::string& message);
    void write(Reply reply, bool keeps);
    void on_written(boost::system::error_code error);
    void linger();
    void leave(int status, std::size_t rows);

    boost::asio::ip::tcp::socket socket_;
    Loop& loop_;
    boost::beast::flat_buffer buffer_;
    std::optional<Parser> parser_;
    const Route* route_ = nullptr;  // of the current request
    std::string out_;
    State state_ = State::idle;
    Clock::time_point since_;  // start time of the state, or of the request
    std::uint64_t ticket_ = 0;  // the request that a thread's answer belongs to
    std::size_t counted_ = 0;  // bytes of this body in the loop's sum
    bool taken_ = false;       // counted among the loop's requests
    bool late_ = false;        // arrived while the loop was at its limit
    bool bodyless_ = false;    // HEAD: answered without the body
    bool keeps_ = true;
    bool ending_ = false;
    bool timed_out_ = false;
};

}  // namespace mlpack_server
