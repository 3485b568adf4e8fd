"""Additions to the paper's training: what each changes, and what none may."""

import dataclasses

import jax
import numpy as np
import optax
import pytest

from avjax.clips import Batch
from avjax.errors import DataError
from avjax.settings import RegularisationConfig
from avjax.training import augmentation, replicas, steps
from avjax.training.checkpoints import Checkpoints
from avjax.training.devices import Devices
from avjax.training.optimiser import schedule
from avjax.training.setup import Setup
from tests.training import examples, loop_test

KEY = jax.random.key(3)
ALL = dict(
  time_mask=0.3,
  modality_dropout=0.2,
  noise=0.2,
  offset=0.3,
  mixup=0.4,
  label_smoothing=0.1,
  speaker_exchange=0.8,
  speaker_spread=1.0,
  average=0.9,
)


def batch_of(rows=64, frames=20, width=6):
  rng = np.random.default_rng(0)
  length = rng.integers(8, frames + 1, rows).astype(np.int32)
  length[-1] = 0  # a padding row
  inside = np.arange(frames) < length[:, None]

  def stream(shift):
    speaker = np.arange(rows) % 4
    x = rng.standard_normal((rows, frames, width)) + 5 * speaker[:, None, None]
    return np.where(inside[..., None], x + shift, 0).astype(np.float32)

  return Batch(
    audio=stream(1),
    visual={'face': stream(2), 'shape': stream(3)},
    audio_length=length,
    visual_length=length,
    label=np.zeros(rows, np.int32),
    speaker=(np.arange(rows) % 4).astype(np.int32),
    zero_padded=True,
  )


def changed(batch, first_row=0, speakers=None, **given):
  settings = RegularisationConfig(**given)
  return augmentation.augmented(batch, KEY, first_row, settings, speakers)


def arrays(batch):
  return {'audio': batch.audio, **batch.visual}


def test_time_masks():
  """Law: one interval a clip and stream is zero, of at most the share."""
  batch = batch_of()
  masked = changed(batch, time_mask=0.5)
  sizes = []
  for name, x in arrays(masked).items():
    zero = (np.asarray(x) == 0).all(-1)
    for row, frames in enumerate(batch.visual_length):
      hit = np.flatnonzero(zero[row, :frames])
      assert len(hit) <= frames / 2
      assert not len(hit) or np.ptp(hit) == len(hit) - 1
      kept = ~zero[row]
      before = arrays(batch)[name][row]
      np.testing.assert_array_equal(np.asarray(x)[row][kept], before[kept])
      sizes.append(len(hit) / max(frames, 1))
  assert 0.15 < np.mean(sizes) < 0.35


def test_modality_dropout():
  """Law: in the share of the clips one modality is zero, half of them each."""
  silent = changed(batch_of(1000), modality_dropout=0.4)
  off = {k: ~np.asarray(x).any((1, 2))[:-1] for k, x in arrays(silent).items()}
  np.testing.assert_array_equal(off['face'], off['shape'])
  assert not (off['audio'] & off['face']).any()
  assert off['audio'].mean() == pytest.approx(0.2, abs=0.04)
  assert off['face'].mean() == pytest.approx(0.2, abs=0.04)


def test_noise():
  """Law: the noise has its standard deviation, and padding stays zero."""
  batch = batch_of(400)
  noisy = changed(batch, noise=0.5)
  for name, x in arrays(noisy).items():
    inside = np.arange(20) < batch.visual_length[:, None]
    added = np.asarray(x) - arrays(batch)[name]
    assert not added[~inside].any()
    assert added[inside].std() == pytest.approx(0.5, rel=0.01)
    assert added[inside].mean() == pytest.approx(0, abs=0.01)


def test_offset():
  """Law: one constant for each clip and input, with its deviation."""
  batch = batch_of(400)
  moved = changed(batch, offset=0.5)
  for name, x in arrays(moved).items():
    difference = np.asarray(x) - arrays(batch)[name]
    frames = batch.visual_length[:-1]
    first = difference[:-1, 0]
    for row, length in enumerate(frames):
      np.testing.assert_allclose(
        difference[row, :length], np.tile(first[row], (length, 1)), atol=2e-6
      )
      assert not difference[row, length:].any()
    np.testing.assert_allclose(first.std(0), 0.5, rtol=0.15)
    np.testing.assert_allclose(first.mean(0), 0, atol=0.1)
    together = np.corrcoef(first.T) - np.eye(first.shape[1])
    assert np.abs(together).max() < 0.25


