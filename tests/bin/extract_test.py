"""bin/extract and bin/predict as a user meets them, on made clips."""

import collections
import csv
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from avjax.data import audit, protocols, store
from avjax.settings import DataConfig
from tests.bin import interrupts
from tests.bin.programs import ROOT, environment, fails, forked, run, start
from tests.features import clips_made


@pytest.fixture(scope='module')
def corpus(tmp_path_factory):
  """A folder with a corpus `c` of 15 clips by 5 speakers."""
  folder = tmp_path_factory.mktemp('raw')
  code, _, error = forked(
    'synthesise', 'c', '--clips=15', '--speakers=5', cwd=folder,
  )  # fmt: skip
  assert code == 0, error
  return folder


def few(table):
  """Writes the table of five clips of the corpus; returns its name."""
  lines = table.read_text().splitlines()
  kept = [0, 1, 2, 3, 8, 15]  # the head, three of training, validation, test
  text = ''.join(f'{lines[k]}\n' for k in kept)
  table.with_name('few.csv').write_text(text)
  return 'few.csv'


def files(folder):
  """Returns path -> bytes of everything below a folder."""
  return {
    path.relative_to(folder): path.read_bytes()
    for path in sorted(folder.rglob('*'))
    if path.is_file()
  }


def test_from_clips_to_a_prediction(corpus):
  """Program: synthesise, extract, train, evaluate, predict."""

  def does(name, *arguments):
    how = run if name == 'extract' else forked
    code, out, error = how(name, *arguments, cwd=corpus)
    assert code == 0, error
    return out

  table = few(corpus / 'c/clips.csv')
  out = does('extract', 'c', 's', f'--clips=c/{table}', '--workers=2')
  assert 'all clips                        5         5' in out
  assert 'untrained' in out  # the AlexNet
  clips = store.read(corpus / 's')
  assert [clip.name for clip in clips] == [
    row['clip'] for row in rows(corpus / 'c' / table)
  ]
  for clip in clips:
    widths = {name: array.shape[1] for name, array in clip.streams.items()}
    assert widths == {'audio': 50, 'shape': 20, 'appearance': 1024, 'face': 1}
    assert clip.streams['face'].mean() > 0.9
    seconds = clip.visual_length / 25
    assert clip.audio_length == pytest.approx(31.25 * seconds, abs=1)
  does('train', *smoke(), '--workdir=r')
  results = json.loads((corpus / 'r/results.json').read_text())
  counts = collections.Counter(clip.split for clip in clips)
  assert {k: v['n'] for k, v in results['splits'].items()} == counts
  does('evaluate', '--workdir=r', '--split=all')
  evaluated = {
    row['clip']: row
    for row in rows(corpus / 'r/evaluation-own-all/predictions.csv')
  }
  names = [clip.name for clip in clips][-2:]
  paths = [f'c/{name}' for name in names]
  given = *paths, 'c/clips.csv', '--workdir=r', '--json'
  with start('predict', *given, cwd=corpus) as process:
    first = process.stdout.readline() + process.stdout.readline()
    assert process.poll() is None  # the next clips are still to come
    rest, error = process.stdout.read(), process.stderr.read()
  assert process.returncode == 3, error
  (left_out,) = [line for line in error.splitlines() if 'left out' in line]
  assert left_out.startswith('predict: left out c/clips.csv: ')
  got = json.loads(first + rest)
  assert [line['clip'] for line in got] == paths  # clips.csv is no clip
  for line, name in zip(got, names, strict=True):
    # The clip's own bytes go through everything again to the same result.
    for emotion, share in line['probabilities'].items():
      assert share == pytest.approx(float(evaluated[name][emotion]), abs=2e-6)
    assert line['headline'] == f'{line["clip"]}: {line["predicted"]}'
    assert line['caveats'] == []
    assert set(line['ablated']) == {'audio off', 'vision off'}
    assert (corpus / line['picture']).read_bytes().startswith(b'\x89PNG')
  # The landmarks of one face are the same however it is chosen.
  given = paths[0], '--workdir=r', '--json', '--nopicture', '--face=all'
  (line,) = json.loads(does('predict', *given))
  assert line['face'] == {'number': 1, 'count': 1, 'where': 'middle'}
  assert line['probabilities'] == pytest.approx(
    got[0]['probabilities'], abs=1e-6
  )
  admitted(corpus)
  refused(corpus)


