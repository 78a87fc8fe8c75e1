// kernels_fuzz SEED COUNT: trees as a stranger would write them. Whatever `build` accepts, every kernel answers alike,
// bit for bit, and like a plain walk over the arrays. Compiled with sanitizers, which end the program at a fault.
#include <cstdio>
#include <random>
#include <vector>

#include "../../runtimes/kernels/choose.h"

using std::vector;

static std::mt19937 dice;
static int below(int n) { return n > 0 ? int(dice() % unsigned(n)) : 0; }
static bool rarely() { return below(8) == 0; }

template <class T> static T odd() {
  const T all[] = {T(0), T(-0.0), T(1), T(-1), T(0.5), T(3e38), std::numeric_limits<T>::max(), std::numeric_limits<T>::infinity(),
                   -std::numeric_limits<T>::infinity(), std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::denorm_min()};
  return all[below(11)];
}

template <class X, class S> struct Given {
  vector<int32_t> roots, target, feature, left, right;
  vector<X> threshold;
  vector<uint8_t> missing;
  vector<S> leaf;
  trees::Arrays<X, S> arrays{};

  int grow(int depth, int bushy, int width, int leaves) {
    int i = int(feature.size());
    feature.push_back(-1), left.push_back(below(leaves)), right.push_back(0), threshold.push_back(0), missing.push_back(0);
    if (depth == 0 || below(bushy) == 0) return i;
    feature[i] = below(width);
    threshold[i] = rarely() ? odd<X>() : X(below(400)) / 8 - 25;
    if (threshold[i] != threshold[i]) threshold[i] = 0;
    missing[i] = uint8_t(below(2));
    int l = grow(depth - 1, bushy, width, leaves);
    int r = grow(depth - 1, bushy, width, leaves);
    left[i] = l, right[i] = r;
    return i;
  }

  void make() {
    int count = 1 + below(12), width = 1 + below(rarely() ? 300 : 6), targets = 1 + below(4);
    int depth = below(rarely() ? 13 : 8), bushy = rarely() ? 3 : below(2) ? 1000 : 12, leaves = 1 + below(700);
    bool same = rarely();
    for (int t = 0; t < count; t++) {
      int before = int(feature.size());
      roots.push_back(grow(depth, bushy, width, leaves));
      target.push_back(below(targets));
      if (same) level(before);
    }
    bool vectors = below(2);
    leaf.resize(size_t(leaves) * (vectors ? targets : 1));
    for (S& v : leaf) v = S(below(2001) - 1000) / 7;
    arrays.trees = count, arrays.nodes = int64_t(feature.size()), arrays.leaves = leaves, arrays.targets = targets;
    arrays.width = width, arrays.vectors = vectors;
  }

  // One test for each level of the last tree, as in an oblivious one.
  void level(int root) {
    vector<int> row{root};
    while (!row.empty()) {
      vector<int> next;
      for (int i : row)
        if (feature[i] >= 0) {
          feature[i] = feature[row[0]] < 0 ? feature[i] : feature[row[0]];
          threshold[i] = threshold[row[0]], missing[i] = missing[row[0]];
          next.push_back(left[i]), next.push_back(right[i]);
        }
      row = next;
    }
  }

  // What a stranger would try: other numbers in some places, or anywhere.
  void spoil() {
    int how = below(4) ? 1 + below(3) : 50;
    const int32_t bad[] = {-2, -1, 0, 1, INT32_MAX, INT32_MIN, int32_t(feature.size()), int32_t(feature.size()) - 1, 1 << 20};
    for (int k = 0; k < how; k++) {
      int32_t any = below(2) ? bad[below(9)] : below(int(feature.size()));
      size_t i = size_t(below(int(feature.size()))), t = size_t(below(int(roots.size())));
      switch (below(9)) {
        case 0: left[i] = any; break;
        case 1: right[i] = any; break;
        case 2: feature[i] = any; break;
        case 3: threshold[i] = odd<X>(); break;
        case 4: roots[t] = any; break;
        case 5: target[t] = any; break;
        case 6: missing[i] = uint8_t(below(256)); break;
        case 7: left[i] = right[i]; break;
        default: (below(2) ? arrays.targets : arrays.width) = arrays.vectors ? arrays.targets : any; break;
      }
    }
  }

  void point() {
    arrays.roots = roots.data(), arrays.target = target.data(), arrays.feature = feature.data();
    arrays.left = left.data(), arrays.right = right.data(), arrays.threshold = threshold.data();
    arrays.missing_left = missing.data(), arrays.leaf = leaf.data();
  }

  void plain(const X* x, S* out) const {
    for (int64_t k = 0; k < arrays.targets; k++) out[k] = 0;
    for (int64_t t = 0; t < arrays.trees; t++) {
      int32_t i = roots[t];
      while (feature[i] >= 0) {
        X v = x[feature[i]];
        i = (v != v ? missing[i] != 0 : v <= threshold[i]) ? left[i] : right[i];
      }
      if (arrays.vectors)
        for (int64_t k = 0; k < arrays.targets; k++) out[k] += leaf[left[i] * arrays.targets + k];
      else
        out[target[t]] += leaf[left[i]];
    }
  }
};

struct Seen {
  long built = 0, refused = 0, small = 0;
};

template <class X, class S> static bool once(Seen& seen) {
  Given<X, S> given;
  given.make();
  if (below(2)) given.spoil();
  given.point();
  trees::Model<X, S> model;
  if (trees::Builder<X, S>(given.arrays, model).build()) {
    seen.refused++;
    return true;
  }
  seen.built++, seen.small += model.small;
  int64_t rows = 1 + below(rarely() ? 300 : 40), width = given.arrays.width, targets = given.arrays.targets;
  if (rows * width > 1 << 22 || rows * targets > 1 << 22) rows = 1;
  vector<X> x(size_t(rows * width));
  for (X& v : x) v = rarely() ? odd<X>() : X(below(400)) / 8 - 25;
  vector<S> want(size_t(rows * targets));
  for (int64_t r = 0; r < rows; r++) given.plain(x.data() + r * width, want.data() + r * targets);
  size_t bytes = want.size() * sizeof(S);
  vector<S> got(want.size());
  bool fine = trees::run(model, x.data(), rows, got.data(), false) && !std::memcmp(got.data(), want.data(), bytes);
#ifdef MLPACK_AVX2
  std::fill(got.begin(), got.end(), S(7));
  if (model.small && trees::has_avx2())
    fine = fine && trees::tournament(model, x.data(), rows, got.data()) && !std::memcmp(got.data(), want.data(), bytes);
#endif
  return fine;
}

int main(int, char** given) {
  unsigned seed = unsigned(std::atol(given[1])), count = unsigned(std::atol(given[2]));
  Seen seen;
  for (unsigned i = seed; i < seed + count; i++) {
    dice.seed(i);
    int which = below(3);
    if (!(which == 0 ? once<float, float>(seen) : which == 1 ? once<float, double>(seen) : once<double, double>(seen))) {
      std::printf("seed %u differs\n", i);
      return 1;
    }
  }
  std::printf("%ld built, %ld of them for the tournament, %ld refused\n", seen.built, seen.small, seen.refused);
}
