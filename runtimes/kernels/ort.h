// The part of ONNX Runtime's C API that the operator uses, by its place in the table of functions: the API only appends
// to the table, so a place never changes. tests/runtimes/test_kernels_table.py compares it with the real header.
#pragma once
#include <cstddef>
#include <cstdint>

namespace ort {

constexpr uint32_t VERSION = 16;   // of the API and of the struct below; every later ONNX Runtime has it
constexpr uint32_t PARALLEL = 17;  // of the API that has KERNEL_CONTEXT_PARALLEL_FOR

struct Status;
struct Value;
struct Shape;
struct KernelInfo;
struct KernelContext;
struct Allocator;
struct Domain;
struct SessionOptions;

enum Element { FLOAT = 1, UINT8 = 2, INT32 = 6, DOUBLE = 11 };
enum Code { FAIL = 1, INVALID_ARGUMENT = 2 };

enum Place {
  CREATE_STATUS = 0,
  CREATE_CUSTOM_OP_DOMAIN = 26,
  CUSTOM_OP_DOMAIN_ADD = 27,
  ADD_CUSTOM_OP_DOMAIN = 28,
  GET_TENSOR_MUTABLE_DATA = 51,
  GET_TENSOR_ELEMENT_TYPE = 60,
  GET_DIMENSIONS_COUNT = 61,
  GET_DIMENSIONS = 62,
  GET_TENSOR_TYPE_AND_SHAPE = 65,
  GET_ALLOCATOR_WITH_DEFAULT_OPTIONS = 78,
  KERNEL_INFO_GET_ATTRIBUTE_INT64 = 86,
  KERNEL_CONTEXT_GET_INPUT = 90,
  KERNEL_CONTEXT_GET_OUTPUT = 91,
  RELEASE_STATUS = 93,
  RELEASE_VALUE = 96,
  RELEASE_TENSOR_TYPE_AND_SHAPE_INFO = 99,
  RELEASE_CUSTOM_OP_DOMAIN = 101,
  KERNEL_INFO_GET_ATTRIBUTE_TENSOR = 236,
  KERNEL_CONTEXT_PARALLEL_FOR = 274,
};

struct Api {
  void* at[KERNEL_CONTEXT_PARALLEL_FOR + 1];

  template <class Function> Function get(Place place) const { return reinterpret_cast<Function>(at[place]); }
};

struct ApiBase {
  const Api* (*get_api)(uint32_t version);
  const char* (*get_version_string)();
};

struct CustomOp {
  uint32_t version;
  void* (*create_kernel)(const CustomOp*, const Api*, const KernelInfo*);
  const char* (*get_name)(const CustomOp*);
  const char* (*get_execution_provider_type)(const CustomOp*);
  Element (*get_input_type)(const CustomOp*, size_t);
  size_t (*get_input_type_count)(const CustomOp*);
  Element (*get_output_type)(const CustomOp*, size_t);
  size_t (*get_output_type_count)(const CustomOp*);
  void (*kernel_compute)(void*, KernelContext*);
  void (*kernel_destroy)(void*);
  int (*get_input_characteristic)(const CustomOp*, size_t);
  int (*get_output_characteristic)(const CustomOp*, size_t);
  int (*get_input_memory_type)(const CustomOp*, size_t);
  int (*get_variadic_input_min_arity)(const CustomOp*);
  int (*get_variadic_input_homogeneity)(const CustomOp*);
  int (*get_variadic_output_min_arity)(const CustomOp*);
  int (*get_variadic_output_homogeneity)(const CustomOp*);
  Status* (*create_kernel_v2)(const CustomOp*, const Api*, const KernelInfo*, void**);
  Status* (*kernel_compute_v2)(void*, KernelContext*);
  void* infer_output_shape;  // from here on not read at VERSION, and there for later ones
  int (*get_start_version)(const CustomOp*);
  int (*get_end_version)(const CustomOp*);
  void* later[4];
};

}  // namespace ort
