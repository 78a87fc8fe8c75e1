// A thread that answers requests, with its connections and its limits.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <atomic>
#include <cstddef>
#include <functional>
#include <unordered_set>

#include "connection.hpp"
#include "metrics.hpp"
#include "routes.hpp"
#include "settings.hpp"

namespace mlpack_server {

class Loop {
public:
    Loop(const Settings& settings, const Routes& routes, Board& board);
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    boost::asio::io_context& context() { return context_; }
    /// Serves until all connections have ended after `end`, or its grace period is over.
    void run();
    void take_connection(boost::asio::ip::tcp::socket socket);
    /// Ends after the accepted requests are answered; callable from any thread.
    void end();
    /// Whether the pool has finished all of this loop's work.
    bool is_done() const { return in_pool_ == 0; }

    const Settings& settings() const { return settings_; }
    const Routes& routes() const { return routes_; }
    Board& board() { return board_; }

    void add(Connection* connection) { connections_.insert(connection); }
    void remove(Connection* connection);
    std::size_t taken() const { return taken_; }
    void take(int more) { taken_ += static_cast<std::size_t>(more); }
    std::size_t buffered() const { return buffered_; }
    void buffer(std::ptrdiff_t more) { buffered_ += static_cast<std::size_t>(more); }
    /// Recent processor seconds per request.
    double pace() const { return pace_; }
    void keep_pace(double seconds) { pace_ += 0.1 * (seconds - pace_); }
    /// Whether to time this request, as reading the processor's clock costs a noticeable part of an answer.
    bool is_measured() { return pace_ > 0.0005 || ++requests_ % 16 == 1; }
    void in_pool(std::function<void()> work);

private:
    void tick();
    void drop_unread();

    const Settings& settings_;
    const Routes& routes_;
    Board& board_;
    std::unordered_set<Connection*> connections_;  // declared before the context, which destroys them
    boost::asio::io_context context_{1};
    boost::asio::steady_timer timer_;
    boost::asio::thread_pool pool_;
    std::atomic<std::size_t> in_pool_{0};
    std::size_t taken_ = 0;
    std::size_t buffered_ = 0;
    double pace_ = 0;
    std::size_t requests_ = 0;
    bool ending_ = false;
    Clock::time_point deadline_;
};

}  // namespace mlpack_server
