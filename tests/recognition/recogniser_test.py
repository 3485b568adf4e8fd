"""Predictions of raw clips: one at a time, and what they admit."""

import weakref

import numpy as np
import pytest

from avjax.clips import AUDIO, EMOTIONS, Note, RawClip
from avjax.errors import ConfigError, DataError
from avjax.features import columns, extractor, face_choice, measuring
from avjax.features.face_choice import ChosenFace
from avjax.recognition import pictures
from avjax.recognition.recogniser import Recogniser
from avjax.settings import FeaturesConfig, ModelConfig
from avjax.training.outcome import without_maps

LENGTH = 40


class Measured(columns.Measure):
  """Stands for a `Measure`; says what is decoded, and what is still alive."""

  def __init__(self, notes):
    self.notes, self.events, self.alive = notes, [], []

  def __enter__(self):
    return self

  def __exit__(self, *error):
    pass

  def decode(self, path, name, folder):
    self.events.append(path)
    assert not [ref for ref in self.alive if ref() is not None]
    if path == 'bad':
      raise DataError('bad is no clip')
    frames = np.zeros((LENGTH, 8, 8, 3), np.uint8)
    self.alive.append(weakref.ref(frames))
    sound = np.zeros(640 * LENGTH)
    return RawClip(name, frames, sound, sound == 0, LENGTH)

  def examine(self, raw, cautious=False):
    assert cautious or raw.name in 'bc'  # recordings of the enrolment
    found = np.ones(raw.length, bool)
    measured = columns.Columns({}, found, tuple(self.notes), {})
    return columns.Examined(measured, None)

  def finish(self, examined):
    return examined.columns


class Even:
  """Stands for a model, which finds all emotions equally probable."""

  parameters = embeddings = lambda *_: None

  def predict(self, clips, rounded=False, among=()):
    assert rounded
    shares = np.full((len(clips), len(EMOTIONS)), 1 / len(EMOTIONS))
    return without_maps(clips, EMOTIONS, shares), {}


class Fitted(extractor.Extractor):
  """Stands for an extractor of streams that are all ones."""

  def __init__(self, streams):
    for name, value in (
      ('streams', streams),
      ('settings', FeaturesConfig(streams=streams)),
      ('carried', {}),
    ):
      object.__setattr__(self, name, value)

  face_network = ''

  def __call__(self, measured):
    return {k: np.ones((LENGTH, 3), np.float32) for k in self.streams}


def recogniser(streams=(AUDIO, 'shape'), fitted=None, **changed):
  """Returns a recogniser whose model and extractor are stand-ins."""
  return Recogniser(
    'run', EMOTIONS, ModelConfig(streams=streams),
    dict.fromkeys(streams, 3), (Even(),), fitted or Fitted(streams), **changed,
  )  # fmt: skip


def recognised(
  monkeypatch,
  paths,
  notes=(),
  streams=(AUDIO, 'shape'),
  enrolment=(),
  **changed,
):
  """Returns the iterator over the answers, and what is measured meanwhile."""
  measured = Measured(notes)
  monkeypatch.setattr(measuring, 'measure', lambda *_: measured)
  made = recogniser(streams, **changed)
  return made.each(paths, enrolment), measured


def test_landmarks_of_the_training_clips(monkeypatch):
  """Law: a file of theirs is not asked about another clip, which is said."""
  asked, measured = [], Measured(())
  monkeypatch.setattr(
    measuring, 'measure', lambda s, _: asked.append(s) or measured
  )
  fitted = Fitted(('shape',))
  settings = FeaturesConfig(landmarks='all.npz', landmarks_rate='30')
  object.__setattr__(fitted, 'settings', settings)
  one = recogniser(('shape',), fitted)('one')
  assert asked == [FeaturesConfig()]
  assert [note.text for note in one.notes] == [
    "the landmarks are dlib's, in training all.npz"
  ]


def test_one_clip_at_a_time(monkeypatch):
  """Law: a clip is decoded after the one before is given, and is freed.

  Of its frames only those of the picture are kept.
  """
  paths = ['one', 'bad', 'two', 'one']
  each, measured = recognised(monkeypatch, paths)
  kept = []
  for done, one in enumerate(each, 1):
    assert measured.events == paths[:done]
    kept.append(one)
  assert [type(one).__name__ for one in kept] == [
    'Recognised',
    'Unrecognised',
    'Recognised',
  ]
  assert str(kept[1]) == 'left out bad: bad is no clip'
  assert len(kept[0].timeline.frames) == 10 and kept[0].timeline.length == 40


