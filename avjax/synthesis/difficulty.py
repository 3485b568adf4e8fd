"""Accuracy of a simple classifier from the face, the voice, and both."""

import json
import os
import pathlib

import numpy as np

from avjax.errors import ConfigError, DataError
from avjax.synthesis.scene import Take

_JAW = 17  # landmarks of the jaw, which are left out, as in Section 3.1
_BLOCK, _STEP = 1024, 512  # samples, as in Section 3.3
_BANDS = 24
_QUANTILES = (0.1, 0.5, 0.9)


def _summary(columns: np.ndarray) -> np.ndarray:
  """Returns mean, std and quantiles over time, (5 width,)."""
  quantiles = np.quantile(columns, _QUANTILES, axis=0)
  return np.concatenate([columns.mean(0), columns.std(0), *quantiles])


def _face(landmarks: np.ndarray) -> np.ndarray:
  """Returns features of the face, independent of its position and size."""
  points = landmarks[:, _JAW:].astype(float)
  points = points - points.mean(axis=1, keepdims=True)
  points = points / np.sqrt((points**2).sum(axis=(1, 2)).mean())
  return _summary(points.reshape(len(points), -1))


def _voice(waveform: np.ndarray) -> np.ndarray:
  """Returns features of the voice: level, mel bands, pitch and voicing."""
  count = (len(waveform) - _BLOCK) // _STEP + 1
  sample = _STEP * np.arange(count)[:, None] + np.arange(_BLOCK)
  power = np.abs(np.fft.rfft(waveform[sample] * np.hanning(_BLOCK))) ** 2
  mel = 2595 * np.log10(1 + np.fft.rfftfreq(_BLOCK, 1 / 16000) / 700)
  edges = np.linspace(0, mel[-1], _BANDS + 1)
  band = np.digitize(mel, edges[1:-1])
  bands = np.stack([power[:, band == i].sum(1) for i in range(_BANDS)], axis=1)
  level = np.log(power.sum(axis=1, keepdims=True) + 1e-6)
  relative = np.log(bands + 1e-6) - level
  # The maximum of the autocorrelation between 70 and 400 Hz.
  correlation = np.fft.irfft(power)[:, 40:229]
  pitch = np.log2(16000 / (40 + correlation.argmax(axis=1)))[:, None]
  voiced = (correlation.max(axis=1) / power.sum(axis=1) * _BLOCK)[:, None]
  return _summary(np.concatenate([level, relative, pitch, voiced], axis=1))


def read_waveform(path: pathlib.Path) -> np.ndarray:
  """Returns the waveform (n,) of a synthetic clip, mono at 16 kHz."""
  import av

  with av.open(os.fspath(path)) as file:
    blocks = [frame.to_ndarray()[0] for frame in file.decode(audio=0)]
  wave = np.concatenate(blocks)
  return wave.astype(float) / (32768 if wave.dtype == np.int16 else 1)


def check(takes: list[Take]) -> None:
  """Checks that `measure` can run on clips of these takes.

  Raises:
    ConfigError: scikit-learn is missing.
    DataError: there are fewer than two emotions to train on, or no test clip.
  """
  try:
    import sklearn  # noqa: F401
  except ImportError as error:
    raise ConfigError(
      '--measure needs the package scikit-learn; pip install'
      " 'avjax[features]', or add --nomeasure"
    ) from error
  training = {take.label for take in takes if take.split == 'training'}
  test = {take.label for take in takes if take.split != 'training'}
  if len(training) < 2 or not test:
    raise DataError(
      f'{len(takes)} clips are too few to train and test a classifier; make'
      ' more clips of at least two speakers, or add --nomeasure'
    )


def measure(folder: str | os.PathLike) -> dict[str, float]:
  """Returns accuracies of logistic regression on unseen speakers.

  The features are statistics over a clip. The model is trained on the speakers
  of the training split and tested on all other speakers.

  Args:
    folder: a corpus from `raw_clips.make`, of takes that pass `check`.

  Returns:
    'face', 'voice', 'both': accuracy from the true landmarks, the decoded
    audio, and both; 'clips': number of test clips; 'chance': the greatest share
    of one emotion among them.
  """
  from sklearn import linear_model, pipeline, preprocessing

  folder = pathlib.Path(folder)
  lines = (folder / 'truth.jsonl').read_text(encoding='utf-8').splitlines()
  rows = [json.loads(line) for line in lines]
  label = np.array([row['emotion'] for row in rows])
  training = np.array([row['split'] == 'training' for row in rows])
  paths = [folder / row['clip'] for row in rows]
  landmarks = [np.load(folder / row['landmarks']) for row in rows]
  features = {
    'face': np.stack([_face(points) for points in landmarks]),
    'voice': np.stack([_voice(read_waveform(path)) for path in paths]),
  }
  features['both'] = np.concatenate(
    [features['face'], features['voice']], axis=1
  )
  result = {}
  for name, value in features.items():
    model = pipeline.make_pipeline(
      preprocessing.StandardScaler(),
      linear_model.LogisticRegression(C=0.01, max_iter=2000),
    )
    model.fit(value[training], label[training])
    result[name] = float(model.score(value[~training], label[~training]))
  counts = np.unique(label[~training], return_counts=True)[1]
  result['clips'] = int(counts.sum())
  result['chance'] = float(counts.max() / counts.sum())
  return result
