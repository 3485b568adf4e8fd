"""What makes an answer doubtful: no face, no sound, several faces, and so on.

Such caveats stand beside the emotion, wherever that is; other notes below.
"""

from collections.abc import Sequence

import numpy as np

from avjax.clips import AUDIO, FRAME_RATE, SOUND, Note
from avjax.features.extractor import Extractor
from avjax.features.long_recordings import Recorded
from avjax.features.recorded_faces import RecordedFace

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

BY_SPEAKER = {
  'speaker': 'standardised by its own frames, since the speaker is not known',
  'enrolment': 'standardised as the average speaker, since the speaker is not'
  ' known',
}
"""How a model standardises -> the caveat without recordings of the speaker."""


def of_features(extractor: Extractor, streams: Sequence[str]) -> list[Note]:
  """Returns the notes on the features of every clip.

  Args:
    extractor: of the features.
    streams: that the model reads.
  """
  notes = []
  if 'appearance' in streams and extractor.face_network:
    notes.append(Note('features', extractor.face_network))
  if extractor.settings.landmark_archive:
    trained = extractor.settings.landmarks
    text = f"the landmarks are dlib's, in training {trained}"
    notes.append(Note('features', text))
  return notes


def of_standardising(how: str, enrolled: int) -> list[Note]:
  """Returns the note on how a clip was standardised, if there is one.

  Args:
    how: 'none', 'recording', 'speaker' or 'enrolment'.
    enrolled: number of recordings of the speaker.
  """
  if how in BY_SPEAKER and not enrolled:
    return [Note('standardised', BY_SPEAKER[how])]
  if enrolled:
    text = f'standardised by {enrolled} recordings of the speaker (--enrolment)'
    return [Note('enrolled', text)]
  return []


def divided(
  notes: Sequence[Note], streams: Sequence[str]
) -> tuple[tuple[str, ...], tuple[Note, ...]]:
  """Returns the caveats, and the notes that are none.

  Args:
    notes: on the clip and its features.
    streams: that the model reads.
  """
  words = dict(ALWAYS)
  if set(streams) - {AUDIO, SOUND}:
    words |= SEEN
  if {AUDIO, SOUND} & set(streams):
    words |= HEARD
  caveats = [words[n.kind] or n.text for n in notes if n.kind in words]
  return tuple(caveats), tuple(n for n in notes if n.kind not in words)


def of_share(recorded: Recorded) -> list[Note]:
  """Returns in how much of the recording the face is, if not in all of it."""
  share = max((one.found.mean() for one in recorded.faces), default=0.0)
  if not share:
    return of_nobody(recorded)
  if share == 1:
    return []
  text = f'a face in {100 * share:.0f} % of the frames'
  return [Note('no face' if share < 0.5 else 'face', text)]


def of_nobody(recorded: Recorded) -> list[Note]:
  """Returns the note on a time line of nobody's face, if one was looked for."""
  if not recorded.looked:
    return []
  seen = recorded.brief + recorded.short or any(
    one.found.any() for one in recorded.faces
  )
  text = 'no face lasts for a window' if seen else 'no face in any frame'
  return [Note('no face', text)]


def of_span(face: RecordedFace) -> Note:
  """Returns the note on where a face was seen."""
  first, last = np.flatnonzero(face.found)[[0, -1]]
  times = (
    '{}:{:02}'.format(*divmod(round((face.first + at) / FRAME_RATE), 60))
    for at in (first, last + 1)
  )
  share = face.found[first : last + 1].mean()
  text = f'seen from {" to ".join(times)} min, in {100 * share:.0f} % of it'
  return Note('face', text)


def of_left_out(recorded: Recorded, kept: int, size: int) -> list[Note]:
  """Returns the notes on faces that have no time line."""
  every = recorded.brief + recorded.short + len(recorded.faces)
  short = every - recorded.brief - kept
  reasons = (
    (recorded.brief, 'under half a second'),
    (short, f'less than a window of {size / FRAME_RATE:g} s'),
  )
  return [
    Note('brief', f'left out for {text}: {count} of {every} faces')
    for count, text in reasons
    if count
  ]
