// The operator of ONNX Runtime: domain ai.mlpack, `TreeSum32` (float32 in and out), `TreeSum32In64` (float32 in, float64
// out) and `TreeSum64` (float64). X `[N, width]` -> `[N, targets]`, sums of leaves in the order of the trees.
#include <new>

#include "choose.h"
#include "ort.h"

namespace {

constexpr int64_t PART_ROWS = 256;  // rows that one thread answers at a time

const ort::Api* api = nullptr;
bool parallel = false;  // the API has the session's threads

ort::Status* fault(ort::Code code, const char* message) {
  return api->get<ort::Status* (*)(ort::Code, const char*)>(ort::CREATE_STATUS)(code, message);
}


#define TRY(call)                                \
  do {                                           \
    if (ort::Status* status_ = (call)) return status_; \
  } while (0)

ort::Status* data_of(const ort::Value* value, void** data) {
  return api->get<ort::Status* (*)(const ort::Value*, void**)>(ort::GET_TENSOR_MUTABLE_DATA)(value, data);
}

// The element type and up to two dimensions of a tensor; a longer shape is an error.
ort::Status* look(const ort::Value* value, ort::Element* element, int64_t dims[2], size_t* rank) {
  ort::Shape* shape = nullptr;
  TRY((api->get<ort::Status* (*)(const ort::Value*, ort::Shape**)>(ort::GET_TENSOR_TYPE_AND_SHAPE)(value, &shape)));
  ort::Status* status =
      api->get<ort::Status* (*)(const ort::Shape*, ort::Element*)>(ort::GET_TENSOR_ELEMENT_TYPE)(shape, element);
  if (!status)
    status = api->get<ort::Status* (*)(const ort::Shape*, size_t*)>(ort::GET_DIMENSIONS_COUNT)(shape, rank);
  if (!status && *rank > 2) status = fault(ort::INVALID_ARGUMENT, "ai.mlpack: a tensor has more than two dimensions");
  if (!status)
    status = api->get<ort::Status* (*)(const ort::Shape*, int64_t*, size_t)>(ort::GET_DIMENSIONS)(shape, dims, *rank);
  api->get<void (*)(ort::Shape*)>(ort::RELEASE_TENSOR_TYPE_AND_SHAPE_INFO)(shape);
  return status;
}

// A tensor of the node's attributes, released at the end.
class Attribute {
 public:
  ~Attribute() {
    if (value_) api->get<void (*)(ort::Value*)>(ort::RELEASE_VALUE)(value_);
  }

  template <class T> ort::Status* read(const ort::KernelInfo* info, const char* name, const T** data, ort::Element type) {
    ort::Allocator* allocator = nullptr;
    TRY((api->get<ort::Status* (*)(ort::Allocator**)>(ort::GET_ALLOCATOR_WITH_DEFAULT_OPTIONS)(&allocator)));
    TRY((api->get<ort::Status* (*)(const ort::KernelInfo*, const char*, ort::Allocator*, ort::Value**)>(
        ort::KERNEL_INFO_GET_ATTRIBUTE_TENSOR)(info, name, allocator, &value_)));
    ort::Element found;
    TRY(look(value_, &found, dims, &rank));
    if (found != type) return fault(ort::INVALID_ARGUMENT, "ai.mlpack: an attribute has another element type");
    if (rank == 0 || dims[0] < 0 || (rank == 2 && dims[1] < 0))
      return fault(ort::INVALID_ARGUMENT, "ai.mlpack: an attribute has another number of dimensions");
    void* raw = nullptr;
    TRY(data_of(value_, &raw));
    *data = static_cast<const T*>(raw);
    return nullptr;
  }

  int64_t dims[2] = {0, 1};
  size_t rank = 0;

