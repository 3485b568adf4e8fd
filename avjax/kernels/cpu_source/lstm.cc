// An LSTM layer, forward and backward, as calls of XLA on a CPU.
//
// Batches are (B, T, .), ragged, and rows are done as far as they go.

#include "backward.h"
#include "calls.h"
#include "forward.h"

namespace avjax {
namespace {

// Of x (B, T, D) and the recurrent weights (C, 4, C).
Sizes sizes(const XLA_FFI_CallFrame* frame) {
  const int64_t* x = argument(frame, 0).dims;
  return {x[0], x[1], x[2], argument(frame, 2).dims[0]};
}

// Returns how many parts the rows are worth: each reads all weights.
long parts(const XLA_FFI_CallFrame* frame, const Sizes& size) {
  const long rows = size.rows * size.steps < 64 ? 1 : size.rows / 4;
  return std::clamp<long>(rows, 1, threads(frame));
}

// x, w_input, w_recurrent, bias, lengths -> h, h_last, c_last [, c [, gates]]
template <class T, class S>
XLA_FFI_Error* forward(const XLA_FFI_CallFrame* frame) {
  const Sizes size = sizes(frame);
  const Forward<T, S> layer = {
      size,
      in<S>(frame, 0),
      packed_gates(in<T>(frame, 1), size.inputs, size),
      packed_gates(in<T>(frame, 2), size.cells, size),
      packed_gates(in<T>(frame, 3), 1, size),
      out<S>(frame, 0),
      out<S>(frame, 1),
      out<T>(frame, 2),
      out<T>(frame, 3),
      out<S>(frame, 4),
  };
  const Order order(in<int32_t>(frame, 4), size.rows, size.steps);
  const long count = parts(frame, size);
  const bool done = in_parts(frame, count, [&](long part) {
    layer.run(Order(order, part, count));
  });
  return done ? nullptr : failure(frame, OUT_OF_MEMORY);
}

// x, w_input, w_recurrent, bias, lengths, h, c, d_h, d_h_last, d_c_last [, gates]
// -> d_w_input, d_w_recurrent, d_bias [, d_x]
template <class T, class S>
XLA_FFI_Error* backward(const XLA_FFI_CallFrame* frame) {
  const Sizes size = sizes(frame);
  Backward<T, S> layer = {
      size, in<S>(frame, 0), {}, {}, {}, {}, {},
      in<S>(frame, 5), in<T>(frame, 6), in<S>(frame, 10),
      in<S>(frame, 7), in<S>(frame, 8), in<T>(frame, 9),
      out<S>(frame, 3),
  };
  if (!layer.gates) {
    layer.w_input = packed_gates(in<T>(frame, 1), size.inputs, size);
    layer.w_recurrent = packed_gates(in<T>(frame, 2), size.cells, size);
    layer.bias = packed_gates(in<T>(frame, 3), 1, size);
  }
  if (layer.d_inputs)
    layer.to_inputs = packed_transposed(in<T>(frame, 1), size.inputs, size);
  layer.to_states = packed_transposed(in<T>(frame, 2), size.cells, size);
  const Order order(in<int32_t>(frame, 4), size.rows, size.steps);
  const long count = parts(frame, size), all = layer.width() * layer.stride();
  std::vector<T> sums(count * all);
  const bool done = in_parts(frame, count, [&](long part) {
    layer.run(Order(order, part, count), &sums[part * all]);
  });
  if (!done) return failure(frame, OUT_OF_MEMORY);
  for (long part = 1; part < count; ++part)
    for (long k = 0; k < all; ++k) sums[k] += sums[part * all + k];
  const T* states = &sums[size.inputs * layer.stride()];
  unpack_gates(&sums[0], size.inputs, size, out<T>(frame, 0));
  unpack_gates(states, size.cells, size, out<T>(frame, 1));
  unpack_gates(states + size.cells * layer.stride(), 1, size, out<T>(frame, 2));
  return nullptr;
}

}  // namespace
}  // namespace avjax

extern "C" XLA_FFI_Error* avjax_lstm_forward(XLA_FFI_CallFrame* frame) {
  return avjax::guarded(frame, [&](XLA_FFI_DataType type) {
    if (type == XLA_FFI_DataType_F32) return avjax::forward<float, float>(frame);
    if (type == XLA_FFI_DataType_F64)
      return avjax::forward<double, double>(frame);
    return avjax::forward<float, avjax::bfloat16>(frame);
  });
}

extern "C" XLA_FFI_Error* avjax_lstm_backward(XLA_FFI_CallFrame* frame) {
  return avjax::guarded(frame, [&](XLA_FFI_DataType type) {
    if (type == XLA_FFI_DataType_F32) return avjax::backward<float, float>(frame);
    if (type == XLA_FFI_DataType_F64)
      return avjax::backward<double, double>(frame);
    return avjax::backward<float, avjax::bfloat16>(frame);
  });
}
