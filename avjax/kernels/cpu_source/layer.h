// A layer's sizes, its rows, and its weights in the order that the loops read.
//
// Four gates of a vector of cells lie side by side, i f o g, then those of the
// next cells: a tile of four vectors has all that a step of these cells needs.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "products.h"

namespace avjax {

inline long rounded_up(long count, long to) { return (count + to - 1) / to * to; }

struct Sizes {
  long rows, steps, inputs, cells;

  template <class T>
  long vectors() const { return rounded_up(cells, LANES<T>) / LANES<T>; }
  template <class T>
  long padded() const { return vectors<T>() * LANES<T>; }
};

// The numbers of one cell's state that are kept for the backward pass. It does
// not depend on the vectors of this machine, so that the caller knows it.
inline long kept_cells(const Sizes& size) { return rounded_up(size.cells, 16); }

// Returns the column of a packed gate.
template <class T>
inline long gate_column(long cell, long gate) {
  return (cell / LANES<T> * 4 + gate) * LANES<T> + cell % LANES<T>;
}

// Returns (depth, 4, C) as rows of gate columns. In panels they lie in the
// order of the panels, each of all rows; else row after row.
template <class T>
std::vector<T> packed_gates(const T* weights, long depth, const Sizes& size) {
  const long cells = size.cells, wide = 4 * LANES<T>;
  std::vector<T> packed(depth * 4 * size.padded<T>());
  for (long k = 0; k < depth; ++k)
    for (long gate = 0; gate < 4; ++gate)
      for (long first = 0; first < cells; first += LANES<T>) {
        const long panel = first / LANES<T>;
        std::copy_n(
            weights + (k * 4 + gate) * cells + first,
            std::min(LANES<T>, cells - first),
            packed.data() + (panel * depth + k) * wide + gate * LANES<T>);
      }
  return packed;
}

// Returns (width, 4, C) transposed, with the packed gates as its rows.
template <class T>
std::vector<T> packed_transposed(
    const T* weights, long width, const Sizes& size) {
  const long depth = 4 * size.padded<T>();
  const long vectors = rounded_up(width, LANES<T>) / LANES<T>;
  const long wide = panel_width(vectors) * LANES<T>;
  std::vector<T> packed(depth * vectors * LANES<T>);
  for (long column = 0; column < width; ++column) {
    T* panel = packed.data() + column / wide * depth * wide + column % wide;
    for (long gate = 0; gate < 4; ++gate)
      for (long cell = 0; cell < size.cells; ++cell)
        panel[gate_column<T>(cell, gate) * wide] =
            weights[(column * 4 + gate) * size.cells + cell];
  }
  return packed;
}

// The inverse of rows of gate columns, `sums`, to (depth, 4, C).
template <class T>
void unpack_gates(const T* sums, long depth, const Sizes& size, T* weights) {
  const long stride = 4 * size.padded<T>();
  for (long k = 0; k < depth; ++k)
    for (long gate = 0; gate < 4; ++gate)
      for (long cell = 0; cell < size.cells; ++cell)
        weights[(k * 4 + gate) * size.cells + cell] =
            sums[k * stride + gate_column<T>(cell, gate)];
}

// The rows of a batch, longest first: those that a step has are the first ones.
struct Order {
  std::vector<long> row, length;

  Order(const int32_t* lengths, long rows, long steps) : row(rows), length(rows) {
    std::iota(row.begin(), row.end(), 0L);
    std::vector<long> limited(rows);
    for (long r = 0; r < rows; ++r)
      limited[r] = std::clamp<long>(lengths[r], 0, steps);
    std::stable_sort(row.begin(), row.end(), [&](long a, long b) {
      return limited[a] > limited[b];
    });
    for (long r = 0; r < rows; ++r) length[r] = limited[row[r]];
  }

  // Returns every `of`-th row, from `part` on: parts of equal work.
  Order(const Order& all, long part, long of) {
    for (size_t r = part; r < all.row.size(); r += of) {
      row.push_back(all.row[r]);
      length.push_back(all.length[r]);
    }
  }
};

constexpr long BLOCK = 32;  // rows at a time, and steps times rows

// Some rows of a part and some steps, and where each of them lies.
class Chunk {
 public:
  Chunk(const Order& order, long first, long steps)
      : order_(order),
        first_(first),
        rows_(std::min<long>(BLOCK, order.row.size() - first)),
        longest_(order.length[first]),
        steps_(steps) {}

  long rows() const { return rows_; }
  long longest() const { return longest_; }
  long span() const { return std::max(1L, BLOCK / std::max(1L, rows_)); }
  long count() const { return count_; }
  long row(long r) const { return order_.row[first_ + r]; }
  long length(long r) const { return order_.length[first_ + r]; }
  // The rows that have step t.
  long active(long t) const {
    long r = rows_;
    while (r > 0 && length(r - 1) <= t) --r;
    return r;
  }
  // Where step t begins among those of [from, to).
  long start(long t) const { return starts_[t - from_]; }
  // The place of a row and step in (B, T, .).
  long place(long r, long t) const { return row(r) * steps_ + t; }
  long place(long k) const { return places_[k]; }
  bool begins(long k) const { return places_[k] % steps_ == 0; }

  void move(long from, long to) {
    from_ = from;
    starts_.clear();
    places_.clear();
    for (long t = from; t < to; ++t) {
      starts_.push_back(places_.size());
      const long active_rows = active(t);
      for (long r = 0; r < active_rows; ++r) places_.push_back(place(r, t));
    }
    count_ = places_.size();
  }

 private:
  const Order& order_;
  long first_, rows_, longest_, steps_, from_ = 0, count_ = 0;
  std::vector<long> starts_, places_;
};

}  // namespace avjax
