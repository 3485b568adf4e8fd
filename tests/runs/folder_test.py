"""Law: what a run left is what a reader gets, or an error says why not."""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import tempfile

import pytest

from avjax.errors import AvjaxError, CheckpointError
from avjax.runs import finished, joining, scoring
from avjax.runs.folder import RunFolder
from tests.reporting.examples import INFO, make_run
from tests.runs import damage
from tests.training import examples


def edit(path, change):
  """Changes the JSON of a file."""
  content = json.loads(path.read_text())
  change(content)
  path.write_text(json.dumps(content, indent=2) + '\n')


def joined(folder, several):
  """Makes the folder of a run of two seeds or folds; returns it."""
  training = dataclasses.replace(examples.SETTINGS.training, seeds=2)
  config = dataclasses.replace(examples.SETTINGS, training=training)
  run = RunFolder(folder)
  parts = [run / f'{several}-{k}' for k in range(2)]
  facts = {'seconds': 1.0, 'clips_per_second': 1.0, 'parameters': 1}
  facts['device'] = 'd'
  for k, part in enumerate(parts):
    make_run(part.path, seed=k)
    table = part.path / 'predictions.csv'
    if several == 'fold':  # other test clips in each
      table.write_text(table.read_text().replace('test-', f't{k}-'))
    content = json.loads((part.path / 'results.json').read_text())
    part.write_results({'splits': content['splits']} | facts)
  run.begin(config, dataclasses.replace(INFO, audit=[]))
  join = joining.join_folds if several == 'fold' else joining.join_seeds
  join(run, parts)
  return folder


PARTS = ('predictions.csv', 'metrics.jsonl', 'config.json', 'results.json')


@pytest.mark.parametrize('several', ['seed', 'fold'])
def test_joined_runs(several, tmp_path):
  """Law: damage to any file of any part is damage to the whole."""
  folder = joined(tmp_path / 'w', several)
  whole = RunFolder(folder).read_results()
  names = [f'{several}-{k}/results.json' for k in range(2)]
  assert [n for n in whole['digests'] if '/' in n] == names
  assert finished.load_all([folder])
  for name in PARTS:
    path = folder / f'{several}-1' / name
    before = path.read_bytes()
    path.write_bytes(before.replace(b'5', b'6', 1))
    with pytest.raises(CheckpointError, match=f'{several}-1/{name} is damaged'):
      finished.load_all([folder])
    path.unlink()
    with pytest.raises(CheckpointError, match='does not exist'):
      finished.load_all([folder])
    path.write_bytes(before)
  # A part from another run, sound in itself.
  other = make_run(tmp_path / 'other', seed=1, sharp=3)
  shutil.rmtree(folder / f'{several}-1')
  shutil.copytree(other, folder / f'{several}-1')
  with pytest.raises(CheckpointError, match=r'its digest in results\.json'):
    finished.load_all([folder])


def test_digests_cannot_be_removed(tmp_path):
  """Law: without its digests a run is damaged, not one from before them."""
  folder = make_run(tmp_path / 'a')
  before = (folder / 'results.json').read_bytes()
  for names in (['digests'], ['sha256'], ['digests', 'sha256']):
    edit(
      folder / 'results.json',
      lambda content, names=names: [content.pop(name) for name in names],
    )
    with pytest.raises(CheckpointError, match=r'results\.json is damaged'):
      finished.load(folder)
    (folder / 'results.json').write_bytes(before)
  (folder / 'config.json').unlink()
  with pytest.raises(CheckpointError, match=r'config\.json does not exist'):
    RunFolder(folder).begin(examples.SETTINGS, INFO)


