// A checked ensemble in the forms that the kernels read. Each number of the arrays may come from a stranger's file:
// `build` looks at all of them before any is used as an index.
#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>

#include "buffer.h"

namespace trees {

constexpr int64_t MOST_NODES = 1 << 22, MOST_TREES = 1 << 20, MOST_LEAF_VALUES = 1 << 26;
constexpr int64_t MOST_FEATURES = 2047, MOST_WIDTH = 1 << 24, MOST_TARGETS = 4096;
constexpr int64_t MOST_IN_TREE = 1 << 20;
constexpr int COLUMN_BITS = 12;
constexpr int PART = 254;  // ranks of a column; 255 is "right, whatever the node asks"
constexpr int MOST_COLUMNS = 4096, MOST_SMALL = 256;
constexpr int64_t MOST_SMALL_LEAVES = 1 << 22;  // numbers that are copied, so that a tree's are side by side
constexpr int OBLIVIOUS = -1, STEPS = -2;  // kinds of trees; a number from 1 on: a full tree of that depth
constexpr int FULL = 6;

// The arrays of a node of the graph. Children are indices into the arrays of all nodes; a leaf has feature -1, and its
// `left` is its row in `leaf`. A row goes left where `x <= threshold`, and where x is NaN and `missing_left` is not 0.
template <class X, class S> struct Arrays {
  int64_t trees, nodes, leaves, targets, width;
  bool vectors;  // a leaf has a value for each target; else one, for the target of its tree
  const int32_t *roots, *target, *feature, *left, *right;
  const X* threshold;
  const uint8_t* missing_left;
  const S* leaf;
};

// A node of the walk: left is the next node, right is `right` nodes further; a leaf stays where it is.
template <class X> struct Node;
template <> struct Node<float> {
  float t;
  uint32_t packed;
  uint32_t column() const { return packed & ((1u << COLUMN_BITS) - 1); }
  uint32_t right() const { return packed >> COLUMN_BITS; }
  void set(float threshold, uint32_t column, uint32_t right) { t = threshold, packed = right << COLUMN_BITS | column; }
};
template <> struct Node<double> {
  double t;
  uint32_t col, far;
  uint32_t column() const { return col; }
  uint32_t right() const { return far; }
  void set(double threshold, uint32_t column, uint32_t right) { t = threshold, col = column, far = right; }
};

struct Column {
  int32_t feature, part, nan_right;
};
struct Step {
  uint16_t column, left, right;
  uint8_t rank;
};
struct Small {  // a tree of the tournament; `first`: of its steps or of its tests; `leaf`: of its leaves
  int32_t kind, first, count, leaf, target;
};

// Numbers in 32 bytes: rows of leaf vectors are padded to a multiple of them.
template <class S> constexpr int64_t lanes() { return 32 / int64_t(sizeof(S)); }

template <class X, class S> struct Model {
  int64_t trees = 0, targets = 0, width = 0, features = 0, columns = 0, stride = 1;
  bool vectors = false, small = false;
  Buffer<int32_t> used;                // [features]: the columns of the matrix that some node reads
  Buffer<Node<X>> nodes;               // every tree in preorder
  Buffer<uint32_t> leaf_row, root;     // by node; by tree
  Buffer<int32_t> depth, target;       // by tree
  Buffer<S> base, leaf;                // by target; [leaves, stride]
  Buffer<X> cuts;                      // by feature, padded with NaN to a power of two
  Buffer<uint32_t> cut_start, cut_count, cut_power, column_start;  // by feature
  Buffer<Column> column;               // by feature, then by part
  Buffer<Small> tree;                  // by target, then in their order
  Buffer<Step> step;                   // tests of full trees in heap order, of oblivious ones by level, else steps
  Buffer<S> small_leaf;                // [leaves of the tournament's trees, stride]
};

const char* const NO_MEMORY = "too little memory for the trees";

template <class X, class S> class Builder {
 public:
  Builder(const Arrays<X, S>& a, Model<X, S>& m) : a_(a), m_(m) {}

  // nullptr, or what is wrong with the arrays.
  const char* build() {
    if (a_.trees < 1 || a_.trees > MOST_TREES) return "the number of trees is out of range";
    if (a_.nodes < a_.trees || a_.nodes > MOST_NODES) return "the number of nodes is out of range";
    if (a_.width < 1 || a_.width > MOST_WIDTH) return "the number of columns is out of range";
    if (a_.targets < 1 || a_.targets > MOST_TARGETS) return "the number of targets is out of range";
    int64_t each = a_.vectors ? a_.targets : 1;
    if (a_.leaves < 1 || a_.leaves > MOST_LEAF_VALUES / each) return "the number of leaves is out of range";
    m_.trees = a_.trees, m_.targets = a_.targets, m_.width = a_.width, m_.vectors = a_.vectors;
    if (const char* wrong = nodes()) return wrong;
    if (const char* wrong = features()) return wrong;
    m_.stride = a_.vectors ? (each + lanes<S>() - 1) / lanes<S>() * lanes<S>() : 1;
    if (!m_.leaf.make(a_.leaves * m_.stride)) return NO_MEMORY;
    for (int64_t i = 0; i < a_.leaves; i++)
      std::copy(a_.leaf + i * each, a_.leaf + (i + 1) * each, m_.leaf.data() + i * m_.stride);
    if (const char* wrong = walk()) return wrong;
    return tournament();
  }

 private:
  const Arrays<X, S>& a_;
  Model<X, S>& m_;
  Buffer<int32_t> order_, start_, slot_;  // nodes in preorder; by tree its first; by feature its place in `used`
  Buffer<int32_t> place_;                 // by node, its place in preorder within its tree

  bool leaf(int64_t i) const { return a_.feature[i] < 0; }

  // Lists all nodes in preorder, each once.
  const char* nodes() {
    Buffer<uint8_t> seen;
    Buffer<int32_t> stack, level;
    if (!seen.make(a_.nodes) || !stack.make(a_.nodes + 1) || !level.make(a_.nodes + 1)) return NO_MEMORY;
    if (!order_.make(a_.nodes) || !start_.make(a_.trees + 1) || !place_.make(a_.nodes)) return NO_MEMORY;
    if (!m_.depth.make(a_.trees) || !m_.target.make(a_.trees)) return NO_MEMORY;
    int64_t count = 0;
    for (int64_t t = 0; t < a_.trees; t++) {
      int32_t target = a_.target ? a_.target[t] : 0, root = a_.roots[t], deepest = 0;
      if (target < 0 || target >= a_.targets) return "the target of a tree is out of range";
      m_.target[t] = target;
      start_[t] = static_cast<int32_t>(count);
      if (root < 0 || root >= a_.nodes || seen[root]) return "the root of a tree is no node, or a node of another tree";
      seen[root] = 1;
      int64_t top = 0;
      stack[top] = root, level[top++] = 0;
      while (top) {
        int32_t i = stack[--top], depth = level[top];
        deepest = std::max(deepest, depth);
        place_[i] = static_cast<int32_t>(count) - start_[t];
        order_[count++] = i;
        if (leaf(i)) {
          if (a_.feature[i] != -1) return "the column of a node is out of range";
          if (a_.left[i] < 0 || a_.left[i] >= a_.leaves) return "the row of a leaf is out of range";
          continue;
        }
        if (a_.feature[i] >= a_.width) return "the column of a node is out of range";
        if (a_.threshold[i] != a_.threshold[i]) return "a threshold is NaN";
        for (int32_t child : {a_.right[i], a_.left[i]}) {  // the left one is taken from the stack first
          if (child < 0 || child >= a_.nodes) return "a child is no node";
          if (seen[child]) return "a node is reached twice";
          seen[child] = 1;
          stack[top] = child, level[top++] = depth + 1;
        }
      }
      if (count - start_[t] > MOST_IN_TREE) return "a tree has too many nodes";
      m_.depth[t] = deepest;
    }
    start_[a_.trees] = static_cast<int32_t>(count);
    return count == a_.nodes ? nullptr : "a node belongs to no tree";
  }

  // Numbers the columns that some node reads, and sorts their thresholds.
  const char* features() {
    if (!slot_.make(a_.width)) return NO_MEMORY;
    for (int64_t i = 0; i < a_.nodes; i++)
      if (!leaf(i)) slot_[a_.feature[i]]++;
    int64_t cells = 0;
    for (int64_t f = 0; f < a_.width; f++) m_.features += slot_[f] > 0;
    if (m_.features > MOST_FEATURES) return "the trees read too many columns";
    if (!m_.used.make(m_.features) || !m_.cut_start.make(m_.features) || !m_.cut_power.make(m_.features))
      return NO_MEMORY;
    if (!m_.cut_count.make(m_.features)) return NO_MEMORY;
    Buffer<uint32_t> filled;
    if (!filled.make(m_.features)) return NO_MEMORY;
    for (int64_t f = 0, k = 0; f < a_.width; f++) {
      int32_t nodes = slot_[f];
      slot_[f] = nodes ? static_cast<int32_t>(k) : -1;
      if (!nodes) continue;
      uint32_t power = 1;
      while (power <= static_cast<uint32_t>(nodes)) power *= 2;
      m_.used[k] = static_cast<int32_t>(f), m_.cut_start[k] = static_cast<uint32_t>(cells), m_.cut_power[k] = power;
      cells += power;
      k++;
    }
    if (!m_.cuts.make(cells)) return NO_MEMORY;
    for (int64_t i = 0; i < a_.nodes; i++)
      if (!leaf(i)) {
        int32_t k = slot_[a_.feature[i]];
        m_.cuts[m_.cut_start[k] + filled[k]++] = a_.threshold[i];
      }
    for (int64_t k = 0; k < m_.features; k++) {
      X* cuts = m_.cuts.data() + m_.cut_start[k];
      std::sort(cuts, cuts + filled[k]);
      X* end = std::unique(cuts, cuts + filled[k]);
      uint32_t most = m_.cut_power[k], power = 1;
      while (power <= static_cast<uint32_t>(end - cuts)) power *= 2;
      std::fill(end, cuts + most, std::numeric_limits<X>::quiet_NaN());
      m_.cut_power[k] = power, m_.cut_count[k] = static_cast<uint32_t>(end - cuts);
    }
    return nullptr;
  }

  const char* walk() {
    if (!m_.nodes.make(a_.nodes) || !m_.leaf_row.make(a_.nodes) || !m_.root.make(a_.trees)) return NO_MEMORY;
    if (!m_.base.make(a_.targets)) return NO_MEMORY;
    for (int64_t t = 0; t < a_.trees; t++) m_.root[t] = static_cast<uint32_t>(start_[t]);
    for (int64_t at = 0; at < a_.nodes; at++) {
      int32_t i = order_[at];
      if (leaf(i)) {
        m_.nodes[at].set(std::numeric_limits<X>::quiet_NaN(), 0, 0);
        m_.leaf_row[at] = static_cast<uint32_t>(a_.left[i]);
        continue;
      }
      uint32_t column = 2 * slot_[a_.feature[i]] + !a_.missing_left[i];
      m_.nodes[at].set(a_.threshold[i], column, place_[a_.right[i]] - place_[i]);
    }
    return nullptr;
  }

  // The forms of the tournament, where every tree is small enough for it.
  const char* tournament() {
    for (int64_t t = 0; t < a_.trees; t++)
      if (leaves(t) > MOST_SMALL) return nullptr;
    if (!columns()) return NO_MEMORY;
    if (m_.columns > MOST_COLUMNS) return nullptr;
    if (!m_.tree.make(a_.trees)) return NO_MEMORY;
    for (int64_t t = 0; t < a_.trees; t++)
      if (!one(t)) return NO_MEMORY;
    int64_t count = int64_t(row_.pushed());
    if (count * m_.stride > MOST_SMALL_LEAVES) return nullptr;
    if (!m_.small_leaf.make(count * m_.stride)) return NO_MEMORY;
    for (int64_t i = 0; i < count; i++) {
      const S* leaf = m_.leaf.data() + int64_t(row_[i]) * m_.stride;
      std::copy(leaf, leaf + m_.stride, m_.small_leaf.data() + i * m_.stride);
    }
    return sorted() ? nullptr : NO_MEMORY;
  }

  // Puts the trees of a target side by side, in their order, so that a sum stays in a register for several of them.
  bool sorted() {
    Buffer<int32_t> start;
    Buffer<Small> tree;
    if (!start.make(a_.targets + 1) || !tree.make(a_.trees)) return false;
    for (int64_t t = 0; t < a_.trees; t++) start[m_.tree[t].target + 1]++;
    for (int64_t k = 0; k < a_.targets; k++) start[k + 1] += start[k];
    for (int64_t t = 0; t < a_.trees; t++) tree[start[m_.tree[t].target]++] = m_.tree[t];
    m_.tree.swap(tree);
    m_.small = true;
    return true;
  }

  int64_t leaves(int64_t t) const { return (start_[t + 1] - start_[t] + 1) / 2; }
  int32_t node(int64_t t, int64_t place) const { return order_[start_[t] + place]; }

  uint32_t rank(int32_t i) const {
    int32_t k = slot_[a_.feature[i]];
    const X* cuts = m_.cuts.data() + m_.cut_start[k];
    X threshold = a_.threshold[i];
    uint32_t low = 0;
    for (uint32_t step = m_.cut_power[k] / 2; step; step /= 2)  // the padding compares false
      if (cuts[low + step - 1] < threshold) low += step;
    return low;
  }

  // Makes a column for each part of a feature and way of NaN that some node asks, sorted.
  bool columns() {
    if (!m_.column_start.make(m_.features + 1)) return false;
    uint32_t all = 0;
    Buffer<uint32_t> first;
    if (!first.make(m_.features + 1)) return false;
    for (int64_t k = 0; k < m_.features; k++) {
      first[k] = all;
      all += 2 * (m_.cut_power[k] / PART + 1);
    }
    if (!number_.make(all)) return false;
    for (int64_t i = 0; i < a_.nodes; i++)
      if (!leaf(i)) number_[first[slot_[a_.feature[i]]] + 2 * (rank(i) / PART) + !a_.missing_left[i]] = 1;
    for (int64_t k = 0; k < m_.features; k++) {
      m_.column_start[k] = static_cast<uint32_t>(m_.columns);
      uint32_t end = k + 1 < m_.features ? first[k + 1] : all;
      for (uint32_t j = first[k]; j < end; j++) {
        if (!number_[j]) continue;
        number_[j] = static_cast<int32_t>(m_.columns++);
        uint32_t which = j - first[k];
        if (!m_.column.push({static_cast<int32_t>(k), int32_t(which / 2), int32_t(which & 1)})) return false;
      }
    }
    m_.column_start[m_.features] = static_cast<uint32_t>(m_.columns);
    first_.swap(first);
    return true;
  }

  Buffer<int32_t> number_;
  Buffer<uint32_t> row_;  // rows of the leaves of the tournament's trees
  Buffer<uint32_t> first_;

  Step test(int32_t i) const {
    uint32_t r = rank(i);
    int32_t number = number_[first_[slot_[a_.feature[i]]] + 2 * (r / PART) + !a_.missing_left[i]];
    return {static_cast<uint16_t>(number), 0, 0, static_cast<uint8_t>(r % PART)};
  }

  bool one(int64_t t) {
    int32_t depth = m_.depth[t];
    int64_t inner = leaves(t) - 1;
    Small small = {STEPS, int32_t(m_.step.pushed()), int32_t(inner), int32_t(row_.pushed()),
                   m_.vectors ? 0 : m_.target[t]};
    bool perfect = depth >= 1 && depth <= 8 && inner == (1 << depth) - 1;
    if (perfect && same_by_level(t, depth)) {
      small.kind = OBLIVIOUS, small.count = depth;
      if (!heap(t, depth, true)) return false;
    } else if (depth >= 4 && depth <= FULL && 2 * inner >= (1 << depth)) {
      small.kind = depth;
      if (!heap(t, depth, false)) return false;
    } else if (!steps(t)) {
      return false;
    }
    m_.tree[t] = small;
    return true;
  }

  bool same(int32_t a, int32_t b) const {
    return a_.feature[a] == a_.feature[b] && a_.threshold[a] == a_.threshold[b] &&
           !a_.missing_left[a] == !a_.missing_left[b];
  }

  bool same_by_level(int64_t t, int32_t depth) {
    int32_t at[512];
    at[0] = node(t, 0);
    for (int64_t i = 0; i < (1 << depth) - 1; i++) {
      if (leaf(at[i])) return false;
      int64_t first = 1;
      while (2 * first <= i + 1) first *= 2;
      if (!same(at[first - 1], at[i])) return false;
      at[2 * i + 1] = a_.left[at[i]], at[2 * i + 2] = a_.right[at[i]];
    }
    return true;
  }

  // The tests of a full tree in heap order, or one for each level; the leaves from left to right.
  bool heap(int64_t t, int32_t depth, bool levels) {
    int32_t at[1023];
    int64_t inner = (1 << depth) - 1;
    at[0] = node(t, 0);
    for (int64_t i = 0; i < inner; i++) {
      bool ends = leaf(at[i]);  // a leaf above the last level: a test that never asks right, and itself twice
      Step own = ends ? Step{0, 0, 0, 255} : test(at[i]);
      bool first = ((i + 1) & i) == 0;
      if ((!levels || first) && !m_.step.push(own)) return false;
      at[2 * i + 1] = ends ? at[i] : a_.left[at[i]];
      at[2 * i + 2] = ends ? at[i] : a_.right[at[i]];
    }
    for (int64_t i = inner; i <= 2 * inner; i++)
      if (!row_.push(static_cast<uint32_t>(a_.left[at[i]]))) return false;
    return true;
  }

  // A step for each inner node, children first. Slots up to MOST_SMALL are leaf numbers, those above results.
  bool steps(int64_t t) {
    int64_t size = start_[t + 1] - start_[t];
    uint16_t slot[2 * MOST_SMALL];
    uint16_t next = 0;
    for (int64_t p = 0; p < size; p++)
      if (leaf(node(t, p))) {
        slot[p] = next++;
        if (!row_.push(static_cast<uint32_t>(a_.left[node(t, p)]))) return false;
      }
    next = MOST_SMALL;
    for (int64_t p = size - 1; p >= 0; p--) {  // in preorder children come later
      int32_t i = node(t, p);
      if (leaf(i)) continue;
      Step own = test(i);
      own.left = slot[place_[a_.left[i]]], own.right = slot[place_[a_.right[i]]];
      if (!m_.step.push(own)) return false;
      slot[p] = next++;
    }
    return true;
  }
};

}  // namespace trees
