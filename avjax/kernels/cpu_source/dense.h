// A layer without recurrence, of the true frames alone.
#pragma once

#include "layer.h"

namespace avjax {

// Returns (depth, width) in panels, filled up with zeros.
template <class T>
std::vector<T> packed_columns(const T* weights, long depth, long width) {
  const long vectors = rounded_up(width, LANES<T>) / LANES<T>;
  const long wide = panel_width(vectors) * LANES<T>;
  std::vector<T> packed(depth * vectors * LANES<T>);
  for (long k = 0; k < depth; ++k)
    for (long first = 0; first < width; first += wide)
      std::copy_n(
          weights + k * width + first, std::min(wide, width - first),
          packed.data() + first * depth + k * wide);
  return packed;
}

template <class T>
struct Dense {
  long steps, inputs, outputs;
  const T* x;  // (B, T, D)

  long padded() const { return rounded_up(outputs, LANES<T>); }
  long vectors() const { return padded() / LANES<T>; }

  // Writes x W + b (B, T, V), zero where a row has no step.
  void forward(
      const Order& order, const std::vector<T>& packed, const T* bias,
      T* y) const {
    std::vector<T> sums(BLOCK * padded());
    for (size_t r = 0; r < order.row.size(); ++r) {
      const long begin = order.row[r] * steps, length = order.length[r];
      for (long t = 0; t < length; t += BLOCK) {
        const long count = std::min(BLOCK, length - t);
        for (long k = 0; k < count; ++k)
          std::copy_n(bias, outputs, &sums[k * padded()]);
        add_product<T>(
            x + (begin + t) * inputs, inputs, count, packed.data(), inputs,
            vectors(), sums.data());
        for (long k = 0; k < count; ++k)
          std::copy_n(
              &sums[k * padded()], outputs, y + (begin + t + k) * outputs);
      }
      std::fill_n(
          y + (begin + length) * outputs, (steps - length) * outputs, T(0));
    }
  }

  // Adds x^T d, and below it the sum of d, to `sums`: (D + 1, padded).
  void backward(const Order& order, const T* d_y, T* sums) const {
    const long width = inputs + 1, most = 2 * BLOCK;
    std::vector<T> read(most * width), d(most * padded());
    long count = 0;
    const auto add = [&] {
      add_transposed_product<T>(
          read.data(), width, d.data(), vectors(), count, sums);
      count = 0;
    };
    for (size_t r = 0; r < order.row.size(); ++r)
      for (long t = 0; t < order.length[r]; ++t) {
        const long place = order.row[r] * steps + t;
        T* row = &read[count * width];
        std::copy_n(x + place * inputs, inputs, row);
        row[inputs] = 1;
        std::copy_n(d_y + place * outputs, outputs, &d[count * padded()]);
        if (++count == most) add();
      }
    add();
  }
};

}  // namespace avjax
