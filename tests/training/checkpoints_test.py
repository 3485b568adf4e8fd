"""Law: what is restored is what was saved, or an error says why not."""

import contextlib
import pathlib
import random
import resource
import shutil
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from avjax.errors import CheckpointError
from avjax.training import snapshot
from avjax.training.checkpoints import Checkpoints
from tests.bin.programs import written

RUN = {'config': 'c0ffee', 'data': 'beef'}
ROOT = pathlib.Path(__file__).parents[2]


def state_of(step, width=5):
  """Returns a training state that no other step has."""
  values = np.random.default_rng(step).normal(size=(300, width))
  params = {'head': {'kernel': jnp.asarray(values, jnp.float32)}}
  opt_state = optax.adadelta(1.0).init(params)
  opt_state = jax.tree.map(lambda leaf: leaf + step, opt_state)
  return {'params': params, 'opt_state': opt_state, 'step': jnp.int32(step)}


def assert_same(restored, step):
  found, state, progress = restored
  expected = state_of(step)
  assert found == progress['epoch'] == step
  assert jax.tree.structure(state) == jax.tree.structure(expected)
  for ours, theirs in zip(
    jax.tree.leaves(state), jax.tree.leaves(expected), strict=True
  ):
    assert type(ours) is np.ndarray and ours.dtype == theirs.dtype
    assert ours.tobytes() == np.asarray(theirs).tobytes()


def save(checkpoints, step, best=False):
  checkpoints.save(step, state_of(step), {'epoch': step, 'loss': 0.1}, best)


def run_of(folder, *steps, best=()):
  """Writes a run's checkpoints; returns the steps that are left."""
  with Checkpoints(folder, RUN) as checkpoints:
    for step in steps:
      save(checkpoints, step, step in best)
  return listed(folder)


def listed(folder):
  return {int(p.name) for p in folder.iterdir() if p.name.isdecimal()}


def test_a_state_comes_back_bit_for_bit(tmp_path):
  """Law: NaN, -0 and subnormals too, into the structure of `like`."""
  odd = jnp.float32([np.nan, -0.0, 1e-45, np.inf])
  state = {**state_of(3), 'odd': odd, 'flags': np.array([True, False])}
  progress = {'epoch': 3, 'history': [0.1, 1 / 3], 'patience': None}
  with Checkpoints(tmp_path, RUN) as checkpoints:
    assert checkpoints.restore_latest(state) is None
    checkpoints.save(3, state, progress, True)
  with Checkpoints(tmp_path, RUN) as checkpoints:
    for restore in (checkpoints.restore_latest, checkpoints.restore_best):
      step, restored, again = restore(jax.eval_shape(lambda: state))
      assert (step, again) == (3, progress)
      assert jax.tree.structure(restored) == jax.tree.structure(state)
      for ours, theirs in zip(
        jax.tree.leaves(restored), jax.tree.leaves(state), strict=True
      ):
        assert ours.tobytes() == np.asarray(theirs).tobytes()
    assert not (tmp_path / 'quarantine').exists()


def test_a_state_may_be_donated_or_changed_at_once(tmp_path):
  """Law: what is saved is the state at the call, not what it becomes."""
  mesh = jax.make_mesh((4,), ('clips',), (jax.sharding.AxisType.Auto,))
  everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
  state = jax.device_put(state_of(1), everywhere)
  advance = jax.jit(
    lambda s: jax.tree.map(lambda leaf: leaf + 1, s), donate_argnums=0
  )
  with Checkpoints(tmp_path, RUN) as checkpoints:
    progress = {'epoch': 1}
    checkpoints.save(1, state, progress, False)
    advance(state)
    progress['epoch'] = 2
    assert_same(checkpoints.restore_latest(state_of(0)), 1)
    on_host = jax.tree.map(np.array, state_of(2))
    checkpoints.save(2, on_host, progress, False)
    for leaf in jax.tree.leaves(on_host):
      leaf[...] = 0
    assert_same(checkpoints.restore_latest(state_of(0)), 2)


def test_the_best_outlives_later_steps(tmp_path):
  """Law: kept are the newest two and the best that each of them knows of."""
  assert run_of(tmp_path, *range(1, 9), best=(1, 3)) == {3, 7, 8}
  with Checkpoints(tmp_path, RUN) as checkpoints:
    assert_same(checkpoints.restore_best(state_of(0)), 3)
    assert_same(checkpoints.restore_latest(state_of(0)), 8)
    save(checkpoints, 9, best=True)
    checkpoints.wait()
    assert listed(tmp_path) == {3, 8, 9}
    assert_same(checkpoints.restore_best(state_of(0)), 9)
  assert {p.name for p in tmp_path.iterdir()} == {'3', '8', '9'}


