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

// Adds the product of R rows with a panel to `sums`.
template <class T, int R, int N>
AVJAX_INLINE void add_product(
    const T* rows, long stride, const T* panel, long depth,
    Vector<T> (&sums)[R][N]) {
  for (long k = 0; k < depth; ++k, panel += N * LANES<T>) {
    Vector<T> column[N];
    for (int n = 0; n < N; ++n) column[n] = load<T>(panel + n * LANES<T>);
    for (int r = 0; r < R; ++r) {
      const Vector<T> x = Vector<T>{} + rows[r * stride + k];
      for (int n = 0; n < N; ++n) sums[r][n] += x * column[n];
    }
  }
}

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

// Calls put(row, column, vector) for the product of `count` rows with a matrix.
template <class T, int N, class Put>
void product_by(
    const T* rows, long stride, long count, const T* packed, long depth,
    long panels, Put&& put) {
  for (long p = 0; p < panels; ++p) {
    const T* panel = packed + p * depth * N * LANES<T>;
    by_rows<ROWS<N>>(count, [&](auto R, long first) {
      Vector<T> sums[R][N] = {};
      add_product<T, R, N>(rows + first * stride, stride, panel, depth, sums);
      for (int r = 0; r < R; ++r)
        for (int n = 0; n < N; ++n)
          put(first + r, (p * N + n) * LANES<T>, sums[r][n]);
    });
  }
}

// Returns the vectors of a panel for a matrix of so many vectors of columns.
inline int panel_width(long vectors) {
  return vectors % 4 == 0 ? 4 : vectors % 2 == 0 ? 2 : 1;
}

template <class T, class Put>
void product(
    const T* rows, long stride, long count, const T* packed, long depth,
    long vectors, Put&& put) {
  switch (panel_width(vectors)) {
    case 4:
      return product_by<T, 4>(
          rows, stride, count, packed, depth, vectors / 4, put);
    case 2:
      return product_by<T, 2>(
          rows, stride, count, packed, depth, vectors / 2, put);
    default:
      return product_by<T, 1>(rows, stride, count, packed, depth, vectors, put);
  }
}

// Adds the transposed `left` times `right` to `sums`: `count` rows each, of
// `width` numbers and of `panels` times four vectors.
template <class T>
void add_transposed_product(
    const T* left, long width, const T* right, long panels, long count,
    T* sums) {
  constexpr int N = 4;
  const long stride = panels * N * LANES<T>;
  for (long p = 0; p < panels; ++p) {
    const long column = p * N * LANES<T>;
    by_rows<ROWS<N>>(width, [&](auto R, long first) {
      Vector<T> tile[R][N];
      T* corner = sums + first * stride + column;
      for (int r = 0; r < R; ++r)
        for (int n = 0; n < N; ++n)
          tile[r][n] = load<T>(corner + r * stride + n * LANES<T>);
      for (long k = 0; k < count; ++k) {
        Vector<T> row[N];
        for (int n = 0; n < N; ++n)
          row[n] = load<T>(right + k * stride + column + n * LANES<T>);
        for (int r = 0; r < R; ++r) {
          const Vector<T> x = Vector<T>{} + left[k * width + first + r];
          for (int n = 0; n < N; ++n) tile[r][n] += x * row[n];
        }
      }
      for (int r = 0; r < R; ++r)
        for (int n = 0; n < N; ++n)
          store<T>(corner + r * stride + n * LANES<T>, tile[r][n]);
    });
  }
}

}  // namespace avjax
