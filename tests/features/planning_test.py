"""What is checked before an extraction, its locks, and its processes."""

import dataclasses

import numpy as np
import pytest

from avjax.data.corpora.tree import digest
from avjax.errors import CheckpointError, DataError
from avjax.features import (
  corpus_report,
  extractor,
  fitting,
  landmark_source,
  planning,
  progress_bar,
  work_folder,
  workers,
)
from avjax.settings import FeaturesConfig

SOUND = FeaturesConfig(streams=('audio',))


def request(folder, **options):
  """Returns a request of three clips, of which the last has no file."""
  corpus = folder / 'c'
  corpus.mkdir()
  for name in 'ab':
    (corpus / f'{name}.mp4').write_bytes(name.encode())
  (corpus / 'clips.csv').write_text(
    'clip,label,split\na,happy,train\nb,sad,train\nz,sad,test\n'
  )
  return planning.ExtractionRequest(corpus, folder / 's', SOUND, **options)


def test_missing_files_are_known_before(tmp_path):
  """Law: a plan names the clips without a file."""
  plan = planning.plan(request(tmp_path))
  assert plan.missing == [('z', 'there is no such file')]
  assert list(plan.chosen) == [0, 1, 2]


@pytest.mark.parametrize('name', ['a', './a.mp4', 'link/a.mp4'])
def test_a_file_under_two_names(tmp_path, name):
  """Law: it is refused before anything is measured, with both lines."""
  wanted = request(tmp_path)
  (wanted.corpus / 'link').symlink_to(wanted.corpus)
  with open(wanted.corpus / 'clips.csv', 'a') as file:
    file.write(f'a.mp4,happy,train\n{name},sad,test\n')
  text = (wanted.corpus / 'clips.csv').read_text().replace('\na,', '\nb2,', 1)
  (wanted.corpus / 'clips.csv').write_text(text)
  with pytest.raises(DataError, match=f'line 6 names {name!r}, .* as line 5'):
    planning.plan(wanted)


@pytest.mark.parametrize('failed', [False, True])
def test_the_extractor_of_another_corpus(tmp_path, failed):
  """Law: it is refused before anything is measured, if its store is there.

  Clips that could not be used when it was fitted do not count.
  """
  store = tmp_path / 'other'
  (store / extractor.FOLDER).mkdir(parents=True)
  wanted = request(tmp_path, extractor=str(store / extractor.FOLDER))
  rows = [
    corpus_report.Row(name, 'sad', '', '', 0, 0, (), 'broken' * (name == 'b'))
    for name in 'ab'
  ]
  report = corpus_report.CorpusReport(tuple(rows))
  (store / 'clips.csv').write_text(report.table())
  (store / 'report.txt').write_text(str(report))
  table = [{'clip': 'a', 'label': 'happy'}]
  key = digest(tmp_path / 'c/a.mp4') if failed else 'another'
  corpus = fitting.fingerprint(table, {0: key})
  fitted = extractor.Extractor(SOUND, corpus, '', (), None, None, None)
  if failed:
    planning.plan(wanted, fitted)
  else:
    with pytest.raises(DataError, match='add --transfer'):
      planning.plan(wanted, fitted)


def test_clips_without_landmarks(tmp_path):
  """Law: they are named before anything is measured; so are unused names."""
  wanted = request(tmp_path)
  with open(wanted.corpus / 'clips.csv', 'a') as file:
    file.write('c.mp4,happy,train\n')
  (wanted.corpus / 'c.mp4').write_bytes(b'c')
  archive(tmp_path / 'all.npz', ['b', 'y', 'c', 'x'])
  plan = planning.plan(with_landmarks(wanted, 'all.npz'))
  assert plan.missing == [
    ('a', 'all.npz has no landmarks of it'),
    ('z', 'there is no such file'),
  ]
  (remark,) = plan.remarks
  assert 'all.npz has landmarks of 2 names that no clip has: x, y' in remark
  archive(tmp_path / 'all.npz', ['x'])
  with pytest.raises(DataError, match=r'a: all\.npz has no landmarks of it'):
    planning.plan(with_landmarks(wanted, 'all.npz'))


@pytest.mark.parametrize(
  ('streams', 'landmarks', 'message'),
  [
    (('audio', 'appearance'), '', 'leave it out: --streams=audio$'),
    (('appearance',), 'p/{clip}.npy', 'leave it out: --streams=audio,shape'),
    (('audio', 'shape'), '', 'name files of landmarks with --landmarks'),
  ],
)
def test_sound_files_have_no_faces(tmp_path, streams, landmarks, message):
  """Law: what needs pictures is refused before anything is measured."""
  wanted = request(tmp_path)
  for name in 'ab':
    (wanted.corpus / f'{name}.mp4').rename(wanted.corpus / f'{name}.FLAC')
  made = FeaturesConfig(streams=streams, landmarks=landmarks)
  with pytest.raises(DataError, match=message):
    planning.plan(dataclasses.replace(wanted, settings=made))


def archive(path, names):
  """Writes one frame of landmarks a name."""
  xy, offsets = np.ones((len(names), 49, 2)), np.arange(len(names) + 1)
  np.savez(path, takes=np.array(names), offsets=offsets, xy=xy)


def with_landmarks(wanted, name):
  """Returns a request whose landmarks are beside the folder of the clips."""
  made = FeaturesConfig(streams=('shape',), landmarks=name)
  made = landmark_source.located(made, wanted.corpus)
  return dataclasses.replace(wanted, settings=made)


def test_who_may_share_a_work_folder(tmp_path):
  """Law: shards at once, each once; the whole alone, which clears up."""
  work = tmp_path / 's.work'
  with work_folder.locked(work, (1, 2)):
    (work / 'clips').mkdir()
    (work / 'clips/.7.part').write_bytes(b'')
    with work_folder.locked(work, (2, 2)):
      pass
    for shard in ((1, 2), None):
      with (
        pytest.raises(CheckpointError, match='another run'),
        work_folder.locked(work, shard),
      ):
        pass
    assert list((work / 'clips').iterdir())
  with work_folder.locked(work, None):
    assert not list((work / 'clips').iterdir())
    with (
      pytest.raises(CheckpointError, match='another run'),
      work_folder.locked(work, (1, 2)),
    ):
      pass


def test_columns_that_cannot_be_written(tmp_path):
  """Program: one error, and no unfinished file stays."""
  source = tmp_path / 'a.wav'
  _tone(source)
  task = workers.Task('a', str(source), '', str(tmp_path / 'none/a.npz'))
  with pytest.raises(DataError, match=r'none/a.npz cannot be written: No such'):
    list(workers.measure_all({0: task}, SOUND, 1))
  assert list(tmp_path.iterdir()) == [source]


def _tone(path):
  """Writes a second of sound."""
  from tests.features import clips_made

  clips_made.make(
    path, video=None, audio='pcm_s16le', rate=16000, layout='mono', channels=1,
    sound=(0.0, 1.0), beep=0.5,
  )  # fmt: skip


def test_the_time_left(monkeypatch, capsys):
  """Law: the time of the clips that this process has done, for the rest."""
  now = iter([0.0, 0.0, 31.0, 62.0, 630.0])
  monkeypatch.setattr(progress_bar.time, 'monotonic', lambda: next(now))
  display = progress_bar.ProgressBar('clips')
  for done in (100, 101, 120, 700):
    display(done, 700, 'a')
  assert capsys.readouterr().err.splitlines() == [
    '101 of 700 clips, 309 min left',
    '120 of 700 clips, 30 min left',
    '700 of 700 clips',
  ]
