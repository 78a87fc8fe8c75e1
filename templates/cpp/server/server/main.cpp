// `server [FOLDER] [serve]` serves the model of a folder until SIGTERM; `server health` checks a running one; `server version` prints the model.
// Exit codes: 0 after SIGTERM, 2 for wrong usage, 8 for a model that has changed since its build.

#include <sys/resource.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "loop.hpp"
#include "model.hpp"
#include "payloads.hpp"
#include "refusal.hpp"
#include "routes.hpp"
#include "settings.hpp"
#include "sha256.hpp"

namespace mlpack_server {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr const char* manifest = "/manifest.json";
constexpr const char* graph = "/model/model.onnx";
constexpr rlim_t most_files = 65536;

bool exists(const std::string& path) { return std::ifstream(path).good(); }

std::string folder_of(const std::vector<std::string>& words) {
    std::vector<std::string> folders;
    for (const std::string& word : words) if (word != "serve") folders.push_back(word);
    if (folders.size() > 1) throw Misuse("there is more than one folder");
    if (folders.empty()) folders = {"/opt/ml/model", "/mnt/models"};  // SageMaker's and KServe's folders for models
    for (const std::string& folder : folders) if (exists(folder + graph)) return folder;
    throw Misuse("name the model's folder: there is no " + (folders.back() + graph));
}

void check_digest(const std::string& path, const std::string& wanted) {
    const std::string found = sha256_of_file(path);
    if (found == wanted) return;
    throw Damaged(path + " is not as it was built: its sha256 is " + found + ", this program was made for " + wanted);
}

// The graph's path, once it and its data are known to be those that this program was written for.
std::string checked(const std::string& folder) {
    const std::string path = folder + graph;
    check_digest(path, about().digest);
    for (const auto& [name, digest] : about().beside) check_digest(path.substr(0, path.rfind('/') + 1) + name, digest);
    return path;
}

std::string identity_of(const std::string& folder) {
    return exists(folder + manifest) ? "sha256:" + sha256_of_file(folder + manifest) : "";
}

void allow_many_files() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= most_files) return;
    limit.rlim_cur = limit.rlim_max == RLIM_INFINITY ? most_files : std::min(most_files, limit.rlim_max);
    setrlimit(RLIMIT_NOFILE, &limit);
}

// Returns the memory of large requests to the system at once.
void keep_little_memory() {
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 4 << 20);
#endif
}

// Listens, and distributes connections to the loops in turn.
class Listener {
public:
    Listener(const Settings& settings, std::vector<std::unique_ptr<Loop>>& loops)
        : loops_(loops), acceptor_(loops.front()->context()), pause_(loops.front()->context()) {
        const std::string where = settings.host + " port " + std::to_string(settings.port);
        error_code error;
        tcp::resolver resolver(loops.front()->context());
        const auto found = resolver.resolve(settings.host, std::to_string(settings.port),
                                            tcp::resolver::passive | tcp::resolver::numeric_service, error);
        if (error || found.empty()) throw Misuse("cannot listen on " + where + ": " + error.message());
        const tcp::endpoint place = found.begin()->endpoint();
        acceptor_.open(place.protocol(), error);
        if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
        if (!error) acceptor_.bind(place, error);
        if (!error) acceptor_.listen(2048, error);
        if (error) throw Misuse("cannot listen on " + where + ": " + error.message());
        accept();
    }

    std::string address() const {
        const tcp::endpoint place = acceptor_.local_endpoint();
        const std::string host = place.address().to_string();
        return "http://" + (place.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(place.port());
    }

    void close() {
        error_code ignored;
        acceptor_.close(ignored);
        pause_.cancel();
    }

private:
    void accept() {
        Loop& loop = *loops_[next_++ % loops_.size()];
        acceptor_.async_accept(loop.context(), [this, &loop](error_code error, tcp::socket socket) {
            if (!acceptor_.is_open()) return;
            if (error) return wait();
            if (&loop == loops_.front().get()) {
                loop.take_connection(std::move(socket));
            } else {
                auto held = std::make_shared<tcp::socket>(std::move(socket));
                boost::asio::post(loop.context(), [&loop, held] { loop.take_connection(std::move(*held)); });
            }
            accept();
        });
    }

    // Too many open files: tries again a moment later.
    void wait() {
        pause_.expires_after(std::chrono::milliseconds(20));
        pause_.async_wait([this](error_code error) {
            if (!error && acceptor_.is_open()) accept();
        });
    }

    std::vector<std::unique_ptr<Loop>>& loops_;
    tcp::acceptor acceptor_;
    boost::asio::steady_timer pause_;
    std::size_t next_ = 0;
};

int serve(const std::string& folder) {
    const Settings settings = settings_of_environment();
    const std::string identity = identity_of(folder);
    const std::unique_ptr<Model> model = load(checked(folder), static_cast<int>(settings.threads));
    const Payloads payloads(about(), *model, settings.rows);
    Board board;
    const Routes routes(about(), payloads, settings, board, identity);
    allow_many_files();
    keep_little_memory();
    std::vector<std::unique_ptr<Loop>> loops;
    for (std::size_t i = 0; i != settings.workers; ++i) loops.push_back(std::make_unique<Loop>(settings, routes, board));
    Listener listener(settings, loops);
    boost::asio::signal_set signals(loops.front()->context(), SIGTERM, SIGINT);
    signals.async_wait([&](error_code, int) {
        listener.close();
        for (const auto& loop : loops) loop->end();
    });
    std::printf("%s %s answers at %s\n", about().name.c_str(), about().version.c_str(), listener.address().c_str());
    std::fflush(stdout);
    std::vector<std::thread> threads;
    for (std::size_t i = 1; i != loops.size(); ++i) threads.emplace_back([&loop = *loops[i]] { loop.run(); });
    loops.front()->run();
    for (std::thread& thread : threads) thread.join();
    for (const auto& loop : loops) {
        if (!loop->is_done()) std::_Exit(0);  // the grace period is over: does not wait for running computations
    }
    return 0;
}

// 0 when a server on this machine is ready.
int ask_health() {
    const Settings settings = settings_of_environment();
    const bool any = settings.host == "0.0.0.0" || settings.host == "::";
    boost::asio::io_context context;
    tcp::socket socket(context);
    error_code error;
    const auto address = boost::asio::ip::make_address(any ? "127.0.0.1" : settings.host, error);
    if (error) return 1;
    alarm(5);  // ends this process
    socket.connect({address, static_cast<unsigned short>(settings.port)}, error);
    if (error) return 1;
    boost::asio::write(socket, boost::asio::buffer(std::string("GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")), error);
    std::string said(12, '\0');
    boost::asio::read(socket, boost::asio::buffer(said), error);
    return said == "HTTP/1.1 200" ? 0 : 1;
}

int run(const std::vector<std::string>& words) {
    try {
        if (words.size() == 1 && words[0] == "health") return ask_health();
        if (words.size() == 1 && words[0] == "version") return std::puts((about().name + " " + about().version).c_str()) < 0;
        return serve(folder_of(words));
    } catch (const Misuse& error) {
        std::fprintf(stderr, "mlpack: %s\n", error.what());
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "mlpack: %s\n", error.what());
        return 8;
    }
}

}  // namespace
}  // namespace mlpack_server

int main(int count, char** arguments) { return mlpack_server::run({arguments + 1, arguments + count}); }
