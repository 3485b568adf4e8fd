"""How much of the labels one stream tells, and both, to a simple classifier."""

import csv
import os
import pathlib

import numpy as np

from avjax.errors import ConfigError, DataError
from avjax.synthesis.scene import Take

_JAW = 17  # points of the mark-up that are left out, as in Section 3.1
_BLOCK, _STEP = 1024, 512  # samples, as in Section 3.3
_BANDS = 24
_QUANTILES = (0.1, 0.5, 0.9)


def _summary(columns: np.ndarray) -> np.ndarray:
  """Returns statistics over time of (frames, width), (5 width,)."""
  middle = np.quantile(columns, _QUANTILES, axis=0)
  return np.concatenate([columns.mean(0), columns.std(0), *middle])


def _face(landmarks: np.ndarray) -> np.ndarray:
  """Returns what a face tells; its place and size in the clip do not count."""
  points = landmarks[:, _JAW:].astype(float)
  points = points - points.mean(axis=1, keepdims=True)
  points = points / np.sqrt((points**2).sum(axis=(1, 2)).mean())
  return _summary(points.reshape(len(points), -1))


def _voice(waveform: np.ndarray) -> np.ndarray:
  """Returns what a voice tells: bands on a mel scale, and the pitch."""
  count = (len(waveform) - _BLOCK) // _STEP + 1
  place = _STEP * np.arange(count)[:, None] + np.arange(_BLOCK)
  power = np.abs(np.fft.rfft(waveform[place] * np.hanning(_BLOCK))) ** 2
  mel = 2595 * np.log10(1 + np.fft.rfftfreq(_BLOCK, 1 / 16000) / 700)
  edges = np.linspace(0, mel[-1], _BANDS + 1)
  band = np.digitize(mel, edges[1:-1])
  bands = np.stack([power[:, band == i].sum(1) for i in range(_BANDS)], axis=1)
  level = np.log(power.sum(axis=1, keepdims=True) + 1e-6)
  loud = np.log(bands + 1e-6) - level
  # The autocorrelation's greatest value between 70 and 400 Hz.
  echo = np.fft.irfft(power)[:, 40:229]
  pitch = np.log2(16000 / (40 + echo.argmax(axis=1)))[:, None]
  voiced = (echo.max(axis=1) / power.sum(axis=1) * _BLOCK)[:, None]
  return _summary(np.concatenate([level, loud, pitch, voiced], axis=1))


def sound(path: pathlib.Path) -> np.ndarray:
  """Returns the waveform of one of our own clips, mono at 16 kHz."""
  import av

  with av.open(os.fspath(path)) as file:
    blocks = [frame.to_ndarray()[0] for frame in file.decode(audio=0)]
  return np.concatenate(blocks).astype(float)


def check(takes: list[Take]) -> None:
  """Returns nothing; raises an error unless the takes can be measured.

  Raises:
    ConfigError: scikit-learn is missing.
    DataError: they are too few, so that there is nothing to learn or nobody to
      ask.
  """
  try:
    import sklearn  # noqa: F401
  except ImportError as error:
    raise ConfigError(
      "needs the package scikit-learn; pip install 'avjax[features]', or say"
      ' --nomeasure'
    ) from error
  known = {take.label for take in takes if take.split == 'training'}
  asked = {take.label for take in takes if take.split != 'training'}
  if len(known) < 2 or not asked:
    raise DataError(
      f'{len(takes)} clips are too few for a training and a test; make more'
      ' clips of two speakers or more, or say --nomeasure'
    )


def measure(folder: str | os.PathLike) -> dict[str, float]:
  """Returns accuracies of logistic regression on unseen speakers.

  It reads statistics over a clip, of the true landmarks ('face'), of the
  decoded sound ('voice') and of both ('both'), and learns from the speakers of
  the training split; 'clips' is how many clips of all other speakers it is
  then asked, 'chance' the greatest share of one emotion among them.

  Args:
    folder: a corpus that `corpus.make` made of takes that pass `check`.
  """
  from sklearn import linear_model, pipeline, preprocessing

  folder = pathlib.Path(folder)
  with open(folder / 'clips.csv', encoding='utf-8', newline='') as file:
    rows = list(csv.DictReader(file))
  label = np.array([row['label'] for row in rows])
  known = np.array([row['split'] == 'training' for row in rows])
  paths = [folder / row['clip'] for row in rows]
  seen = [np.load(folder / 'truth' / f'{path.stem}.npy') for path in paths]
  told = {
    'face': np.stack([_face(landmarks) for landmarks in seen]),
    'voice': np.stack([_voice(sound(path)) for path in paths]),
  }
  told['both'] = np.concatenate([told['face'], told['voice']], axis=1)
  result = {}
  for name, value in told.items():
    model = pipeline.make_pipeline(
      preprocessing.StandardScaler(),
      linear_model.LogisticRegression(C=0.01, max_iter=2000),
    )
    model.fit(value[known], label[known])
    result[name] = float(model.score(value[~known], label[~known]))
  counts = np.unique(label[~known], return_counts=True)[1]
  result['clips'] = int(counts.sum())
  result['chance'] = float(counts.max() / counts.sum())
  return result
