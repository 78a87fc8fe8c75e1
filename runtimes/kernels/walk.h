// Portable kernels: from node to node, several trees or several rows interleaved, so that loads wait side by side.
// Sums are those of the original: one addition per tree, in the order of the trees.
#pragma once
#include "model.h"

namespace trees {

constexpr int TREES_AT_ONCE = 8, ROWS_AT_ONCE = 16;
constexpr size_t STACK_CELLS = 512, MOST_BLOCK = 1 << 15;

// Two copies of each cell: where NaN goes left it is minus infinity, where it goes right it stays NaN.
template <class X, class S> inline void spread(const Model<X, S>& m, const X* x, X* z) {
  for (int64_t k = 0; k < m.features; k++) {
    X v = x[m.used[k]];
    z[2 * k] = v != v ? -std::numeric_limits<X>::infinity() : v;
    z[2 * k + 1] = v;
  }
}

template <class X> inline uint32_t next(const Node<X>* nodes, uint32_t at, const X* z) {
  const Node<X> node = nodes[at];
  return at + (z[node.column()] <= node.t ? 1 : node.right());
}

template <class X, class S> inline void add(const Model<X, S>& m, int64_t t, uint32_t row, S* out) {
  if (m.vectors) {
    const S* leaf = m.leaf.data() + row * m.stride;
    for (int64_t k = 0; k < m.targets; k++) out[k] += leaf[k];
  } else {
    out[m.target[t]] += m.leaf[row];
  }
}

template <class X, class S> inline void walk_row(const Model<X, S>& m, const X* x, X* z, S* out) {
  const Node<X>* nodes = m.nodes.data();
  spread(m, x, z);
  for (int64_t k = 0; k < m.targets; k++) out[k] = 0;
  int64_t t = 0;
  for (; t + TREES_AT_ONCE <= m.trees; t += TREES_AT_ONCE) {
    uint32_t at[TREES_AT_ONCE];
    int32_t deepest = 0;
    for (int k = 0; k < TREES_AT_ONCE; k++) at[k] = m.root[t + k], deepest = std::max(deepest, m.depth[t + k]);
    for (int32_t d = 0; d < deepest; d++)
      for (int k = 0; k < TREES_AT_ONCE; k++) at[k] = next(nodes, at[k], z);
    for (int k = 0; k < TREES_AT_ONCE; k++) add(m, t + k, m.leaf_row[at[k]], out);
  }
  for (; t < m.trees; t++) {
    uint32_t at = m.root[t];
    for (int32_t d = 0; d < m.depth[t]; d++) at = next(nodes, at, z);
    add(m, t, m.leaf_row[at], out);
  }
}

// Up to `block` rows: every tree for all of them, so that a tree is read once from memory.
template <class X, class S>
inline void walk_rows(const Model<X, S>& m, const X* x, int64_t rows, X* z, int64_t cells, S* out) {
  const Node<X>* nodes = m.nodes.data();
  for (int64_t r = 0; r < rows; r++) spread(m, x + r * m.width, z + r * cells);
  for (int64_t i = 0; i < rows * m.targets; i++) out[i] = 0;
  for (int64_t t = 0; t < m.trees; t++) {
    int64_t r = 0;
    for (; r + ROWS_AT_ONCE <= rows; r += ROWS_AT_ONCE) {
      uint32_t at[ROWS_AT_ONCE];
      const X* cell = z + r * cells;
      for (int k = 0; k < ROWS_AT_ONCE; k++) at[k] = m.root[t];
      for (int32_t d = 0; d < m.depth[t]; d++)
        for (int k = 0; k < ROWS_AT_ONCE; k++) at[k] = next(nodes, at[k], cell + k * cells);
      for (int k = 0; k < ROWS_AT_ONCE; k++) add(m, t, m.leaf_row[at[k]], out + (r + k) * m.targets);
    }
    for (; r < rows; r++) {
      uint32_t at = m.root[t];
      for (int32_t d = 0; d < m.depth[t]; d++) at = next(nodes, at, z + r * cells);
      add(m, t, m.leaf_row[at], out + r * m.targets);
    }
  }
}

// The sums of `rows` rows, `[rows, targets]`; false where memory is short.
template <class X, class S> inline bool walk(const Model<X, S>& m, const X* x, int64_t rows, S* out) {
  int64_t cells = std::max<int64_t>(2 * m.features, 1);
  int64_t block = std::max<int64_t>(ROWS_AT_ONCE, std::min<int64_t>(128, int64_t(MOST_BLOCK) / cells));
  block = std::min(block, rows);
  X few[STACK_CELLS];
  Buffer<X> many;
  X* z = few;
  bool one_by_one = rows < ROWS_AT_ONCE;
  size_t wanted = static_cast<size_t>(one_by_one ? cells : cells * block);
  if (wanted > STACK_CELLS) {
    if (!many.make(wanted)) return false;
    z = many.data();
  }
  if (!m.features) z[0] = 0;  // a leaf reads column 0, whatever is there
  if (one_by_one) {
    for (int64_t r = 0; r < rows; r++) walk_row(m, x + r * m.width, z, out + r * m.targets);
    return true;
  }
  if (!m.features)
    for (int64_t i = 0; i < block; i++) z[i] = 0;
  for (int64_t r = 0; r < rows; r += block)
    walk_rows(m, x + r * m.width, std::min(block, rows - r), z, cells, out + r * m.targets);
  return true;
}

}  // namespace trees