class TwoFaces(Measured):
  """Stands for a `Measure` that finds two faces in every clip."""

  def persons(self, raw, face):
    face_choice.check(face)
    both = [ChosenFace(1, 2, 'left'), ChosenFace(2, 2, 'right')]
    wanted = {'all': both, 'left': both[:1], 'right': both[1:]}
    return tuple((raw, one) for one in wanted[face])


def test_faces_of_a_clip(monkeypatch):
  """Law: all gives an answer for each face, left and right give one.

  The answer says which face it is of how many.
  """
  measured = TwoFaces(())
  monkeypatch.setattr(measuring, 'measure', lambda *_: measured)
  made = recogniser()
  answers = list(made.each(['film/a.mp4', 'bad', 'b'], face='all'))
  assert [one.path for one in answers] == [
    *['film/a.mp4'] * 2, 'bad', *['b'] * 2
  ]  # fmt: skip
  assert answers[1].headline == 'film/a.mp4, face 2 of 2 (right): angry'
  assert answers[1].timeline.name == 'a.mp4, face 2 of 2 (right)'
  assert answers[0].to_dict()['face'] == {
    'number': 1, 'count': 2, 'where': 'left'
  }  # fmt: skip
  assert made('a', face='right').face.number == 2
  with pytest.raises(ConfigError, match='`each` returns every face'):
    made('a', face='all')
  assert made('a').face is None and 'face' not in made('a').to_dict()


NOTES = (
  Note('partial', 'partial: 1.0 of 2.0 s decoded'),
  Note('no sound', 'no audio'),
  Note('no face', 'no face in any frame'),
  Note('short', 'only 0.3 s long'),
  Note('held', 'a kind that is new'),
)


def test_caveats(monkeypatch):
  """Law: caveats are in headline, JSON and picture, for what the model reads.

  All other notes stand below.
  """
  seen, heard = 'no face in any frame', 'no sound'
  own = 'standardised by its own frames, since the speaker is not known'
  for streams, wanted in (
    ((AUDIO, 'shape'), [heard, seen, 'only 0.3 s long', own]),
    ((AUDIO,), [heard, 'only 0.3 s long', own]),
    (('shape',), [seen, 'only 0.3 s long', own]),
  ):
    each, _ = recognised(
      monkeypatch, ['a\n'], NOTES, streams, standardise='speaker'
    )
    (one,) = each
    assert one.headline == f'a\\n: angry - but {", ".join(wanted)}'
    assert str(one).splitlines()[0] == one.headline
    assert one.to_dict()['headline'] == one.headline
    assert one.to_dict()['caveats'] == wanted
    assert one.timeline.caveats == tuple(wanted)
    below = [note.text for note in NOTES if note.kind in ('partial', 'held')]
    assert [t for t in one.to_dict()['notes'] if t in below] == below
    assert not set(one.to_dict()['notes']) & set(wanted)
  each, _ = recognised(monkeypatch, ['a'])
  assert next(each).headline == 'a: angry'


def test_enrolment(monkeypatch):
  """Law: recordings of the speaker come first, and take the caveat away.

  A run that needs none refuses them, and one that cannot be read is named.
  """
  each, measured = recognised(
    monkeypatch, ['a'], standardise='speaker', enrolment=['b', 'c']
  )
  one = next(each)
  assert measured.events == ['b', 'c', 'a']
  assert one.headline == 'a: angry'
  assert 'standardised by 2 recordings of the speaker' in one.notes[-1].text
  with pytest.raises(DataError, match='bad cannot be used for the enrolment'):
    next(
      recognised(monkeypatch, ['a'], standardise='speaker', enrolment=['bad'])[
        0
      ]
    )
  with pytest.raises(ConfigError, match='standardise=none, which needs no'):
    recognised(monkeypatch, ['a'], enrolment=['b'])


@pytest.mark.parametrize('streams', [(AUDIO,), ('shape',)])
def test_faces_that_nobody_looked_for(monkeypatch, streams):
  """Law: a picture tells of faces only if the extractor looks for them."""
  each, _ = recognised(monkeypatch, ['a'], streams=streams)
  assert (next(each).timeline.found is None) == (streams == (AUDIO,))


def test_pictures_of_long_names(monkeypatch, tmp_path):
  """Law: a name too long for a file system is cut at a letter."""
  from avjax.reporting import timeline

  def save(_, path):
    path.write_bytes(b'')

  monkeypatch.setattr(timeline, 'draw', lambda _: None)
  monkeypatch.setattr(timeline, 'save', save)
  each, _ = recognised(monkeypatch, ['\u00e9' * 126 + '.a', 'b.a'])
  taken = set()
  long, short = each
  names = [
    pictures.picture(one, tmp_path, taken).name for one in (long, long, short)
  ]
  assert names == ['\u00e9' * 125 + '.png', '\u00e9' * 124 + '-2.png', 'b.png']
