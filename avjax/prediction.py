"""Predictions of a finished run for raw clips.

The features of a clip are extracted with the extractor of the run's training
store. Further predictions are made without the audio and without the visual
streams: these are set to zero, the average over the training frames.
"""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from avjax.clips import AUDIO, Clip, Note, RawClip
from avjax.data import splits
from avjax.errors import AvjaxError, DataError
from avjax.features import extractor as extractors
from avjax.features import measuring
from avjax.features.columns import Columns
from avjax.reporting.timeline import Timeline
from avjax.runs import evaluation
from avjax.training.outcome import Outcome

ABLATED = {'audio off': (AUDIO,), 'vision off': ()}
"""Name of an ablation -> the streams it sets to zero; (): all visual ones."""


@dataclasses.dataclass(frozen=True)
class Predicted:
  """The prediction of a run for one clip.

  Attributes:
    path: of the clip.
    probabilities: emotion -> probability.
    ablated: 'audio off' and 'vision off' -> probabilities; empty for a model
      without an audio stream.
    notes: warnings about the clip and its features.
    timeline: the data of its picture.
  """

  path: str
  probabilities: dict[str, float]
  ablated: dict[str, dict[str, float]]
  notes: tuple[Note, ...]
  timeline: Timeline

  @property
  def emotion(self) -> str:
    """The most probable emotion."""
    return max(self.probabilities, key=lambda k: self.probabilities[k])

  def as_json(self) -> dict[str, Any]:
    """Returns the prediction as bin/predict --json prints it."""
    return {
      'clip': self.path,
      'predicted': self.emotion,
      'probabilities': self.probabilities,
      'ablated': self.ablated,
      'notes': [note.text for note in self.notes],
    }

  def __str__(self) -> str:
    lines = [f'{self.path}: {self.emotion}']
    for name, share in self.probabilities.items():
      lines.append(f'  {name:<10} {100 * share:5.1f} %')
    for name, shares in self.ablated.items():
      best = max(shares, key=lambda k: shares[k])
      lines.append(f'  {name}: {best} {100 * shares[best]:.1f} %')
    lines += [f'  note: {note.text}' for note in self.notes]
    return '\n'.join(lines)


def predict(
  paths: Sequence[str],
  workdir: str | pathlib.Path,
  extractor: str = '',
  transfer: bool = False,
) -> tuple[list[Predicted], dict[str, str]]:
  """Returns the predictions for clips, and the reasons for failed clips.

  Args:
    paths: of the clips.
    workdir: folder of a finished run that was trained on a store of
      bin/extract.
    extractor: folder of the extractor; '' for that of the run's store.
    transfer: whether another extractor than the run's is allowed.

  Returns:
    A prediction for each usable clip, and path -> reason for the others.

  Raises:
    AvjaxError: the run or its extractor cannot be used.
  """
  run = evaluation.open_run(workdir)
  fitted = _extractor(run, extractor, transfer)
  failed: dict[str, str] = {}
  raws: dict[str, RawClip] = {}
  measured: dict[str, Columns] = {}
  with measuring.measure(fitted.settings) as measure:
    for path in dict.fromkeys(paths):
      try:
        raws[path] = measure.decode(path, pathlib.Path(path).name)
        measured[path] = measure(raws[path], pathlib.Path(path).parent)
      except (DataError, OSError) as error:
        failed[path] = ' '.join(str(error).split())
  if not measured:
    return [], failed
  clips = _variants(run, fitted, measured)
  outcome, _ = run.predict(clips)
  each = len(clips) // len(measured)
  predicted = [
    _predicted(
      path,
      raws[path],
      columns,
      outcome,
      range(k * each, (k + 1) * each),
      _features_notes(run, fitted),
    )
    for k, (path, columns) in enumerate(measured.items())
  ]
  return predicted, failed