 private:
  ort::Value* value_ = nullptr;
};

template <class T> constexpr ort::Element element() { return sizeof(T) == 4 ? ort::FLOAT : ort::DOUBLE; }

ort::Status* number_of(const ort::KernelInfo* info, const char* name, int64_t* out) {
  return api->get<ort::Status* (*)(const ort::KernelInfo*, const char*, int64_t*)>(
      ort::KERNEL_INFO_GET_ATTRIBUTE_INT64)(info, name, out);
}

template <class X, class S> struct Kernel {
  trees::Model<X, S> model;
  bool avx2 = trees::has_avx2();
};

template <class X, class S> ort::Status* read(const ort::KernelInfo* info, trees::Model<X, S>& model) {
  trees::Arrays<X, S> a{};
  Attribute roots, target, feature, threshold, left, right, missing, leaf;
  TRY(number_of(info, "width", &a.width));
  TRY(number_of(info, "targets", &a.targets));
  TRY(roots.read(info, "roots", &a.roots, ort::INT32));
  TRY(target.read(info, "target", &a.target, ort::INT32));
  TRY(feature.read(info, "feature", &a.feature, ort::INT32));
  TRY(threshold.read(info, "threshold", &a.threshold, element<X>()));
  TRY(left.read(info, "left", &a.left, ort::INT32));
  TRY(right.read(info, "right", &a.right, ort::INT32));
  TRY(missing.read(info, "missing_left", &a.missing_left, ort::UINT8));
  TRY(leaf.read(info, "leaf", &a.leaf, element<S>()));
  a.trees = roots.dims[0], a.nodes = feature.dims[0], a.leaves = leaf.dims[0];
  a.vectors = leaf.rank == 2;
  bool flat = roots.rank == 1 && target.rank == 1 && feature.rank == 1 && threshold.rank == 1 && left.rank == 1 &&
              right.rank == 1 && missing.rank == 1;
  bool even = target.dims[0] == a.trees && threshold.dims[0] == a.nodes && left.dims[0] == a.nodes &&
              right.dims[0] == a.nodes && missing.dims[0] == a.nodes;
  if (!flat || !even || (a.vectors && leaf.dims[1] != a.targets))
    return fault(ort::INVALID_ARGUMENT, "ai.mlpack: the attributes have different lengths");
  const char* wrong = trees::Builder<X, S>(a, model).build();
  return wrong ? fault(ort::INVALID_ARGUMENT, wrong) : nullptr;
}

template <class X, class S>
ort::Status* create(const ort::CustomOp*, const ort::Api*, const ort::KernelInfo* info, void** out) {
  void* room = std::malloc(sizeof(Kernel<X, S>));
  if (!room) return fault(ort::FAIL, trees::NO_MEMORY);
  auto* kernel = new (room) Kernel<X, S>;
  if (ort::Status* status = read<X, S>(info, kernel->model)) {
    kernel->~Kernel<X, S>();
    std::free(room);
    return status;
  }
  *out = kernel;
  return nullptr;
}

template <class X, class S> void destroy(void* kernel) {
  if (!kernel) return;
  static_cast<Kernel<X, S>*>(kernel)->~Kernel<X, S>();
  std::free(kernel);
}

template <class X, class S> struct Work {
  const Kernel<X, S>& kernel;
  const X* x;
  S* y;
  int64_t rows;
  int failed;
};

template <class X, class S> void part(void* state, size_t number) {
  auto& work = *static_cast<Work<X, S>*>(state);
  const auto& model = work.kernel.model;
  int64_t first = int64_t(number) * PART_ROWS, rows = std::min(PART_ROWS, work.rows - first);
  if (!trees::run(model, work.x + first * model.width, rows, work.y + first * model.targets, work.kernel.avx2))
    __atomic_store_n(&work.failed, 1, __ATOMIC_RELAXED);
}

// Answers the rows, in parts on the session's threads where there are many.
template <class X, class S> ort::Status* answer(Work<X, S>& work, ort::KernelContext* context) {
  if (parallel && work.rows >= 2 * PART_ROWS) {
    size_t parts = size_t((work.rows + PART_ROWS - 1) / PART_ROWS);
    TRY((api->get<ort::Status* (*)(const ort::KernelContext*, void (*)(void*, size_t), size_t, size_t, void*)>(
        ort::KERNEL_CONTEXT_PARALLEL_FOR)(context, part<X, S>, parts, 0, &work)));
  } else {
    work.failed = !trees::run(work.kernel.model, work.x, work.rows, work.y, work.kernel.avx2);
  }
  return work.failed ? fault(ort::FAIL, "ai.mlpack: too little memory for these rows") : nullptr;
}

template <class X, class S> ort::Status* compute(void* state, ort::KernelContext* context) {
  const auto& kernel = *static_cast<const Kernel<X, S>*>(state);
  const ort::Value* in = nullptr;
  TRY((api->get<ort::Status* (*)(const ort::KernelContext*, size_t, const ort::Value**)>(
      ort::KERNEL_CONTEXT_GET_INPUT)(context, 0, &in)));
  ort::Element type;
  int64_t dims[2];
  size_t rank = 0;
  TRY(look(in, &type, dims, &rank));
  if (type != element<X>() || rank != 2 || dims[0] < 0 || dims[1] != kernel.model.width)
    return fault(ort::INVALID_ARGUMENT, "ai.mlpack: the rows have another number of columns than the trees");
  int64_t answers[2] = {dims[0], kernel.model.targets};
  ort::Value* out = nullptr;
  TRY((api->get<ort::Status* (*)(ort::KernelContext*, size_t, const int64_t*, size_t, ort::Value**)>(
      ort::KERNEL_CONTEXT_GET_OUTPUT)(context, 0, answers, 2, &out)));
  if (!dims[0]) return nullptr;
  void *x = nullptr, *y = nullptr;
  TRY(data_of(in, &x));
  TRY(data_of(out, &y));
  Work<X, S> work{kernel, static_cast<const X*>(x), static_cast<S*>(y), dims[0], 0};
  return answer(work, context);
}

int one(const ort::CustomOp*) { return 1; }
size_t one_tensor(const ort::CustomOp*) { return 1; }
int required(const ort::CustomOp*, size_t) { return 0; }
int any_memory(const ort::CustomOp*, size_t) { return 0; }
int last_version(const ort::CustomOp*) { return 1; }
template <class T> ort::Element type(const ort::CustomOp*, size_t) { return element<T>(); }

struct Op : ort::CustomOp {
  const char* name;
};

template <class X, class S> void fill(Op& op, const char* name) {
  op.name = name;
  op.version = ort::VERSION;
  op.get_name = [](const ort::CustomOp* own) { return static_cast<const Op*>(own)->name; };
  op.get_execution_provider_type = [](const ort::CustomOp*) -> const char* { return nullptr; };
  op.get_input_type = type<X>, op.get_output_type = type<S>;
  op.get_input_type_count = op.get_output_type_count = one_tensor;
  op.get_input_characteristic = op.get_output_characteristic = required;
  op.get_input_memory_type = any_memory;
  op.get_variadic_input_min_arity = op.get_variadic_input_homogeneity = one;
  op.get_variadic_output_min_arity = op.get_variadic_output_homogeneity = one;
  op.get_start_version = one, op.get_end_version = last_version;
  op.create_kernel_v2 = create<X, S>;
  op.kernel_compute_v2 = compute<X, S>;
  op.kernel_destroy = destroy<X, S>;
}

Op ops[3];

}  // namespace

