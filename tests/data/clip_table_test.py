"""Tables of clips as people bring them."""

import os
import pathlib
import unicodedata

import pytest

from avjax.data import clip_table, lookalikes
from avjax.data.clip_files import ClipFiles
from avjax.errors import DataError

TEXT = 'clip,label,speaker\na.mp4,happy,Zoë\nb.mp4,"sad, very",s\u20131\n'


def saved(how):
  """Returns the bytes of TEXT as a program saves it."""
  text, encoding = TEXT, 'utf-8'
  if how in ';\t|':
    text = text.replace(',', how).replace(f'sad{how}', 'sad,')
  elif how == 'excel':
    text = 'sep=;\n' + text.replace(',', ';').replace('sad;', 'sad,')
    encoding = 'utf-8-sig'
  elif how == 'header':
    text = text.replace('clip,label,speaker', '\n Clip , LABEL , "speaker"')
  elif how == 'empty lines':
    text = text.replace('\n', '\n,,\n\n')
  elif how in ('\r', '\r\n'):
    text = text.replace('\n', how)
  else:
    encoding = how
  return text.encode(encoding)


@pytest.mark.parametrize(
  'how',
  [
    ';', '\t', '|', 'excel', 'header', 'empty lines', '\r', '\r\n',
    'utf-8-sig', 'utf-16', 'cp1252',
  ],
)  # fmt: skip
def test_as_programs_save_it(tmp_path, capsys, how):
  """Law: the same rows, however the table is saved; a guess is said."""
  path = tmp_path / 'clips.csv'
  path.write_bytes(saved(how))
  rows = clip_table.read(path, {})
  assert [(r['clip'], r['label'], r['speaker']) for r in rows] == [
    ('a.mp4', 'happy', 'Zoë'),
    ('b.mp4', 'sad, very', 's\u20131'),
  ]
  said = capsys.readouterr().err
  assert said == (
    f'{path} is not in UTF-8; it was read as Windows-1252, with words such as'
    " 'Zoë': save it as UTF-8 if that looks wrong\n"
    if how == 'cp1252'
    else ''
  )


def test_the_separator_of_the_wanted_columns(tmp_path):
  """Law: it is the one by which the columns are there, not the commonest."""
  path = tmp_path / 'clips.csv'
  path.write_text('clip;mood, by one;a,b,c,d\nx;sad, very;1\n')
  (row,) = clip_table.read(path, {'label': 'Mood, by one'})
  assert (row['clip'], row['label']) == ('x', 'sad, very')


def test_further_columns(tmp_path, capsys):
  """Law: they are the clip's attributes; what no store can keep is named."""
  path = tmp_path / 'clips.csv'
  path.write_text(
    'take no,label,Gender,target.voice,speaker,actor,words,age,\n'
    f'a,sad,female,happy,x,Ann,{"la" * 200},,1\nb,sad,,sad,y,Ben,no,30,2\n'
  )
  renamed = {'clip': 'take no', 'speaker': 'actor'}
  first, second = (
    clip_table.clip(row, {}) for row in clip_table.read(path, renamed)
  )
  assert first.attributes == {'Gender': 'female'}
  assert second.attributes == {'age': '30'}
  assert (first.speaker, second.targets) == ('Ann', {'voice': 'sad'})
  assert "the column 'words' is not kept" in capsys.readouterr().err


@pytest.mark.parametrize(
  ('raw', 'reason'),
  [
    (b'clip,label\na\0,b\n', 'line 2 has a NUL'),
    (TEXT.encode('utf-16-le'), 'UTF-8'),
    (b'clip,label\n' + b'a' * 140_000 + b',b\n', 'field limit .* in line 2'),
    (b'Clip,label,CLIP\na,b,c\n', "the column 'clip' twice"),
    ('clip,label\né,b\ne\u0301,c\n'.encode(), 'as line 2'),
    (b'clip,label\na/b,c\na\\b,c\n', 'as line 2'),
  ],
)
def test_tables_that_are_refused(tmp_path, raw, reason):
  """Program: one line, with the path and the reason."""
  path = tmp_path / 'clips.csv'
  path.write_bytes(raw)
  with pytest.raises(DataError, match=reason) as caught:
    clip_table.read(path, {})
  assert str(path) in str(caught.value) and '\n' not in str(caught.value)


ALIKE = 'clip,label,speaker\na,Happy,Ann\nb,h\u0430ppy,ann\nc,Happy,Bo\n'


def test_words_that_look_alike(tmp_path):
  """Law: both spellings are named, and nothing is merged until told."""
  path = tmp_path / 'clips.csv'
  path.write_text(ALIKE)
  with pytest.raises(DataError) as caught:
    clip_table.read(path, {})
  for word in ("'Happy'", 'U+0430 CYRILLIC SMALL LETTER A', "'Ann' and 'ann'"):
    assert word in str(caught.value)
  rows = clip_table.read(path, {}, merge=True)
  assert [(row['label'], row['speaker']) for row in rows] == [
    ('Happy', 'Ann'),
    ('Happy', 'Ann'),
    ('Happy', 'Bo'),
  ]