def test_speakers_are_exchanged():
  """Equation: an exchanged clip has another training speaker's moments."""
  batch = batch_of(400)
  streams = arrays(batch)
  names = ['a', 'b', 'c', 'd']
  mean = {k: np.full((4, 6), 0.0, np.float32) for k in streams}
  std = {k: np.full((4, 6), 1.0, np.float32) for k in streams}
  for k, x in streams.items():
    for s in range(4):
      rows = x[s:-1:4][x[s:-1:4].any(-1)]
      mean[k][s], std[k][s] = rows.mean(0), rows.std(0)
  speakers = augmentation.Speakers.of(
    mean, std, np.array([True, True, False, True])
  )
  other = changed(batch, speakers=speakers, speaker_exchange=0.5)
  drawn = []
  for row, frames in enumerate(batch.visual_length[:-1]):
    own = row % len(names)
    to = None
    for k, x in arrays(other).items():
      now, before = np.asarray(x)[row, :frames], streams[k][row, :frames]
      score = (before - mean[k][own]) / std[k][own]
      fits = [
        s
        for s in range(4)
        if np.allclose(now, score * std[k][s] + mean[k][s], atol=1e-3)
      ]
      assert fits and to in (None, fits[0])  # all streams alike
      to = fits[0]
    drawn.append(to)
  drawn, own = np.array(drawn), np.arange(399) % 4
  assert (drawn != own).mean() == pytest.approx(0.5, abs=0.08)
  assert not ((drawn == 2) & (own != 2)).any()  # no training clips
  assert len(set(drawn[own == 0])) == 3


def test_speakers_are_made():
  """Equation: their moments spread as those of the training speakers do."""
  batch, spread = batch_of(2000), 1.5
  rng = np.random.default_rng(2)
  shape = (4, 6)
  speakers = augmentation.Speakers.of(
    {name: rng.normal(3, 2, shape).astype('f4') for name in arrays(batch)},
    {
      name: np.exp(rng.normal(0, 0.3, shape)).astype('f4')
      for name in arrays(batch)
    },
    np.array([True, True, True, False]),
  )
  made = changed(
    batch, speakers=speakers, speaker_exchange=1.0, speaker_spread=spread
  )
  for name, before in arrays(batch).items():
    mean, log = speakers.mean[name], np.log(speakers.std[name])
    first, last = (np.asarray(arrays(made)[name])[:-1, k] for k in (0, 1))
    own = batch.speaker[:-1]
    steps = (before[:-1, 1] - before[:-1, 0]) / speakers.std[name][own]
    given_log = np.log((last - first) / steps)  # of the deviations
    score = (before[:-1, 0] - mean[own]) / speakers.std[name][own]
    given_mean = first - score * np.exp(given_log)
    for given, values in ((given_mean, mean[:3]), (given_log, log[:3])):
      np.testing.assert_allclose(given.mean(0), values.mean(0), atol=0.25)
      np.testing.assert_allclose(
        given.std(0), spread * values.std(0), rtol=0.1, atol=0.02
      )
  standard = augmentation.Speakers.of(
    {name: np.zeros(shape, 'f4') for name in arrays(batch)},
    {name: np.ones(shape, 'f4') for name in arrays(batch)},
    np.ones(4, bool),
  )
  same = changed(
    batch, speakers=standard, speaker_exchange=1.0, speaker_spread=spread
  )
  for name, before in arrays(batch).items():
    np.testing.assert_allclose(arrays(same)[name], before, atol=1e-6)


def test_moments_of_speakers():
  """Equation: mean and std over the frames; unknown speakers are not drawn."""
  clips = examples.make_clips(9, 'training')
  names = ('speaker 0', 'speaker 1', 'speaker 9')
  made = augmentation.moments(clips, names, ('audio', 'face'))
  frames = [c.streams['face'] for c in clips if c.speaker == 'speaker 1']
  frames = np.concatenate(frames).astype(np.float64)
  np.testing.assert_allclose(made.mean['face'][1], frames.mean(0), rtol=1e-5)
  np.testing.assert_allclose(made.std['face'][1], frames.std(0), rtol=1e-5)
  assert made.training.tolist() == [True, True, False]
  alone = [dataclasses.replace(clip, speaker='one') for clip in clips]
  with pytest.raises(DataError, match='needs two speakers'):
    augmentation.moments(alone, ('one',), ('audio',))


def test_mixup():
  """Equation: x = s x_i + (1 - s) x_j, and the loss likewise."""
  batch = batch_of()
  mixture, share, other = augmentation.mixed(batch, KEY, 0, 0.4)
  share, other = np.asarray(share), np.asarray(other)
  assert other[:4].tolist() == [1, 0, 3, 2] and share[-1] == share[-2] == 1
  assert (share >= 0.5).all() and (share[:-2] < 1).mean() > 0.9
  for name, x in arrays(mixture).items():
    before = arrays(batch)[name]
    part = share[:, None, None]
    wanted = part * before + (1 - part) * before[other]
    np.testing.assert_allclose(np.asarray(x), wanted, atol=1e-5)
  longer = np.maximum(batch.visual_length, batch.visual_length[other])
  np.testing.assert_array_equal(mixture.visual_length[:-2], longer[:-2])
  logits = np.random.default_rng(1).standard_normal((64, 5)).astype(np.float32)
  label = np.arange(64, dtype=np.int32) % 5
  got = augmentation.losses(logits, label, 0.0, share, other)
  each = optax.softmax_cross_entropy_with_integer_labels
  wanted = share * each(logits, label) + (1 - share) * each(
    logits, label[other]
  )
  np.testing.assert_allclose(got, wanted, rtol=1e-5)


