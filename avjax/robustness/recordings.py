"""The clips of a store, disturbed before anything is standardised.

With the recordings at hand, sound is disturbed as a waveform and its columns
are measured anew, with the store's extractor. Without them noise is added to
the streams. Random numbers are a function of the seed, the disturbance and the
clip; stronger levels are more of the same noise.
"""

import dataclasses
import hashlib
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from avjax.clips import (
  AUDIO,
  FRAME_RATE,
  SAMPLE_RATE,
  Clip,
  RawClip,
  UnreadStreams,
)
from avjax.data import clip_files, disturbances
from avjax.data.corpora.tree import digest
from avjax.errors import DataError
from avjax.features import audio, columns, landmarks
from avjax.features.extractor import Extractor
from avjax.robustness import conditions
from avjax.robustness.conditions import Condition, Disturbance

VOICES = 4  # of a babble
_POOL = 24  # clips whose voices babbles are made of
_MOST = 2**29  # bytes of decoded sound that are kept for other conditions
_CLOSE = 1e-3  # between what is measured anew and what is stored


class Streams:
  """A store without recordings: its streams are disturbed.

  Args:
    seed: of all random numbers.

  Attributes:
    about: what identifies the disturbed clips, as a line for the reader.
    disturbances: that can be had.
  """

  about = 'no recordings: noise is added to the feature streams'
  disturbances: Sequence[Disturbance] = conditions.OF_STREAMS

  def __init__(self, seed: int):
    self._seed = seed

  def random(self, condition: Condition, clip: Clip) -> np.random.Generator:
    """Returns the generator of a clip, the same for all levels."""
    text = f'{self._seed} {condition.disturbance.name} {clip.name}'
    key = hashlib.sha256(text.encode()).digest()
    return np.random.default_rng(int.from_bytes(key, 'big'))

  def disturbed(self, clip: Clip, condition: Condition) -> Clip:
    """Returns a clip of the store under a condition.

    Raises:
      DataError: its recording cannot be used.
    """
    streams: Mapping[str, np.ndarray] = (
      UnreadStreams(
        clip.shapes, lambda name: self._noisy(clip, condition)[name]
      )
      if clip.unread
      else self._noisy(clip, condition)
    )
    return dataclasses.replace(clip, streams=streams)

  def _noisy(self, clip: Clip, condition: Condition) -> dict[str, np.ndarray]:
    """Returns the streams of a clip under a condition."""
    kind, level = condition.disturbance, condition.level
    random = self.random(condition, clip)
    streams = dict(clip.streams)
    if kind in (conditions.LOST, conditions.BURSTS):
      lose = disturbances.lost_at_random
      if kind is conditions.BURSTS:
        lose = disturbances.lost_in_bursts
      lost = lose(clip.visual_length, level, random)
      for name in streams.keys() - {AUDIO}:  # as in frames without a face
        streams[name] = np.where(lost[:, None], np.float32(0), streams[name])
    elif kind is conditions.NOISY_AUDIO:
      streams[AUDIO] = disturbances.noisy(streams[AUDIO], level, random)
    elif kind is conditions.NOISY_VISION:
      for name in sorted(streams.keys() - {AUDIO}):
        streams[name] = disturbances.noisy(streams[name], level, random)
    elif kind is conditions.LATE:
      rate = FRAME_RATE * clip.audio_length / max(clip.visual_length, 1)
      by = round(level * rate)
      streams[AUDIO] = disturbances.shifted(streams[AUDIO], by)
    return streams