def test_a_run_without_a_best_epoch_says_so(tmp_path):
  """Law: no step is called best that was not saved as such."""
  with Checkpoints(tmp_path, RUN) as checkpoints:
    for _ in range(2):
      with pytest.raises(CheckpointError, match='no checkpoint of a best'):
        checkpoints.restore_best(state_of(0))
      save(checkpoints, 1)


def test_a_step_saved_again_is_replaced_and_stays_best(tmp_path):
  """Law: the old snapshot stands until the new one does."""
  run_of(tmp_path, 1, 2, best=(2,))
  with Checkpoints(tmp_path, RUN) as checkpoints:
    checkpoints.save(2, state_of(2), {'epoch': 2, 'again': True}, False)
    assert checkpoints.restore_latest(state_of(0))[2]['again']
    assert_same(checkpoints.restore_best(state_of(0)), 2)
  (tmp_path / 'replaced').mkdir()
  (tmp_path / '2').rename(tmp_path / 'replaced' / '2')  # killed half-way
  (tmp_path / '2.170000.unfinished').mkdir()
  with Checkpoints(tmp_path, RUN) as checkpoints:
    assert_same(checkpoints.restore_latest(state_of(0)), 2)
  assert {p.name for p in tmp_path.iterdir()} == {'1', '2'}


def files(folder):
  return sorted(p for p in folder.rglob('*') if p.is_file())


def flip(path, seed=0):
  data = bytearray(path.read_bytes())
  if data:
    data[random.Random(f'{path.name} {seed}').randrange(len(data))] ^= 4
  path.write_bytes(data)


DAMAGES = {
  'deleted': pathlib.Path.unlink,
  'emptied': lambda path: path.write_bytes(b''),
  'halved': lambda path: path.write_bytes(
    path.read_bytes()[: path.stat().st_size // 2]
  ),
  'flipped': flip,
}


@pytest.mark.parametrize('damage', DAMAGES)
def test_no_damage_goes_unseen(tmp_path, damage):
  """Law: one damaged file gives the same bits or the step before."""
  run_of(tmp_path / 'sound', 1, 2, best=(1, 2))
  names = [p.relative_to(tmp_path) for p in files(tmp_path / 'sound' / '2')]
  outcomes = []
  for number, name in enumerate(names):
    folder = tmp_path / f'{number}'
    shutil.copytree(tmp_path / 'sound', folder)
    DAMAGES[damage](folder / name.relative_to('sound'))
    with Checkpoints(folder, RUN) as checkpoints:
      restored = checkpoints.restore_latest(state_of(0))
      assert_same(restored, restored[0])
      quarantined = {p.name for p in (folder / 'quarantine').glob('*')}
      assert quarantined == ({'2'} if restored[0] == 1 else set())
    outcomes.append(restored[0])
  assert 1 in outcomes


def test_damage_to_all_steps_never_starts_from_zero(tmp_path):
  """Law: an error names the quarantine, the second time too."""
  run_of(tmp_path, 1, 2)
  for step in (1, 2):
    flip(tmp_path / str(step) / 'meta.json')
  for _ in range(2):
    with (
      Checkpoints(tmp_path, RUN) as checkpoints,
      pytest.raises(CheckpointError, match='quarantine; remove /'),
    ):
      checkpoints.restore_latest(state_of(0))


def test_a_step_that_is_half_deleted_is_not_taken_for_whole(tmp_path):
  """Law: a step without its files, or a file in its place, is moved aside."""
  run_of(tmp_path, 1, 2, 3)
  for path in files(tmp_path / '3'):
    path.unlink()
  (tmp_path / '4').write_text('not a folder')
  with Checkpoints(tmp_path, RUN) as checkpoints:
    assert_same(checkpoints.restore_latest(state_of(0)), 2)
    assert {p.name for p in (tmp_path / 'quarantine').iterdir()} == {'3', '4'}


def test_no_other_epoch_stands_in_for_the_best(tmp_path):
  """Law: damage to the best, or to what tells which it is, is an error."""
  for damaged in ('1', '3'):
    folder = tmp_path / damaged
    run_of(folder, 1, 2, 3, best=(1,))
    for path in files(folder / damaged):
      flip(path)
    with Checkpoints(folder, RUN) as checkpoints:
      with pytest.raises(CheckpointError, match=f'{damaged} is damaged'):
        checkpoints.restore_best(state_of(0))
      assert checkpoints.restore_latest(state_of(0))[0] == 5 - max(
        2, int(damaged)
      )


def test_another_runs_checkpoints_are_refused_and_left_alone(tmp_path):
  """Law: the error names what differs; nothing is quarantined."""
  run_of(tmp_path, 1, best=(1,))
  cases = [
    ({**RUN, 'data': 'other'}, state_of(0), 'with another data'),
    ({'config': 'other'}, state_of(0), 'with another config and data'),
    (RUN, state_of(0, width=6), r'float32\[300, 5\] at .*head/kernel'),
    (RUN, {**state_of(0), 'step': jnp.float32(0)}, r'int32\[\] at step'),
    (RUN, {'step': jnp.int32(0)}, 'this model has nothing'),
    (RUN, {**state_of(0), 'ema': jnp.zeros(2)}, 'holds nothing at ema'),
  ]
  for fingerprint, like, message in cases:
    with Checkpoints(tmp_path, fingerprint) as checkpoints:
      for restore in (checkpoints.restore_latest, checkpoints.restore_best):
        with pytest.raises(CheckpointError, match=message) as caught:
          restore(like)
        assert '\n' not in str(caught.value)
  assert listed(tmp_path) == {1}


@contextlib.contextmanager
def no_space(monkeypatch):
  usage = shutil.disk_usage('/')._replace(free=0)
  with monkeypatch.context() as patch:
    patch.setattr(shutil, 'disk_usage', lambda path: usage)
    yield


@contextlib.contextmanager
def no_large_files(monkeypatch):
  limits = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (2048, limits[1]))
  yield
  resource.setrlimit(resource.RLIMIT_FSIZE, limits)


