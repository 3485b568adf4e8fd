"""bin/evaluate as a user meets it."""

import dataclasses
import json
import shutil

import pytest

from avjax.data import store
from avjax.errors import CheckpointError
from avjax.runs.folder import RunFolder
from tests.bin.programs import fails, forked, run, written
from tests.bin.train_test import SMALL, make_store
from tests.training import examples


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """A folder with a store and a finished run in `w`."""
  folder = tmp_path_factory.mktemp('trained')
  made = make_store(folder / 'store')
  arguments = *SMALL, f'--config.data.store={made.name}', '--workdir=w'
  code, _, error = forked('train', *arguments, cwd=folder)
  assert code == 0, error
  return folder


def test_own_store(trained):
  """Program: the best state gives again what bin/train wrote of it."""
  wanted = json.loads((trained / 'w/results.json').read_text())['splits']
  for split in ('validation', 'test'):
    code, out, error = run(
      'evaluate',
      '--workdir=w',
      f'--split={split}',
      cwd=trained,
    )
    assert code == 0, error
    assert out.splitlines()[1].startswith(split)
    folder = trained / f'w/evaluation-own-{split}'
    results = json.loads((folder / 'results.json').read_text())
    got, want = results['splits'][split], wanted[split]
    assert got['confusion'] == want['confusion']
    assert got['loss'] == pytest.approx(want['loss'], rel=1e-5)
    lines = (folder / 'predictions.csv').read_text().splitlines()
    assert len(lines) == 1 + want['n']
    RunFolder(folder).read_results()
  (folder / 'predictions.csv').write_text('\n'.join(lines[:-1]) + '\n')
  with pytest.raises(CheckpointError, match=r'predictions\.csv is damaged'):
    RunFolder(folder).read_results()


def test_from_another_folder(trained, tmp_path):
  """Program: a relative store is found again; all its clips are no new ones."""
  before = written(trained)
  arguments = '--split=all', '--output=out'
  code, out, error = forked(
    'evaluate', f'--workdir={trained}/w', *arguments, cwd=tmp_path
  )
  assert code == 0, error
  assert '20 training and 7 validation clips of the run are among them' in out
  results = json.loads((tmp_path / 'out/results.json').read_text())
  assert results['seen'] == {'training': 20, 'validation': 7}
  assert before == written(trained)
  shutil.copytree(trained, tmp_path / 'moved/trained')
  moved = tmp_path / 'moved'
  (trained / 'store').rename(trained / 'gone')
  try:
    line = fails('evaluate', '--workdir=trained/w', cwd=moved)
  finally:
    (trained / 'gone').rename(trained / 'store')
  for folder in (moved, trained):
    assert f'{folder}/store/manifest.jsonl' in line
  line = fails('evaluate', '--workdir=w', '--output=w', cwd=moved / 'trained')
  assert 'whose results would be lost' in line
  (moved / 'trained/w/results.json').unlink()
  line = fails('evaluate', '--workdir=w', cwd=moved / 'trained')
  assert 'a run that has not finished' in line


@pytest.mark.parametrize('variant', ['linear', 'decision_fusion'])
def test_baselines(variant, trained, tmp_path):
  """Program: a baseline is evaluated as a network is, and gives the same."""
  arguments = *SMALL, f'--config.data.store={trained}/store', '--workdir=w'
  chosen = f'--config.model.variant={variant}'
  code, _, error = forked('train', *arguments, chosen, cwd=tmp_path)
  assert code == 0, error
  folders = ('w', 'w/audio', 'w/vision') if 'fusion' in variant else ('w',)
  for folder in folders:
    code, _, error = forked('evaluate', f'--workdir={folder}', cwd=tmp_path)
    assert code == 0, error
    one = tmp_path / folder / 'evaluation-own-test/results.json'
    results = json.loads(one.read_text())['splits']['test']
    wanted = json.loads((tmp_path / folder / 'results.json').read_text())
    wanted = wanted['splits']['test']
    assert results['confusion'] == wanted['confusion']
    assert results['loss'] == pytest.approx(wanted['loss'], rel=1e-5)
  # What a model and its members have left is checked with the run.
  for name in ('linear.json', 'audio/metrics.jsonl', 'vision/predictions.csv'):
    if (tmp_path / 'w' / name).exists():
      path = tmp_path / 'w' / name
      before = path.read_bytes()
      path.write_bytes(before.replace(b'1', b'2', 1))
      assert f'w/{name} is damaged' in fails('tables', 'w', cwd=tmp_path)
      path.write_bytes(before)


def test_other_store(trained, tmp_path):
  """Program: other clips, some without a label, by name and all of them."""
  clips = examples.make_clips(9, 'test', seed=1)
  clips[4] = dataclasses.replace(clips[4], label=None)
  clips[:3] = [
    dataclasses.replace(c, attributes={'age': '9'}) for c in clips[:3]
  ]
  store.write(tmp_path / 'other', clips)
  code, out, error = forked(
    'evaluate',
    f'--workdir={trained}/w',
    '--store=other',
    '--split=all',
    '--output=out',
    '--by=age,speaker',
    cwd=tmp_path,
  )
  assert code == 0, error
  groups = json.loads((tmp_path / 'out/results.json').read_text())['groups']
  assert {k: v['n'] for k, v in groups['age'].items()} == {'': 5, '9': 3}
  assert [*groups['speaker']] == [f'speaker {k}' for k in range(4)]
  lines = (tmp_path / 'out/predictions.csv').read_text().splitlines()[1:4]
  right = sum(len({*line.split(',')[2:4]}) == 1 for line in lines)
  assert groups['age']['9']['correct'] == right
  table = [line.split()[:3] for line in out.splitlines()]
  assert ['9', '3', f'{100 * right / 3:.1f}'] in table
  one = json.loads((tmp_path / 'out/results.json').read_text())['splits']['all']
  assert (one['n'], one['unlabelled']) == (8, 1)
  assert len((tmp_path / 'out/predictions.csv').read_text().splitlines()) == 10


