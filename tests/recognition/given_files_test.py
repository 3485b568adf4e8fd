"""Folders, patterns and lists among the files of a command line."""

import pytest

from avjax.errors import DataError
from avjax.recognition import given_files


@pytest.fixture
def folder(tmp_path, monkeypatch):
  """The current folder, with recordings and other files."""
  monkeypatch.chdir(tmp_path)
  for name in ('b.mp4', 'a.MKV', 'notes.txt', 'odd[1].mp4', 'in/deep/c.wav'):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()
  (tmp_path / 'in/list.txt').write_text('# two\n\ndeep/c.wav\n../b.mp4\n')
  (tmp_path / 'again.txt').write_text('@in/list.txt\n')
  (tmp_path / 'none.txt').touch()
  (tmp_path / 'empty').mkdir()
  return tmp_path


@pytest.mark.parametrize(
  ('words', 'paths'),
  [
    (['b.mp4', 'gone.mp4', 'b.mp4'], ['b.mp4', 'gone.mp4']),
    (['*.mp4', 'odd[1].mp4'], ['b.mp4', 'odd[1].mp4']),
    (['.'], ['./a.MKV', './b.mp4', './in/deep/c.wav', './odd[1].mp4']),
    (['@in/list.txt'], ['in/deep/c.wav', 'in/../b.mp4']),
  ],
)  # fmt: skip
def test_expanded(folder, words, paths):
  """Golden: what stands for what; a missing file is left for its reader."""
  assert given_files.expanded(words) == paths


@pytest.mark.parametrize(
  ('word', 'message'),
  [
    ('*.avi', r'no file fits \*\.avi'),
    ('empty', 'empty has no video or audio file'),
    ('@none.txt', r'the list none\.txt is empty'),
    ('@gone.txt', r'the list gone\.txt cannot be read: No such file'),
    ('@again.txt', 'lists of lists are not read'),
  ],
)
def test_nothing_there(folder, word, message):
  """Law: a word that stands for no file is an error that says so."""
  with pytest.raises(DataError, match=message):
    given_files.expanded([word])
