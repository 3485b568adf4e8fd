// The attention of `window.h`, forward and backward, as calls of XLA on a CPU.

#include "calls.h"
#include "window.h"

namespace avjax {
namespace {

// Arguments 0 to 6: audio (B, Ta, C), keys (B, Ta, A), query (B, T, A),
// w_place (W, A), centre (B, T), audio and video lengths (B,).
struct Shapes {
  long rows, audio_frames, video_frames, cells, size, places;

  explicit Shapes(const XLA_FFI_CallFrame* frame)
      : rows(argument(frame, 0).dims[0]),
        audio_frames(argument(frame, 0).dims[1]),
        video_frames(argument(frame, 2).dims[1]),
        cells(argument(frame, 0).dims[2]),
        size(argument(frame, 2).dims[2]),
        places(argument(frame, 3).dims[0]) {}
};

template <class T>
Window<T> clip(
    const XLA_FFI_CallFrame* frame, const Shapes& of, const Padded<T>& w_place,
    long row) {
  return Window<T>(
      of.audio_frames, of.video_frames, of.cells, of.size, of.places,
      in<int32_t>(frame, 5)[row], in<int32_t>(frame, 6)[row],
      in<int32_t>(frame, 4) + row * of.video_frames, w_place,
      in<T>(frame, 0) + row * of.audio_frames * of.cells,
      in<T>(frame, 1) + row * of.audio_frames * of.size,
      in<T>(frame, 2) + row * of.video_frames * of.size);
}

long parts(const XLA_FFI_CallFrame* frame, const Shapes& of) {
  const long rows = of.rows * of.video_frames < 64 ? 1 : of.rows;
  return std::clamp<long>(rows, 1, threads(frame));
}

// -> aligned (B, T, C), weights (B, T, W)
template <class T>
XLA_FFI_Error* forward(const XLA_FFI_CallFrame* frame) {
  const Shapes of(frame);
  const Padded<T> w_place(in<T>(frame, 3), of.places, of.size);
  const long count = parts(frame, of);
  const bool done = in_parts(frame, count, [&](long part) {
    for (long row = part; row < of.rows; row += count)
      clip(frame, of, w_place, row)
          .forward(
              out<T>(frame, 0) + row * of.video_frames * of.cells,
              out<T>(frame, 1) + row * of.video_frames * of.places);
  });
  return done ? nullptr : failure(frame, OUT_OF_MEMORY);
}

// 7 to 9: weights, d_aligned, d_weights -> d_audio, d_keys, d_query, d_place
template <class T>
XLA_FFI_Error* backward(const XLA_FFI_CallFrame* frame) {
  const Shapes of(frame);
  const Padded<T> w_place(in<T>(frame, 3), of.places, of.size);
  const long count = parts(frame, of);
  std::vector<Padded<T>> d_place(
      count, Padded<T>(nullptr, of.places, of.size));
  const bool done = in_parts(frame, count, [&](long part) {
    for (long row = part; row < of.rows; row += count) {
      const long heard = row * of.audio_frames, seen = row * of.video_frames;
      Padded<T> d_audio(nullptr, of.audio_frames, of.cells);
      Padded<T> d_keys(nullptr, of.audio_frames, of.size);
      Padded<T> d_query(nullptr, of.video_frames, of.size);
      clip(frame, of, w_place, row)
          .backward(
              in<T>(frame, 7) + seen * of.places,
              in<T>(frame, 8) + seen * of.cells,
              in<T>(frame, 9) + seen * of.places, d_audio, d_keys, d_query,
              d_place[part]);
      d_audio.write(out<T>(frame, 0) + heard * of.cells, of.audio_frames);
      d_keys.write(out<T>(frame, 1) + heard * of.size, of.audio_frames);
      d_query.write(out<T>(frame, 2) + seen * of.size, of.video_frames);
    }
  });
  if (!done) return failure(frame, OUT_OF_MEMORY);
  for (long part = 1; part < count; ++part)
    for (long k = 0; k < of.places * w_place.stride(); ++k)
      d_place[0].row(0)[k] += d_place[part].row(0)[k];
  d_place[0].write(out<T>(frame, 3), of.places);
  return nullptr;
}

}  // namespace
}  // namespace avjax

extern "C" XLA_FFI_Error* avjax_window_forward(XLA_FFI_CallFrame* frame) {
  return avjax::guarded(frame, [&](XLA_FFI_DataType type) {
    if (type == XLA_FFI_DataType_F32) return avjax::forward<float>(frame);
    return avjax::forward<double>(frame);
  });
}

extern "C" XLA_FFI_Error* avjax_window_backward(XLA_FFI_CallFrame* frame) {
  return avjax::guarded(frame, [&](XLA_FFI_DataType type) {
    if (type == XLA_FFI_DataType_F32) return avjax::backward<float>(frame);
    return avjax::backward<double>(frame);
  });
}
