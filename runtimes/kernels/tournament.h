// Kernels for AVX2: 32 rows an instruction. A cell becomes its rank among the thresholds of its column, in one byte;
// a tree is played from its leaves up, each test taking the left or the right leaf number of 32 rows at once.
// The rank is the number of smaller thresholds: `x > threshold` is `rank > number of the threshold`; NaN has rank 0, or
// 255 in a column where NaN goes right.
#pragma once
#include "model.h"

#if defined(__x86_64__) && !defined(MLPACK_PORTABLE)
#define MLPACK_AVX2
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
#define INLINE __attribute__((target("avx2"), always_inline)) static inline

namespace trees {

constexpr int TILE = 32, TILES = 4, TOGETHER = 4;
constexpr uint32_t FEW_FLOATS = 64, FEW_DOUBLES = 32;  // thresholds that are sooner compared one by one than searched

// Ranks of 32 cells in 32-bit numbers, and all ones where the cell is NaN.
struct Ranks {
  __m256i rank[4], nan[4];
};

INLINE void ranks_of(const float* x, const float* cuts, uint32_t count, uint32_t power, Ranks& out) {
  __m256 v[4];
  for (int q = 0; q < 4; q++) v[q] = _mm256_load_ps(x + 8 * q), out.rank[q] = _mm256_setzero_si256();
  bool few = count <= FEW_FLOATS;
  for (uint32_t i = 0; few && i < count; i++)
    for (int q = 0; q < 4; q++) {
      __m256i over = _mm256_castps_si256(_mm256_cmp_ps(_mm256_broadcast_ss(cuts + i), v[q], _CMP_LT_OQ));
      out.rank[q] = _mm256_sub_epi32(out.rank[q], over);
    }
  for (uint32_t s = few ? 0 : power / 2; s; s /= 2)
    for (int q = 0; q < 4; q++) {
      __m256 cut = _mm256_i32gather_ps(cuts + s - 1, out.rank[q], 4);
      __m256i over = _mm256_castps_si256(_mm256_cmp_ps(cut, v[q], _CMP_LT_OQ));
      out.rank[q] = _mm256_add_epi32(out.rank[q], _mm256_and_si256(over, _mm256_set1_epi32(int(s))));
    }
  for (int q = 0; q < 4; q++) out.nan[q] = _mm256_castps_si256(_mm256_cmp_ps(v[q], v[q], _CMP_UNORD_Q));
}

// The lower halves of 64-bit numbers, in order.
INLINE __m256i narrowed(__m256i low, __m256i high) {
  const __m256i even = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
  __m256i a = _mm256_permutevar8x32_epi32(low, even), b = _mm256_permutevar8x32_epi32(high, even);
  return _mm256_blend_epi32(a, b, 0xf0);
}

INLINE void ranks_of(const double* x, const double* cuts, uint32_t count, uint32_t power, Ranks& out) {
  __m256d v[8];
  __m256i p[8], nan[8];
  for (int q = 0; q < 8; q++) v[q] = _mm256_load_pd(x + 4 * q), p[q] = _mm256_setzero_si256();
  bool few = count <= FEW_DOUBLES;
  for (uint32_t i = 0; few && i < count; i++)
    for (int q = 0; q < 8; q++) {
      __m256i over = _mm256_castpd_si256(_mm256_cmp_pd(_mm256_broadcast_sd(cuts + i), v[q], _CMP_LT_OQ));
      p[q] = _mm256_sub_epi64(p[q], over);
    }
  for (uint32_t s = few ? 0 : power / 2; s; s /= 2)
    for (int q = 0; q < 8; q++) {
      __m256d cut = _mm256_i64gather_pd(cuts + s - 1, p[q], 8);
      __m256i over = _mm256_castpd_si256(_mm256_cmp_pd(cut, v[q], _CMP_LT_OQ));
      p[q] = _mm256_add_epi64(p[q], _mm256_and_si256(over, _mm256_set1_epi64x(int64_t(s))));
    }
  for (int q = 0; q < 8; q++) nan[q] = _mm256_castpd_si256(_mm256_cmp_pd(v[q], v[q], _CMP_UNORD_Q));
  for (int q = 0; q < 4; q++) {
    out.rank[q] = narrowed(p[2 * q], p[2 * q + 1]);
    out.nan[q] = narrowed(nan[2 * q], nan[2 * q + 1]);
  }
}

// One column of the tile: ranks within its part as bytes, in the order of the rows, stored for signed comparison.
INLINE void column_of(const Ranks& ranks, const Column& column, uint8_t* out) {
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7), all = _mm256_set1_epi32(255);
  __m256i v[4];
  for (int q = 0; q < 4; q++) {
    v[q] = _mm256_sub_epi32(ranks.rank[q], _mm256_set1_epi32(column.part * PART));
    v[q] = _mm256_min_epi32(_mm256_max_epi32(v[q], _mm256_setzero_si256()), _mm256_set1_epi32(PART));
    if (column.nan_right) v[q] = _mm256_or_si256(v[q], _mm256_and_si256(ranks.nan[q], all));
  }
  __m256i bytes = _mm256_packus_epi16(_mm256_packs_epi32(v[0], v[1]), _mm256_packs_epi32(v[2], v[3]));
  bytes = _mm256_xor_si256(_mm256_permutevar8x32_epi32(bytes, order), _mm256_set1_epi8(-128));
  _mm256_store_si256(reinterpret_cast<__m256i*>(out), bytes);
}