def test_labels_are_renamed(tmp_path, capsys):
  """Law: a mapping is followed; labels that it names may look alike.

  Two names for one label, and none, are refused; unused entries are named.
  """
  path, names = tmp_path / 'clips.csv', tmp_path / 'names.csv'
  path.write_text(ALIKE.replace('ann', 'Cy'))
  names.write_text('From;To\nHappy;Happy\nh\u0430ppy;glad\n')
  rows = clip_table.read(path, {}, labels=str(names))
  assert [row['label'] for row in rows] == ['Happy', 'glad', 'Happy']
  names.write_text('from,to\nHappy,Happy\nh\u0430ppy,h\u0430ppy\n')
  rows = clip_table.read(path, {}, labels=str(names))
  assert [row['label'] for row in rows] == ['Happy', 'h\u0430ppy', 'Happy']
  assert capsys.readouterr().err == ''
  names.write_text('from,to\nHappy,glad\nhappy,glad\nHappy,glad\n')
  clip_table.read(path, {}, True, str(names))
  said = f"{names}: no clip has the label 'happy'\n"
  assert capsys.readouterr().err == said
  names.write_text('from,to\nHappy,glad\nHappy,sad\n')
  with pytest.raises(DataError, match="line 3 renames 'Happy' to 'sad', and"):
    clip_table.read(path, {}, labels=str(names))
  names.write_text('from,to\nHappy,\n')
  with pytest.raises(DataError, match="line 2 gives 'Happy' no label"):
    clip_table.read(path, {}, labels=str(names))
  names.write_text('old,new\n')
  with pytest.raises(DataError, match="no column 'from'"):
    clip_table.read(path, {}, labels=str(names))


@pytest.mark.parametrize(
  ('one', 'other', 'alike'),
  [
    ('Happy', 'hAPPY', True),
    ('very sad', 'verysad', True),
    ('sad', 'sad\u200b', True),
    ('happy', '\uff48appy', True),
    ('\u0391\u039d\u039d\u0391', 'ANNA', True),
    ('\u0420\u0410\u0414', '\u0440\u0430\u0434', True),
    ('zoe', 'zoë', False),
    ('sad', 'mad', False),
    ('S1', 'S2', False),
  ],
)
def test_what_looks_alike(one, other, alike):
  """Law: case, spaces, forms and similar letters; accents and digits not."""
  assert (lookalikes.key(one) == lookalikes.key(other)) is alike


def test_the_file_of_a_name(tmp_path):
  """Law: a clip is found by any way to write its name, and only below."""
  folder = tmp_path / 'c'
  (folder / 'é').mkdir(parents=True)
  (folder / 'é/a.b.mp4').write_bytes(b'1')
  (folder / 'é/a.b.csv').write_bytes(b'1')
  elsewhere = tmp_path / 'elsewhere'
  elsewhere.mkdir()
  (elsewhere / 'x.mp4').write_bytes(b'1')
  (folder / 'linked').symlink_to(elsewhere)
  (elsewhere / 'back').symlink_to(folder)
  os.mkfifo(folder / 'pipe.mp4')
  decomposed = unicodedata.normalize('NFD', 'é/a.b')
  for name in ('é/a.b.mp4', 'é/a.b', './é/a.b', 'é\\a.b', decomposed):
    assert ClipFiles(folder).clip(name) == folder / 'é/a.b.mp4'
  assert ClipFiles(folder).clip('linked/x') == folder / 'linked/x.mp4'
  assert ClipFiles(folder).clip('linked/back/linked/x').exists()
  for name in ('../elsewhere/x.mp4', str(elsewhere / 'x.mp4'), 'é', ''):
    assert ClipFiles(folder).clip(name) == 'there is no such file'
  assert ClipFiles(folder).clip('pipe.mp4') == 'it is not a regular file'
  (folder / 'é/a.b.avi').write_bytes(b'1')
  assert 'several files' in ClipFiles(folder).clip('é/a.b')


def test_where_a_table_is_sought(tmp_path, monkeypatch):
  """Law: here, then with the clips, then beside them."""
  folder = tmp_path / 'c'
  folder.mkdir()
  monkeypatch.chdir(folder)
  places = [tmp_path / 't.csv', folder / 't.csv']
  assert clip_table.find(None, 'x') == pathlib.Path('x/clips.csv')
  for place in places:
    place.write_text('')
    monkeypatch.chdir('/')
    assert clip_table.find('t.csv', folder) == place
