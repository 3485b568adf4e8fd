"""Accuracy against the number of enrolled clips."""

from avjax.reporting import enrolment_curve
from avjax.runs import finished
from tests.reporting.examples import make_run
from tests.reporting.tables_test import known_speakers


def enrolled(folder, how, number=0, apart=16, **changes):
  data = {
    'standardise': how,
    'enrolment': number,
    'enrolment_clips': apart,
  }
  return make_run(folder / f'{how}-{number}-{apart}', data=data, **changes)


def test_points(tmp_path, monkeypatch):
  """Law: one point a way of standardising, in order, with the run's figures."""
  known_speakers(monkeypatch)
  folders = [
    enrolled(tmp_path, 'speaker', sharp=3.0),
    enrolled(tmp_path, 'enrolment', 16, sharp=2.0),
    enrolled(tmp_path, 'enrolment', 0),
    enrolled(tmp_path, 'enrolment', 2),
    enrolled(tmp_path, 'none'),
    enrolled(tmp_path, 'speaker', apart=0),  # other test clips: not comparable
    enrolled(tmp_path, 'enrolment', 4, apart=8),  # the same, and alone
    enrolled(tmp_path, 'recording'),
  ]
  runs = [finished.load(folder) for folder in folders]
  curves = enrolment_curve.curves(finished.grouped(runs))
  (points,) = curves.values()
  assert [p.standardised for p in points] == ['none', '0', '2', '16', 'all']
  by_folder = dict(zip(folders, runs, strict=True))
  right = by_folder[folders[1]].results['splits']['test']
  assert points[3].accuracy == right['accuracy']
  assert points[3].clips == 24
  low, high = points[3].bounds
  assert low < points[3].accuracy < high


def test_written(tmp_path, monkeypatch):
  """Program: the table is named by network, and the picture is drawn."""
  known_speakers(monkeypatch)
  folders = [enrolled(tmp_path / 'r', 'enrolment', n) for n in (0, 4)]
  groups = finished.grouped([finished.load(folder) for folder in folders])
  curves = enrolment_curve.curves(groups)
  enrolment_curve.write(curves, tmp_path)
  name = 'proposed, streams=audio,face'
  rows = enrolment_curve.table(curves).rows
  assert [row[:2] for row in rows] == [(name, '0'), (name, '4')]
  written = (tmp_path / 'enrolment.md').read_text()
  assert all(row[3] in written for row in rows)
  assert (tmp_path / 'enrolment.png').read_bytes()[:4] == b'\x89PNG'
