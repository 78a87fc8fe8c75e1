#include "session.hpp"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <type_traits>
#include <utility>

namespace model::detail {
namespace {

template <class T>
constexpr ONNXTensorElementDataType element_type() {
    if constexpr (std::is_same_v<T, float>) return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
    else if constexpr (std::is_same_v<T, double>) return ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE;
    else if constexpr (std::is_same_v<T, std::int8_t>) return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8;
    else if constexpr (std::is_same_v<T, std::int16_t>) return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16;
    else if constexpr (std::is_same_v<T, std::int32_t>) return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
    else if constexpr (std::is_same_v<T, std::int64_t>) return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
    else if constexpr (std::is_same_v<T, std::uint8_t>) return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
    else if constexpr (std::is_same_v<T, std::uint16_t>) return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16;
    else if constexpr (std::is_same_v<T, std::uint32_t>) return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32;
    else if constexpr (std::is_same_v<T, std::uint64_t>) return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64;
    else if constexpr (std::is_same_v<T, bool>) return ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL;
    else if constexpr (std::is_same_v<T, Float16>) return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
    else if constexpr (std::is_same_v<T, BFloat16>) return ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16;
    else return ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING;
}

// Copies `count` elements when the value is of type T; otherwise tries the next alternative.
template <std::size_t Index = 0>
Tensor::Data copy_elements(const void* data, std::size_t count, ONNXTensorElementDataType type) {
    if constexpr (Index == std::variant_size_v<Tensor::Data>) {
        throw ModelError("[model.model] an output has element type " + std::to_string(type) +
                         ", which this code does not read");
    } else {
        using Elements = std::variant_alternative_t<Index, Tensor::Data>;
        using T = typename Elements::value_type;
        if constexpr (!std::is_same_v<T, std::string>) {
            const T* begin = static_cast<const T*>(data);
            if (type == element_type<T>()) return Elements(begin, begin + count);
        }
        return copy_elements<Index + 1>(data, count, type);
    }
}

std::vector<const char*> pointers(const std::vector<std::string>& texts) {
    std::vector<const char*> found;
    found.reserve(texts.size());
    for (const std::string& text : texts) found.push_back(text.c_str());
    return found;
}

void require(bool holds, const std::string& origin, const std::string& what) {
    if (!holds) throw ModelError("[model.model] " + origin + " is another model than this code was written for: " + what);
}

}  // namespace

std::vector<unsigned char> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw ModelError("[model.model] " + path + " cannot be opened; give the path of model.onnx");
    std::vector<unsigned char> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    if (file.bad()) throw ModelError("[model.model] " + path + " cannot be read to its end");
    return bytes;
}

