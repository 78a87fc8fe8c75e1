// Memory without exceptions: a request that cannot be met leaves the buffer empty and returns false.
#pragma once
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace trees {

template <class T> class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { std::free(data_); }

  // `count` elements, all zero; aligned to 32 bytes.
  bool make(size_t count) {
    std::free(data_);
    data_ = nullptr;
    size_ = 0;
    if (count > (SIZE_MAX - 64) / sizeof(T)) return false;
    size_t bytes = (count * sizeof(T) + 63) / 32 * 32;
    data_ = static_cast<T*>(std::aligned_alloc(32, bytes));
    if (!data_) return false;
    std::memset(static_cast<void*>(data_), 0, bytes);
    size_ = count;
    return true;
  }

  // One more element at the end; memory grows by doubling.
  bool push(const T& value) {
    if (used_ == size_) {
      Buffer wider;
      if (!wider.make(size_ ? 2 * size_ : 64)) return false;
      if (used_) std::memcpy(static_cast<void*>(wider.data_), data_, used_ * sizeof(T));
      swap(wider);
    }
    data_[used_++] = value;
    return true;
  }

  void swap(Buffer& other) {
    T* data = data_;
    size_t size = size_;
    data_ = other.data_;
    size_ = other.size_;
    other.data_ = data;
    other.size_ = size;
  }

  size_t pushed() const { return used_; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
  size_t used_ = 0;
};

}  // namespace trees