LAST = 'test-23,test,sad,sad'
OLD = {
  'a line less': ('23 test clips', lambda rows: rows[:-1]),
  'a clip twice': (
    "'test-23' is there twice",
    lambda rows: [*rows[:-2], rows[-1], rows[-1]],
  ),
  'another split': (
    "split 'tst' has no scores",
    lambda rows: [row.replace(',test,', ',tst,') for row in rows],
  ),
  'another label': (
    'other confusion counts',
    lambda rows: [row.replace(',test,happy,', ',test,sad,') for row in rows],
  ),
  'no emotion': (
    "'anger' is no emotion",
    lambda rows: [
      rows[0],
      *(row.replace(',angry,', ',anger,') for row in rows[1:]),
    ],
  ),
  'not the most probable': (
    'is not its most probable',
    lambda rows: [*rows[:-1], f'{LAST},0.900000,0.050000,0.050000'],
  ),
  'not a probability': (
    'not probabilities with six',
    lambda rows: [*rows[:-1], f'{LAST},nan,0.000000,1.000000'],
  ),
  'not a sum of 1': (
    'do not sum to 1',
    lambda rows: [*rows[:-1], f'{LAST},0.100000,0.000000,0.999999'],
  ),
  'another head': (
    'its head is not',
    lambda rows: [rows[0].replace('angry,happy', 'happy,angry'), *rows[1:]],
  ),
}  # fmt: skip


@pytest.mark.parametrize('name', OLD)
def test_a_run_from_before_digests(name, tmp_path, capsys):
  """Law: it is read with a note; what can be checked without them is."""
  folder = make_run(tmp_path / 'a')
  damage.without_digests(folder)
  finished.load(folder)
  wanted, change = OLD[name]
  rows = (folder / 'predictions.csv').read_text().splitlines()
  text = ''.join(f'{row}\n' for row in change(rows))
  (folder / 'predictions.csv').write_text(text)
  with pytest.raises(CheckpointError, match=wanted):
    finished.load(folder)


def test_note_about_digests(tmp_path, capsys):
  """Law: one note on each run from before digests, none on the others."""
  folders = [make_run(tmp_path / name) for name in 'abc']
  finished.load_all(folders)
  assert capsys.readouterr().err == ''
  for folder in folders[1:]:
    damage.without_digests(folder)
  finished.load_all(folders)
  finished.load_all(folders)
  assert capsys.readouterr().err == ''.join(
    f'note: {folder} was written before digests: only counts and scores were'
    ' checked\n'
    for folder in folders[1:]
  )


def test_curves(tmp_path):
  """Law: a metrics.jsonl that is not the run's is never drawn."""
  folder = make_run(tmp_path / 'a')
  (lines,) = finished.load(folder).metrics.values()
  assert [line['epoch'] for line in lines] == [0, 1, 2, 3]
  run = finished.load(folder)
  path = folder / 'metrics.jsonl'
  path.write_text(''.join(path.read_text().splitlines(keepends=True)[::-1]))
  with pytest.raises(CheckpointError, match='line 1 is of epoch 3, not 0'):
    _ = run.metrics
  path.unlink()
  (folder / 'results.json').unlink()
  plain = {'splits': dict(run.results['splits'])}
  RunFolder(folder).write_results(plain)
  path.write_text('')  # which came later
  with pytest.raises(CheckpointError, match='not a file of the finished run'):
    finished.load(folder)


@contextlib.contextmanager
def nobody():
  """The process is, for now, of a user who may write nowhere."""
  if os.getuid():
    yield
    return
  os.setresuid(65534, 65534, 0)
  try:
    yield
  finally:
    os.setresuid(0, 0, 0)


def test_a_folder_that_cannot_be_written_to():
  """Law: it is read; where evaluate would write there, it names --output."""
  with tempfile.TemporaryDirectory() as parent:
    folder = make_run(pathlib.Path(parent) / 'a', 'majority')
    shares = {'emotions': examples.EMOTIONS, 'shares': [0.2, 0.5, 0.3]}
    (folder / 'majority.json').write_text(json.dumps(shares))
    for path in (parent, folder):
      os.chmod(path, 0o555)
    try:
      with nobody():
        assert finished.load_all([folder])[0].metrics
        with pytest.raises(AvjaxError, match='give a folder with --output'):
          scoring.evaluate(folder)
    finally:
      for path in (parent, folder):
        os.chmod(path, 0o755)
