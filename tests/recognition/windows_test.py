"""Time lines of recordings: windows, and what they are standardised by."""

import dataclasses

import numpy as np
import pytest

from avjax.clips import EMOTIONS, Note
from avjax.data import standardising
from avjax.errors import ConfigError
from avjax.features.long_recordings import Recorded
from avjax.features.recorded_faces import RecordedFace
from avjax.recognition import asking, windows
from avjax.reporting import over_time
from tests.recognition.recogniser_test import Fitted, recogniser

T = 260


def recorded():
  """Returns a recording whose audio columns count the rows."""
  rows = np.arange(T * 5 // 4, dtype=np.float32)
  face = RecordedFace(0, np.zeros((T, 49, 2)), np.arange(T) >= 100)
  return Recorded(
    'film.mp4', T, 1, rows[:, None].repeat(3, 1), (face,), 0, 0, True,
    np.ones(T, np.float32), np.ones(T, np.float32), (10, 8), [0, 128, 256],
    np.zeros((3, 8, 10, 3), np.uint8), (Note('hole', 'a hole'),),
  )  # fmt: skip


class Reader:
  """Stands for a model; keeps the clips that it is given."""

  parameters = embeddings = lambda *_: None

  def __init__(self):
    self.clips = []

  def predict(self, clips, rounded=False, among=()):
    from avjax.training.outcome import without_maps

    self.clips += clips
    shares = np.full((len(clips), len(EMOTIONS)), 1 / len(EMOTIONS))
    return without_maps(clips, EMOTIONS, shares), {}


def asked(how, of=None, **changed):
  """Returns the time line in 4 s and 0.5 s, and the clips that were read."""
  reader, fitted = Reader(), Fitted(('audio',))
  object.__setattr__(fitted, 'shape', None)
  made = recogniser(('audio',), fitted, standardise=how)
  made = dataclasses.replace(made, models=(reader,))
  return windows.timeline(made, of or recorded(), **changed), reader.clips


def test_windows():
  """Golden: where windows begin, which columns they have, and their table."""
  line, clips = asked('none')
  assert line.time.tolist() == [2 + k / 2 for k in range(13)]
  starts = [round(12.5 * k) for k in range(13)]
  for start, clip in zip(starts, clips, strict=False):
    first = round(start * 1.25)
    assert clip.streams['audio'][:, 0].tolist() == [*range(first, first + 125)]
  want = [np.mean(np.arange(s, s + 100) >= 100) for s in starts]
  np.testing.assert_allclose(line.found, want)
  assert line.caveats == () and line.rows[3]['time'] == 3.5
  assert line.to_dict()['mean'] == dict.fromkeys(EMOTIONS, pytest.approx(1 / 7))
  texts = [note.text for note in line.notes]
  assert texts == ['a hole', 'a face in 62 % of the frames']
  assert over_time.draw(line.picture).get_size_inches()[0] == 12
  short, clips = asked('none', window=30.0)
  assert short.time.tolist() == [T / 50]
  assert len(clips[0].streams['audio']) == 325


def test_standardised_by_the_recording():
  """Law: windows keep their differences; of all, mean is 0 and variance 1."""
  line, clips = asked('speaker', window=1.0, hop=1.0)
  assert 'the whole recording stands for the speaker' in str(line)
  rows = np.concatenate([clip.streams['audio'] for clip in clips[:10]])
  assert len(line.time) == 10
  np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-5)
  np.testing.assert_allclose(rows.std(axis=0), 1, atol=1e-5)
  own = standardising.standardise(clips[:10], 'recording')
  assert abs(own[0].streams['audio'] - clips[0].streams['audio']).max() > 1


def several(*spans):
  """Returns a recording with faces from left to right, in some frames each."""
  faces = tuple(
    RecordedFace(a, np.full((b - a, 49, 2), 2.0 + 3 * k), np.ones(b - a, bool))
    for k, (a, b) in enumerate(spans)
  )
  return dataclasses.replace(recorded(), faces=faces, brief=2, short=1)


def test_every_face(tmp_path):
  """Law: each has the windows of which it is in half, on one grid of times."""
  both = several((0, T), (130, T - 1), (5, 40))
  lines, clips = asked('none', both, face='all')
  assert lines.count == 2 and len(lines.faces) == 2
  assert [str(line.face) for line in lines.faces] == [
    'face 1 of 2 (left)',
    'face 2 of 2 (middle)',
  ]
  whole, later = lines.faces
  assert whole.time.tolist() == asked('none')[0].time.tolist()
  assert later.time.tolist() == [k / 2 for k in range(11, 17)]
  starts = [round(12.5 * k) for k in range(7, 13)]
  want = [min(s + 100, T - 1) - max(s, 130) for s in starts]
  np.testing.assert_allclose(later.found, np.array(want) / 100)
  first = clips[16].streams['audio'][0, 0]  # a batch is padded to 16
  assert first == round(starts[0] * 1.25)
  assert [note.text for note in lines.notes] == [
    'a hole',
    'left out for under half a second: 2 of 6 faces',
    'left out for less than a window of 4 s: 2 of 6 faces',
    'no voice is attributed to one of the faces',
  ]
  assert [note.text for note in later.notes] == [
    'seen from 0:05 to 0:10 min, in 100 % of it'
  ]
  content = lines.to_dict()
  assert [one['number'] for one in content['faces']] == [1, 2]
  table = asking.rows(content, 'all')
  assert list(table[0])[:4] == ['clip', 'face', 'time', 'predicted']
  assert [row['face'] for row in table] == [1] * 13 + [2] * 6
  lines.to_csv(tmp_path / 'a.csv')
  assert (tmp_path / 'a.csv').read_text().count('\n2,') == 6
  assert '2 faces\nface 1 of 2 (left): 13 windows of 4 s\n' in str(lines)
  tall, low = (over_time.draw(x.picture) for x in (lines, whole))
  assert tall.get_size_inches()[1] > low.get_size_inches()[1]


def test_one_of_the_faces():
  """Law: left and right have one time line; without a face it is nobody's."""
  both = several((0, 140), (0, T))
  for face, number in (('left', 1), ('right', 2)):
    line, _ = asked('none', both, face=face)
    assert line.face.number == line.rows[0]['face'] == number
    assert line.to_dict()['face']['count'] == 2
  nobody, _ = asked('none', several((5, 40)), face='all')
  assert nobody.count == 0
  assert nobody.notes[-1].text == 'no face lasts for a window'
  assert [row['face'] for row in asking.rows(nobody.to_dict(), 'all')] == [
    ''
  ] * 13
  assert nobody.rows[0]['found'] == 0
  alone, _ = asked('none', several((5, 40)), face='left')
  assert alone.face is None and 'face' not in alone.to_dict()


def test_standardised_by_a_face():
  """Law: the windows of a face have mean 0 and variance 1, and no others."""
  one = several((100, 200))
  lines, clips = asked('speaker', one, window=1.0, hop=1.0, face='all')
  assert len(lines.faces[0].time) == 4
  rows = np.concatenate([clip.streams['audio'] for clip in clips[:4]])
  np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-5)
  np.testing.assert_allclose(rows.std(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize(
  ('given', 'message'),
  [
    ((0.0, 1.0, 1), 'window'),
    ((4.0, 0.0, 1), 'hop'),
    ((4.0, 1.0, 0), '0-th'),
  ],
)
def test_no_such_windows(given, message):
  """Law: windows that cannot be are an error that names them."""
  with pytest.raises(ConfigError, match=message):
    windows.check(*given)