def _extractor(
  run: evaluation.TrainedRun, folder: str, transfer: bool
) -> extractors.Extractor:
  """Returns the extractor of the run, or of `folder` if that is given."""
  store = pathlib.Path(run.config.data.store).expanduser()
  try:
    fitted = extractors.load(folder or store / extractors.FOLDER)
  except DataError as error:
    if folder:
      raise
    raise DataError(
      f'{run.folder} was trained on {store}, which has no extractor'
      f' ({error}); train on a store of bin/extract, or give --extractor'
    ) from error
  if fitted.fingerprint != run.info.extractor and not transfer:
    raise DataError(
      f'{folder or store / extractors.FOLDER} is not the extractor of the'
      f' features that {run.folder} was trained on; give that one, or'
      ' --transfer to use this one nevertheless'
    )
  return fitted


def _variants(
  run: evaluation.TrainedRun,
  fitted: extractors.Extractor,
  measured: dict[str, Columns],
) -> list[Clip]:
  """Returns every clip, followed by its ablations if the model has audio."""
  clips = []
  streams = run.config.model.streams
  for path, columns in measured.items():
    whole = Clip(path, fitted(columns), speaker=path)
    whole = splits.standardise([whole], run.config.data.standardise)[0]
    clips.append(whole)
    if AUDIO not in streams:
      continue
    for name, zeroed in ABLATED.items():
      off = zeroed or tuple(k for k in whole.streams if k != AUDIO)
      ablated = {
        k: np.zeros_like(v) if k in off else v for k, v in whole.streams.items()
      }
      clips.append(
        dataclasses.replace(whole, name=f'{path}, {name}', streams=ablated)
      )
  return clips


def _features_notes(
  run: evaluation.TrainedRun, fitted: extractors.Extractor
) -> tuple[Note, ...]:
  """Returns the notes on the features of every clip."""
  texts = []
  if 'appearance' in run.config.model.streams and fitted.untrained:
    texts.append(fitted.untrained)
  if run.config.data.standardise == 'speaker':
    texts.append('standardised by its own frames: the speaker is not known')
  return tuple(Note('features', text) for text in texts)


def _predicted(
  path: str,
  raw: RawClip,
  columns: Columns,
  outcome: Outcome,
  rows: range,
  more: tuple[Note, ...],
) -> Predicted:
  """Returns the prediction for one clip, from its rows of the outcome.

  Args:
    path: of the clip.
    raw: the decoded clip.
    columns: its measured features.
    outcome: of all clips and their ablations.
    rows: of this clip and its ablations.
    more: notes on the features of every clip.
  """
  shares = [
    dict(
      zip(outcome.emotions, map(float, outcome.probabilities[k]), strict=True)
    )
    for k in rows
  ]
  notes = columns.notes + more
  timeline = Timeline(
    name=raw.name,
    emotions=outcome.emotions,
    probabilities=outcome.probabilities[rows[0]],
    frames=raw.frames,
    waveform=raw.waveform if raw.audible.any() else None,
    found=columns.found if raw.frames is not None else None,
    attention=outcome.attention[rows[0]],
    alignment=outcome.alignment[rows[0]],
    label=None,
    notes=tuple(note.text for note in notes),
  )
  ablated = dict(zip(ABLATED, shares[1:], strict=False))
  return Predicted(path, shares[0], ablated, notes, timeline)


def picture(
  predicted: Predicted, folder: pathlib.Path, taken: set[str]
) -> pathlib.Path:
  """Draws the time line of a clip as a PNG file; returns its path.

  Args:
    predicted: the prediction for the clip.
    folder: of the pictures; created if it is missing.
    taken: file names in use; the new name is added.

  Raises:
    AvjaxError: matplotlib is missing, or the folder cannot be written to.
  """
  from avjax.reporting import timeline

  stem = pathlib.Path(predicted.path).stem
  name, number = f'{stem}.png', 2
  while name in taken:
    name, number = f'{stem}-{number}.png', number + 1
  taken.add(name)
  try:
    folder.mkdir(parents=True, exist_ok=True)
    timeline.save(timeline.draw(predicted.timeline), folder / name)
  except OSError as error:
    raise AvjaxError(
      f'cannot write {folder / name}: {error.strerror}; choose another --output'
    ) from error
  return folder / name
