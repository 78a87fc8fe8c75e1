// One loaded model. Move-only; run() may be called from many threads at once.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "library.hpp"
#include "size_class/tensor.hpp"
#include "size_class/types.hpp"

namespace size_class::detail {

/// The bytes of a file. Throws ModelError with the path.
std::vector<unsigned char> read_file(const std::string& path);

template <class T>
using Handle = std::unique_ptr<T, void (*)(T*)>;

class Session {
public:
    /// `origin` names the model in messages. Throws ModelError when the bytes are not a model with these inputs
    /// and outputs, LibraryError when there is no library.
    Session(const std::vector<unsigned char>& bytes, const std::string& origin, const Options& options,
            std::vector<std::string> inputs, std::vector<std::string> outputs);

    /// The outputs for these inputs, both in the order given to the constructor; numbers are read where they are. Throws
    /// ModelError.
    std::vector<Tensor> run(const std::vector<const Tensor*>& inputs) const;

private:
    void check(OrtStatus* status, const std::string& doing) const;
    void check_names() const;
    std::vector<std::string> names(bool inputs) const;
    Handle<OrtValue> value_from(const Tensor& tensor) const;
    Handle<OrtValue> allocate(const Tensor& tensor, ONNXTensorElementDataType type) const;
    Tensor tensor_from(const OrtValue& value) const;
    std::vector<std::string> texts_from(const OrtValue& value, std::size_t count) const;

    const OrtApi& api_;
    std::string origin_;
    std::vector<std::string> inputs_;
    std::vector<std::string> outputs_;
    Handle<OrtEnv> environment_;
    Handle<OrtMemoryInfo> memory_;
    Handle<OrtSession> session_;
};

}  // namespace size_class::detail
