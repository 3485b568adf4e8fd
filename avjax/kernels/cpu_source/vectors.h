// Vectors of the machine's width, and the functions that an LSTM needs of them.
#pragma once

#include <cstdint>
#include <cstring>

namespace avjax {

#if defined(__AVX512F__)
constexpr int BYTES = 64;
#elif defined(__AVX__)
constexpr int BYTES = 32;
#else
constexpr int BYTES = 16;
#endif

#define AVJAX_INLINE inline __attribute__((always_inline))

template <class T>
struct Lanes;

template <>
struct Lanes<float> {
  typedef float Vector __attribute__((vector_size(BYTES)));
  typedef uint32_t Whole __attribute__((vector_size(BYTES)));
};

template <>
struct Lanes<double> {
  typedef double Vector __attribute__((vector_size(BYTES)));
  typedef uint64_t Whole __attribute__((vector_size(BYTES)));
};

template <class T>
using Vector = typename Lanes<T>::Vector;

template <class T>
constexpr long LANES = BYTES / sizeof(T);

// A stored bfloat16; nothing is computed in it.
struct bfloat16 {
  uint16_t bits;
};

AVJAX_INLINE float widened(bfloat16 x) {
  uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
AVJAX_INLINE float widened(float x) { return x; }
AVJAX_INLINE double widened(double x) { return x; }

AVJAX_INLINE void narrow(float x, bfloat16* to) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if (x != x) {
    to->bits = static_cast<uint16_t>((bits >> 16) | 0x40);  // stays NaN
  } else {
    to->bits = static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
  }
}
AVJAX_INLINE void narrow(float x, float* to) { *to = x; }
AVJAX_INLINE void narrow(double x, double* to) { *to = x; }

template <class T>
AVJAX_INLINE Vector<T> load(const T* from) {
  Vector<T> v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

template <class T>
AVJAX_INLINE void store(T* to, Vector<T> v) {
  std::memcpy(to, &v, sizeof v);
}

// Reads `count` stored numbers, at most a vector of them; zero beyond.
template <class T, class S>
AVJAX_INLINE Vector<T> read(const S* from, long count) {
  if constexpr (sizeof(S) == sizeof(T)) {
    if (count >= LANES<T>) return load<T>(from);
  }
  T values[LANES<T>] = {};
  const long n = count < LANES<T> ? count : LANES<T>;
  for (long k = 0; k < n; ++k) values[k] = widened(from[k]);
  return load<T>(values);
}

template <class T, class S>
AVJAX_INLINE void write(S* to, Vector<T> v, long count) {
  if constexpr (sizeof(S) == sizeof(T)) {
    if (count >= LANES<T>) return store<T>(to, v);
  }
  T values[LANES<T>];
  store<T>(values, v);
  const long n = count < LANES<T> ? count : LANES<T>;
  for (long k = 0; k < n; ++k) narrow(values[k], to + k);
}

template <class T, class S>
AVJAX_INLINE void copy(const S* from, T* to, long count) {
  for (long k = 0; k < count; ++k) to[k] = widened(from[k]);
}

// What exp2's exponent and the polynomial of exp need, by type.
template <class T>
struct Exp;

template <>
struct Exp<float> {
  static constexpr float SHIFT = 12582912.0f;  // 1.5 * 2^23: rounds when added
  static constexpr float LN2_HIGH = 0.693359375f, LN2_LOW = -2.12194440e-4f;
  static constexpr int BIAS = 127, MANTISSA = 23;
  static constexpr float LIMIT = 80;
  static constexpr int TERMS = 7;  // 1/k!
  static constexpr float TERM[TERMS] = {
      1.0f,        1 / 2.0f,   1 / 6.0f,    1 / 24.0f,
      1 / 120.0f,  1 / 720.0f, 1 / 5040.0f,
  };
};

template <>
struct Exp<double> {
  static constexpr double SHIFT = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr double LN2_HIGH = 6.93145751953125e-1;
  static constexpr double LN2_LOW = 1.42860682030941723212e-6;
  static constexpr int BIAS = 1023, MANTISSA = 52;
  static constexpr double LIMIT = 600;
  static constexpr int TERMS = 13;  // 1/k!
  static constexpr double TERM[TERMS] = {
      1.0,         1 / 2.0,       1 / 6.0,        1 / 24.0,
      1 / 120.0,   1 / 720.0,     1 / 5040.0,     1 / 40320.0,
      1 / 362880.0, 1 / 3628800.0, 1 / 39916800.0, 1 / 479001600.0,
      1 / 6227020800.0,
  };
};

// Returns exp(x) - 1, exact to a few units in the last place near 0 too.
// NaN stays NaN; |x| is limited, so that nothing overflows.
template <class T>
AVJAX_INLINE Vector<T> exp_less_one(Vector<T> x) {
  using E = Exp<T>;
  using Whole = typename Lanes<T>::Whole;
  const Vector<T> limit = Vector<T>{} + E::LIMIT;
  x = x > limit ? limit : x;
  x = x < -limit ? -limit : x;
  const Vector<T> shifted = x * T(1.44269504088896340736) + E::SHIFT;
  const Vector<T> n = shifted - E::SHIFT;
  const Vector<T> r = (x - n * E::LN2_HIGH) - n * E::LN2_LOW;
  Vector<T> p = Vector<T>{} + E::TERM[E::TERMS - 1];
  for (int k = E::TERMS - 2; k >= 0; --k) p = p * r + E::TERM[k];
  // The low bits of `shifted` are n, and those of an exponent are shifted up.
  const Vector<T> power = (Vector<T>)(((Whole)shifted + E::BIAS) << E::MANTISSA);
  return power * (p * r) + (power - 1);
}

template <class T>
AVJAX_INLINE Vector<T> sigmoid(Vector<T> x) {
  return T(1) / (exp_less_one<T>(-x) + 2);
}

template <class T>
AVJAX_INLINE Vector<T> tanh(Vector<T> x) {
  const Vector<T> e = exp_less_one<T>(x + x);
  return e / (e + 2);
}

}  // namespace avjax