template <class X, class S> AVX2 static void fill(const Model<X, S>& m, const X* x, int64_t rows, uint8_t* tile) {
  alignas(32) X cells[TILE];
  for (int64_t k = 0; k < m.features; k++) {
    const X* from = x + m.used[k];
    for (int64_t r = 0; r < TILE; r++) cells[r] = from[(r < rows ? r : rows - 1) * m.width];
    Ranks ranks;
    ranks_of(cells, m.cuts.data() + m.cut_start[k], m.cut_count[k], m.cut_power[k], ranks);
    for (uint32_t c = m.column_start[k]; c < m.column_start[k + 1]; c++)
      column_of(ranks, m.column[c], tile + TILE * c);
  }
}

INLINE __m256i ask(const uint8_t* tile, const Step& step) {
  const __m256i* cells = reinterpret_cast<const __m256i*>(tile + TILE * step.column);
  return _mm256_cmpgt_epi8(_mm256_load_si256(cells), _mm256_set1_epi8(char(step.rank ^ 128)));
}

// Leaf numbers of a full tree of depth D below its node K, in registers.
template <int D, int K, bool LAST> struct Full {
  INLINE __m256i go(const uint8_t* tile, const Step* step) {
    constexpr bool last = 2 * K + 1 >= (1 << (D - 1)) - 1;
    __m256i left = Full<D, 2 * K + 1, last>::go(tile, step), right = Full<D, 2 * K + 2, last>::go(tile, step);
    return _mm256_blendv_epi8(left, right, ask(tile, step[K]));
  }
};
template <int D, int K> struct Full<D, K, true> {
  INLINE __m256i go(const uint8_t* tile, const Step* step) {
    return _mm256_sub_epi8(_mm256_set1_epi8(char(2 * (K - ((1 << (D - 1)) - 1)))), ask(tile, step[K]));
  }
};

// Leaf numbers of 32 rows in a tree. `slots`: leaf numbers as constants, then room for results.
INLINE __m256i played(const Small& tree, const Step* step, const uint8_t* tile, uint8_t* slots) {
  __m256i at = _mm256_setzero_si256();
  switch (tree.kind) {
    case OBLIVIOUS:
      for (int32_t d = 0; d < tree.count; d++) at = _mm256_sub_epi8(_mm256_add_epi8(at, at), ask(tile, step[d]));
      return at;
    case 4: return Full<4, 0, false>::go(tile, step);
    case 5: return Full<5, 0, false>::go(tile, step);
    case 6: return Full<6, 0, false>::go(tile, step);
    default: break;
  }
  const __m256i* from = reinterpret_cast<const __m256i*>(slots);
  __m256i* to = reinterpret_cast<__m256i*>(slots) + MOST_SMALL;
  for (int32_t j = 0; j < tree.count; j++) {
    __m256i left = _mm256_load_si256(from + step[j].left), right = _mm256_load_si256(from + step[j].right);
    at = _mm256_blendv_epi8(left, right, ask(tile, step[j]));
    _mm256_store_si256(to + j, at);
  }
  return at;
}

// Adds the leaves of N trees of one target to the sums of 32 rows, one tree after the other.
template <int N> INLINE void add_leaves(const float* const* leaf, const uint8_t (*number)[TILE], float* sum) {
  for (int q = 0; q < 4; q++) {
    __m256 total = _mm256_load_ps(sum + 8 * q);
    for (int j = 0; j < N; j++) {
      __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(number[j] + 8 * q));
      total = _mm256_add_ps(total, _mm256_i32gather_ps(leaf[j], _mm256_cvtepu8_epi32(bytes), 4));
    }
    _mm256_store_ps(sum + 8 * q, total);
  }
}

template <int N> INLINE void add_leaves(const double* const* leaf, const uint8_t (*number)[TILE], double* sum) {
  for (int r = 0; r < TILE; r++) {
    double total = sum[r];
    for (int j = 0; j < N; j++) total += leaf[j][number[j][r]];
    sum[r] = total;
  }
}

