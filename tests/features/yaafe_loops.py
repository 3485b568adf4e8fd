"""The audio features as loops over frames and bins.

Written from the definitions, with complex transforms of whole frames, normal
equations solved by elimination and roots of whole polynomials. The module
shares neither code nor tables with the package. LPC and LSF of silence are NaN.
"""

import itertools
import math

import numpy as np

EPS = 2.0**-52
RATE = 16000


def frames(x, B, S):
  """Returns the frames: frame t has x[t S - B / 2 + n], and zero outside x."""
  found = []
  for t in range(math.ceil(len(x) / S)):
    indices = [t * S - B // 2 + n for n in range(B)]
    found.append([x[i] if 0 <= i < len(x) else 0.0 for i in indices])
  return np.array(found)


def shape(v):
  a = np.abs(v)
  s = a.sum() or EPS
  n = np.arange(len(v), dtype=float)
  m1, m2, m3, m4 = ((n**i * a).sum() / s for i in (1, 2, 3, 4))
  sd = math.sqrt(max(m2 - m1**2, 0)) or EPS
  return [
    m1,
    sd,
    (2 * m1**3 - 3 * m1 * m2 + m3) / sd**3,
    (-3 * m1**4 + 6 * m1 * m2 - 4 * m1 * m3 + m4) / sd**4 - 3,
  ]


def transform(frame):
  """Returns X[k] of a frame under a periodic Hann window."""
  w = [0.5 * (1 - math.cos(2 * math.pi * n / 1024)) for n in range(1024)]
  return np.fft.fft(np.array(w) * frame)[:513]


def mel(M):
  def to_mel(f):
    return 1127 * math.log(1 + f / 700)

  low, high = to_mel(130), to_mel(6854)
  f = [
    700 * (math.exp((low + (high - low) * i / 41) / 1127) - 1)
    for i in range(42)
  ]
  found = []
  for b in range(1, 41):
    total = 0.0
    for k in range(513):
      g = 15.625 * k
      if f[b - 1] < g <= f[b]:
        total += M[k] * (g - f[b - 1]) / (f[b] - f[b - 1])
      elif f[b] < g < f[b + 1]:
        total += M[k] * (f[b + 1] - g) / (f[b + 1] - f[b])
    found.append(total * 2 / (f[b + 1] - f[b - 1]))
  return found


def mfcc(M):
  L = [math.log10(value) for value in mel(M)]
  return [
    math.sqrt(2 / 40)
    * sum(L[j] * math.cos(math.pi * i * (j + 0.5) / 40) for j in range(40))
    for i in range(1, 14)
  ]


def obsi(P):
  p = [0, *(27.5 * 2 ** (i - 1) * 1024 / RATE for i in range(1, 10)), 512]
  least = math.sqrt(1e-6 * max(P))
  found = []
  for i in range(1, 10):
    total = 0.0
    for k in range(math.ceil(p[i - 1]), math.floor(p[i]) + 1):
      total += P[k] * 2 * (k - p[i - 1]) / (p[i] - p[i - 1])
    for k in range(math.ceil(p[i]), math.floor(p[i + 1]) + 1):
      total += P[k] * 2 * (1 - (k - p[i]) / (p[i + 1] - p[i]))
    found.append(math.log(max(total, least)))
  return found


def loudness(P):
  def z(k):
    f = 15.625 * k
    return 13 * math.atan(f / 1315.8) + 3.5 * math.atan((f / 7518) ** 2)

  e = [0]
  for b in range(1, 24):
    e.append(next(k for k in range(513) if z(k) > b * z(512) / 24))
  e.append(512)
  N = [sum(P[e[b] : e[b + 1]]) ** 0.23 for b in range(24)]
  return [value / sum(N) for value in N]


def sharpness(N):
  total = 0.0
  for z in range(1, 25):
    c = 0.11 * z if z <= 14 else 0.11 * z * 0.066 * math.exp(0.171 * z)
    total += c * N[z - 1]
  return total


BANDS = (
  (15, 21, 1), (18, 25, 1), (21, 29, 1), (26, 35, 1), (30, 41, 1),
  (36, 49, 1), (43, 58, 1), (51, 68, 1), (61, 81, 2), (72, 96, 2),
  (86, 114, 2), (102, 136, 2), (122, 162, 4), (145, 193, 4), (172, 228, 4),
  (205, 269, 4), (243, 323, 8), (289, 385, 8), (344, 456, 8),
)  # fmt: skip


def groups(P):
  for start, end, g in BANDS:
    yield [sum(P[k : k + g]) for k in range(start, end, g)]


def crest(P):
  return [max(d) / (sum(d) / len(d) or EPS) for d in groups(P)]


def band_flatness(P):
  found = []
  for d in groups(P):
    d = [value + EPS for value in d]
    logarithm = sum(math.log(value) for value in d) / len(d)
    found.append(math.exp(logarithm) / (sum(d) / len(d)))
  return found


def rolloff(P):
  E = rest = sum(P)
  k = 513
  while rest > 0.99 * E:
    k -= 1
    rest -= P[k]
  return 15.625 * k


def slope(M):
  f = 15.625 * np.arange(513)
  top = 513 * (f * M).sum() - f.sum() * M.sum()
  return top / (M.sum() * (513 * (f**2).sum() - f.sum() ** 2))


def onset(X, X1, X2):
  def u(z):
    return z / abs(z) if z else 1

  return sum(
    abs(X[k] - X1[k] * u(X1[k]) * np.conj(u(X2[k]))) for k in range(513)
  )


def flux(M, M1):
  norms = math.sqrt((M**2).sum()) * math.sqrt((M1**2).sum())
  return ((M - M1) ** 2).sum() / norms if norms else 0.0


def variation(M, M1):
  norms = math.sqrt((M**2).sum()) * math.sqrt((M1**2).sum())
  return 1 - (M * M1).sum() / norms if norms else 0.0


def predictor(r, order):
  """Returns a_1, ... from the equations sum_j a_j r[|i - j|] = -r[i]."""
  if r[0] == 0:
    return np.full(order, np.nan)
  R = [[r[abs(i - j)] for j in range(order)] for i in range(order)]
  return np.linalg.solve(np.array(R), -np.array(r[1 : order + 1]))


def lsf(r):
  a = predictor(r, 10)
  if np.isnan(a).any():
    return np.full(10, np.nan)
  A = np.array([1, *a, 0])
  P = np.polydiv(A + A[::-1], [1, 1])[0]
  Q = np.polydiv(A - A[::-1], [1, -1])[0]
  angles = np.angle(np.concatenate([np.roots(P), np.roots(Q)]))
  return np.sort(angles[angles > 0])


def crossings(frame):
  kept = [v for n, v in enumerate(frame) if n == 0 or v != 0]
  return sum(a * b < 0 for a, b in itertools.pairwise(kept)) / 1024


def envelope(frame):
  X = np.fft.fft(frame)
  X[1:16384] *= 2
  X[16385:] = 0
  h = np.concatenate([np.abs(np.fft.ifft(X)), np.zeros(32)])
  g = [0.5 * (1 - math.cos(2 * math.pi * (801 + n) / 1601)) for n in range(800)]
  total = sum(g)
  found = []
  for i in range(164):
    value = 0.0
    for n in range(800):
      index = 200 * (i + 1) - 800 + n
      value += g[n] / total * h[index] if index >= 0 else 0
    found.append(value)
  return np.array(found)


def modulation(env):
  w = [0.5 * (1 - math.cos(2 * math.pi * (i + 1) / 165)) for i in range(164)]
  E = np.abs(np.fft.fft(w * env, 32768))[:16384]
  found = []
  for s, e in ((1638, 3277), (4095, 16384)):
    k = s + int(np.argmax(E[s:e]))
    u = max(0, E[k] - E.mean())
    v = max(0, E[k] - E[s:e].mean())
    found += [k / 409.6, u, v, k / 409.6 * u]
  return found


def short_features(x):
  """Returns name -> one row per frame, for the features of short frames."""
  rows = []
  X1 = X2 = np.zeros(513, complex)
  M1 = np.zeros(513)
  k = np.arange(1, 513)
  for frame in frames(x, 1024, 512):
    X = transform(frame)
    M = np.where(np.abs(X) == 0, EPS, np.abs(X))
    P = M**2
    r = [(frame[: 1024 - i] * frame[i:]).sum() for i in range(49)]
    N = loudness(P)
    octaves = obsi(P)
    rows.append(
      {
        'AutoCorrelation': r,
        'ComplexDomainOnsetDetection': onset(X, X1, X2),
        'Energy': math.sqrt((frame**2).sum() / 1024),
        'Frames': frame,
        'LPC': predictor(r, 2),
        'LSF': lsf(r),
        'Loudness': N,
        'MFCC': mfcc(M),
        'MagnitudeSpectrum': M,
        'OBSI': octaves,
        'OBSIR': [octaves[i + 1] - octaves[i] for i in range(8)],
        'PerceptualSharpness': sharpness(N),
        'PerceptualSpread': (1 - max(N)) ** 2,
        'SpectralCrestFactorPerBand': crest(P),
        'SpectralDecrease': ((M[1:] - M[0]) / k).sum() / M[1:].sum(),
        'SpectralFlatness': math.exp(np.log(M).mean()) / M.mean(),
        'SpectralFlatnessPerBand': band_flatness(P),
        'SpectralFlux': flux(M, M1),
        'SpectralRolloff': rolloff(P),
        'SpectralShapeStatistics': shape(M),
        'SpectralSlope': slope(M),
        'SpectralVariation': variation(M, M1),
        'TemporalShapeStatistics': shape(frame),
        'ZCR': crossings(frame),
        'MelSpectrum': mel(M),
      }
    )
    X1, X2, M1 = X, X1, M
  return {
    name: np.array([np.atleast_1d(row[name]) for row in rows])
    for name in rows[0]
  }


def features(x):
  """Returns name -> one row per frame, for all features."""
  envelopes = [envelope(frame) for frame in frames(x, 32768, 16384)]
  return short_features(x) | {
    'AmplitudeModulation': np.array([modulation(e) for e in envelopes]),
    'Envelope': np.array(envelopes),
    'EnvelopeShapeStatistics': np.array([shape(e) for e in envelopes]),
  }
