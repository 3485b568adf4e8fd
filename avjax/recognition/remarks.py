"""What makes an answer doubtful: no face, no sound, several faces, and so on.

Such caveats stand beside the emotion, wherever that is; other notes below.
"""

from collections.abc import Sequence

from avjax.clips import AUDIO, SOUND, Note
from avjax.features.extractor import Extractor

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
  if 'appearance' in streams and extractor.untrained:
    notes.append(Note('features', extractor.untrained))
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
