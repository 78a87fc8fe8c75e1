#include "loop.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cstdio>
#include <exception>
#include <utility>
#include <vector>

namespace mlpack_server {
namespace {

constexpr std::size_t threads = 2;
constexpr std::chrono::milliseconds between_sweeps{500};

}  // namespace

Loop::Loop(const Settings& settings, const Routes& routes, Board& board)
    : settings_(settings), routes_(routes), board_(board), timer_(context_), pool_(threads) {
    tick();
}

Loop::~Loop() {
    pool_.join();
    ending_ = false;
}

void Loop::run() {
    for (;;) {
        try {
            context_.run();
            return;
        } catch (const std::exception& error) {  // in one connection, which is closed with its handler
            std::fprintf(stderr, "%s\n", error.what());
        }
    }
}

void Loop::take_connection(boost::asio::ip::tcp::socket socket) {
    boost::system::error_code ignored;
    socket.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
    const bool full = connections_.size() >= settings_.connections;
    const auto connection = std::make_shared<Connection>(std::move(socket), *this);
    if (ending_) connection->abort();
    else connection->start(full);
}

void Loop::remove(Connection* connection) {
    connections_.erase(connection);
    if (ending_ && connections_.empty()) context_.stop();
}

void Loop::in_pool(std::function<void()> work) {
    ++in_pool_;
    boost::asio::post(pool_, [this, work = std::move(work)] {
        work();
        --in_pool_;
    });
}

void Loop::end() {
    boost::asio::post(context_, [this] {
        ending_ = true;
        deadline_ = Clock::now() + std::chrono::seconds(settings_.grace);
        if (connections_.empty()) return context_.stop();
        const std::vector<Connection*> all(connections_.begin(), connections_.end());
        for (Connection* connection : all) connection->finish();
    });
}

void Loop::tick() {
    timer_.expires_after(between_sweeps);
    timer_.async_wait([this](boost::system::error_code error) {
        if (error) return;
        const Clock::time_point now = Clock::now();
        if (ending_ && now > deadline_) return context_.stop();
        const std::vector<Connection*> all(connections_.begin(), connections_.end());
        for (Connection* connection : all) connection->sweep(now);
        drop_unread();
        tick();
    });
}

// Aborts the connections with the most unread bytes until the unread answers are within their limit.
void Loop::drop_unread() {
    std::size_t total = 0;
    for (const Connection* connection : connections_) total += connection->unread();
    if (total <= settings_.buffer) return;
    std::vector<Connection*> all(connections_.begin(), connections_.end());
    std::sort(all.begin(), all.end(), [](const Connection* a, const Connection* b) { return a->unread() > b->unread(); });
    for (Connection* connection : all) {
        if (total <= settings_.buffer) return;
        total -= connection->unread();
        connection->abort();
    }
}

}  // namespace mlpack_server
