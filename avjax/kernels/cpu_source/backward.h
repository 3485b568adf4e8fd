// The backward loop, and the gradients of the weights and inputs with it: what
// a step gives is used while it is in the cache.
#pragma once

#include "layer.h"

namespace avjax {

template <class T, class S>
struct Backward {
  Sizes size;
  const S* inputs;  // (B, T, D)
  std::vector<T> w_input, w_recurrent, bias;  // packed; empty with the gates
  std::vector<T> to_inputs, to_states;  // transposed and packed
  const S* h;  // (B, T, C)
  const T* c;  // (B, T, kept_cells)
  const S* gates;  // (B, T, 4 kept_cells), or null: computed again
  const S *d_h, *d_h_last;
  const T* d_c_last;
  S* d_inputs;  // (B, T, D), or null

  // The rows of `sums`: of the inputs, of the states and of the bias.
  long width() const { return size.inputs + size.cells + 1; }
  long stride() const { return 4 * size.padded<T>(); }

  // Adds the gradients of the weights, rows of gate columns, to `sums`.
  void run(const Order& order, T* sums) const {
    const long padded = size.padded<T>();
    std::vector<T> d_before(BLOCK * padded), d_c(BLOCK * padded);
    std::vector<T> read(BLOCK * width()), d_z(BLOCK * stride()), d_x;
    for (size_t first = 0; first < order.row.size(); first += BLOCK) {
      Chunk chunk(order, first, size.steps);
      std::fill(d_before.begin(), d_before.end(), T(0));
      std::fill(d_c.begin(), d_c.end(), T(0));
      for (long end = chunk.longest(); end > 0; end -= chunk.span()) {
        const long begin = std::max(0L, end - chunk.span());
        chunk.move(begin, end);
        gather(chunk, read.data());
        if (!gates) again(read.data(), chunk.count(), d_z.data());
        for (long t = end - 1; t >= begin; --t)
          step(chunk, t, &d_z[chunk.start(t) * stride()], d_before.data(),
               d_c.data());
        add_transposed_product<T>(
            read.data(), width(), d_z.data(), 4 * size.vectors<T>(), chunk.count(),
            sums);
        if (d_inputs) propagate(chunk, d_z.data(), d_x);
      }
      finish(chunk);
    }
  }

 private:
  // What met the weights: x_t, h_{t-1} and the 1 of the bias.
  void gather(const Chunk& chunk, T* read) const {
    for (long k = 0; k < chunk.count(); ++k, read += width()) {
      const long place = chunk.place(k);
      copy(inputs + place * size.inputs, read, size.inputs);
      T* state = read + size.inputs;
      if (chunk.begins(k)) {
        std::fill_n(state, size.cells, T(0));
      } else {
        copy(h + (place - 1) * size.cells, state, size.cells);
      }
      state[size.cells] = 1;
    }
  }

  // Computes the gates i f o g again.
  void again(const T* read, long count, T* gates_now) const {
    const long vectors = 4 * size.vectors<T>(), wide = 4 * LANES<T>;
    for (long k = 0; k < count; ++k)
      std::copy(bias.begin(), bias.end(), gates_now + k * stride());
    add_product<T>(
        read, width(), count, w_input.data(), size.inputs, vectors, gates_now);
    add_product<T>(
        read + size.inputs, width(), count, w_recurrent.data(), size.cells,
        vectors, gates_now);
    for (T* z = gates_now; z < gates_now + count * stride(); z += wide) {
      for (int gate = 0; gate < 3; ++gate)
        store<T>(z + gate * LANES<T>, sigmoid<T>(load<T>(z + gate * LANES<T>)));
      store<T>(z + 3 * LANES<T>, tanh<T>(load<T>(z + 3 * LANES<T>)));
    }
  }

  // Replaces the gradients of h and c of step t by those of the step before.
  void step(const Chunk& chunk, long t, T* d_z, T* d_before, T* d_c) const {
    const long padded = size.padded<T>(), active = chunk.active(t);
    for (long r = 0; r < active; ++r)
      for (long first = 0; first < padded; first += LANES<T>) {
        const long at = r * padded + first;
        cell(chunk, r, t, first, d_z + 4 * at, d_before + at, d_c + at);
      }
    std::fill_n(d_before, active * padded, T(0));
    add_product<T>(
        d_z, stride(), active, to_states.data(), stride(), size.vectors<T>(),
        d_before);
  }

  AVJAX_INLINE void cell(
      const Chunk& chunk, long r, long t, long first, T* d_z, const T* d_next,
      T* d_c_next) const {
    const long left = size.cells - first;
    const long place = chunk.place(r, t), kept = kept_cells(size);
    Vector<T> i, f, o, g;
    if (gates) {
      const S* from = gates + place * 4 * kept + 4 * first;
      i = avjax::read<T>(from, LANES<T>);
      f = avjax::read<T>(from + LANES<T>, LANES<T>);
      o = avjax::read<T>(from + 2 * LANES<T>, LANES<T>);
      g = avjax::read<T>(from + 3 * LANES<T>, LANES<T>);
    } else {
      i = load<T>(d_z);
      f = load<T>(d_z + LANES<T>);
      o = load<T>(d_z + 2 * LANES<T>);
      g = load<T>(d_z + 3 * LANES<T>);
    }
    const T* state = c + place * kept + first;
    const Vector<T> tanh_c = tanh<T>(load<T>(state));
    const Vector<T> c_before = t ? load<T>(state - kept) : Vector<T>{};
    Vector<T> dh = avjax::read<T>(d_h + place * size.cells + first, left);
    Vector<T> dc = load<T>(d_c_next);
    dh += load<T>(d_next);
    if (t + 1 == chunk.length(r)) {
      const long last = chunk.row(r) * size.cells + first;
      dh += avjax::read<T>(d_h_last + last, left);
      dc += avjax::read<T>(d_c_last + last, left);
    }
    dc += dh * o * (1 - tanh_c * tanh_c);
    store<T>(d_z, dc * g * i * (1 - i));
    store<T>(d_z + LANES<T>, dc * c_before * f * (1 - f));
    store<T>(d_z + 2 * LANES<T>, dh * tanh_c * o * (1 - o));
    store<T>(d_z + 3 * LANES<T>, dc * i * (1 - g * g));
    store<T>(d_c_next, dc * f);
  }

  // Writes the gradients of the inputs; `sums` is for them as they are summed.
  void propagate(const Chunk& chunk, const T* d_z, std::vector<T>& sums) const {
    const long padded = rounded_up(size.inputs, LANES<T>);
    sums.assign(chunk.count() * padded, T(0));
    add_product<T>(
        d_z, stride(), chunk.count(), to_inputs.data(), stride(),
        padded / LANES<T>, sums.data());
    for (long k = 0; k < chunk.count(); ++k)
      for (long first = 0; first < size.inputs; first += LANES<T>)
        write<T>(
            d_inputs + chunk.place(k) * size.inputs + first,
            load<T>(&sums[k * padded + first]), size.inputs - first);
  }

  // Zeros where a row has no step.
  void finish(const Chunk& chunk) const {
    if (!d_inputs) return;
    for (long r = 0; r < chunk.rows(); ++r) {
      const long length = chunk.length(r);
      std::memset(
          static_cast<void*>(
              d_inputs + chunk.place(r, length) * size.inputs),
          0, (size.steps - length) * size.inputs * sizeof(S));
    }
  }
};

}  // namespace avjax