class Recordings(Streams):
  """A store whose clips' files are there.

  Args:
    seed: of all random numbers.
    fitted: the extractor of the store.
    clips: of the store.
    corpus: folder of their files.
    measure: decodes them; it has the landmarks, if these are from files.

  Raises:
    DataError: a file is missing, or is another than the one in the store.
  """

  def __init__(
    self,
    seed: int,
    fitted: Extractor,
    clips: Sequence[Clip],
    corpus: pathlib.Path,
    measure: columns.Measure,
  ):
    super().__init__(seed)
    self._fitted, self._corpus, self._measure = fitted, corpus, measure
    self._files = _files(clips, corpus)
    self._sounds: dict[str, np.ndarray] = {}
    self._left = _MOST
    self._pool = self._voices(clips)
    self._check(clips[0])
    fits = {'audio': fitted.audio, 'visual': True}
    self.disturbances = [
      one
      for one in conditions.EVERY
      if one not in (conditions.NOISY_AUDIO, conditions.NOISY_VISION)
      and fits[one.changes]
      and (one is not conditions.JITTER or fitted.shape)
    ]
    points = 'on the points' if measure.landmarks else 'on the whitened shape'
    self.about = (
      f'sound disturbed in the recordings, landmarks {points}, extractor'
      f' {fitted.fingerprint[:12]}'
    )

  def disturbed(self, clip: Clip, condition: Condition) -> Clip:
    kind, level = condition.disturbance, condition.level
    random = self.random(condition, clip)
    if kind is conditions.JITTER:
      shape = self._jittered(clip, level / 100, random)
      return _with(clip, 'shape', shape)
    if kind not in _OF_SOUND:
      return super().disturbed(clip, condition)
    sound = self._sound(clip)
    if kind is conditions.WHITE:
      noise = random.standard_normal(len(sound))
      sound = disturbances.with_noise(sound, noise, level)
    elif kind is conditions.BABBLE:
      voices = [v for name, v in self._pool if name != clip.speaker]
      chosen = random.permutation(len(voices))[:VOICES]
      noise = disturbances.babble([voices[k] for k in chosen], len(sound))
      sound = disturbances.with_noise(sound, noise, level)
    elif kind is conditions.ROOM:
      response = disturbances.impulse_response(level, random)
      sound = disturbances.reverberated(sound, response)
    else:
      sound = disturbances.shifted(sound, round(level * SAMPLE_RATE))
    return _with(clip, AUDIO, self._heard(sound))

  def _heard(self, sound: np.ndarray) -> np.ndarray:
    """Returns the audio stream of a waveform."""
    assert self._fitted.audio is not None
    preset = self._fitted.settings.preset
    found = audio.columns(sound, preset).astype(np.float32)
    return self._fitted.audio(found)

  def _raw(self, clip: Clip) -> RawClip:
    """Returns a decoded clip."""
    try:
      path = self._files[clip.name]
      return self._measure.decode(path, clip.name, self._corpus)
    except (DataError, OSError) as error:
      raise DataError(f'{clip.name}: {error}') from error

  def _sound(self, clip: Clip) -> np.ndarray:
    """Returns the waveform of a clip."""
    if clip.name in self._sounds:
      return self._sounds[clip.name]
    sound = self._raw(clip).waveform
    if sound.nbytes <= self._left:
      self._left -= sound.nbytes
      self._sounds[clip.name] = sound
    return sound

  def _jittered(
    self, clip: Clip, share: float, random: np.random.Generator
  ) -> np.ndarray:
    """Returns the shape with jitter, relative to the distance of the eyes.

    Without landmarks from a file it is added to the normalised points, whose
    eyes are at a distance of 1, and goes the linear way that these go: it
    changes neither what they are normalised by nor what is clipped.
    """
    white = self._fitted.shape
    assert white is not None
    if self._measure.landmarks:
      raw = self._raw(clip)
      points, found = raw.points, raw.found
      assert points is not None and found is not None
      left, right = (points[:, eye].mean(axis=1) for eye in landmarks.EYES)
      distance = np.hypot(*(right - left).T)
      jitter = random.standard_normal(points.shape) * share
      points = points + jitter * distance[:, None, None]
      shape = white(landmarks.normalise(points, found))
      return np.where(found[:, None], shape, np.float32(0))
    stored = clip.streams['shape']
    jitter = random.standard_normal((len(stored), len(white.scale))) * share
    moved = stored + (jitter * white.scale) @ white.components
    found = clip.streams['face'][:, 0] > 0
    return np.where(found[:, None], moved, 0).astype(np.float32)

  def _voices(self, clips: Sequence[Clip]) -> list[tuple[str, np.ndarray]]:
    """Returns speaker and waveform of the clips that babbles are made of."""
    ordered = sorted(clips, key=lambda c: self.random(_ANY, c).random())
    pool = {c.speaker: c for c in reversed(ordered)}  # first one of each
    chosen = dict.fromkeys(c.name for c in (*pool.values(), *ordered))
    by_name = {clip.name: clip for clip in clips}
    few = [by_name[name] for name in [*chosen][:_POOL]]
    return [(clip.speaker, self._sound(clip)) for clip in few]

  def _check(self, clip: Clip) -> None:
    """Raises DataError unless a clip is measured as it is stored."""
    raw = self._raw(clip)
    found = {}
    if self._fitted.audio:
      found[AUDIO] = self._heard(raw.waveform)
    if raw.points is not None and raw.found is not None and self._fitted.shape:
      shape = self._fitted.shape(landmarks.normalise(raw.points, raw.found))
      found['shape'] = np.where(raw.found[:, None], shape, 0)
    for name, stream in found.items():
      stored = clip.streams[name]
      if stored.shape != stream.shape or not np.allclose(
        stored, stream, atol=_CLOSE
      ):
        raise DataError(
          f'{clip.name}, measured anew, has another {name} than the store; give'
          ' the recordings and landmarks that it was extracted from'
        )


_OF_SOUND = (
  conditions.WHITE, conditions.BABBLE, conditions.ROOM, conditions.LATE,
)  # fmt: skip
_ANY = Condition(conditions.CLEAN, 0.0)


def _with(clip: Clip, name: str, stream: np.ndarray) -> Clip:
  """Returns the clip with one stream replaced, which stays in memory."""
  own = clip.streams
  streams: Mapping[str, np.ndarray] = (
    UnreadStreams(
      {**own.shapes, name: stream.shape},
      lambda asked: stream if asked == name else own[asked],
    )
    if isinstance(own, UnreadStreams)
    else {**own, name: stream}
  )
  return dataclasses.replace(clip, streams=streams)


def _files(
  clips: Sequence[Clip], corpus: pathlib.Path
) -> dict[str, pathlib.Path]:
  """Returns clip -> its file.

  Raises:
    DataError: there is none, or it is another file.
  """
  if not corpus.is_dir():
    raise DataError(f'{corpus} is not a folder; give that of the recordings')
  listed = clip_files.ClipFiles(corpus)
  stems: dict[str, list[pathlib.Path]] = {}  # of a corpus in several folders
  found, wrong = {}, []
  for clip in clips:
    path = listed.clip(clip.name)
    if isinstance(path, str):
      if not stems:
        for file in sorted(corpus.rglob('*')):
          stems.setdefault(file.stem, []).append(file)
      known = (p for p in stems.get(clip.name, ()) if p.is_file())
      path = next((p for p in known if digest(p) == clip.source), path)
    if isinstance(path, str):
      wrong.append(f'{clip.name}: {path}')
    elif clip.source and digest(path) != clip.source:
      wrong.append(f'{clip.name}: {path} is not the file in the store')
    else:
      found[clip.name] = path
  if wrong:
    raise DataError(
      f'{len(wrong)} recordings of {corpus} cannot be used'
      f' ({"; ".join(wrong[:3])}); give the folder that the store was extracted'
      ' from'
    )
  return found