def admitted(corpus):
  """What makes a prediction doubtful is in its headline."""
  odd = 'odd $\\frac$ \x07.mp4'
  clips_made.make(corpus / odd, ticks=range(15), audio=None)
  clips_made.make(corpus / 'still.mp4', ticks=range(0, 99, 98), channels=1,
                  layout='mono', level=0.0)  # fmt: skip
  given = odd, 'still.mp4', '--workdir=r', '--output=p'
  code, out, error = forked('predict', *given, cwd=corpus)
  assert code == 0, error
  heads = [line for line in out.splitlines() if not line.startswith(' ')]
  assert len(heads) == 2
  assert re.fullmatch(
    r'odd \$\\frac\$ \\x07\.mp4: \w+ - but no sound, no face in any frame, only'
    r' 0\.6 s long',
    heads[0],
  )
  assert re.search(' - but silent throughout, no face in any frame', heads[1])
  assert 'predict: 1 of 2, about' in error and 'U+0007' in error
  assert (corpus / 'p/still.png').exists()
  code, out, error = forked('predict', 'c/clips.csv', '--workdir=r', cwd=corpus)
  assert (code, out) == (2, '')
  assert [line.split(':')[1] for line in error.splitlines()] == [
    ' left out c/clips.csv', ' error',
  ]  # fmt: skip


def smoke():
  """Returns the flags of a training that ends soon."""
  return (
    f'--config={ROOT}/configs/proposed.py:smoke',
    '--config.data.store=s',
  )


def rows(path):
  """Returns the lines of a CSV table."""
  with open(path, newline='') as file:
    return list(csv.DictReader(file))


def refused(corpus):
  """An extractor that the run was not trained with is refused, until asked."""
  code, _, error = forked(
    'extract', 'c', 'other', '--fit_on=all', '--streams=audio',
    cwd=corpus,
  )  # fmt: skip
  assert code == 0, error
  clip = 'c/' + store.read(corpus / 'other')[0].name
  error = fails(
    'predict', clip, '--workdir=r', '--extractor=other/extractor',
    cwd=corpus,
  )  # fmt: skip
  assert '--transfer' in error
  # The path of the store is relative; elsewhere the absolute one is used.
  arguments = 'predict', 'nowhere.mp4', '--workdir=../r'
  error = forked(*arguments, cwd=corpus / 'c')[2]
  assert 'nowhere.mp4' in error and 'extractor' not in error
  (corpus / 's').rename(corpus / 'gone')
  error = fails(*arguments, cwd=corpus / 'c')
  (corpus / 'gone').rename(corpus / 's')
  for folder in (corpus / 'c', corpus):
    assert f'{folder}/s/manifest.jsonl' in error
  assert 'with --extractor' in error


@pytest.fixture(scope='module')
def whole(corpus):
  """The files of an audio store that was extracted without a break."""
  code, _, error = run('extract', 'c', 'whole', *AUDIO, cwd=corpus)
  assert code == 0, error
  assert not (corpus / 'whole.work').exists()
  return files(corpus / 'whole')


AUDIO = ('--streams=audio', '--workers=2')


def measuring(work, process):
  """Waits until the process has measured a clip; returns those measured."""
  while not (done := list((work / 'clips').glob('*.npz'))):
    time.sleep(0.02)
    assert process.poll() is None, process.communicate()
  return done


def test_interrupted_and_typed_again(corpus, whole):
  """Program: after Ctrl-C, SIGTERM, kill -9: one line, then the same bytes.

  Meanwhile a second one in the same folder is told so.
  """
  arguments = 'extract', 'c', 'killed', *AUDIO
  command = [sys.executable, f'{ROOT}/bin/extract', *arguments[1:]]
  for number, after, alone in (
    (signal.SIGINT, 0.5, False),
    (signal.SIGTERM, 1.5, True),
  ):
    trial = interrupts.interrupt(command, corpus, after, number, alone)
    assert trial.code == 128 + number
    assert not trial.fault(number)
    assert trial.error.count('\n') == 1
    assert 'run the same command again to go on' in trial.error
  work = corpus / 'killed.work'
  process = start(*arguments, cwd=corpus)
  measuring(work, process)
  code, out, error = forked(*arguments, cwd=corpus)
  assert (code, out, error.count('\n')) == (2, '', 1)
  assert 'another run is using' in error
  os.kill(process.pid, signal.SIGKILL)
  process.communicate()
  assert not (corpus / 'killed').exists()
  (work / 'clips/.1.part').write_bytes(b'of a process that was killed')
  code, out, error = run(*arguments, cwd=corpus)
  assert code == 0, error
  assert files(corpus / 'killed') == whole
  code, again, error = run(*arguments, cwd=corpus)
  assert (code, again) == (0, out)
  assert error.splitlines() == [
    'killed is finished already',
    'next: bin/train --config=configs/proposed.py --config.data.store=killed'
    ' --config.model.streams=sound',
  ]


