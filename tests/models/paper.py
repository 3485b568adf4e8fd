"""Section 2 of the paper written again: float64 loops in its own letters.

One clip at a time, with its true lengths and no padding, so that nothing here
knows of batches, masks or kernels.
"""

import math

import numpy as np


def sigmoid(z):
  return 1 / (1 + np.exp(-z))


def softmax(s):
  e = np.exp(s - np.max(s))
  return e / e.sum()


def lstm(x, W, R, b):
  """Eqs. 1-3: h of every step; gates i, f, o, g."""
  d = R.shape[0]
  h, c, states = np.zeros(d), np.zeros(d), []
  for x_t in x:
    z = [x_t @ W[:, k] + h @ R[:, k] + b[k] for k in range(4)]
    i, f, o, g = sigmoid(z[0]), sigmoid(z[1]), sigmoid(z[2]), np.tanh(z[3])
    c = f * c + i * g
    h = o * np.tanh(c)
    states.append(h)
  return np.array(states)


def align(h_a, v, W_a, W_v, W, ratio=0):
  """Eqs. 4-6: x_t, and l_t with 0 where a place does not exist."""
  T, Ta, places = len(v), len(h_a), len(W)
  w = places // 2
  x, l = np.zeros((T, h_a.shape[1])), np.zeros((T, places))
  for t in range(T):
    p_t = ((2 * t + 1) * Ta) // (2 * T)
    if ratio:
      p_t = math.floor((t + 0.5) * ratio + 1e-9)
    exist = [i for i in range(places) if 0 <= p_t - w + i < Ta]
    s = [
      W[i] @ np.tanh(h_a[p_t - w + i] @ W_a + v[t] @ W_v) for i in exist
    ]  # Eq. 5
    for i, share in zip(exist, softmax(np.array(s)), strict=True):  # Eq. 4
      l[t, i] = share
      x[t] += share * h_a[p_t - w + i]  # Eq. 6
  return x, l


def attend(h_sel, W_h, e):
  """Eqs. 9-10: f^n over the frames, one row an emotion."""
  return np.array(
    [softmax(np.array([(h @ W_h) @ e_n for h in h_sel])) for e_n in e]
  )


def classify(h_av, f, W, b):
  """Eq. 11: s^n."""
  logits = []
  for n in range(len(W)):
    pooled = sum(f[n, t] * h_av[t] for t in range(len(h_av)))
    logits.append(W[n] @ pooled + b[n])
  return np.array(logits)


def hidden(x, p):
  return np.maximum(x @ p['kernel'] + p['bias'], 0)


def encoder(p, streams, settings):
  """Section 4.1: the states of a clip and its alignment weights."""
  visual = [
    hidden(streams[name], p[f'{name}_hidden'])
    for name in settings.streams
    if name != 'audio'
  ]
  v = visual[0]
  if len(visual) > 1:
    v = hidden(np.concatenate(visual, 1), p['visual_hidden'])
  l = None
  if 'audio' in settings.streams:
    h_a = hidden(streams['audio'], p['audio_hidden'])
    if settings.alignment.reads == 'states':
      q = p['audio_lstm']
      h_a = lstm(h_a, q['w_input'], q['w_recurrent'], q['bias'])
    if settings.alignment.mode == 'centre':
      w = settings.alignment.half_window
      places = [((2 * t + 1) * len(h_a)) // (2 * len(v)) for t in range(len(v))]
      x = h_a[places]
      l = np.zeros((len(v), 2 * w))
      l[:, w] = 1
    else:
      q = p['alignment']
      r = settings.alignment.ratio
      x, l = align(h_a, v, q['w_audio'], q['w_visual'], q['w_place'], r)
    v = np.concatenate([x, v], 1)
  q = p['lstm']
  return lstm(v, q['w_input'], q['w_recurrent'], q['bias']), l


def network(p, streams, settings):
  """The logits of one clip, its alignment and its perception attention."""
  h_av, l = encoder(p['encoder'], streams, settings)
  if settings.variant == 'proposed':
    h_sel = h_av
    if not settings.shared_encoder:
      h_sel, _ = encoder(p['selector'], streams, settings)
    f = attend(h_sel, p['w_state'], p['embeddings'])
    return classify(h_av, f, p['w_class'], p['b_class']), l, f
  pooled = h_av[-1] if settings.variant == 'last_time' else h_av.mean(0)
  return pooled @ p['w_class'] + p['b_class'], l, None
