// The forward loop: inputs are projected some steps at a time, so that what the
// recurrence adds to never leaves the cache.
#pragma once

#include "layer.h"

namespace avjax {

template <class T, class S>
struct Forward {
  Sizes size;
  const S* inputs;  // (B, T, D)
  std::vector<T> w_input, w_recurrent, bias;  // packed
  S *h, *h_last;  // (B, T, C), (B, C)
  T* c_last;
  T* c;  // (B, T, kept_cells), or null
  S* gates;  // (B, T, 4 kept_cells) in packed order, or null

  void run(const Order& order) const {
    const long padded = size.padded<T>();
    std::vector<T> before(BLOCK * padded), after(before), c(before);
    std::vector<T> x(BLOCK * size.inputs), z(BLOCK * 4 * padded);
    for (size_t first = 0; first < order.row.size(); first += BLOCK) {
      Chunk chunk(order, first, size.steps);
      std::fill(before.begin(), before.end(), T(0));
      std::fill(c.begin(), c.end(), T(0));
      for (long t = 0; t < chunk.longest(); t += chunk.span()) {
        const long end = std::min(t + chunk.span(), chunk.longest());
        chunk.move(t, end);
        for (long k = 0; k < chunk.count(); ++k)
          copy(inputs + chunk.place(k) * size.inputs, &x[k * size.inputs],
               size.inputs);
        for (long k = 0; k < chunk.count(); ++k)
          std::copy(bias.begin(), bias.end(), &z[k * 4 * padded]);
        add_product<T>(
            x.data(), size.inputs, chunk.count(), w_input.data(), size.inputs,
            4 * size.vectors<T>(), z.data());
        for (long s = t; s < end; ++s) {
          step(chunk, s, &z[chunk.start(s) * 4 * padded], before.data(),
               after.data(), c.data());
          before.swap(after);
        }
      }
      finish(chunk);
    }
  }

 private:
  void step(
      const Chunk& chunk, long t, T* z, const T* before, T* after,
      T* c_now) const {
    const long padded = size.padded<T>(), active = chunk.active(t);
    add_product<T>(
        before, padded, active, w_recurrent.data(), size.cells,
        4 * size.vectors<T>(), z);
    for (long r = 0; r < active; ++r)
      for (long first = 0; first < padded; first += LANES<T>) {
        const long at = r * padded + first;
        cell(z + 4 * at, chunk, r, t, first, after + at, c_now + at);
      }
  }

  // Eqs. 1-3 for a vector of cells of one row.
  AVJAX_INLINE void cell(
      const T* z, const Chunk& chunk, long r, long t, long first, T* h_now,
      T* c_now) const {
    const Vector<T> i = sigmoid<T>(load<T>(z));
    const Vector<T> f = sigmoid<T>(load<T>(z + LANES<T>));
    const Vector<T> o = sigmoid<T>(load<T>(z + 2 * LANES<T>));
    const Vector<T> g = tanh<T>(load<T>(z + 3 * LANES<T>));
    const Vector<T> c_new = f * load<T>(c_now) + i * g;
    const Vector<T> h_new = o * tanh<T>(c_new);
    store<T>(c_now, c_new);
    store<T>(h_now, h_new);
    const long left = size.cells - first;
    const long place = chunk.place(r, t), kept = kept_cells(size);
    write<T>(h + place * size.cells + first, h_new, left);
    if (c) store<T>(c + place * kept + first, c_new);
    if (gates) {
      S* to = gates + place * 4 * kept + 4 * first;
      write<T>(to, i, LANES<T>);
      write<T>(to + LANES<T>, f, LANES<T>);
      write<T>(to + 2 * LANES<T>, o, LANES<T>);
      write<T>(to + 3 * LANES<T>, g, LANES<T>);
    }
    if (t + 1 == chunk.length(r)) {
      const long last = chunk.row(r) * size.cells + first;
      write<T>(h_last + last, h_new, left);
      write<T>(c_last + last, c_new, left);
    }
  }

  // Zeros where a row has no step.
  void finish(const Chunk& chunk) const {
    for (long r = 0; r < chunk.rows(); ++r) {
      const long length = chunk.length(r), cells = size.cells;
      std::memset(
          static_cast<void*>(h + chunk.place(r, length) * cells), 0,
          (size.steps - length) * cells * sizeof(S));
      if (length == 0) {
        std::memset(
            static_cast<void*>(h_last + chunk.row(r) * cells), 0,
            cells * sizeof(S));
        std::memset(c_last + chunk.row(r) * cells, 0, cells * sizeof(T));
      }
    }
  }
};

}  // namespace avjax