# Where a write fails half-way, tensorstore's other writes end in threads whose
# event loop Orbax has closed; there is nothing of ours to catch that in.
@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
@pytest.mark.parametrize('full', [no_space, no_large_files])
def test_a_full_disk_is_named_and_the_last_step_stands(
  tmp_path, monkeypatch, full
):
  """Law: a failed write is an error at the next call; then it can go on."""
  run_of(tmp_path, 1)
  message = f'{tmp_path}: (No space left on device|File too large); fix'
  with Checkpoints(tmp_path, RUN) as checkpoints:
    with full(monkeypatch):
      save(checkpoints, 2)
      with pytest.raises(CheckpointError, match=message):
        checkpoints.wait()
    assert_same(checkpoints.restore_latest(state_of(0)), 1)
    save(checkpoints, 2)
    assert_same(checkpoints.restore_latest(state_of(0)), 2)
  assert {p.name for p in tmp_path.iterdir()} == {'1', '2'}


SAVER = """
import sys
sys.path[:0] = sys.argv[2:]
from tests.training.checkpoints_test import RUN, save, state_of, Checkpoints
with Checkpoints(sys.argv[1], RUN) as checkpoints:
  restored = checkpoints.restore_latest(state_of(0))
  step = restored[0] if restored else 0
  print('ready', flush=True)
  while True:
    step += 1
    for _ in range(1 + step % 2):  # every other step is replaced at once
      save(checkpoints, step, best=step % 5 == 0)
      checkpoints.wait()
      print(step, flush=True)
"""


def kill_in_the_act(folder, rng):
  """Returns the last step that a killed process said was on disk."""
  command = [sys.executable, '-c', SAVER, str(folder), str(ROOT)]
  with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
    assert child.stdout.readline() == 'ready\n'
    time.sleep(rng.uniform(0, 1))
    child.kill()
    said = child.stdout.read().split('\n')[:-1]  # the last may be half a line
  return int(said[-1]) if said else 0


def test_kill_loses_no_step_that_was_waited_for(tmp_path, trials=6):
  """Program: after every kill -9, all steps listed are whole."""
  rng = random.Random(time.time())
  last = 0
  for _ in range(trials):
    last = max(last, kill_in_the_act(tmp_path, rng))
    with Checkpoints(tmp_path, RUN) as checkpoints:
      restored = checkpoints.restore_latest(state_of(0))
      assert not (tmp_path / 'quarantine').exists()
    assert restored is not None or last == 0
    if restored is not None:
      assert restored[0] >= last
      assert_same(restored, restored[0])
    for step in listed(tmp_path):
      path = tmp_path / str(step)
      meta = snapshot.read_meta(path)
      state = snapshot.read_state(path, meta, state_of(0))
      assert_same((step, state, meta['progress']), step)
      assert meta['best'] in (None, step - step % 5)


@pytest.mark.parametrize('damaged', [False, True])
def test_reading_leaves_the_folder_as_it_is(damaged, tmp_path):
  """Law: a reader makes, removes and moves nothing, damaged steps included."""
  run_of(tmp_path / 'c', 1, 2, best=(1,))
  (tmp_path / f'c/3{snapshot.UNFINISHED}').mkdir()
  if damaged:
    (tmp_path / 'c/1/meta.json').write_text('{}')
  before = written(tmp_path)
  with Checkpoints(tmp_path / 'c', RUN, read_only=True) as checkpoints:
    if damaged:
      with pytest.raises(CheckpointError, match='train again'):
        checkpoints.restore_best(state_of(0))
    else:
      assert_same(checkpoints.restore_best(state_of(0)), 1)
  with (
    Checkpoints(tmp_path / 'none', RUN, read_only=True) as checkpoints,
    pytest.raises(CheckpointError, match='no checkpoint of a best epoch'),
  ):
    checkpoints.restore_best(state_of(0))
  assert written(tmp_path) == before
