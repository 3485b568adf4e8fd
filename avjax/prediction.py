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

from avjax.analysis.timeline import Timeline
from avjax.clips import AUDIO, Clip, RawClip
from avjax.data import splits
from avjax.errors import AvjaxError, DataError
from avjax.features import extractor as extractors
from avjax.features import workers
from avjax.features.columns import Columns
from avjax.training import evaluation
from avjax.training.evaluate import Outcome

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
  notes: tuple[str, ...]
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
      'notes': list(self.notes),
    }

  def __str__(self) -> str:
    lines = [f'{self.path}: {self.emotion}']
    for name, share in self.probabilities.items():
      lines.append(f'  {name:<10} {100 * share:5.1f} %')
    for name, shares in self.ablated.items():
      best = max(shares, key=lambda k: shares[k])
      lines.append(f'  {name}: {best} {100 * shares[best]:.1f} %')
    lines += [f'  note: {note}' for note in self.notes]
    return '\n'.join(lines)


def run(
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
  finished = evaluation.open_run(workdir)
  fitted = _extractor(finished, extractor, transfer)
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
  clips = _variants(finished, fitted, measured)
  outcome, _ = finished.predict(clips)
  each = len(clips) // len(measured)
  predicted = [
    _predicted(
      path,
      raws[path],
      columns,
      outcome,
      range(k * each, (k + 1) * each),
      finished.config.data.standardise,
      fitted.about if 'appearance' in finished.config.model.streams else (),
    )
    for k, (path, columns) in enumerate(measured.items())
  ]
  return predicted, failed


def _extractor(
  finished: evaluation.Finished, folder: str, transfer: bool
) -> extractors.Extractor:
  """Returns the extractor of the run's features, or another if asked to."""
  source = str(finished.about.get('data_source', ''))
  store = pathlib.Path(finished.config.data.store).expanduser()
  try:
    fitted = extractors.load(folder or store / extractors.FOLDER)
  except DataError as error:
    if folder:
      raise
    raise DataError(
      f'{finished.workdir} was trained on {store}, which has no extractor'
      f' ({error}); train on a store of bin/extract, or give --extractor'
    ) from error
  if fitted.fingerprint not in source and not transfer:
    raise DataError(
      f'{folder or store / extractors.FOLDER} is not the extractor that the'
      f' features of {finished.workdir} came from; give that one, or --transfer'
      ' to use this one all the same'
    )
  return fitted


def _variants(
  finished: evaluation.Finished,
  fitted: extractors.Extractor,
  measured: dict[str, Columns],
) -> list[Clip]:
  """Returns every clip whole and, where the model hears, ablated."""
  clips = []
  streams = finished.config.model.streams
  for path, columns in measured.items():
    whole = Clip(path, fitted(columns), speaker=path)
    whole = splits.standardise([whole], finished.config.data.standardise)[0]
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


def _predicted(
  path: str,
  raw: RawClip,
  columns: Columns,
  outcome: Outcome,
  rows: range,
  standardise: str,
  about: Sequence[str],
) -> Predicted:
  """Returns what the outcome's rows of one clip say."""
  shares = [
    dict(
      zip(outcome.emotions, map(float, outcome.probabilities[k]), strict=True)
    )
    for k in rows
  ]
  notes = columns.notes
  notes += tuple(line for line in about if 'untrained' in line)
  if standardise == 'speaker':
    notes += ('standardised by its own frames, for want of the speaker',)
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
    notes=notes,
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
  from avjax.analysis import timeline

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