// Adds the domain to the options of a session; they own it from then on, and keep it where a later step fails.
extern "C" __attribute__((visibility("default"))) ort::Status* RegisterCustomOps(
    ort::SessionOptions* options, const ort::ApiBase* base) {
  api = base->get_api(ort::PARALLEL);
  parallel = api != nullptr;
  if (!api) api = base->get_api(ort::VERSION);
  if (!api) return nullptr;  // no function to say it with; the session then has no such operator, and says so
  fill<float, float>(ops[0], "TreeSum32");
  fill<float, double>(ops[1], "TreeSum32In64");
  fill<double, double>(ops[2], "TreeSum64");
  ort::Domain* domain = nullptr;
  TRY((api->get<ort::Status* (*)(const char*, ort::Domain**)>(ort::CREATE_CUSTOM_OP_DOMAIN)("ai.mlpack", &domain)));
  ort::Status* status = nullptr;
  for (Op& op : ops)
    if (!status)
      status = api->get<ort::Status* (*)(ort::Domain*, const ort::CustomOp*)>(ort::CUSTOM_OP_DOMAIN_ADD)(domain, &op);
  if (!status)
    status = api->get<ort::Status* (*)(ort::SessionOptions*, ort::Domain*)>(ort::ADD_CUSTOM_OP_DOMAIN)(options, domain);
  if (status) api->get<void (*)(ort::Domain*)>(ort::RELEASE_CUSTOM_OP_DOMAIN)(domain);
  return status;
}