Session::Session(const std::vector<unsigned char>& bytes, const std::string& origin, const Options& options,
                 std::vector<std::string> inputs, std::vector<std::string> outputs)
    : api_(load_runtime(options.library)),
      origin_(origin),
      inputs_(std::move(inputs)),
      outputs_(std::move(outputs)),
      environment_(nullptr, api_.ReleaseEnv),
      memory_(nullptr, api_.ReleaseMemoryInfo),
      session_(nullptr, api_.ReleaseSession) {
    if (options.threads < 0) throw std::invalid_argument("[model.options] threads is negative; 0 means one per core");
    // Every failure becomes an exception, as a library should not write to standard error.
    OrtEnv* environment = nullptr;
    check(api_.CreateEnv(ORT_LOGGING_LEVEL_FATAL, "model", &environment), "ONNX Runtime does not start");
    environment_.reset(environment);
    OrtMemoryInfo* memory = nullptr;
    check(api_.CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory), "ONNX Runtime does not start");
    memory_.reset(memory);
    OrtSessionOptions* made = nullptr;
    check(api_.CreateSessionOptions(&made), "ONNX Runtime does not start");
    const Handle<OrtSessionOptions> settings(made, api_.ReleaseSessionOptions);
    if (options.threads > 0) check(api_.SetIntraOpNumThreads(settings.get(), options.threads), "threads cannot be set");
    if (!options.operators.empty()) {
        check(api_.RegisterCustomOpsLibrary_V2(settings.get(), options.operators.c_str()), "its operators cannot be loaded");
    }
    // Without the provider there is no session: ONNX Runtime would answer on the CPU otherwise.
    const std::string absent = "CUDAExecutionProvider cannot be used; take ONNX Runtime's library for GPUs, with NVIDIA's driver";
    OrtCUDAProviderOptionsV2* made_for_gpu = nullptr;
    check(api_.CreateCUDAProviderOptions(&made_for_gpu), absent);
    const Handle<OrtCUDAProviderOptionsV2> gpu(made_for_gpu, api_.ReleaseCUDAProviderOptions);
    const std::string device = std::to_string(options.device);
    const std::vector<const char*> keys{"device_id", "cudnn_conv_algo_search", "use_tf32"};
    const std::vector<const char*> values{device.c_str(), "HEURISTIC", "0"};
    check(api_.UpdateCUDAProviderOptions(gpu.get(), keys.data(), values.data(), keys.size()), absent);
    check(api_.SessionOptionsAppendExecutionProvider_CUDA_V2(settings.get(), gpu.get()), absent);
    // A graph in memory must be self-contained, as ONNX Runtime would look for external data in the working folder.
    check(api_.AddSessionConfigEntry(settings.get(), "session.model_external_initializers_file_folder_path", "/dev/null"),
          "ONNX Runtime does not start");
    OrtSession* session = nullptr;
    check(api_.CreateSessionFromArray(environment_.get(), bytes.data(), bytes.size(), settings.get(), &session),
          "cannot be loaded as an ONNX model; copy model.onnx again");
    session_.reset(session);
    check_names();
}

void Session::check(OrtStatus* status, const std::string& doing) const {
    if (status == nullptr) return;
    const std::string message = api_.GetErrorMessage(status);
    api_.ReleaseStatus(status);
    throw ModelError("[model.model] " + origin_ + ": " + doing + ": " + message);
}

void Session::check_names() const {
    std::vector<std::string> found = names(true);
    std::vector<std::string> wanted = inputs_;
    std::sort(found.begin(), found.end());
    std::sort(wanted.begin(), wanted.end());
    require(found == wanted, origin_, "its inputs have other names");
    found = names(false);
    for (const std::string& name : outputs_) {
        require(std::find(found.begin(), found.end(), name) != found.end(), origin_, "it has no output \"" + name + "\"");
    }
}

std::vector<std::string> Session::names(bool inputs) const {
    OrtAllocator* allocator = nullptr;
    check(api_.GetAllocatorWithDefaultOptions(&allocator), "its names cannot be read");
    std::size_t count = 0;
    check(inputs ? api_.SessionGetInputCount(session_.get(), &count) : api_.SessionGetOutputCount(session_.get(), &count),
          "its names cannot be read");
    std::vector<std::string> found;
    for (std::size_t i = 0; i != count; ++i) {
        char* name = nullptr;
        check(inputs ? api_.SessionGetInputName(session_.get(), i, allocator, &name)
                     : api_.SessionGetOutputName(session_.get(), i, allocator, &name),
              "its names cannot be read");
        found.emplace_back(name);
        check(api_.AllocatorFree(allocator, name), "its names cannot be read");
    }
    return found;
}

std::vector<Tensor> Session::run(const std::vector<const Tensor*>& inputs) const {
    std::vector<Handle<OrtValue>> values;
    std::vector<const OrtValue*> given;
    for (const Tensor* tensor : inputs) {
        values.push_back(value_from(*tensor));
        given.push_back(values.back().get());
    }
    std::vector<OrtValue*> got(outputs_.size(), nullptr);
    const std::vector<const char*> input_names = pointers(inputs_);
    const std::vector<const char*> output_names = pointers(outputs_);
    OrtStatus* status = api_.Run(session_.get(), nullptr, input_names.data(), given.data(), given.size(),
                                 output_names.data(), output_names.size(), got.data());
    std::vector<Handle<OrtValue>> owned;
    owned.reserve(got.size());
    for (OrtValue* value : got) owned.emplace_back(value, api_.ReleaseValue);
    check(status, "refuses this input");
    std::vector<Tensor> outputs;
    for (const Handle<OrtValue>& value : owned) outputs.push_back(tensor_from(*value));
    return outputs;
}

