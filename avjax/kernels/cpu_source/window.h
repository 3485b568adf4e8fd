// Attention of every video frame to the audio around its moment (Eqs. 4-6),
// clip by clip: nothing of the size of frames times places times columns.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "vectors.h"

namespace avjax {

// Returns the sum of a vector's numbers.
template <class T>
AVJAX_INLINE T sum_of(Vector<T> v) {
  T values[LANES<T>];
  store<T>(values, v);
  for (long half = LANES<T> / 2; half; half /= 2)
    for (long k = 0; k < half; ++k) values[k] += values[k + half];
  return values[0];
}

// Rows of `width` numbers, each filled up with zeros to whole vectors.
template <class T>
class Padded {
 public:
  Padded(const T* from, long rows, long width)
      : width_(width), stride_((width + LANES<T> - 1) / LANES<T> * LANES<T>),
        numbers_(rows * stride_) {
    if (!from) return;
    for (long r = 0; r < rows; ++r)
      std::copy_n(from + r * width, width, &numbers_[r * stride_]);
  }

  long stride() const { return stride_; }
  T* row(long r) { return numbers_.data() + r * stride_; }
  const T* row(long r) const { return numbers_.data() + r * stride_; }

  void write(T* to, long rows) const {
    for (long r = 0; r < rows; ++r)
      std::copy_n(row(r), width_, to + r * width_);
  }

 private:
  long width_, stride_;
  std::vector<T> numbers_;
};

// One clip. Places that exist are first <= i < last of a frame's window.
template <class T>
struct Window {
  long audio_frames, video_frames, cells, size, places;
  long audio_length, video_length;
  const int32_t* centre;  // (T,)
  const Padded<T>& w_place;
  Padded<T> audio, keys, query;

  Window(
      long audio_frames, long video_frames, long cells, long size, long places,
      long audio_length, long video_length, const int32_t* centre,
      const Padded<T>& w_place, const T* audio, const T* keys, const T* query)
      : audio_frames(audio_frames), video_frames(video_frames), cells(cells),
        size(size), places(places),
        audio_length(std::clamp(audio_length, 0L, audio_frames)),
        video_length(std::clamp(video_length, 0L, video_frames)),
        centre(centre), w_place(w_place),
        audio(audio, this->audio_length, cells),
        keys(keys, this->audio_length, size),
        query(query, this->video_length, size) {}

  long begin(long t) const { return centre[t] - places / 2; }
  long first(long t) const { return std::clamp(-begin(t), 0L, places); }
  long last(long t) const {
    return std::clamp(audio_length - begin(t), 0L, places);
  }

  // Writes x_t (T, C) and l_t (T, W), both zero where no place exists.
  void forward(T* aligned, T* weights) const {
    std::fill_n(weights, video_frames * places, T(0));
    Padded<T> sum(nullptr, 1, cells);
    for (long t = 0; t < video_frames; ++t) {
      std::fill_n(sum.row(0), sum.stride(), T(0));
      if (t < video_length && first(t) < last(t)) {
        T* weight = weights + t * places;
        weigh(t, weight);
        for (long c = 0; c < sum.stride(); c += LANES<T>) {
          Vector<T> x = {};
          for (long i = first(t); i < last(t); ++i)
            x += weight[i] * load<T>(audio.row(begin(t) + i) + c);
          store<T>(sum.row(0) + c, x);
        }
      }
      sum.write(aligned + t * cells, 1);
    }
  }

  // Adds to the gradients, of which `d_place` is for every clip.
  void backward(
      const T* weights, const T* d_aligned, const T* d_weights,
      Padded<T>& d_audio, Padded<T>& d_keys, Padded<T>& d_query,
      Padded<T>& d_place) const {
    std::vector<T> d_score(places);
    for (long t = 0; t < video_length; ++t) {
      const T* weight = weights + t * places;
      Padded<T> d_x(d_aligned + t * cells, 1, cells);
      T mean = 0;
      for (long i = first(t); i < last(t); ++i) {
        Vector<T> product = {};
        T* to = d_audio.row(begin(t) + i);
        const T* from = audio.row(begin(t) + i);
        for (long c = 0; c < d_x.stride(); c += LANES<T>) {
          const Vector<T> d = load<T>(d_x.row(0) + c);
          product += d * load<T>(from + c);
          store<T>(to + c, load<T>(to + c) + weight[i] * d);
        }
        d_score[i] = sum_of<T>(product) + d_weights[t * places + i];
        mean += weight[i] * d_score[i];
      }
      for (long i = first(t); i < last(t); ++i)
        hidden(t, i, weight[i] * (d_score[i] - mean), d_keys, d_query, d_place);
    }
  }

 private:
  // Eqs. 4 and 5.
  void weigh(long t, T* weight) const {
    T most = -INFINITY, total = 0;
    for (long i = first(t); i < last(t); ++i) {
      Vector<T> score = {};
      for (long a = 0; a < query.stride(); a += LANES<T>)
        score += activated(t, i, a) * load<T>(w_place.row(i) + a);
      weight[i] = sum_of<T>(score);
      most = std::max(most, weight[i]);
    }
    for (long i = first(t); i < last(t); ++i)
      total += weight[i] = std::exp(weight[i] - most);
    for (long i = first(t); i < last(t); ++i) weight[i] /= total;
  }

  AVJAX_INLINE Vector<T> activated(long t, long i, long a) const {
    return tanh<T>(
        load<T>(keys.row(begin(t) + i) + a) + load<T>(query.row(t) + a));
  }

  void hidden(
      long t, long i, T d_score, Padded<T>& d_keys, Padded<T>& d_query,
      Padded<T>& d_place) const {
    T *key = d_keys.row(begin(t) + i), *frame = d_query.row(t);
    T* place = d_place.row(i);
    for (long a = 0; a < query.stride(); a += LANES<T>) {
      const Vector<T> h = activated(t, i, a);
      const Vector<T> d =
          d_score * load<T>(w_place.row(i) + a) * (1 - h * h);
      store<T>(key + a, load<T>(key + a) + d);
      store<T>(frame + a, load<T>(frame + a) + d);
      store<T>(place + a, load<T>(place + a) + d_score * h);
    }
  }
};

}  // namespace avjax