INLINE __m256 load(const float* from) { return _mm256_load_ps(from); }
INLINE __m256d load(const double* from) { return _mm256_load_pd(from); }
INLINE __m256 plus(__m256 a, __m256 b) { return _mm256_add_ps(a, b); }
INLINE __m256d plus(__m256d a, __m256d b) { return _mm256_add_pd(a, b); }
INLINE void store(float* to, __m256 value) { _mm256_store_ps(to, value); }
INLINE void store(double* to, __m256d value) { _mm256_store_pd(to, value); }

// The same for leaf vectors; `stride`: their padded length.
template <int N, class S>
INLINE void add_vectors(const S* const* leaf, const uint8_t (*number)[TILE], S* sum, int64_t stride) {
  for (int r = 0; r < TILE; r++)
    for (int64_t k = 0; k < stride; k += lanes<S>()) {
      auto total = load(sum + r * stride + k);
      for (int j = 0; j < N; j++) total = plus(total, load(leaf[j] + number[j][r] * stride + k));
      store(sum + r * stride + k, total);
    }
}

template <int N, class X, class S>
INLINE void add(const Model<X, S>& m, const Small* tree, const uint8_t (*number)[TILE], S* sums) {
  const S* leaf[N];
  for (int j = 0; j < N; j++) leaf[j] = m.small_leaf.data() + tree[j].leaf * m.stride;
  if (!m.vectors)
    add_leaves<N>(leaf, number, sums + TILE * tree->target);
  else if (m.stride == lanes<S>())
    add_vectors<N>(leaf, number, sums, lanes<S>());
  else
    add_vectors<N>(leaf, number, sums, m.stride);
}

template <class X, class S> inline int64_t per_row(const Model<X, S>& m) { return m.vectors ? m.stride : m.targets; }

// Sums of up to TILES tiles. `sums`: `[targets, TILE]` of a tile, of vectors `[TILE, stride]`.
template <class X, class S>
AVX2 static void play(const Model<X, S>& m, const uint8_t* tiles, int count, uint8_t* slots, S* sums) {
  int64_t tile_size = TILE * m.columns, sum_size = TILE * per_row(m);
  for (int64_t t = 0; t < m.trees;) {
    const Small* tree = m.tree.data() + t;
    bool all = t + TOGETHER <= m.trees && tree[0].target == tree[TOGETHER - 1].target;
    int here = all ? TOGETHER : 1;
    for (int q = 0; q < count; q++) {
      alignas(32) uint8_t number[TOGETHER][TILE];
      for (int j = 0; j < here; j++) {
        __m256i at = played(tree[j], m.step.data() + tree[j].first, tiles + q * tile_size, slots);
        _mm256_store_si256(reinterpret_cast<__m256i*>(number[j]), at);
      }
      if (all)
        add<TOGETHER>(m, tree, number, sums + q * sum_size);
      else
        add<1>(m, tree, number, sums + q * sum_size);
    }
    t += here;
  }
}

// The sums of `rows` rows, `[rows, targets]`; false where memory is short.
template <class X, class S> AVX2 static bool tournament(const Model<X, S>& m, const X* x, int64_t rows, S* out) {
  Buffer<uint8_t> tiles, slots;
  Buffer<S> sums;
  size_t at_once = size_t(std::min<int64_t>(TILES, (rows + TILE - 1) / TILE));
  if (!tiles.make(at_once * TILE * m.columns + TILE) || !slots.make(2 * MOST_SMALL * TILE)) return false;
  int64_t each = per_row(m);
  if (!sums.make(at_once * TILE * each)) return false;
  for (int i = 0; i < MOST_SMALL; i++) std::memset(slots.data() + TILE * i, i, TILE);
  for (int64_t first = 0; first < rows; first += TILE * TILES) {
    int64_t here = std::min<int64_t>(TILE * TILES, rows - first);
    int count = int((here + TILE - 1) / TILE);
    for (int q = 0; q < count; q++)
      fill(m, x + (first + TILE * q) * m.width, std::min<int64_t>(TILE, here - TILE * q),
           tiles.data() + q * TILE * m.columns);
    for (int64_t i = 0; i < TILE * each * count; i++) sums[i] = 0;
    play(m, tiles.data(), count, slots.data(), sums.data());
    for (int64_t r = 0; r < here; r++) {
      const S* sum = sums.data() + r / TILE * TILE * each;
      for (int64_t k = 0; k < m.targets; k++)
        out[(first + r) * m.targets + k] = m.vectors ? sum[r % TILE * each + k] : sum[k * TILE + r % TILE];
    }
  }
  return true;
}

}  // namespace trees
#endif
