"""Sound and pictures as they come -> emotions.

stream = avjax.stream(avjax.load('runs/mine'))
stream.hear(samples, time=0.0)
for moment in stream.see(picture, time=0.04):
  print(moment.frames, moment.probabilities)
"""

from typing import Any

import numpy as np

from avjax.clips import AUDIO, FRAME_RATE, SAMPLE_RATE, SOUND, Clip
from avjax.errors import ConfigError, DataError
from avjax.features import landmarks
from avjax.features.audio.framing import RATIO, SHORT
from avjax.features.audio.streamed_columns import StreamedColumns
from avjax.models.averaged import Averaged
from avjax.recognition.recogniser import Recogniser
from avjax.shapes import Float
from avjax.streaming import causal
from avjax.streaming.causal import Moment
from avjax.streaming.running import RunningMoments, RunningShape

AUDIO_RATIO = SAMPLE_RATE / SHORT.step / FRAME_RATE
"""Audio frames a video frame: 1.25."""

_GAP_S = 0.05
"""Seconds by which time stamps may part from joined blocks of sound."""
_LONGEST_GAP_S = 10.0
_HEARD = {AUDIO, SOUND}
_SEEN = {'shape', 'face'}


class LiveStream:
  """A recogniser at work while a recording goes on.

  The time stamps of sound and pictures are seconds on one clock; the first one
  is time zero. Video frames are 25 a second, each the nearest picture. Audio
  frames reach up to two seconds ahead (`StreamedColumns`), so the moments of
  complete frames come that much later.

  The scale and rotation of the landmarks, and the statistics of a model that
  standardises by speaker or recording, are those of the frames so far.

  Args:
    recogniser: a network, or several whose probabilities are averaged, with an
      extractor.
    standardise: way to standardise, of a recogniser with several.

  Attributes:
    emotions: names of the classes, in the order of the probabilities.

  Raises:
    AvjaxError: the model is no network, or reads what a stream does not give.
  """

  def __init__(self, recogniser: Recogniser, standardise: str | None = None):
    chosen = recogniser.by(standardise)
    if unknown := set(chosen.streams) - _HEARD - _SEEN:
      raise ConfigError(
        f'the model reads {", ".join(sorted(unknown))}, which a stream does not'
        ' measure; use a model of audio and shape'
      )
    if chosen.settings.audio:
      raise ConfigError(
        f'the model hears audio.{chosen.settings.audio}, which an ONNX model'
        ' computes of whole clips; use a model of audio and shape'
      )
    if chosen.extractor is None:
      raise DataError(chosen.lacking)
    self.emotions = chosen.emotions
    self._recogniser, self._fitted = chosen, chosen.extractor
    model = Averaged(chosen.settings, chosen.emotions, chosen.members)
    self._network = causal.FrameByFrame(causal.with_ratio(model, AUDIO_RATIO))
    self._moments: dict[str, RunningMoments] = {}
    self._columns = StreamedColumns(self._fitted.settings.preset, rows=RATIO)
    self._resampled: Any = None
    self._rate, self._heard = 0.0, 0
    self._zero: float | None = None
    self._shape, self._frames = RunningShape(), 0
    self._picture: tuple[float, dict[str, np.ndarray]] | None = None
    self._follower = None
    if _SEEN & set(chosen.streams):
      self._follower = landmarks.Follower(landmarks.Detector(), room=0)

  def hear(
    self,
    samples: Float[np.ndarray, ' n'],
    time: int | float,
    rate: int | float = SAMPLE_RATE,
  ) -> list[Moment]:
    """Returns the moments that further sound completes.

    Args:
      samples: mono, in [-1, 1].
      time: of the first one, in seconds. Sound is joined to that before it,
        unless the time says that some is missing, or was given already.
      rate: samples a second; the same at every call.

    Raises:
      DataError: the rate changes, or the time leaps ahead.
    """
    if not _HEARD & set(self._recogniser.streams):
      return []
    if self._rate not in (0.0, rate):
      raise DataError(
        f'the sound has {rate:g} samples a second and had {self._rate:g}; give'
        ' all of a stream at one rate'
      )
    samples = np.asarray(samples, np.float64)
    gap = round((time - self._since(time)) * rate) - self._heard
    if abs(gap) > _GAP_S * rate:
      if gap > _LONGEST_GAP_S * rate:
        raise DataError(_leap('sound', gap / rate))
      samples = np.concatenate([np.zeros(max(gap, 0)), samples[max(-gap, 0) :]])
    self._rate, self._heard = rate, self._heard + len(samples)
    return self._listen(self._columns.add(self._at_16_khz(samples)))

  def see(self, picture: np.ndarray, time: int | float) -> list[Moment]:
    """Returns the moments that a further picture completes.

    Args:
      picture: (height, width, 3) uint8 RGB.
      time: when it was taken, in seconds; later than that before.

    Raises:
      DataError: the time leaps ahead, or back.
    """
    if self._follower is None:
      return []
    time -= self._since(time)
    before, self._picture = self._picture, (time, {'picture': picture})
    if before is None:
      return []
    if not 0 < time - before[0] <= _LONGEST_GAP_S:
      raise DataError(_leap('picture', time - before[0]))
    # Frames up to halfway are nearest to the picture before.
    until = (before[0] + time) / 2 * FRAME_RATE
    return self._show(before[1], int(np.ceil(until)))

  def end(self) -> list[Moment]:
    """Returns the last moments: there is no more sound and no more picture."""
    moments = []
    if self._rate:
      if self._resampled is not None:
        rest = self._resampled.resample_chunk(np.zeros(0), last=True)
        moments += self._listen(self._columns.add(rest))
      moments += self._listen([self._columns.finish()])
    if self._picture is not None:
      last = int(np.floor(self._picture[0] * FRAME_RATE)) + 1
      moments += self._show(self._picture[1], last)
    return moments + self._network.end()

  def provisional(self) -> Moment | None:
    """Returns the moment of the newest frame, of whose sound some may lack.

    None before the first video frame.
    """
    return self._network.provisional()

  def _since(self, time: float) -> float:
    """Returns time zero: the first time that is given."""
    if self._zero is None:
      self._zero = time
    return self._zero

  def _at_16_khz(self, samples: np.ndarray) -> np.ndarray:
    if self._rate == SAMPLE_RATE:
      return samples
    if self._resampled is None:
      import soxr

      self._resampled = soxr.ResampleStream(
        self._rate, SAMPLE_RATE, 1, dtype='float64'
      )
    return self._resampled.resample_chunk(samples)

  def _listen(self, blocks: list[np.ndarray]) -> list[Moment]:
    """Returns the moments that further audio columns complete."""
    moments = []
    for rows in blocks:
      assert self._fitted.audio is not None
      audio = self._standardised(
        AUDIO, self._fitted.audio(rows.astype(np.float32))
      )
      if SOUND in self._recogniser.streams:
        moments += self._network.see({SOUND: audio})
      else:
        moments += self._network.hear(audio)
    return moments

  def _show(self, seen: dict[str, np.ndarray], until: int) -> list[Moment]:
    """Returns the moments of the video frames before `until`, all one picture.

    Its landmarks are found when the first frame shows it.
    """
    moments = []
    while self._frames < until:
      if 'picture' in seen:
        seen |= self._looked(seen.pop('picture'))
      own = {k: self._standardised(k, v) for k, v in seen.items()}
      moments += self._network.see(own)
      self._frames += 1
    return moments

  def _looked(self, picture: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the visual streams of a picture, one frame each."""
    assert self._follower is not None
    rows = dict(self._follower.add(self._frames, picture))
    points = rows.get(self._frames)
    streams: dict[str, np.ndarray] = {}
    streams['face'] = np.full((1, 1), points is not None, np.float32)
    if self._fitted.shape is not None:
      streams['shape'] = np.zeros((1, self._fitted.shape.components.shape[1]))
      if points is not None:
        row = self._shape(points)[None].astype(np.float32)
        streams['shape'] = self._fitted.shape(row)
    return streams

  def _standardised(self, name: str, rows: np.ndarray) -> np.ndarray:
    """Returns further frames of a stream as the model reads them."""
    how = self._recogniser.standardise
    if how in ('speaker', 'recording'):
      if name not in self._moments:
        self._moments[name] = RunningMoments(rows.shape[1])
      return self._moments[name](rows)
    return self._recogniser.standardised(Clip('', {name: rows})).streams[name]


def stream(
  recogniser: Recogniser, standardise: str | None = None
) -> LiveStream:
  """Returns a recogniser at work while a recording goes on; `LiveStream`."""
  return LiveStream(recogniser, standardise)


def _leap(what: str, seconds: float) -> str:
  return (
    f'the time of a {what} is {seconds:.2f} s after that before it; a stream'
    f' goes on, by at most {_LONGEST_GAP_S:g} s: begin another stream'
  )
