// Products of a few rows with packed matrices.
//
// A packed matrix is a series of panels; a panel has `N` vectors of columns, row
// after row, so that a product reads it from end to end.
#pragma once

#include <type_traits>

#include "vectors.h"

namespace avjax {

// The rows of a tile of N vectors, so that its sums stay in registers.
#if defined(__AVX512F__) || defined(__aarch64__)
template <int N>
constexpr int ROWS = N == 4 ? 6 : 8;
#else
template <int N>
constexpr int ROWS = N == 4 ? 3 : 6;
#endif

template <int R, class F>
AVJAX_INLINE void rest_of_rows(long first, long left, F&& f) {
  if constexpr (R > 0) {
    if (left == R) {
      f(std::integral_constant<int, R>{}, first);
    } else {
      rest_of_rows<R - 1>(first, left, f);
    }
  }
}

// Calls f(R, first) for `count` rows, R of them at a time, then the rest.
template <int R, class F>
AVJAX_INLINE void by_rows(long count, F&& f) {
  long r = 0;
  for (; r + R <= count; r += R) f(std::integral_constant<int, R>{}, r);
  rest_of_rows<R - 1>(r, count - r, f);
}

template <class T, int R, int N>
AVJAX_INLINE void load_tile(const T* from, long stride, Vector<T> (&tile)[R][N]) {
  for (int r = 0; r < R; ++r)
    for (int n = 0; n < N; ++n)
      tile[r][n] = load<T>(from + r * stride + n * LANES<T>);
}

template <class T, int R, int N>
AVJAX_INLINE void store_tile(
    T* to, long stride, const Vector<T> (&tile)[R][N]) {
  for (int r = 0; r < R; ++r)
    for (int n = 0; n < N; ++n)
      store<T>(to + r * stride + n * LANES<T>, tile[r][n]);
}

// Adds the outer product of R numbers, `step` apart, and a row to a tile.
template <class T, int R, int N>
AVJAX_INLINE void add_outer(
    const T* left, long step, const T* row, Vector<T> (&tile)[R][N]) {
  Vector<T> right[N];
  for (int n = 0; n < N; ++n) right[n] = load<T>(row + n * LANES<T>);
  for (int r = 0; r < R; ++r) {
    const Vector<T> x = Vector<T>{} + left[r * step];
    for (int n = 0; n < N; ++n) tile[r][n] += x * right[n];
  }
}

template <class T, int N>
__attribute__((noinline)) void add_panels(
    const T* rows, long stride, long count, const T* packed, long depth,
    long panels, T* sums) {
  const long wide = N * LANES<T>, width = panels * wide;
  for (long p = 0; p < panels; ++p) {
    const T* panel = packed + p * depth * wide;
    by_rows<ROWS<N>>(count, [&](auto R, long first) {
      Vector<T> tile[R][N];
      T* corner = sums + first * width + p * wide;
      load_tile<T, R, N>(corner, width, tile);
      const T* left = rows + first * stride;
      for (long k = 0; k < depth; ++k)
        add_outer<T, R, N>(left + k, stride, panel + k * wide, tile);
      store_tile<T, R, N>(corner, width, tile);
    });
  }
}

// Returns the vectors of a panel for a matrix of so many vectors of columns.
inline int panel_width(long vectors) {
  return vectors % 4 == 0 ? 4 : vectors % 2 == 0 ? 2 : 1;
}

// Adds the product of `count` rows, `stride` apart, with a packed matrix of
// `depth` rows to `sums`.
template <class T>
void add_product(
    const T* rows, long stride, long count, const T* packed, long depth,
    long vectors, T* sums) {
  const int width = panel_width(vectors);
  const auto add = width == 4   ? add_panels<T, 4>
                   : width == 2 ? add_panels<T, 2>
                                : add_panels<T, 1>;
  add(rows, stride, count, packed, depth, vectors / width, sums);
}

template <class T, int N>
__attribute__((noinline)) void add_transposed_panels(
    const T* left, long width, const T* right, long stride, long count,
    T* sums) {
  for (long column = 0; column < stride; column += N * LANES<T>)
    by_rows<ROWS<N>>(width, [&](auto R, long first) {
      Vector<T> tile[R][N];
      T* corner = sums + first * stride + column;
      load_tile<T, R, N>(corner, stride, tile);
      for (long k = 0; k < count; ++k)
        add_outer<T, R, N>(
            left + k * width + first, 1, right + k * stride + column, tile);
      store_tile<T, R, N>(corner, stride, tile);
    });
}

// Adds the transposed `left` times `right` to `sums`: `count` rows each, of
// `width` numbers and of so many vectors.
template <class T>
void add_transposed_product(
    const T* left, long width, const T* right, long vectors, long count,
    T* sums) {
  const int wide = panel_width(vectors);
  const auto add = wide == 4   ? add_transposed_panels<T, 4>
                   : wide == 2 ? add_transposed_panels<T, 2>
                               : add_transposed_panels<T, 1>;
  add(left, width, right, vectors * LANES<T>, count, sums);
}

}  // namespace avjax