Handle<OrtValue> Session::allocate(const Tensor& tensor, ONNXTensorElementDataType type) const {
    OrtAllocator* allocator = nullptr;
    check(api_.GetAllocatorWithDefaultOptions(&allocator), "no memory");
    OrtValue* value = nullptr;
    check(api_.CreateTensorAsOrtValue(allocator, tensor.shape.data(), tensor.shape.size(), type, &value), "no memory");
    return {value, api_.ReleaseValue};
}

Handle<OrtValue> Session::value_from(const Tensor& tensor) const {
    return std::visit(
        [&](const auto& data) -> Handle<OrtValue> {
            using T = typename std::decay_t<decltype(data)>::value_type;
            constexpr ONNXTensorElementDataType type = element_type<T>();
            if constexpr (std::is_same_v<T, std::string>) {
                Handle<OrtValue> value = allocate(tensor, type);
                check(api_.FillStringTensor(value.get(), pointers(data).data(), data.size()), "text cannot be passed on");
                return value;
            } else if constexpr (std::is_same_v<T, bool>) {
                Handle<OrtValue> value = allocate(tensor, type);
                void* place = nullptr;
                check(api_.GetTensorMutableData(value.get(), &place), "no memory");
                std::copy(data.begin(), data.end(), static_cast<bool*>(place));
                return value;
            } else {  // used in place for the duration of the call
                if (data.empty()) return allocate(tensor, type);
                OrtValue* value = nullptr;
                check(api_.CreateTensorWithDataAsOrtValue(memory_.get(), const_cast<T*>(data.data()), data.size() * sizeof(T),
                                                          tensor.shape.data(), tensor.shape.size(), type, &value),
                      "numbers cannot be passed on");
                return {value, api_.ReleaseValue};
            }
        },
        tensor.data);
}

Tensor Session::tensor_from(const OrtValue& value) const {
    int is_tensor = 0;
    check(api_.IsTensor(&value, &is_tensor), "an output cannot be read");
    require(is_tensor == 1, origin_, "an output is a sequence or a map, not a tensor");
    OrtTensorTypeAndShapeInfo* made = nullptr;
    check(api_.GetTensorTypeAndShape(&value, &made), "an output cannot be read");
    const Handle<OrtTensorTypeAndShapeInfo> info(made, api_.ReleaseTensorTypeAndShapeInfo);
    std::size_t rank = 0;
    std::size_t count = 0;
    ONNXTensorElementDataType type{};
    check(api_.GetDimensionsCount(info.get(), &rank), "an output cannot be read");
    check(api_.GetTensorShapeElementCount(info.get(), &count), "an output cannot be read");
    check(api_.GetTensorElementType(info.get(), &type), "an output cannot be read");
    Tensor tensor{std::vector<std::int64_t>(rank), {}};
    check(api_.GetDimensions(info.get(), tensor.shape.data(), rank), "an output cannot be read");
    if (type == ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING) {
        tensor.data = texts_from(value, count);
    } else {
        void* data = nullptr;
        check(api_.GetTensorMutableData(const_cast<OrtValue*>(&value), &data), "an output cannot be read");
        tensor.data = copy_elements(data, count, type);
    }
    return tensor;
}

std::vector<std::string> Session::texts_from(const OrtValue& value, std::size_t count) const {
    std::size_t length = 0;
    check(api_.GetStringTensorDataLength(&value, &length), "text cannot be read");
    std::string joined(length, '\0');
    std::vector<std::size_t> offsets(count);
    check(api_.GetStringTensorContent(&value, joined.data(), length, offsets.data(), count), "text cannot be read");
    std::vector<std::string> texts;
    texts.reserve(count);
    for (std::size_t i = 0; i != count; ++i) {
        const std::size_t end = i + 1 == count ? length : offsets[i + 1];
        texts.push_back(joined.substr(offsets[i], end - offsets[i]));
    }
    return texts;
}

}  // namespace model::detail
