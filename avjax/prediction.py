"""Predictions of a finished run for raw clips, one clip at a time.

The features of a clip are extracted with the extractor of the run's training
store. Further predictions are made without the audio and without the visual
streams: these are set to zero, the average over the training frames.

A run that standardises by the speaker needs recordings of the speaker besides
the clip, the enrolment.

What makes a prediction doubtful is its caveats: no face, no sound, several
faces, and so on. They stand beside the predicted emotion, wherever that is.
"""

import contextlib
import ctypes
import dataclasses
import gc
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from avjax.clips import AUDIO, SOUND, Clip, Note, RawClip
from avjax.data import corpus
from avjax.errors import AvjaxError, ConfigError, DataError
from avjax.features import extractor as extractors
from avjax.features import measuring
from avjax.features.columns import Measure
from avjax.reporting import panels
from avjax.reporting.timeline import Timeline
from avjax.runs import evaluation
from avjax.training.outcome import Outcome

_FACES = frozenset({'shape', 'appearance'})  # streams that need a face
_LONGEST = 255  # bytes of a file name

ABLATED = {'audio off': (AUDIO,), 'vision off': ()}
"""Name of an ablation -> the streams it sets to zero; (): all visual ones."""

SEEN = {
  'no picture': 'no picture',
  'no face': '',
  'faces': '',
  'still': '',
}
HEARD = {'no sound': 'no sound', 'silent': 'silent throughout'}
ALWAYS = {'short': '', 'standardised': ''}
"""Kind of a note that is a caveat -> its words; '': the text of the note. SEEN
are caveats of models with a visual stream, HEARD of those with an audio stream.
"""


_BY_SPEAKER = {
  'speaker': 'standardised by its own frames, since the speaker is not known',
  'enrolment': 'standardised as the average speaker, since the speaker is not'
  ' known',
}
"""`data.standardise` -> the caveat without recordings of the speaker."""


@dataclasses.dataclass(frozen=True)
class Predicted:
  """The prediction of a run for one clip.

  Attributes:
    path: of the clip.
    probabilities: emotion -> probability.
    ablated: 'audio off' and 'vision off' -> probabilities; empty for a model
      without an audio stream.
    caveats: what makes the prediction doubtful.
    notes: further remarks on the clip and its features.
    timeline: the data of its picture.
  """

  path: str
  probabilities: dict[str, float]
  ablated: dict[str, dict[str, float]]
  caveats: tuple[str, ...]
  notes: tuple[Note, ...]
  timeline: Timeline

  @property
  def emotion(self) -> str:
    """The most probable emotion."""
    return max(self.probabilities, key=lambda k: self.probabilities[k])

  @property
  def headline(self) -> str:
    """The clip, its emotion and the caveats, on one line."""
    text = f'{printable(self.path)}: {self.emotion}'
    return text + (f' - but {", ".join(self.caveats)}' if self.caveats else '')

  def as_json(self) -> dict[str, Any]:
    """Returns the prediction as bin/predict --json prints it."""
    return {
      'clip': self.path,
      'headline': self.headline,
      'predicted': self.emotion,
      'caveats': list(self.caveats),
      'probabilities': self.probabilities,
      'ablated': self.ablated,
      'notes': [note.text for note in self.notes],
    }

  def __str__(self) -> str:
    lines = [self.headline]
    for name, share in self.probabilities.items():
      lines.append(f'  {name:<10} {100 * share:5.1f} %')
    for name, shares in self.ablated.items():
      best = max(shares, key=lambda k: shares[k])
      lines.append(f'  {name}: {best} {100 * shares[best]:.1f} %')
    lines += [f'  note: {note.text}' for note in self.notes]
    return '\n'.join(lines)


@dataclasses.dataclass(frozen=True)
class Unpredicted:
  """A clip that cannot be predicted, and the reason."""

  path: str
  reason: str

  def __str__(self) -> str:
    return f'left out {printable(self.path)}: {printable(self.reason)}'


def printable(text: str) -> str:
  """Returns the text with escapes for what a terminal would obey or refuse."""
  return ''.join(
    c if c.isprintable() else c.encode('unicode_escape').decode() for c in text
  )