def test_label_smoothing():
  """Equation: a share of the target is divided among all emotions."""
  logits = np.random.default_rng(1).standard_normal((8, 5)).astype(np.float32)
  label = np.arange(8, dtype=np.int32) % 5
  logp = np.asarray(jax.nn.log_softmax(logits))
  wanted = -0.9 * logp[np.arange(8), label] - 0.1 * logp.mean(1)
  got = augmentation.losses(logits, label, 0.1)
  np.testing.assert_allclose(got, wanted, rtol=1e-5)


def test_rows_decide():
  """Law: a clip's changes depend on its row, not on the rest of the batch."""
  batch = batch_of(8)
  given = {k: ALL[k] for k in ('time_mask', 'modality_dropout', 'noise')}
  whole = changed(batch, **given)
  half = jax.tree.map(lambda x: x[4:], batch)
  part = changed(half, first_row=4, **given)
  for name, x in arrays(part).items():
    np.testing.assert_array_equal(arrays(whole)[name][4:], x)


def test_everything_on_several_devices(monkeypatch):
  """Agreement: with all additions, jit and pmap on four devices and one."""
  training = dataclasses.replace(
    examples.PROPOSED.training,
    optimiser='adamw',
    learning_rate=3e-3,
    schedule='cosine',
    warm_up=0.1,
    clip_norm=1.0,
    regularisation=RegularisationConfig(**ALL),
  )
  settings = dataclasses.replace(examples.PROPOSED, training=training)
  clips = examples.make_clips(24, 'training')
  parts = {'training': clips}
  names = tuple(sorted({clip.speaker for clip in clips}))
  loader = dataclasses.replace(
    examples.make_loader(settings, parts), speakers=names
  )
  speakers = augmentation.moments(clips, names, loader.streams)
  initial = steps.create_state(
    settings,
    loader.batch(clips, np.arange(5)),
    examples.EMOTIONS,
    30,
    speakers,
  )
  initial = jax.tree.map(np.asarray, initial)
  seen = {}
  for parallelism, count in (('jit', 1), ('jit', 4), ('pmap', 4)):
    monkeypatch.undo()
    devices = jax.local_devices()[:count]
    monkeypatch.setattr(jax, 'devices', lambda d=devices: d)
    place = Devices(parallelism)
    state, losses = place.put_state(initial), []
    for epoch in range(2):
      for indices in loader.order(clips, 0, epoch):
        state, metrics = place.train_step(state, loader.batch(clips, indices))
        losses.append(float(metrics['loss']))
    seen[parallelism, count] = (
      losses,
      jax.tree.map(np.asarray, place.unstack(state).evaluated),
    )
  wanted, average = seen['jit', 1]
  assert np.isfinite(wanted).all()
  for losses, params in seen.values():
    np.testing.assert_allclose(losses, wanted, rtol=1e-5)
    jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5),
      params,
      average,
    )


def test_schedule():
  """Equation: the rate rises for a tenth, then falls as a cosine to zero."""
  training = dataclasses.replace(
    examples.SETTINGS.training, schedule='cosine', warm_up=0.1
  )
  share = [float(schedule(training)(k, 100)) for k in range(100)]
  np.testing.assert_allclose(share[:10], np.arange(1, 11) / 10, rtol=1e-5)
  assert share[-1] == pytest.approx(0, abs=1e-6)
  assert share[54] == pytest.approx(0.5, abs=1e-5)
  assert schedule(examples.SETTINGS.training) is None


def test_everything_resumed_on_the_device_and_in_replicas(
  tmp_path, monkeypatch
):
  """Law: with all additions too, these are bit-identical to one whole run."""
  devices = jax.local_devices()[:1]
  monkeypatch.setattr(jax, 'devices', lambda: devices)
  given = dict(
    optimiser='adamw',
    learning_rate=3e-3,
    clip_norm=1.0,
    regularisation=RegularisationConfig(**ALL),
  )
  settings = examples.with_training(epochs=2, **given)
  parts = examples.make_parts()
  whole = loop_test.train(tmp_path / 'whole', settings, parts)
  loop_test.train(
    tmp_path / 'parts', examples.with_training(epochs=1, **given), parts
  )
  resumed = loop_test.train(tmp_path / 'parts', settings, parts)
  loop_test.assert_same_run(whole, resumed)
  on_device = dataclasses.replace(
    settings, data=dataclasses.replace(settings.data, placement='device')
  )
  loop_test.assert_same_run(
    whole, loop_test.train(tmp_path / 'device', on_device, parts)
  )
  runs = [
    replicas.Replica(
      str(seed), dataclasses.replace(settings, seed=seed), parts,
      tmp_path / str(seed),
    )
    for seed in (settings.seed, 7)
  ]  # fmt: skip
  setup = Setup(settings, examples.EMOTIONS, parts)
  with Checkpoints(tmp_path / 'both', {'run': 'test'}) as checkpoints:
    trained = replicas.Replicas(runs, setup).train(tmp_path, checkpoints)
  history = [
    [line['training_loss'] for line in progress.history]
    for progress in (whole[0], *(progress for _, progress in trained))
  ]
  assert history[0] == history[1] != history[2]
