"""Predictions of raw clips: one at a time, and what they admit."""

import weakref

import numpy as np
import pytest

from avjax import prediction
from avjax.clips import AUDIO, EMOTIONS, Note, RawClip
from avjax.errors import ConfigError, DataError
from avjax.features import columns, extractor
from avjax.runs import evaluation
from avjax.settings import DataConfig, FeaturesConfig, ModelConfig, Settings
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


class Run(evaluation.TrainedRun):
  """Stands for a run, which finds all emotions equally probable."""

  def __init__(self, streams, data):
    config = Settings(
      data=DataConfig(**data), model=ModelConfig(streams=streams)
    )
    object.__setattr__(self, 'config', config)
    object.__setattr__(self, 'folder', 'run')

  def predict(self, clips, rounded=False):
    assert rounded
    shares = np.full((len(clips), len(EMOTIONS)), 1 / len(EMOTIONS))
    return without_maps(clips, EMOTIONS, shares), {}


class Fitted(extractor.Extractor):
  """Stands for an extractor of streams that are all ones."""

  def __init__(self, streams):
    for name, value in (
      ('streams', streams),
      ('settings', FeaturesConfig(streams=streams)),
    ):
      object.__setattr__(self, name, value)

  untrained = ''

  def __call__(self, measured):
    return {k: np.ones((LENGTH, 3), np.float32) for k in self.streams}


def predictions(
  monkeypatch, paths, notes=(), streams=(AUDIO, 'shape'), enrolment=(), **data
):
  """Returns the iterator over predictions, and what is measured meanwhile."""
  measured, run = Measured(notes), Run(streams, data)
  fitted = Fitted(streams)
  monkeypatch.setattr(prediction.measuring, 'measure', lambda _: measured)
  monkeypatch.setattr(prediction.evaluation, 'open_run', lambda _: run)
  monkeypatch.setattr(prediction, '_extractor', lambda *_: fitted)
  return prediction.predict(paths, 'run', enrolment=enrolment), measured


def test_landmarks_of_the_training_clips(monkeypatch):
  """Law: a file of theirs is not asked about another clip, which is said."""
  asked = []
  _, measured = predictions(monkeypatch, ['one'])
  settings = FeaturesConfig(landmarks='all.npz', landmarks_rate='30')
  monkeypatch.setattr(prediction, '_extractor', lambda *_: fitted)
  fitted = Fitted(('shape',))
  object.__setattr__(fitted, 'settings', settings)
  monkeypatch.setattr(
    prediction.measuring, 'measure', lambda s: asked.append(s) or measured
  )
  (one,) = prediction.predict(['one'], 'run')
  assert asked == [FeaturesConfig()]
  assert [note.text for note in one.notes] == [
    "the landmarks are dlib's, in training all.npz"
  ]


def test_one_clip_at_a_time(monkeypatch):
  """Law: a clip is decoded after the one before is given, and is freed.

  Of its frames only those of the picture are kept.
  """
  paths = ['one', 'bad', 'two', 'one']
  each, measured = predictions(monkeypatch, paths)
  kept = []
  for done, one in enumerate(each, 1):
    assert measured.events == paths[:done]
    kept.append(one)
  assert [type(one).__name__ for one in kept] == [
    'Predicted',
    'Unpredicted',
    'Predicted',
  ]
  assert str(kept[1]) == 'left out bad: bad is no clip'
  assert len(kept[0].timeline.frames) == 10 and kept[0].timeline.length == 40


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
    each, _ = predictions(
      monkeypatch, ['a\n'], NOTES, streams, standardise='speaker'
    )
    (one,) = each
    assert one.headline == f'a\\n: angry - but {", ".join(wanted)}'
    assert str(one).splitlines()[0] == one.headline
    assert one.as_json()['headline'] == one.headline
    assert one.as_json()['caveats'] == wanted
    assert one.timeline.caveats == tuple(wanted)
    below = [note.text for note in NOTES if note.kind in ('partial', 'held')]
    assert [t for t in one.as_json()['notes'] if t in below] == below
    assert not set(one.as_json()['notes']) & set(wanted)
  each, _ = predictions(monkeypatch, ['a'])
  assert next(each).headline == 'a: angry'


def test_enrolment(monkeypatch):
  """Law: recordings of the speaker come first, and take the caveat away.

  A run that needs none refuses them, and one that cannot be read is named.
  """
  each, measured = predictions(
    monkeypatch, ['a'], standardise='speaker', enrolment=['b', 'c']
  )
  one = next(each)
  assert measured.events == ['b', 'c', 'a']
  assert one.headline == 'a: angry'
  assert 'standardised by 2 recordings of the speaker' in one.notes[-1].text
  with pytest.raises(DataError, match='bad cannot be used for the enrolment'):
    next(
      predictions(monkeypatch, ['a'], standardise='speaker', enrolment=['bad'])[
        0
      ]
    )
  with pytest.raises(ConfigError, match='standardise=none, which needs no'):
    predictions(monkeypatch, ['a'], enrolment=['b'])


@pytest.mark.parametrize('streams', [(AUDIO,), ('shape',)])
def test_faces_that_nobody_looked_for(monkeypatch, streams):
  """Law: a picture tells of faces only if the extractor looks for them."""
  each, _ = predictions(monkeypatch, ['a'], streams=streams)
  assert (next(each).timeline.found is None) == (streams == (AUDIO,))


def test_pictures_of_long_names(monkeypatch, tmp_path):
  """Law: a name too long for a file system is cut at a letter."""
  from avjax.reporting import timeline

  def save(_, path):
    path.write_bytes(b'')

  monkeypatch.setattr(timeline, 'draw', lambda _: None)
  monkeypatch.setattr(timeline, 'save', save)
  each, _ = predictions(monkeypatch, ['\u00e9' * 126 + '.a', 'b.a'])
  taken = set()
  long, short = each
  names = [
    prediction.picture(one, tmp_path, taken).name for one in (long, long, short)
  ]
  assert names == ['\u00e9' * 125 + '.png', '\u00e9' * 124 + '-2.png', 'b.png']