def predict(
  paths: Sequence[str],
  workdir: str | pathlib.Path,
  extractor: str = '',
  transfer: bool = False,
  enrolment: Sequence[str] = (),
) -> Iterator[Predicted | Unpredicted]:
  """Returns an iterator over the predictions for clips, in their order.

  A clip is decoded when it is its turn, and only what its picture shows is
  kept of it.

  Args:
    paths: of the clips.
    workdir: folder of a finished run that was trained on a store of
      bin/extract.
    extractor: folder of the extractor; '' for that of the run's store.
    transfer: whether another extractor than the run's is allowed.
    enrolment: paths of recordings of the speaker of all clips.

  Raises:
    AvjaxError: the run or its extractor cannot be used, or a recording of the
      enrolment.
  """
  run = evaluation.open_run(workdir)
  how = run.config.data.standardise
  if enrolment and how not in _BY_SPEAKER:
    raise ConfigError(
      f'{run.folder} was trained with data.standardise={how}, which needs no'
      ' recordings of the speaker; leave out --enrolment'
    )
  fitted = _extractor(run, extractor, transfer)
  return _predict_each(dict.fromkeys(paths), run, fitted, enrolment)


def _predict_each(
  paths, run, fitted, enrolment
) -> Iterator[Predicted | Unpredicted]:
  settings = fitted.settings
  if settings.landmark_archive:  # it has no landmarks of other clips
    settings = dataclasses.replace(settings, landmarks='', landmarks_rate='')
  with measuring.measure(settings) as measure:
    enrolled = [_recorded(path, measure, fitted) for path in enrolment]
    for path in paths:
      # Nothing of the clip is kept here while the next one is decoded.
      yield _predict_one(path, measure, run, fitted, enrolled)
      gc.collect()  # its picture, whose parts refer to each other
      _trim()


def _recorded(
  path: str, measure: Measure, fitted: extractors.Extractor
) -> Clip:
  """Returns a recording of the enrolment."""
  try:
    name, folder = pathlib.Path(path).name, pathlib.Path(path).parent
    columns = measure(measure.decode(path, name, folder))
  except (DataError, OSError) as error:
    raise DataError(
      f'{path} cannot be used for the enrolment: {error}; leave it out'
    ) from error
  return Clip(path, fitted(columns), speaker=path)


def _trim() -> None:
  """Gives freed memory back to the system.

  Compiling leaves 100 MB, which glibc keeps for the threads that compiled.
  """
  with contextlib.suppress(OSError, AttributeError):  # not glibc
    ctypes.CDLL(None).malloc_trim(0)


def _predict_one(
  path: str,
  measure: Measure,
  run: evaluation.TrainedRun,
  fitted: extractors.Extractor,
  enrolled: Sequence[Clip],
) -> Predicted | Unpredicted:
  """Returns the prediction for one clip, or why there is none."""
  try:
    name, folder = pathlib.Path(path).name, pathlib.Path(path).parent
    raw = measure.decode(path, name, folder)
    examined = measure.examine(raw, cautious=True)
  except (DataError, OSError) as error:
    return Unpredicted(path, ' '.join(str(error).split()))
  if raw.frames is not None:
    # A copy of what the picture shows, so that the other frames are freed.
    shown = raw.frames[panels.thumbnails(raw.length)]
    raw = dataclasses.replace(raw, frames=shown)
  columns = measure.finish(examined)
  del examined
  _trim()
  whole = Clip(path, fitted(columns), speaker=path)
  clips = _variants(run.standardised(whole, enrolled), run)
  outcome, _ = run.predict(clips, rounded=True)
  _trim()
  notes = columns.notes + _features_notes(run, fitted, len(enrolled))
  looked = raw.frames is not None and _FACES.intersection(
    fitted.settings.streams
  )
  found = columns.found if looked else None
  return _predicted(path, raw, found, outcome, _divided(notes, run))


def _extractor(
  run: evaluation.TrainedRun, folder: str, transfer: bool
) -> extractors.Extractor:
  """Returns the extractor of the run, or of `folder` if that is given."""
  path = pathlib.Path(folder).expanduser() if folder else _own_extractor(run)
  fitted = extractors.load(path)
  if fitted.fingerprint != run.info.extractor and not transfer:
    raise DataError(
      f'{path} is not the extractor of the'
      f' features that {run.folder} was trained on; give that one, or'
      ' --transfer to use this one nevertheless'
    )
  return fitted


