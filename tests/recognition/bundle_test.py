"""Bundles: what is in them, what reads them, and what is refused."""

import dataclasses
import json
import pathlib
import random

import numpy as np
import pytest

import avjax
from avjax import pretrained
from avjax.errors import ConfigError, DataError
from avjax.recognition import bundle, cards
from avjax.runs import evaluation
from avjax.settings import ModelConfig
from tests.bin.programs import ROOT, fails
from tests.recognition import bundle_damage, made

GOLDEN = ROOT / 'tests/golden/runs'


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  """The path of a bundle, its bytes, clips, and what it answers."""
  path = tmp_path_factory.mktemp('bundle') / 'made.zip'
  made.write(path)
  clips = made.clips()
  found = bundle_damage.answers(bundle.read(path), clips)
  return path, path.read_bytes(), clips, found


def test_the_same_again(whole):
  """Law: a bundle answers as what it was made of, to the bit.

  Made twice, or of what was read, it has the same bytes.
  """
  path, packed, clips, found = whole
  original = made.recogniser()
  assert bundle_damage.same(bundle_damage.answers(original, clips), found)
  assert bundle.pack(original, made.CARD) == packed
  again = avjax.load(path)
  assert again.card == made.CARD
  assert bundle.pack(again, again.card) == packed
  assert again.extractor.fingerprint == original.extractor.fingerprint


def test_two_networks_are_averaged(whole):
  """Equation: probabilities and attention are the means of the networks'."""
  path, _, clips, _ = whole
  two = avjax.load(str(path))
  each = [
    dataclasses.replace(two, models=(model,)).outcome(clips)
    for model in two.models
  ]
  both = two.outcome(clips)
  mean = (each[0].probabilities + each[1].probabilities) / 2
  np.testing.assert_allclose(both.probabilities, mean, rtol=1e-12)
  for clip, own, *maps in zip(
    clips, both.attention, *(one.attention for one in each), strict=True
  ):
    assert own.shape == (3, clip.visual_length)
    np.testing.assert_allclose(own, (maps[0] + maps[1]) / 2, rtol=1e-6)


def test_clips_do_not_meet(whole):
  """Law: a clip alone has the answer that it has among 40 others."""
  path, _, clips, _ = whole
  one = avjax.load(path)
  many = made.clips(range(20, 60))
  together = one.outcome([*many, *clips]).probabilities[-3:]
  alone = [one(clip).probabilities.values() for clip in clips]
  np.testing.assert_allclose(together, [[*p] for p in alone], atol=1e-6)


@pytest.mark.parametrize('kind', bundle_damage.KINDS)
def test_damage(whole, tmp_path, kind):
  """Law: a damaged bundle is refused in one line, or answers as before."""
  _, packed, clips, wanted = whole
  path = tmp_path / 'damaged.zip'
  path.write_bytes(kind(packed, random.Random(kind.__name__)))
  verdict, text = bundle_damage.judged(path, clips, wanted)
  assert verdict in ('refused', 'unharmed'), text
  if kind not in (bundle_damage.headless, bundle_damage.flipped):
    assert verdict == 'refused'
  if kind is bundle_damage.later:
    assert 'install a later one' in text


def test_ways(whole):
  """Law: a way to standardise has its own networks, or is refused.

  The recording stands for the speaker, who is not known, without a caveat.
  """
  path, _, clips, _ = whole
  one = avjax.load(path)
  other = one.others[0]
  assert one.by() is one and one.by(None, 2) is other is one.by('speaker')
  own = one(clips[0], standardise='recording')
  alone = one(clips[0], standardise='speaker')
  assert own.probabilities == alone.probabilities != one(clips[0]).probabilities
  assert own.caveats == () and 'speaker is not known' in alone.caveats[0]
  by_two = one(clips[0], enrolled=clips[1:])
  assert by_two.probabilities not in (own.probabilities, {})
  assert 'by 2 recordings of the speaker' in by_two.notes[0].text
  for how, enrolled, message in (
    ('enrolment', 0, 'it has none, speaker'),
    ('mine', 0, 'must be one of none'),
    ('none', 1, 'leave out --enrolment'),
  ):
    with pytest.raises(ConfigError, match=message):
      one.by(how, enrolled)


def test_answers(whole):
  """Law: an answer is there as JSON and as tables, for clip and frames."""
  path, _, clips, _ = whole
  one = avjax.load(path)(clips[0], ablated=True)
  assert json.loads(json.dumps(one.to_dict()))['predicted'] == one.emotion
  assert set(one.ablated) == {'audio off', 'vision off'}
  pytest.importorskip('pandas')
  assert [*one.to_frame().columns] == [
    'clip', 'predicted', *made.EMOTIONS, 'caveats',
  ]  # fmt: skip
  frames = one.to_frame('frame')
  assert len(frames) == 40 and frames['time'][1] == 0.04
  np.testing.assert_allclose(frames[[*made.EMOTIONS]].sum(), 1, rtol=1e-5)


