"""A raw clip -> the emotions that a finished run sees in it.

The clip goes through the very extractor that made the run's training store.
Beside the prediction stand those of the same network without sound and without
picture: their streams are zero, which is the average training frame.
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
from avjax.features import workers
from avjax.features.columns import Columns
from avjax.reporting.timeline import Timeline
from avjax.runs import evaluation
from avjax.training.outcome import Outcome

ABLATED = {'audio off': (AUDIO,), 'vision off': ()}
"""Name of an ablated prediction -> its silent streams; (): all visual ones."""


@dataclasses.dataclass(frozen=True)
class Predicted:
  """What a run says of one clip.

  Attributes:
    path: of the clip.
    probabilities: emotion -> probability.
    ablated: 'audio off' and 'vision off' -> the same; without a model's audio
      stream there is neither.
    notes: what a user should know.
    timeline: for the picture.
  """

  path: str
  probabilities: dict[str, float]
  ablated: dict[str, dict[str, float]]
  notes: tuple[Note, ...]
  timeline: Timeline

  @property
  def emotion(self) -> str:
    """The most probable one."""
    return max(self.probabilities, key=lambda k: self.probabilities[k])

  def as_json(self) -> dict[str, Any]:
    """Returns what --json prints."""
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
  """Returns the predictions, and why the other clips have none.

  Args:
    paths: of the clips.
    workdir: a finished run that was trained on a store of bin/extract.
    extractor: folder of the extractor; that of the run's store where ''.
    transfer: whether it may be another than the run's features came from.

  Raises:
    AvjaxError: the run or its extractor cannot be used.
  """
  run = evaluation.open_run(workdir)
  fitted = _extractor(run, extractor, transfer)
  failed: dict[str, str] = {}
  raws: dict[str, RawClip] = {}
  measured: dict[str, Columns] = {}
  with workers.measure(fitted.settings) as measure:
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
  """Returns the extractor of the run's features, or another if asked to."""
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
      f'{folder or store / extractors.FOLDER} is not the extractor that the'
      f' features of {run.folder} came from; give that one, or --transfer'
      ' to use this one all the same'
    )
  return fitted


def _variants(
  run: evaluation.TrainedRun,
  fitted: extractors.Extractor,
  measured: dict[str, Columns],
) -> list[Clip]:
  """Returns every clip whole and, where the model hears, ablated."""
  clips = []
  streams = run.config.model.streams
  for path, columns in measured.items():
    whole = Clip(path, fitted(columns), speaker=path)
    whole = splits.standardise([whole], run.config.data.standardise)[0]
    clips.append(whole)
    if AUDIO not in streams:
      continue
    for name, silent in ABLATED.items():
      off = silent or tuple(k for k in whole.streams if k != AUDIO)
      kept = {
        k: np.zeros_like(v) if k in off else v for k, v in whole.streams.items()
      }
      clips.append(
        dataclasses.replace(whole, name=f'{path}, {name}', streams=kept)
      )
  return clips


def _features_notes(
  run: evaluation.TrainedRun, fitted: extractors.Extractor
) -> tuple[Note, ...]:
  """Returns what holds for the features of every clip."""
  texts = []
  if 'appearance' in run.config.model.streams and fitted.untrained:
    texts.append(fitted.untrained)
  if run.config.data.standardise == 'speaker':
    texts.append('standardised by its own frames, for want of the speaker')
  return tuple(Note('features', text) for text in texts)


def _predicted(
  path: str,
  raw: RawClip,
  columns: Columns,
  outcome: Outcome,
  rows: range,
  more: tuple[Note, ...],
) -> Predicted:
  """Returns what the outcome's rows of one clip say."""
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
  """Returns the path of the clip's time line, drawn as a PNG.

  Args:
    predicted: the clip.
    folder: where the picture goes.
    taken: names that are in use in this call; gets this one.

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