def _own_extractor(run: evaluation.TrainedRun) -> pathlib.Path:
  """Returns the folder of the extractor of the run's store.

  Raises:
    DataError: there is no store, or it has no extractor.
  """
  store = run.config.data.store
  if store != corpus.SYNTHETIC:
    try:
      store = corpus.folder(run.located().data)
    except DataError as error:
      raise DataError(f'{error}, with --extractor') from None
    if (pathlib.Path(store) / extractors.FOLDER).is_dir():
      return pathlib.Path(store) / extractors.FOLDER
  raise DataError(
    f'{run.folder} was trained on {store}, which has no extractor; train on a'
    ' store of bin/extract, or give --extractor'
  )


def _variants(whole: Clip, run: evaluation.TrainedRun) -> list[Clip]:
  """Returns a clip, followed by its ablations if the model has audio."""
  clips = [whole]
  if AUDIO not in run.config.model.streams:
    return clips
  for name, zeroed in ABLATED.items():
    off = zeroed or tuple(k for k in whole.streams if k != AUDIO)
    ablated = {
      k: np.zeros_like(v) if k in off else v for k, v in whole.streams.items()
    }
    clips.append(
      dataclasses.replace(whole, name=f'{whole.name}, {name}', streams=ablated)
    )
  return clips


def _features_notes(
  run: evaluation.TrainedRun, fitted: extractors.Extractor, enrolled: int
) -> tuple[Note, ...]:
  """Returns the notes on the features of every clip.

  Args:
    run: that predicts.
    fitted: the extractor.
    enrolled: number of recordings of the speaker.
  """
  notes = []
  if 'appearance' in run.config.model.streams and fitted.untrained:
    notes.append(Note('features', fitted.untrained))
  if fitted.settings.landmark_archive:
    text = f"the landmarks are dlib's, in training {fitted.settings.landmarks}"
    notes.append(Note('features', text))
  how = run.config.data.standardise
  if how in _BY_SPEAKER and not enrolled:
    notes.append(Note('standardised', _BY_SPEAKER[how]))
  elif enrolled:
    text = f'standardised by {enrolled} recordings of the speaker (--enrolment)'
    notes.append(Note('enrolled', text))
  return tuple(notes)


def _divided(
  notes: Sequence[Note], run: evaluation.TrainedRun
) -> tuple[tuple[str, ...], tuple[Note, ...]]:
  """Returns the caveats, and the notes that are none."""
  streams = set(run.config.model.streams)
  words = dict(ALWAYS)
  if streams - {AUDIO, SOUND}:
    words |= SEEN
  if streams & {AUDIO, SOUND}:
    words |= HEARD
  caveats = [words[n.kind] or n.text for n in notes if n.kind in words]
  return tuple(caveats), tuple(n for n in notes if n.kind not in words)


def _predicted(
  path: str,
  raw: RawClip,
  found: np.ndarray | None,
  outcome: Outcome,
  remarks: tuple[tuple[str, ...], tuple[Note, ...]],
) -> Predicted:
  """Returns the prediction for one clip.

  Args:
    path: of the clip.
    raw: the decoded clip, with the frames to show.
    found: whether a face was found in each frame; None if none was looked for.
    outcome: of the clip and its ablations.
    remarks: caveats and notes.
  """
  shares = [
    dict(zip(outcome.emotions, map(float, row), strict=True))
    for row in outcome.probabilities
  ]
  caveats, notes = remarks
  timeline = Timeline(
    name=raw.name,
    emotions=outcome.emotions,
    probabilities=outcome.probabilities[0],
    frames=raw.frames,
    length=raw.length,
    waveform=raw.waveform if raw.audible.any() else None,
    found=found,
    attention=outcome.attention[0],
    alignment=outcome.alignment[0],
    label=None,
    caveats=caveats,
    notes=tuple(note.text for note in notes),
  )
  ablated = dict(zip(ABLATED, shares[1:], strict=False))
  return Predicted(path, shares[0], ablated, caveats, notes, timeline)


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

  stem, number = pathlib.Path(predicted.path).stem, 1
  while (name := _file_name(stem, number)) in taken:
    number += 1
  taken.add(name)
  try:
    folder.mkdir(parents=True, exist_ok=True)
    timeline.save(timeline.draw(predicted.timeline), folder / name)
  except OSError as error:
    raise AvjaxError(
      f'cannot write {folder / name}: {error.strerror}; choose another --output'
    ) from error
  return folder / name


def _file_name(stem: str, number: int) -> str:
  """Returns the name of the so many-th picture for clips of one name.

  The stem is shortened where a file system would refuse the whole.
  """
  ending = '.png' if number == 1 else f'-{number}.png'
  while len(os.fsencode(stem + ending)) > _LONGEST:
    stem = stem[:-1]
  return stem + ending
