"""Standardises the streams of clips; none of it sees a label (ours).

  none       the streams as they are in the store            inductive
  recording  each clip by its own mean and standard deviation   inductive
  speaker    each clip by those of all clips of its speaker, the tested ones
             among them                                     transductive
  enrolment  by those of the first N clips of the speaker, which are set apart
             and never tested, weighed with the average training speaker

The clips that are set apart, `data.enrolment_clips` of every speaker who is
validated or tested, are the same for every N and every way to standardise, so
that all results are on the same clips. They are the first by a hash of their
name: names in order would often be clips of a single emotion.
"""

import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from avjax.clips import Clip, Splits
from avjax.data import moments, splits
from avjax.errors import DataError
from avjax.settings import DataConfig
from avjax.shapes import Float

PRIOR = 2.0
"""Clips that the average training speaker counts for beside a speaker's own.

Chosen on validation: BUILD.md, "Enrolment"."""
_LEAST_VARIATION = 1e-6
_Moments = tuple[np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Average:
  """The average training speaker, in one stream of D columns.

  Attributes:
    mean: mean over the speakers of each one's mean.
    variance: mean over the speakers of each one's variance.
    frames: mean number of frames of a clip.
  """

  mean: Float[np.ndarray, ' D']
  variance: Float[np.ndarray, ' D']
  frames: float


@dataclasses.dataclass(frozen=True)
class Enrolled:
  """A division of the clips after enrolment.

  Attributes:
    splits: the splits, without the clips that are set apart.
    clips: all clips, in the order of the store.
    apart: the clips that are set apart.
    average: stream -> the average training speaker; empty unless clips are
      standardised by enrolment.
  """

  splits: Splits
  clips: Sequence[Clip]
  apart: Sequence[Clip] = ()
  average: Mapping[str, Average] = dataclasses.field(default_factory=dict)


def stamp(data: DataConfig) -> str:
  """Returns what a result must say about how its clips were standardised."""
  if data.standardise == 'enrolment':
    plural = 's' if data.enrolment != 1 else ''
    return f'enrolment of {data.enrolment} clip{plural}'
  text = {'none': 'inductive', 'speaker': 'transductive'}.get(
    data.standardise, 'inductive by recording'
  )
  if data.enrolment_clips:
    text += f', {data.enrolment_clips} clips a speaker set apart'
  return text


def standardise(clips: Sequence[Clip], how: str) -> list[Clip]:
  """Returns the clips, standardised as far as no division is needed.

  Args:
    clips: of one corpus, all splits together.
    how: `data.standardise`. 'speaker': from every column of a stream the mean
      over all frames of the speaker is subtracted, and the result is divided
      by their standard deviation; 'recording': the same with the frames of
      the clip. Others leave the clips as they are.

  Raises:
    DataError: `how` is 'speaker' and a clip has no speaker.
  """
  if how == 'recording':
    return [_by_itself(clip) for clip in clips]
  if how != 'speaker':
    return list(clips)
  splits.speakers(clips)
  own = _of_speakers(clips, Gathered())
  return [_applied(clip, own[clip.speaker]) for clip in clips]


class Gathered:
  """Moments of the clips of one store, gathered once for all its folds."""

  def __init__(self) -> None:
    self._known: dict[tuple[str, ...], moments.Moments] = {}

  def of(self, clips: Sequence[Clip], stream: str) -> moments.Moments:
    """Returns the moments of some clips together."""
    key = stream, *(clip.name for clip in clips)
    if key not in self._known:
      self._known[key] = moments.gathered(_frames(clips, stream))
    return self._known[key]


def enrol(
  clips: Sequence[Clip],
  by_split: Splits,
  data: DataConfig,
  known: Gathered | None = None,
) -> Enrolled:
  """Returns a division with clips set apart, standardised by enrolment.

  A speaker with training clips is standardised by all of these; any other by
  the first `data.enrolment` of those that are set apart.

  Args:
    clips: all clips, as `standardise` returns them.
    by_split: the same clips by split.
    data: the settings.
    known: moments of these clips; more are added.

  Raises:
    DataError: a speaker is not known, or has too few clips.
  """
  known = known or Gathered()
  if not data.enrolment_clips:
    return Enrolled(by_split, clips)
  training = by_split['training']
  splits.speakers(clips)
  tested = [c for k in by_split if k != 'training' for c in by_split[k]]
  apart = _set_apart(tested, data.enrolment_clips)
  average: dict[str, Average] = {}
  done = {clip.name: clip for clip in clips}
  if data.standardise == 'enrolment':
    average = _average(training, known)
    own = {
      name: _moments_of_enrolled(members[: data.enrolment], average)
      for name, members in apart.items()
    } | _of_speakers(training, known)
    done = {c.name: _applied(c, own[c.speaker]) for c in clips}
  names = {clip.name for members in apart.values() for clip in members}
  return Enrolled(
    {
      split: [done[c.name] for c in members if c.name not in names]
      for split, members in by_split.items()
    },
    [done[clip.name] for clip in clips],
    [done[clip.name] for clip in clips if clip.name in names],
    average,
  )


def strangers(
  clips: Sequence[Clip], average: Mapping[str, Average], data: DataConfig
) -> list[Clip]:
  """Returns clips of speakers that a run was not trained on, to be tested.

  Args:
    clips: of another store, as `standardise` returns them.
    average: of the run's training speakers.
    data: the settings of the run.

  Raises:
    DataError: a speaker is not known, or has too few clips.
  """
  if not data.enrolment_clips:
    return list(clips)
  splits.speakers(clips)
  apart = _set_apart(clips, data.enrolment_clips)
  names = {clip.name for members in apart.values() for clip in members}
  tested = [clip for clip in clips if clip.name not in names]
  if data.standardise != 'enrolment':
    return tested
  own = {
    name: _moments_of_enrolled(members[: data.enrolment], average)
    for name, members in apart.items()
  }
  return [_applied(clip, own[clip.speaker]) for clip in tested]


def stranger(
  clip: Clip,
  how: str,
  enrolled: Sequence[Clip],
  average: Mapping[str, Average],
) -> Clip:
  """Returns a clip of an unknown speaker, standardised.

  Args:
    clip: the clip.
    how: `data.standardise`; 'speaker' takes the clip itself where no other
      clips of the speaker are known.
    enrolled: other clips of the speaker.
    average: of the training speakers, for 'enrolment'.
  """
  if how == 'none':
    return clip
  if how == 'enrolment':
    return _applied(clip, _moments_of_enrolled(enrolled, average))
  if how == 'recording' or not enrolled:
    return _by_itself(clip)
  return _applied(clip, _of_one(enrolled))


def windows(
  clips: Iterable[Clip],
  how: str,
  apart: Sequence[Clip],
  average: Mapping[str, Average],
) -> Iterator[Clip]:
  """Yields windows of a recording, standardised by the whole of it.

  Args:
    clips: the windows.
    how: `data.standardise`; 'none' leaves them as they are.
    apart: windows that do not overlap and make up the recording. They are as
      other clips of the speaker.
    average: of the training speakers, for 'enrolment'.
  """
  if how == 'none':
    yield from clips
    return
  own = (
    _moments_of_enrolled(apart, average)
    if how == 'enrolment'
    else _of_one(apart)
  )
  for clip in clips:
    yield _applied(clip, own)


def _of_one(
  clips: Sequence[Clip], known: Gathered | None = None
) -> dict[str, _Moments]:
  """Returns stream -> mean and std of the frames of one speaker's clips."""
  known = known or Gathered()
  return {k: _moments(known.of(clips, k)) for k in clips[0].streams}


def moments_of(clips: Sequence[Clip], stream: str) -> dict[str, _Moments]:
  """Returns speaker -> mean and std of every column of a stream.

  Args:
    clips: whose speakers are known.
    stream: name of the stream.
  """
  return {
    name: _moments(moments.gathered(_frames(own, stream)))
    for name, own in _by_speaker(clips).items()
  }


def _of_speakers(
  clips: Sequence[Clip], known: Gathered
) -> dict[str, dict[str, _Moments]]:
  """Returns speaker -> stream -> mean and std of every column."""
  return {name: _of_one(own, known) for name, own in _by_speaker(clips).items()}


def _by_speaker(clips: Iterable[Clip]) -> dict[str, list[Clip]]:
  """Returns speaker -> clips, in their order."""
  members: dict[str, list[Clip]] = defaultdict(list)
  for clip in clips:
    members[clip.speaker].append(clip)
  return members


def _frames(clips: Sequence[Clip], stream: str) -> moments.Arrays:
  """Returns a function that returns a stream of one clip after another."""
  return lambda: (clip.streams[stream] for clip in clips)


def _by_itself(clip: Clip) -> Clip:
  """Returns the clip, standardised by its own frames."""
  return clip.changed(
    lambda _, array: _standardised(
      array, *_moments(moments.gathered(lambda: [array]))
    )
  )


def _applied(clip: Clip, by: Mapping[str, _Moments]) -> Clip:
  """Returns the clip, standardised by given means and stds."""
  return clip.changed(lambda name, array: _standardised(array, *by[name]))


def _standardised(
  array: np.ndarray, mean: np.ndarray, std: np.ndarray
) -> np.ndarray:
  return ((array - mean) / std).astype(np.float32)


def _moments(found: moments.Moments) -> _Moments:
  """Returns mean and std of every column, float64; 1 for constant columns."""
  std = np.sqrt(found.variance)
  # Whether a column is constant depends on its magnitude: energies of 1e-9 may
  # vary, but around 1000 a std of 1e-4 is rounding (float32 numbers are 6e-5
  # apart there) and must not be scaled to noise of std 1.
  varies = std > _LEAST_VARIATION * found.largest
  return found.mean, np.where(varies, std, 1.0)


def _average(training: Sequence[Clip], known: Gathered) -> dict[str, Average]:
  """Returns stream -> the average speaker of the training clips."""
  by_stream = {}
  for stream in training[0].streams:
    own = [
      known.of(members, stream) for members in _by_speaker(training).values()
    ]
    by_stream[stream] = Average(
      np.mean([one.mean for one in own], axis=0),
      np.mean([one.variance for one in own], axis=0),
      sum(one.frames for one in own) / len(training),
    )
  return by_stream


def _moments_of_enrolled(
  clips: Sequence[Clip], average: Mapping[str, Average]
) -> dict[str, _Moments]:
  """Returns stream -> mean and std of a speaker with a few clips.

  The weight of n own frames is n / (n + r), as for the means of Reynolds et
  al. (2000), Eq. 14; r is that of PRIOR clips. Variances have the same weight.
  """
  by_stream = {}
  for stream, prior in average.items():
    mean, variance = prior.mean, prior.variance
    if clips:
      own = moments.gathered(_frames(clips, stream))
      weight = own.frames / (own.frames + PRIOR * prior.frames)
      mean = weight * own.mean + (1 - weight) * mean
      variance = weight * own.variance + (1 - weight) * variance
    std = np.sqrt(variance)
    varies = std > _LEAST_VARIATION * np.hypot(mean, std)
    by_stream[stream] = mean, np.where(varies, std, 1.0)
  return by_stream


def _set_apart(clips: Sequence[Clip], count: int) -> dict[str, list[Clip]]:
  """Returns speaker -> the clips that are set apart, in their order.

  Raises:
    DataError: a speaker has no other clips.
  """
  by_speaker = _by_speaker(sorted(clips, key=_hash))
  if few := {k: len(v) for k, v in by_speaker.items() if len(v) <= count}:
    listed = ', '.join(f'{name}: {n}' for name, n in [*few.items()][:5])
    raise DataError(
      f'data.enrolment_clips is {count}, and {len(few)} tested speakers have no'
      f' more clips than that ({listed}); set it lower, or 0 with another'
      ' data.standardise'
    )
  return {name: members[:count] for name, members in by_speaker.items()}


def _hash(clip: Clip) -> bytes:
  """Returns a key that orders clips independently of labels and corpus."""
  return hashlib.sha256(f'enrolment {clip.name}'.encode()).digest()
