"""The picture of a clip: what it shows, what it leaves out, how it is kept."""

import itertools
import struct
import sys

import matplotlib
import numpy as np
import pytest

from avjax.clips import EMOTIONS
from avjax.errors import ConfigError
from avjax.reporting import panels, timeline
from avjax.reporting.timeline import Timeline

LONG = tuple(
  f'emotion number {k}, with a long, long name' * 3 for k in range(12)
)
ODD = (
  'a $\\frac{1}$ b',
  'two\nlines',
  'not in the font: \u5929\u6c17',
  'no UTF-8: \udcff',
)


def make_timeline(length=12, emotions=EMOTIONS, size=(24, 32), **given):
  """Returns a clip that has everything; `given` replaces parts of it."""
  rng = np.random.default_rng(0)
  n = len(emotions)
  found = np.ones(length, bool)
  found[length // 3 : length // 2 + 1] = False
  parts = {
    'name': 'clip',
    'emotions': tuple(emotions),
    'probabilities': rng.dirichlet(np.ones(n)),
    'frames': rng.integers(
      0, 256, (len(panels.thumbnails(length)), *size, 3), np.uint8
    ),
    'length': length,
    'waveform': rng.uniform(-0.5, 0.5, 640 * length),
    'found': found,
    'attention': rng.dirichlet(np.ones(length), n).astype(np.float32),
    'alignment': rng.dirichlet(np.ones(4), length).astype(np.float32),
    'label': emotions[0],
    'notes': ('a face in some frames', 'partial: 1 of 2 s'),
  }
  return Timeline(**(parts | given))


def panel(figure, title):
  """Returns the axes whose title begins so; None without any."""
  found = [a for a in figure.axes if a.get_title('left').startswith(title)]
  return found[0] if found else None


def words(figure):
  """Returns every text that is drawn, with its box in pixels."""
  figure.draw_without_rendering()
  texts = [
    text
    for text in figure.findobj(matplotlib.text.Text)
    if text.get_visible() and text.get_text().strip()
  ]
  # A tick label outside its axis is an object, but is not drawn.
  for axes in figure.axes:
    for axis, (low, high) in (
      (axes.xaxis, sorted(axes.get_xlim())),
      (axes.yaxis, sorted(axes.get_ylim())),
    ):
      for tick in axis.get_major_ticks():
        if not low <= tick.get_loc() <= high:
          texts = [t for t in texts if t not in (tick.label1, tick.label2)]
  return [(text.get_text(), text.get_window_extent()) for text in texts]


@pytest.mark.parametrize('length', [1, 3, 11, 19, 1501])
def test_thumbnails(length):
  """Law: at most ten, in their own time, beside each other, none twice."""
  clip = make_timeline(length, found=None)
  chosen = panels.thumbnails(length)
  assert len(chosen) == min(length, 10) == len(set(chosen))
  images = panel(timeline.draw(clip), 'Picture').images
  assert len(images) == len(chosen)
  edge = 0.0
  for k, (t, image) in enumerate(zip(chosen, images, strict=True)):
    start, stop, low, high = image.get_extent()
    assert (start + stop) / 2 == pytest.approx((t + 0.5) / 25, abs=0.5001 / 25)
    assert edge < start < stop < length / 25
    assert 0 <= low < high
    np.testing.assert_array_equal(image.get_array(), clip.frames[k])
    edge = stop


@pytest.mark.parametrize('size', [(24, 32), (2, 90), (90, 2)])
def test_thumbnails_keep_their_shape(size):
  """Law: a thumbnail is as wide for its height as the frames are."""
  axes = panel(timeline.draw(make_timeline(size=size)), 'Picture')
  start, stop, low, high = axes.images[0].get_extent()
  across, up = axes.transData.transform([[start, low], [stop, high]]).T
  assert np.ptp(across) / np.ptp(up) == pytest.approx(size[1] / size[0])
  assert high <= axes.get_ylim()[1] + 1e-9


def test_faceless_frames():
  """Law: those without a face are hatched and pale, the others are not."""
  clip = make_timeline(40)
  axes = panel(timeline.draw(clip), 'Picture')
  for t, image in zip(panels.thumbnails(40), axes.images, strict=True):
    assert (image.get_alpha() < 1) == (not clip.found[t])
  (strip,) = axes.collections
  assert strip.get_hatch()
  (path,) = strip.get_paths()
  for t, found in enumerate(clip.found):
    middle = (t + 0.5) / 25, panels.STRIP / 2
    assert path.contains_point(middle) != found
  assert 'no face in 8 of 40 frames' in axes.get_title('right')

  everywhere = make_timeline(found=np.ones(12, bool))
  axes = panel(timeline.draw(everywhere), 'Picture')
  assert not axes.collections and not axes.get_title('right')


def test_maps():
  """Equation: attention times T, and the weights, at their frames' times."""
  clip = make_timeline(12)
  figure = timeline.draw(clip)
  (image,) = panel(figure, 'Perception').images
  np.testing.assert_allclose(image.get_array(), clip.attention * 12, rtol=1e-6)
  assert image.get_extent() == [0, 12 / 25, 6.5, -0.5]
  assert image.norm.vmin == 0
  assert image.norm.vmax == pytest.approx(12 * clip.attention.max())

  axes = panel(figure, 'Alignment')
  (image,) = axes.images
  np.testing.assert_allclose(image.get_array(), clip.alignment.T, rtol=1e-6)
  # The first place is two audio frames before p_t, the last is one after it.
  ticks = dict(
    zip(
      axes.get_yticks().tolist(),
      [label.get_text() for label in axes.get_yticklabels()],
      strict=True,
    )
  )
  minus = '\N{MINUS SIGN}'
  assert ticks == {0: f'{minus}2', 1: f'{minus}1', 2: '0', 3: '+1'}
  low, high = axes.get_ylim()
  assert low < high

  # Uniform maps are in the middle of the scale, not at its end.
  even = np.full((7, 12), 1 / 12)
  flat = timeline.draw(make_timeline(attention=even))
  (image,) = panel(flat, 'Perception').images
  assert image.norm.vmax == 2


def test_more_frames_than_pixels():
  """Equation: means over the parts of a map, extremes over the sound's."""
  rng = np.random.default_rng(1)
  maps, sound = rng.random((3, 23)), rng.uniform(-1, 1, 23)
  means = panels.pooled(maps, 5)
  times, low, high = panels.envelope(sound, 5)
  edges = [0, 4, 9, 13, 18, 23]
  for k, (a, b) in enumerate(itertools.pairwise(edges)):
    np.testing.assert_allclose(means[:, k], maps[:, a:b].mean(1))
    assert times[k] == pytest.approx((a + b) / 2 / 16000)
    assert (low[k], high[k]) == (sound[a:b].min(), sound[a:b].max())
  np.testing.assert_array_equal(panels.pooled(maps, 99), maps)

  clip = make_timeline(2000, size=(2, 2))
  axes = panel(timeline.draw(clip), 'Perception')
  columns = axes.images[0].get_array().shape[1]
  assert 1000 < columns <= axes.bbox.width < 2000


def test_missing_parts():
  """Law: what a clip lacks has no row; the last row has the time."""
  rows = {
    'Picture': ('frames', 'found'),
    'Sound': ('waveform',),
    'Perception': ('attention',),
    'Alignment': ('alignment',),
  }
  full = timeline.draw(make_timeline())
  assert len(full.axes) == 7  # four rows, two colour bars, the probabilities
  for kept in (0, 1, 3):
    for shown in itertools.combinations(rows, kept):
      gone = {k: None for row in rows if row not in shown for k in rows[row]}
      figure = timeline.draw(make_timeline(**gone))
      for row in rows:
        assert (panel(figure, row) is not None) == (row in shown)
      assert panel(figure, 'Probability') is not None
      timed = [a for a in figure.axes if a.get_xlabel() == 'time, s']
      assert timed == [panel(figure, row) for row in shown[-1:]]
      for row in shown:
        axes = panel(figure, row)
        assert axes.get_xlim() == pytest.approx((0, 12 / 25))
        ticks = axes.xaxis.get_tick_params()
        assert ticks['labelbottom'] == (axes in timed)


def test_prediction():
  """Law: the most probable emotion is in the head and in bold, with shares."""
  shares = np.array([0.02, 0.03, 0.01, 0.834, 0.05, 0.05, 0.006])
  for attention in (None, make_timeline().attention):
    clip = make_timeline(probabilities=shares, attention=attention, label='sad')
    figure = timeline.draw(clip)
    said = [text.get_text() for text in figure.texts]
    assert {'clip', 'happy 83 %', 'truth: sad', *clip.notes} == set(said)
    bars = panel(figure, 'Probability')
    np.testing.assert_allclose([b.get_width() for b in bars.patches], shares)
    assert bars.texts[3].get_text() == '83 %'
    named = panel(figure, 'Probability' if attention is None else 'Perception')
    labels = named.get_yticklabels()
    assert [label.get_text() for label in labels] == list(EMOTIONS)
    bold = [
      label.get_text() for label in labels if label.get_weight() == 'bold'
    ]
    assert bold == ['happy']
    # Bar and name of an emotion are at the same height.
    assert bars.get_position().y0 == pytest.approx(named.get_position().y0)
    assert bars.get_ylim() == named.get_ylim()
  unknown = timeline.draw(make_timeline(label=None))
  assert not any('truth' in text.get_text() for text in unknown.texts)


CASES = {
  'plain': {},
  'one frame': {'length': 1},
  'long': {'length': 2000, 'size': (2, 2)},
  'longest': {
    'length': 12345, 'size': (1, 1), 'attention': np.eye(7, 12345),
  },
  'two emotions': {'emotions': ('no', 'yes')},
  'long names': {
    'emotions': LONG, 'label': LONG[0] * 9, 'name': 'folder/clip ' * 40,
  },
  'long names, no attention': {'emotions': LONG, 'attention': None},
  'little to show': {
    'emotions': LONG, 'attention': None, 'found': None, 'waveform': None,
  },
  'no sound': {'waveform': None, 'alignment': None},
  'portrait': {'size': (64, 36)},
  'flat': {'size': (2, 90)},
  'silent': {'waveform': np.zeros(640 * 12)},
  'faint': {'waveform': np.full(640 * 12, 1e-7)},
  'wide window': {'alignment': np.full((12, 40), 1 / 40)},
  'notes': {'notes': ('words ' * 99, 'x' * 999, '')},
  'caveats': {'caveats': ('no face in any frame', 'silent throughout')},
  'many caveats': {'caveats': ('a caveat in some words',) * 12, 'label': 'sad'},
  'odd letters': {
    'name': ODD[0], 'emotions': ODD, 'label': ODD[1], 'notes': ODD,
  },
}  # fmt: skip


@pytest.mark.parametrize('case', CASES)
def test_text_has_its_place(case):
  """Law: no text on another, none off the page, none below 8 points."""
  figure = timeline.draw(make_timeline(**CASES[case]))
  boxes = words(figure)
  assert len(boxes) > 8
  page = figure.bbox
  for text, box in boxes:
    assert page.x0 <= box.x0 and box.x1 <= page.x1, text
    assert page.y0 <= box.y0 and box.y1 <= page.y1, text
  for (one, a), (other, b) in itertools.combinations(boxes, 2):
    # Boxes include the line's leading, of which a pixel may be shared.
    across = min(a.x1, b.x1) - max(a.x0, b.x0)
    down = min(a.y1, b.y1) - max(a.y0, b.y0)
    assert across <= 1 or down <= 1, (one, other)
  for text in figure.findobj(matplotlib.text.Text):
    assert text.get_fontsize() >= 8 or not text.get_text()


def chunks(png):
  """Returns the kinds of a PNG's chunks."""
  kinds, place = set(), 8
  while place < len(png):
    (size,) = struct.unpack('>I', png[place : place + 4])
    kinds.add(png[place + 4 : place + 8])
    place += 12 + size
  return kinds


def test_save(tmp_path):
  """Law: equal clips give equal bytes, with no date, under any settings."""
  timeline.save(timeline.draw(make_timeline()), tmp_path / 'one.png')
  one = (tmp_path / 'one.png').read_bytes()
  settings = {'savefig.bbox': 'tight', 'savefig.dpi': 30}
  with matplotlib.rc_context(settings):
    before = dict(matplotlib.rcParams)
    figure = timeline.draw(make_timeline())
    timeline.save(figure, tmp_path / 'two.png')
    assert dict(matplotlib.rcParams) == before
  assert (tmp_path / 'two.png').read_bytes() == one
  assert chunks(one) <= {b'IHDR', b'pHYs', b'IDAT', b'IEND'}
  size = struct.unpack('>II', one[16:24])
  assert size == tuple(int(n) for n in figure.bbox.size)
  other = timeline.draw(make_timeline(name='other'))
  timeline.save(other, tmp_path / 'two.png')
  assert (tmp_path / 'two.png').read_bytes() != one
  assert {p.name for p in tmp_path.iterdir()} == {'one.png', 'two.png'}


def test_save_whole_or_not_at_all(tmp_path, monkeypatch):
  """Law: a picture that cannot be written leaves the one before."""
  path = tmp_path / ('x' * 251 + '.png')  # the longest name that there is
  timeline.save(timeline.draw(make_timeline()), path)
  before = path.read_bytes()

  def full(descriptor):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr('os.fsync', full)
  with pytest.raises(OSError, match='No space'):
    timeline.save(timeline.draw(make_timeline(name='other')), path)
  assert path.read_bytes() == before
  assert list(tmp_path.iterdir()) == [path]


def test_without_matplotlib(monkeypatch):
  """Law: the missing package is named, and the extra that has it."""
  monkeypatch.setitem(sys.modules, 'matplotlib.figure', None)
  with pytest.raises(ConfigError, match=r'matplotlib; .*avjax\[figures\]'):
    timeline.draw(make_timeline())
