#include "library.hpp"

#include <dlfcn.h>

#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <vector>

#include "size_class/types.hpp"

#ifndef ONNXRUNTIME_DEFAULT_LIBRARY
#define ONNXRUNTIME_DEFAULT_LIBRARY ""
#endif

namespace size_class::detail {
namespace {

// The table of functions only grows at its end, so the library's version may differ from that of the headers.
// Older libraries answer some graphs wrongly, or do not load them.
constexpr std::uint32_t api_version = 28;
static_assert(ORT_API_VERSION >= 21, "ONNX Runtime's headers are older than release 1.21");

// Official Linux builds since 1.29 write a device id to the home folder unless this is set before they load.
void silence_telemetry() {
    static std::once_flag once;
    std::call_once(once, [] { setenv("ORT_DISABLE_TELEMETRY", "1", 1); });
}

std::vector<std::string> candidates(const std::string& path) {
    if (!path.empty()) return {path};
    const char* named = std::getenv("ONNXRUNTIME_LIBRARY");
    if (named != nullptr && *named != '\0') return {named};
    std::vector<std::string> found;
    if (*ONNXRUNTIME_DEFAULT_LIBRARY != '\0') found.emplace_back(ONNXRUNTIME_DEFAULT_LIBRARY);
#ifdef __APPLE__
    found.emplace_back("libonnxruntime.dylib");
#else
    found.emplace_back("libonnxruntime.so.1");
    found.emplace_back("libonnxruntime.so");
#endif
    return found;
}

const OrtApi& functions(void* library, const std::string& path) {
    using Base = const OrtApiBase*(ORT_API_CALL*)();
    const auto base = reinterpret_cast<Base>(dlsym(library, "OrtGetApiBase"));
    if (base == nullptr) throw LibraryError("[size_class.library] " + path + " is not ONNX Runtime: it has no OrtGetApiBase");
    const OrtApi* api = base()->GetApi(api_version);
    if (api == nullptr) {
        throw LibraryError("[size_class.library] " + path + " is ONNX Runtime " + base()->GetVersionString() +
                           ", which is older than 1.28; install a newer one and name it in ONNXRUNTIME_LIBRARY");
    }
    return *api;
}

}  // namespace

const OrtApi& load_runtime(const std::string& path) {
    silence_telemetry();
    std::string tried;
    for (const std::string& candidate : candidates(path)) {
        // Never closed, as the library keeps its own threads and statics until the process ends.
        void* library = dlopen(candidate.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (library != nullptr) return functions(library, candidate);
        const char* reason = dlerror();
        tried += "\n  " + candidate + ": " + (reason != nullptr ? reason : "no reason given");
    }
    throw LibraryError("[size_class.library] ONNX Runtime's shared library was not found. Set the environment variable "
                       "ONNXRUNTIME_LIBRARY or Options::library to its path. Tried:" + tried);
}

}  // namespace size_class::detail
