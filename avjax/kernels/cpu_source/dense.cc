// The layer of `dense.h`, forward and backward, as calls of XLA on a CPU.

#include "calls.h"
#include "dense.h"

namespace avjax {
namespace {

// Arguments 0 to 2: x (B, T, D), lengths (B,), and W (D, V) or d_y (B, T, V).
template <class T>
Dense<T> layer(const XLA_FFI_CallFrame* frame) {
  const int64_t* x = argument(frame, 0).dims;
  const XLA_FFI_Buffer& last = argument(frame, 2);
  return {x[1], x[2], last.dims[last.rank - 1], in<T>(frame, 0)};
}

Order order(const XLA_FFI_CallFrame* frame) {
  const int64_t* x = argument(frame, 0).dims;
  return Order(in<int32_t>(frame, 1), x[0], x[1]);
}

long parts(const XLA_FFI_CallFrame* frame) {
  const int64_t* x = argument(frame, 0).dims;
  const long rows = x[0] * x[1] < 64 ? 1 : x[0];
  return std::clamp<long>(rows, 1, threads(frame));
}

// and 3: b (V,) -> y (B, T, V)
template <class T>
XLA_FFI_Error* forward(const XLA_FFI_CallFrame* frame) {
  const Dense<T> of = layer<T>(frame);
  const std::vector<T> packed =
      packed_columns(in<T>(frame, 2), of.inputs, of.outputs);
  const Order all = order(frame);
  const long count = parts(frame);
  const bool done = in_parts(frame, count, [&](long part) {
    of.forward(
        Order(all, part, count), packed, in<T>(frame, 3), out<T>(frame, 0));
  });
  return done ? nullptr : failure(frame, OUT_OF_MEMORY);
}

// -> d_W (D, V), d_b (V,)
template <class T>
XLA_FFI_Error* backward(const XLA_FFI_CallFrame* frame) {
  const Dense<T> of = layer<T>(frame);
  const Order all = order(frame);
  const long count = parts(frame), size = (of.inputs + 1) * of.padded();
  std::vector<T> sums(count * size);
  const bool done = in_parts(frame, count, [&](long part) {
    of.backward(Order(all, part, count), in<T>(frame, 2), &sums[part * size]);
  });
  if (!done) return failure(frame, OUT_OF_MEMORY);
  for (long part = 1; part < count; ++part)
    for (long k = 0; k < size; ++k) sums[k] += sums[part * size + k];
  for (long k = 0; k < of.inputs; ++k)
    std::copy_n(
        &sums[k * of.padded()], of.outputs, out<T>(frame, 0) + k * of.outputs);
  std::copy_n(
      &sums[of.inputs * of.padded()], of.outputs, out<T>(frame, 1));
  return nullptr;
}

}  // namespace
}  // namespace avjax

extern "C" XLA_FFI_Error* avjax_dense_forward(XLA_FFI_CallFrame* frame) {
  return avjax::guarded(frame, [&](XLA_FFI_DataType type) {
    if (type == XLA_FFI_DataType_F32) return avjax::forward<float>(frame);
    return avjax::forward<double>(frame);
  });
}

extern "C" XLA_FFI_Error* avjax_dense_backward(XLA_FFI_CallFrame* frame) {
  return avjax::guarded(frame, [&](XLA_FFI_DataType type) {
    if (type == XLA_FFI_DataType_F32) return avjax::backward<float>(frame);
    return avjax::backward<double>(frame);
  });
}