def test_arrays(whole):
  """Agreement: frames and a waveform, at rates of their own, are a clip."""
  path, _, _, _ = whole
  one = avjax.load(path)
  random = np.random.default_rng(4)
  sound = 0.1 * random.normal(size=32000)
  half = one(waveform=sound[:16000])
  assert half.timeline.length == 25
  assert 'no picture' in half.caveats[0]
  pictures = random.integers(0, 255, (60, 48, 64, 3), np.uint8)
  seen = one(frames=pictures, waveform=sound, frame_rate=30)
  assert seen.timeline.length == 50 and not seen.found.any()
  for wrong, message in (
    ({}, 'give one of them'),
    ({'frames': pictures[0]}, 'wanted uint8'),
    ({'waveform': sound[None]}, 'one channel'),
    ({'waveform': sound * np.nan}, 'NaN'),
    ({'waveform': sound, 'rate': 0}, 'rate is 0'),
  ):
    with pytest.raises((ConfigError, DataError), match=message):
      one(**wrong)


def test_card():
  """Law: the card and the notice have the figures that were measured."""
  text = cards.markdown('people', '', [made.TESTED])
  row = '| as it is (inductive) | 50.0 [25.0, 75.0] | 50.0 | 33.3 | 12 | 3 | 2'
  assert row in text
  known = cards.notice('made', made.CARD, 'none')
  assert '50.0 % [25.0, 75.0] of 3 emotions' in known
  assert 'three made people, which is not life' in known
  assert 'weights A licence;' in known
  assert 'not measured' in cards.notice('made', made.CARD, 'recording')


def test_runs():
  """Agreement: a run answers as it predicts; some runs are no recogniser."""
  run = evaluation.open_run(GOLDEN / 'proposed')
  clips = run.clips('test')[:3]
  wanted, _ = run.predict(clips)
  found = avjax.load(GOLDEN / 'proposed').outcome(clips)
  np.testing.assert_allclose(
    found.probabilities, wanted.probabilities, atol=1e-6
  )
  assert len(avjax.load(str(GOLDEN / 'seeds')).models) == 2
  with pytest.raises(DataError, match='no extractor'):
    avjax.load(GOLDEN / 'proposed')('a.mp4')
  with pytest.raises(ConfigError, match='holds a run of several folds'):
    avjax.load(GOLDEN / 'folds')
  with pytest.raises(ConfigError, match='is no network'):
    _ = avjax.load(GOLDEN / 'linear').members
  with pytest.raises(ConfigError, match='has other settings of the model'):
    avjax.load([GOLDEN / 'average', GOLDEN / 'proposed'])


@pytest.mark.parametrize(
  ('program', 'arguments', 'message'),
  [
    ('bundle', ('r',), 'wanted: RUN'),
    ('bundle', ('r', 'out.npz'), 'must end in .zip'),
    ('bundle', ('nowhere', 'out.zip'), 'nowhere'),
    ('predict', ('a.mp4', '--model=nowhere'), "'nowhere' is not in this"),
    ('predict', ('a.mp4', '--model=no.zip'), 'no.zip does not exist'),
    ('predict', ('a.mp4', '--model=a', '--workdir=b'), 'give one of them'),
    ('predict', ('a.mp4', '--extractor=e'), 'are for --workdir'),
  ],
)
def test_what_is_refused(tmp_path, program, arguments, message):
  """Program: one line, exit code 2, nothing written."""
  assert message in fails(program, *arguments, cwd=tmp_path)


def test_ready_models():
  """Law: what comes with the package can be read, small, with its card."""
  for name in pretrained.names():
    one = avjax.load(name)
    assert pretrained.path(name).stat().st_size < 3e6
    assert one.card.accuracies and one.card.licence.startswith('CC BY-NC-SA')
    beside = pathlib.Path(pretrained.path(name)).with_suffix('.md')
    assert beside.read_text() == one.card.text


def test_only_what_a_bundle_holds():
  """Law: a model that reads other streams is refused when it is packed."""
  one = made.recogniser()
  other = dataclasses.replace(
    one, settings=ModelConfig(streams=('audio', 'lips'))
  )
  settings = dataclasses.replace(one.extractor.settings, alexnet='a.npz')
  fitted = dataclasses.replace(one.extractor, settings=settings)
  with pytest.raises(ConfigError, match='which a bundle does not hold'):
    bundle.pack(dataclasses.replace(one, extractor=fitted), made.CARD)
  packed = bundle.pack(dataclasses.replace(other, others=()), made.CARD)
  with pytest.raises(Exception, match='reads other streams'):
    bundle._recogniser('x', bundle._unzipped(packed))