def test_processes_that_die(corpus, whole):
  """Program: workers killed at work or at the start cost no clip, no byte."""
  process = start('extract', 'c', 'died', *AUDIO, cwd=corpus)
  place = pathlib.Path(f'/proc/{process.pid}/task/{process.pid}/children')
  if not place.exists():
    pytest.skip('no /proc here that names the children')

  def workers():
    return [
      int(child)
      for child in place.read_text().split()
      if b'measuring_process'
      in pathlib.Path(f'/proc/{child}/cmdline').read_bytes()
    ]

  while not (starting := workers()):
    time.sleep(0.01)
    assert process.poll() is None
  os.kill(starting[0], signal.SIGKILL)
  measuring(corpus / 'died.work', process)
  os.kill(workers()[-1], signal.SIGKILL)
  _, error = process.communicate(timeout=120)
  assert process.returncode == 0, error
  assert files(corpus / 'died') == whole


def test_a_script_without_a_guard(corpus, tmp_path):
  """Program: a plain script may call the extraction, with several workers."""
  (tmp_path / 'script.py').write_text(
    'import pathlib\n'
    'from avjax import settings\n'
    'from avjax.features import extraction\n'
    'report, _ = extraction.extract(\n'
    '  extraction.ExtractionRequest(\n'
    f'    pathlib.Path({str(corpus / "c")!r}), pathlib.Path("s"),\n'
    '    settings.FeaturesConfig(streams=("audio",)), workers=2,\n'
    f'    clips={few(corpus / "c/clips.csv")!r},\n'
    '  ),\n'
    '  lambda *progress: None,\n'
    ')\n'
    'print(report.usable)\n'
  )
  done = subprocess.run(
    [sys.executable, 'script.py'],
    cwd=tmp_path,
    env=environment(),
    capture_output=True,
    text=True,
  )
  assert (done.stdout, done.stderr) == ('5\n', '')


def test_shards(corpus, whole):
  """Program: two shards and then the whole give the same bytes."""
  arguments = 'extract', 'c', 'shards', *AUDIO
  first = start(*arguments, '--shard=1/2', cwd=corpus)  # both at once
  code, _, error = run(*arguments, '--shard=2/2', cwd=corpus)
  assert code == 0, error
  _, error = first.communicate(timeout=120)
  assert first.returncode == 0, error
  assert not (corpus / 'shards').exists()
  assert error.endswith(
    'next: the other shards, then the same command without --shard\n'
  )
  code, _, error = run(*arguments, cwd=corpus)
  assert code == 0, error
  assert files(corpus / 'shards') == whole


def test_damaged_clips(corpus, whole, tmp_path):
  """Program: what is broken is listed with its reason, the rest is the same."""
  broken = tmp_path / 'c'
  shutil.copytree(corpus / 'c', broken)
  table = rows(broken / 'clips.csv')
  other = [row['clip'] for row in table if row['split'] != 'training']
  paths = [broken / name for name in other]
  paths[0].unlink()
  paths[1].write_bytes(b'')
  paths[2].write_bytes(b'no video at all' * 50)
  paths[3].write_bytes(paths[3].read_bytes()[:3000])
  code, out, error = run('extract', broken, 's', *AUDIO, cwd=tmp_path)
  assert code == 3, error
  first, *_ = error.splitlines()  # what is missing is said before measuring
  assert first == (
    f'1 of 15 clips are left out: {other[0]}: there is no such file'
  )
  assert error.count('extract: left out ') == 4
  code, again, _ = run('extract', broken, 's', *AUDIO, cwd=tmp_path)
  assert (code, again) == (3, out)  # finished already
  listed = [line for line in out.splitlines() if line.startswith('left out')]
  assert [line.split(':')[0].split()[-1] for line in listed] == other[:4]
  assert all(len(line.split(': ', 1)[1]) > 10 for line in listed)
  before = {clip.name: clip for clip in store.read(corpus / 'whole')}
  after = store.read(tmp_path / 's')
  assert {c.name for c in after} == set(before) - set(other[:4])
  for clip in after:
    for name, array in clip.streams.items():
      np.testing.assert_array_equal(array, before[clip.name].streams[name])


