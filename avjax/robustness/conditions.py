"""The disturbances and their levels (ours)."""

import dataclasses
from collections.abc import Sequence

from avjax.clips import AUDIO, SOUND
from avjax.errors import ConfigError

SNR = (20.0, 15.0, 10.0, 5.0, 0.0, -5.0)
_SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
_HEARD, _SEEN = 'audio', 'visual'


@dataclasses.dataclass(frozen=True)
class Disturbance:
  """A kind of disturbance.

  Attributes:
    name: of the kind, for flags and files.
    title: of its panel and rows.
    unit: of the levels; '' for a disturbance without.
    levels: from weak to strong, or from early to late.
    changes: 'audio' or 'visual'; a run that reads no such stream is left out.
    removes: whether the modality is gone; then a run must read the other too.
  """

  name: str
  title: str
  unit: str
  levels: tuple[float, ...]
  changes: str
  removes: bool = False

  def concerns(self, streams: Sequence[str]) -> bool:
    """Returns whether a run with these streams can tell it."""
    heard = bool({AUDIO, SOUND} & set(streams))
    seen = bool(set(streams) - {AUDIO, SOUND})
    return (
      heard and seen if self.removes else (heard, seen)[self.changes == _SEEN]
    )


CLEAN = Disturbance('none', 'undisturbed', '', (0.0,), '')
WHITE = Disturbance('white', 'white noise', 'SNR, dB', SNR, _HEARD)
BABBLE = Disturbance(
  'babble', 'babble of four other speakers', 'SNR, dB', SNR, _HEARD
)
ROOM = Disturbance(
  'reverberation', 'reverberation', 'RT60, s', (0.3, 0.6, 0.9, 1.2), _HEARD
)
LATE = Disturbance(
  'shift',
  'sound later than the picture',
  'seconds',
  (-0.5, -0.3, -0.2, -0.1, 0.1, 0.2, 0.3, 0.5),
  _HEARD,
)
JITTER = Disturbance(
  'jitter',
  'landmark jitter',
  '% of the distance between the eyes',
  (1.0, 2.0, 5.0, 10.0, 20.0),
  _SEEN,
)
LOST = Disturbance(
  'lost', 'frames lost, each on its own', 'share', _SHARES, _SEEN
)
BURSTS = Disturbance('bursts', 'frames lost in bursts', 'share', _SHARES, _SEEN)
NOISY_AUDIO = Disturbance(
  'noisy_audio', 'noise on the audio stream', 'SNR, dB', SNR, _HEARD
)
NOISY_VISION = Disturbance(
  'noisy_vision', 'noise on the visual streams', 'SNR, dB', SNR, _SEEN
)
NO_SOUND = Disturbance('no_sound', 'no sound', '', (0.0,), _HEARD, True)
NO_PICTURE = Disturbance('no_picture', 'no picture', '', (0.0,), _SEEN, True)

OF_STREAMS = (
  NOISY_AUDIO, NOISY_VISION, LOST, BURSTS, LATE, NO_SOUND, NO_PICTURE,
)  # fmt: skip
"""Those of a store without recordings."""
EVERY = (WHITE, BABBLE, ROOM, JITTER, *OF_STREAMS)


@dataclasses.dataclass(frozen=True)
class Condition:
  """A disturbance at one level."""

  disturbance: Disturbance
  level: float

  def __str__(self) -> str:
    text = self.disturbance.title
    if self.disturbance.unit:
      text += f', {self.level:g} {self.disturbance.unit}'
    return text


def named(names: Sequence[str]) -> tuple[Disturbance, ...]:
  """Returns the disturbances of these names; all of them for none.

  Raises:
    ConfigError: there is no such disturbance.
  """
  known = {one.name: one for one in EVERY}
  for name in names:
    if name not in known:
      raise ConfigError(
        f'there is no disturbance {name!r}; there are {", ".join(known)}'
      )
  return tuple(known[name] for name in names) or EVERY


def conditions(disturbances: Sequence[Disturbance]) -> list[Condition]:
  """Returns the conditions of some disturbances, after the undisturbed one."""
  return [
    Condition(one, level)
    for one in (CLEAN, *disturbances)
    for level in one.levels
  ]