def test_labels_and_leaks_of_another_store(trained, tmp_path):
  """Program: names are mapped, nothing is left out unsaid, and leaks are."""
  clips = examples.make_clips(12, 'test', seed=1)
  words = {'angry': 'anger', 'happy': 'joy', 'sad': 'bored'}
  clips = [dataclasses.replace(c, label=words[c.label]) for c in clips]
  seen = store.read(trained / 'store')[0]
  clips[0] = dataclasses.replace(clips[0], speaker=seen.speaker)
  copy = dataclasses.replace(seen, label='joy', name='copy', speaker='Ann')
  store.write(tmp_path / 'other', [*clips, copy])
  (tmp_path / 'names.csv').write_text('from,to\nanger,angry\njoy,happy\n')
  run_folder = f'--workdir={trained}/w'
  arguments = run_folder, '--store=other', '--split=all', '--output=out'
  line = fails('evaluate', *arguments, cwd=tmp_path)
  assert "13 clips with labels that the run lacks: 'anger' 4, 'bored' 4" in line
  mapped = *arguments, '--labels=names.csv'
  assert "4 clips with labels that the run lacks: 'bored' 4;" in fails(
    'evaluate', *mapped, cwd=tmp_path
  )
  assert 'has this label' in fails(
    'evaluate', *mapped, '--drop=dull', cwd=tmp_path
  )
  line = fails('evaluate', *mapped, '--drop=bored', cwd=tmp_path)
  assert f'1 speaker in training and other ({seen.speaker})' in line
  assert f'other/copy = {seen.name}' in line
  assert '--allow_leaks=content,speaker evaluates' in line
  assert 'are for another store' in fails(
    'evaluate', run_folder, '--drop=sad', cwd=tmp_path
  )
  code, out, error = forked(
    'evaluate',
    *mapped,
    '--drop=bored',
    '--allow_leaks=content,speaker',
    cwd=tmp_path,
  )
  assert code == 0, error
  results = json.loads((tmp_path / 'out/results.json').read_text())
  assert results['splits']['all']['n'] == 9
  assert [sum(row) for row in results['splits']['all']['confusion']] == [
    4,
    5,
    0,
  ]
  assert results['dropped'] == {'bored': 4}
  assert results['absent'] == ['sad']
  assert [f['status'] for f in results['audit']] == ['allowed', 'allowed']
  for text in ('left out: 4 clips of bored', 'no clip is of sad', seen.speaker):
    assert text in out


def test_store_that_has_changed(trained, tmp_path):
  """Program: other clips under the store's name are not its test clips."""
  folder = tmp_path / 'trained'
  shutil.copytree(trained, folder)
  shutil.rmtree(folder / 'store')
  store.write(folder / 'store', examples.make_clips(9, 'test', seed=1))
  line = fails('evaluate', '--workdir=w', cwd=folder)
  assert 'has changed since' in line


def test_what_is_wrong(trained, tmp_path):
  """Program: one line that names it, exit code 2, nothing written."""
  clips = examples.make_clips(9, 'test', seed=1)
  strange = [dataclasses.replace(c, label='bored') for c in clips]
  store.write(tmp_path / 'strange', strange)
  wide = [
    dataclasses.replace(
      c, streams={**c.streams, 'face': c.streams['face'].repeat(2, 1)}
    )
    for c in clips
  ]
  store.write(tmp_path / 'wide', wide)
  bare = [
    dataclasses.replace(c, streams={'audio': c.streams['audio']}) for c in clips
  ]
  store.write(tmp_path / 'bare', bare)
  run_folder = f'--workdir={trained}/w'
  unsplit = [dataclasses.replace(c, split='') for c in clips]
  store.write(tmp_path / 'unsplit', unsplit)
  for arguments, wanted in [
    ([run_folder, '--store=unsplit'], 'use --split=all for every clip'),
    ([run_folder, '--store=bare'], 'give clips with the streams of the run'),
    ([], '--workdir is missing'),
    (['--workdir=nowhere'], 'bin/train has made'),
    ([run_folder, '--split=dev'], 'training, validation, test, all'),
    ([run_folder, '--store=nowhere'], 'bin/ingest'),
    ([run_folder, '--by=sex'], "column 'sex'; --by takes some of label, sp"),
    ([run_folder, '--store=strange'], "'bored'"),
    ([run_folder, '--store=wide'], "'face' is 4 wide"),
    ([run_folder, '--store=wide', '--split=training'], 'no training clips'),
  ]:
    line = fails('evaluate', *arguments, cwd=tmp_path)
    assert wanted in line
