"""BENCHMARKS.md from invented lines."""

import json

import pytest

from avjax.benchmarks import summary
from avjax.errors import DataError

SHAPE = {
  'batch': 32,
  'frames': 60,
  'ragged': True,
  'dtype': 'float32',
  'tf32': False,
}
ABOUT = {
  'device': 'a device',
  'xla_flags': '',
  'versions': {'jax': '1.2', 'torch': '3.4'},
  'git_revision': 'abc',
}
OLD, NEW = '2016-01-01T00:00:00+00:00', '2016-01-02T00:00:00+00:00'


def line(name, median, started=NEW, ratio=1.0, **changes):
  return {
    'case': 'train_step',
    **SHAPE,
    'started': started,
    'implementation': name,
    'compile_seconds': 1.25,
    'median_ms': median,
    'spread': 0.04,
    'throughput_ms': median / 2,
    'throughput_spread': 0.05,
    'peak_bytes': None,
    'ratio': ratio,
    'throughput_ratio': ratio / 2,
    **ABOUT,
    **changes,
  }


@pytest.fixture
def written(tmp_path):
  """Returns a function that writes the tables and returns their text."""

  def write(*files):
    paths = [tmp_path / f'{k}.jsonl' for k in range(len(files))]
    for path, lines in zip(paths, files, strict=True):
      path.write_text('\n'.join(map(json.dumps, lines)))
    summary.write(paths, tmp_path)
    return (tmp_path / 'BENCHMARKS.md').read_text()

  return write


def test_ratios(written, tmp_path):
  """Golden: a row per shape, a column per implementation, with ratios."""
  pytest.importorskip('matplotlib')
  text = written(
    [line('avjax', 20.0, peak_bytes=3e6), line('torch', 45.67, ratio=2.284)],
    [
      line('avjax', 1.0, case='lstm', cells=64, dtype='bfloat16'),
      line('avjax', 10.0, case='lstm', cells=8, tf32=True, frames=90),
      line('cudnn', 3.0, case='lstm', cells=8, tf32=True, frames=90, ratio=0.3),
    ],
  )
  for row in (
    '| clips x frames | `avjax` | `torch` |',
    '| 32 x 60, ragged | 20 ±4 % | 45.7 ±4 % (🟢 **2.28**) |',
    '| 32 x 60, ragged | 10 ±5 % | 22.8 ±5 % (🟢 **1.14**) |',
    '| 32 x 60, ragged | 1.2; 3.0 | 1.2; - |',
    '| 32 x 60, hidden size 64, ragged, bfloat16 | 1 ±4 % | - |',
    '| 32 x 90, hidden size 8, ragged, TF32 | 10 ±4 % | 3 ±4 % (🔴 **0.30**) |',
    'Revision abc; jax 1.2, torch 3.4.',
    '- `cudnn`: `jax.experimental.rnn.lstm`',
  ):
    assert row in text.splitlines()
  image = (tmp_path / 'BENCHMARKS.png').read_bytes()
  assert image.startswith(b'\x89PNG')
  width = int.from_bytes(image[16:20], 'big')
  assert width == 1200


def test_newest_run(written):
  """Law: for a device, case and shape only the newest run is shown."""
  pytest.importorskip('matplotlib')
  new = [line('avjax', 20.0), line('flax', 33.0, ratio=1.65)]
  old = [line('avjax', 11.0, OLD), line('torch', 44.0, OLD, 4.0)]
  for files in (new, old), (old, new):
    text = written(*files)
    assert '| 32 x 60, ragged | 20 ±4 % | 33 ±4 % (🟢 **1.65**) |' in text
    assert '11' not in text and 'torch`' not in text
  text = written(new, [x | {'device': 'another'} for x in old])
  assert '## a device' in text and '## another' in text


def test_slopes(written):
  """Equation: the time per step is the difference between two lengths."""
  pytest.importorskip('matplotlib')
  text = written(
    [line('avjax', 20.0), line('flax', 30.0)],
    [line('avjax', 29.0, frames=150), line('flax', 48.0, frames=150)],
  )
  assert '32 x 150, ragged from 60 frames: `avjax` 100, `flax` 200.' in text


def test_what_is_missing(written):
  """Law: failed and left out timings are listed, unless there is a timing."""
  pytest.importorskip('matplotlib')
  head = {'case': 'train_step', **SHAPE, 'started': OLD, **ABOUT}
  text = written(
    [line('avjax', 20.0), line('flax', 30.0)],
    [
      head | {'implementation': 'flax', 'failed': 'mended since'},
      head | {'implementation': 'torch', 'failed': 'no room'},
      head | {'frames': 150, 'left_out': 'late'},
    ],
  )
  assert 'mended' not in text
  assert 'a device: `train_step`, 32 x 60, ragged, `torch`: no room' in text
  assert 'a device: `train_step`, 32 x 150, ragged: late' in text


@pytest.mark.parametrize('content', ['{"case": 1}', '[]', 'no JSON', 'null'])
def test_foreign_line(tmp_path, content):
  """Law: the error for a foreign line gives the file and the line."""
  path = tmp_path / 'a.jsonl'
  path.write_text(json.dumps(line('avjax', 1.0)) + '\n' + content)
  with pytest.raises(DataError, match=r'a\.jsonl, line 2'):
    summary.write([path], tmp_path)


def test_no_timing_and_no_peer(tmp_path):
  """Law: without a timing, or without a peer, nothing is written."""
  path = tmp_path / 'a.jsonl'
  path.write_text('')
  for paths in [], [path]:
    with pytest.raises(DataError, match='no timing'):
      summary.write(paths, tmp_path)
  pytest.importorskip('matplotlib')
  path.write_text(json.dumps(line('avjax', 1.0)))
  with pytest.raises(DataError, match='no timing has a peer'):
    summary.write([path], tmp_path)
  assert list(tmp_path.iterdir()) == [path]
