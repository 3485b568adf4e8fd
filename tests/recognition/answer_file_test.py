"""Tests of the file of answers that a program resumes from."""

import json

from avjax.recognition.asking import AnswerFile


def test_every_face_or_none(tmp_path):
  """Law: a file counts as answered when all its faces are, not before."""
  path, known = tmp_path / 'a.jsonl', {'request': 'r', 'answers': 2}
  both = [
    {'clip': 'a', 'sha256': 's', 'face': {'number': k}, **known} for k in (1, 2)
  ]
  file = AnswerFile(path, 'r')
  file.add(both[0])
  with open(path, 'a') as text:
    text.write(json.dumps(both[1])[:-9])  # as by a kill
  again = AnswerFile(path, 'r')
  assert again.known == {} and not path.read_text()
  for one in both:
    again.add(one)
  assert AnswerFile(path, 'r').known == {('a', 's'): both}
  assert AnswerFile(path, 'another').known == {}