def test_a_public_corpus(corpus, tmp_path):
  """Program: RAVDESS's folders give a store that its protocols take."""
  table = rows(corpus / 'c/clips.csv')
  for actor in (1, 2, 3):
    for emotion in (3, 4):
      name = f'01-01-0{emotion}-01-01-01-0{actor}.mp4'
      place = tmp_path / f'R/Actor_0{actor}/{name}'
      place.parent.mkdir(parents=True, exist_ok=True)
      shutil.copy(corpus / 'c' / table.pop()['clip'], place)
  (tmp_path / 'R/Actor_03/01-01-05-01-01-01-03.mp4').write_bytes(b'')
  arguments = 'extract', 'R', 's', *AUDIO, '--corpus=ravdess'
  code, _, error = forked(*arguments, cwd=tmp_path)
  assert code == 2
  assert '--fit_on=all' in error  # RAVDESS has no splits
  code, out, error = forked(*arguments, '--fit_on=all', cwd=tmp_path)
  assert code == 3, error
  assert 'left out Actor_03/01-01-05-01-01-01-03.mp4: is empty' in out
  assert '--config.data.protocol=loso' in error.splitlines()[-1]
  clips = store.read(tmp_path / 's')
  assert [(c.name, c.speaker, c.label) for c in clips] == [
    (f'01-0{emotion}-01-01-01-0{actor}', f'Actor_0{actor}', label)
    for actor in (1, 2, 3)
    for emotion, label in ((3, 'happy'), (4, 'sad'))
  ]
  assert all(clip.take == clip.name for clip in clips)
  assert {clip.corpus for clip in clips} == {'ravdess'}
  path = tmp_path / 'R/Actor_01/01-01-03-01-01-01-01.mp4'
  assert clips[0].source == hashlib.sha256(path.read_bytes()).hexdigest()
  for fold in range(protocols.folds(clips, DataConfig(protocol='loso'))):
    parts = protocols.split(clips, DataConfig(protocol='loso'), fold)
    assert not audit.examine(parts, audit.contents(clips))


TABLE = 'c', 'new', '--clips=other.csv', '--label_column=mood'


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (('nowhere', 'new', '--corpus=savee'), 'request it from http'),
    (('c', 'new', '--corpus=voices'), 'one of afew, ravdess'),
    (('c',), 'wanted: CORPUS OUT'),
    (('nowhere', 'new'), 'nowhere'),
    (('c', 'new', '--streams=sound'), 'audio, shape, appearance'),
    (('c', 'new', '--streams=audio', '--preset=mine'), 'v0.65'),
    (('c', 'new', '--shard=3/2'), '1/4'),
    (('c', 'new', '--alexnet=none.npz'), 'none.npz'),
    (('c', 'new', '--extractor=c'), 'give the folder extractor of a store'),
    (('c', 'c', '--streams=audio'), 'choose another folder'),
    (('c', 'new', '--audio_width=0'), 'at least 1'),
    (('c', 'new', '--landmarks=points.mat'), '{clip}'),
    (('empty', 'new', '--streams=audio'), 'no clip'),
    ((*TABLE, '--split_column=none'), "no column 'none'"),
    ((*TABLE, '--speaker_column=mood'), '--fit_on=all'),
    ((*TABLE, '--split_column=mood'), "is 'glad', 'happy'; it must be train"),
    ((*TABLE, '--label_column=half'), '1 different labels'),
    ((*TABLE, '--label_column=mood2'), "'Glad' and 'glad'"),
    ((*TABLE, '--corpus=savee'), '--corpus=savee reads no table'),
    ((*TABLE, '--extractor=x'), 'give the folder extractor of a store'),
  ],
)
def test_what_is_refused(corpus, arguments, message):
  """Program: one line, exit code 2, before anything is measured or written."""
  (corpus / 'other.csv').write_text(
    'Clip;mood;mood2;half\ns00_0000;happy;Glad;\ns00_0001;glad;glad;sad\n'
  )
  empty = corpus / 'empty'
  empty.mkdir(exist_ok=True)
  (empty / 'clips.csv').write_text('clip,label\na.mp4,happy\n')
  error = fails('extract', *arguments, cwd=corpus)
  assert message in error


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (('--workdir=r',), 'no clip is given'),
    (('c/clips.csv', '--workdir=r', '--model=m'), '--model and --workdir'),
    (('c/clips.csv', '--workdir=nowhere'), 'nowhere'),
  ],
)
def test_what_predict_refuses(corpus, arguments, message):
  """Program: one line, exit code 2, nothing written."""
  error = fails('predict', *arguments, cwd=corpus)
  assert message in error
