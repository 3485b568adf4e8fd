"""A sample of `tests.runs.damage`; the whole takes minutes."""

import pytest

from tests.bin.programs import forked, written
from tests.bin.train_test import SMALL, make_store
from tests.runs import damage

FILES = 'predictions.csv', 'results.json', 'metrics.jsonl', 'config.json'
COUNT = 24


@pytest.fixture(scope='module')
def work(tmp_path_factory):
  """A folder with a store `s` and a run `w`, and the programs that read it."""
  folder = tmp_path_factory.mktemp('damage') / 'work'
  make_store(folder / 's')
  train = (*SMALL, '--config.data.store=s')
  code, _, error = forked('train', *train, '--workdir=w', cwd=folder)
  assert code == 0, error
  return folder, damage.asked('w', train)


def test_sample(work):
  """Program: a damaged file is refused, or changes nothing; no traceback.

  Every program has its turn with every file.
  """
  folder, programs = work
  before = written(folder / 'w')
  known = {one: damage.answer(one, folder) for one in programs}
  assert not any(one.code for one in known.values()), known
  # Reading has left every file as it was, and no new one.
  assert before == written(folder / 'w')
  files = [f'w/{name}' for name in FILES]
  verdicts = {}
  for k, trial in enumerate(damage.trials(folder, files, COUNT, seed=5)):
    one = programs[k % len(programs)]
    found = damage.try_one(trial, folder, {one: known[one]})
    verdicts[k, trial.file, trial.damage] = found
  bad = {
    key: found
    for key, found in verdicts.items()
    if not set(found.values()) <= set(damage.GOOD)
  }
  assert not bad
  assert sum('refused' in one.values() for one in verdicts.values()) > COUNT / 2
