// The kernel for a number of rows on this processor.
#pragma once
#include "tournament.h"
#include "walk.h"

namespace trees {

constexpr int64_t FEW = 6;  // fewer rows than these the walk answers sooner

inline bool has_avx2() {
#ifdef MLPACK_AVX2
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2");
#else
  return false;
#endif
}

template <class X, class S> inline bool run(const Model<X, S>& m, const X* x, int64_t rows, S* out, bool avx2) {
#ifdef MLPACK_AVX2
  if (avx2 && m.small && rows >= FEW) return tournament(m, x, rows, out);
#endif
  (void)avx2;
  return walk(m, x, rows, out);
}

}  // namespace trees
