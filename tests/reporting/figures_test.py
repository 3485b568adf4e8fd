"""The paper's figures of a finished run: what they show, and their text."""

import dataclasses
import functools
import itertools
import json
import re
import unicodedata

import jax
import matplotlib
import numpy as np
import pytest

import avjax
from avjax.errors import DataError
from avjax.metrics import classification, maps
from avjax.reporting import (
  captioned,
  figures,
  fonts,
  group_accuracy,
  page,
  plots,
  run_section,
  sentences,
)
from avjax.runs import experiment, finished
from avjax.training import outcome
from avjax.training.setup import Setup
from tests.reporting.examples import GROUPS, make_run
from tests.training import examples


@pytest.fixture(scope='module')
def study(tmp_path_factory):
  """A small proposed network on the synthetic corpus, trained in a moment."""
  folder = tmp_path_factory.mktemp('runs') / 'proposed'
  config = dataclasses.replace(
    examples.PROPOSED,
    model=dataclasses.replace(
      examples.PROPOSED.model, streams=('audio', 'shape')
    ),
    training=dataclasses.replace(examples.PROPOSED.training, epochs=2),
  )
  experiment.train(config, folder)
  return figures.make_study(finished.load(folder))


NAMES = [*(f'figure-{k}' for k in (2, 3, 4, 5)), 'reliability']


def words(figure):
  """Returns every text that is drawn, with its box in pixels."""
  figure.draw_without_rendering()
  texts = [
    text
    for text in figure.findobj(matplotlib.text.Text)
    if text.get_visible() and text.get_text().strip()
  ]
  for axes in figure.axes:  # a label beyond its axis is not drawn
    for axis, (low, high) in (
      (axes.xaxis, sorted(axes.get_xlim())),
      (axes.yaxis, sorted(axes.get_ylim())),
    ):
      for tick in axis.get_major_ticks():
        if not low <= tick.get_loc() <= high:
          texts = [t for t in texts if t not in (tick.label1, tick.label2)]
  return texts


def test_figures_of_a_network(study):
  """Law: five figures, with numbers and words, as wide as is asked for."""
  made = figures.make_figures(study)
  assert [f.name for f in made] == NAMES
  wide = figures.make_figures(study, look=captioned.FigureLook(7.0))
  for width, each in (captioned.WIDTH, made), (7.0, wide):
    for figure in each:
      assert figure.figure.get_figwidth() == width
      assert json.dumps(figure.numbers) and len(figure.text) > 40
  two = made[0].numbers
  wanted = [
    maps.entropy(w, clip.audio_length)
    for w, clip in zip(study.outcome.alignment, study.clips, strict=True)
  ]
  assert two['entropy over uniform'] == pytest.approx(np.mean(wanted))
  counts = study.run.predictions['test'].counts
  uar = 100 * classification.unweighted_recall(counts)
  assert made[3].numbers['UAR'] == pytest.approx(uar)
  assert f'(UAR) is {uar:.1f} %' in made[3].text
  shown = study.run.predictions['test']
  error = classification.calibration_error(shown.probabilities, shown.label)
  assert made[4].numbers['ECE'] == pytest.approx(100 * error)


ODD = (
  'a $\\frac$ b',
  '$x$',
  'back\\slash_{',
  '_hidden',
  'bell \a\x1b[31m',
  '\u5929\u6c17',
  '\u0641\u0631\u062d',
  '\U0001f642',
  'no UTF-8: \udcff',
  'two\nlines',
)


def test_names_are_not_mathematics(monkeypatch):
  """Law: any name is drawn letter by letter; letters without a font are told.

  A glyph that is missing would be a warning, which is an error here.
  """
  monkeypatch.setattr(fonts, 'installed', functools.cache(fonts.Fonts))
  monkeypatch.setitem(matplotlib.rcParams, 'text.usetex', True)
  n = len(ODD)
  sheet = page.Page(4.0)
  sheet.resize(9.0)
  plots.attention_map(sheet.axes(1.0, 0.3, 2.0, 2.0), np.eye(n, 20), ODD)
  counts = np.eye(n, dtype=int)
  plots.confusion_matrix(sheet.axes(1.0, 3.0, 2.0, 2.0), counts, ODD)
  points = np.random.default_rng(0).normal(size=(2, n, 2))
  ax = plots.embedding_plane(sheet.axes(1.0, 6.0, 1.5, 2.0), *points, ODD)
  sheet.text(0.0, 8.5, sheet.fit(ODD[0], 3.0)[0])
  shown = [text.get_text() for text in ax.get_legend().get_texts()]
  assert shown[:4] == list(ODD[:4])
  assert len(page.png(sheet.figure)) > 10_000 < len(page.pdf(sheet.figure))
  line = page.lacking()
  assert line.count('\n') == 0 and line.isprintable()
  assert {'U+0007', 'U+001B', 'U+DCFF'} <= set(re.findall('U.[0-9A-F]+', line))


def test_a_font_that_has_the_letter(monkeypatch):
  """Law: a letter that the default font lacks is drawn in another font."""
  monkeypatch.setattr(fonts, 'installed', functools.cache(fonts.Fonts))
  manager = matplotlib.font_manager
  default, other = (
    manager.get_font(manager.findfont(name)).get_charmap()
    for name in ('DejaVu Sans', 'STIXGeneral')
  )
  only = [
    chr(c)
    for c in sorted(set(other) - set(default))
    if unicodedata.category(chr(c))[0] == 'L'
  ]
  found = fonts.installed()
  assert found.drawable(f'a{only[0]}') == f'a{only[0]}'
  assert len(found.families) == 2 and not found.message()
  images = []
  for text in (only[0], '?'):
    sheet = page.Page(1.0)
    sheet.resize(1.0)
    sheet.text(0.1, 0.5, sheet.fit(text, 1.0)[0])
    images.append(page.png(sheet.figure))
  assert images[0] != images[1]


def test_embeddings(study):
  """Law: before training they are those that the seed gives, then others."""
  before, after = study.embeddings
  config, info = study.run.config, study.run.info
  batch = Setup(config, info.emotions, {'': study.clips}).loader.batch(
    study.clips, np.array([0])
  )
  network = avjax.build(config.model, info.emotions)
  key = jax.random.fold_in(jax.random.key(config.seed), 0)
  drawn = network.init(key, batch)['params']['embeddings']
  np.testing.assert_allclose(before, drawn, rtol=1e-6)
  assert before.shape == after.shape == (7, 2)
  assert (maps.movement(before, after) > 0).all()
  assert np.abs(before).max() < 0.5  # drawn with deviation 0.1


def test_chosen(study):
  """Law: the clips that are asked for; else two of different emotions."""
  first, second = study.chosen()
  assert study.clips[first].label != study.clips[second].label
  names = [study.clips[k].name for k in (3, 1)]
  assert study.chosen(names) == [3, 1]
  with pytest.raises(DataError, match='is no test clip'):
    study.chosen(['nobody'])


def test_text_has_its_place(study):
  """Law: no text on another, none off the page, 7 to 9 points, no prose.

  What a reader must know is in the caption instead.
  """
  long = dataclasses.replace(
    study.run, results=study.run.results | {'audit': ['found ' * 60]}
  )
  shown = dataclasses.replace(study, run=long)
  for figure in [
    *figures.make_figures(shown),
    *figures.make_figures(shown, look=captioned.FigureLook(7.0, scaled=True)),
    group_accuracy.picture('speaker', GROUPS, captioned.FigureLook()),
    run_section.training(study.run),
  ]:
    assert ('found found' in figure.text) == (figure.name in NAMES)
    texts = words(figure.figure)
    assert all(len(text.get_text().split()) < 6 for text in texts)
    bounds = figure.figure.bbox
    for text in texts:
      box = text.get_window_extent()
      assert bounds.x0 <= box.x0 and box.x1 <= bounds.x1, text
      assert bounds.y0 <= box.y0 and box.y1 <= bounds.y1, text
      assert 7 <= text.get_fontsize() <= 9
    upright = [t for t in texts if t.get_rotation() in (0, 90)]
    boxes = [t.get_window_extent() for t in upright]
    for (one, a), (other, b) in itertools.combinations(
      zip(upright, boxes, strict=True), 2
    ):
      across = min(a.x1, b.x1) - max(a.x0, b.x0)
      down = min(a.y1, b.y1) - max(a.y0, b.y0)
      assert across <= 1 or down <= 1, (one, other)


def test_groups():
  """Law: points at the accuracies, counts beside; the lowest is named."""
  figure = group_accuracy.picture('speaker', GROUPS, captioned.FigureLook())
  points = [
    line.get_xdata()[0]
    for line in figure.figure.axes[0].lines
    if line.get_marker() == 'o'
  ]
  assert points == pytest.approx([70, 100, 20])
  said = [text.get_text() for text in words(figure.figure)]
  assert [t for t in said if '/' in t] == ['7/10', '10/10', '2/10']
  assert figure.result.startswith('Lowest by speaker: (none) with 2 of 10 (20')
  assert 'all 30 clips, 63.3 %' in figure.caption
  many = {str(k): GROUPS['Ann'] | {'accuracy': k / 40} for k in range(40)}
  figure = group_accuracy.picture('speaker', many, captioned.FigureLook())
  assert '12 lowest and the 12 highest of 40' in figure.caption


def axes_of():
  sheet = page.Page(4.0)
  sheet.resize(4.0)
  return sheet.axes(1.0, 1.0, 2.0, 2.0)


def test_maps():
  """Equation: one scale for all rows, or each divided by its largest value."""
  random = np.random.default_rng(0)
  weights = random.dirichlet(np.ones(4), 9)
  attention = random.dirichlet(np.ones(9), 3)
  for drawn, values in (
    (functools.partial(plots.alignment_map, weights=weights), weights.T),
    (
      functools.partial(plots.attention_map, maps=attention, names='abc'),
      9 * attention,  # over uniform attention, a ninth
    ),
  ):
    image = drawn(axes_of(), high=2.5).images[0]
    np.testing.assert_allclose(image.get_array(), values)
    assert image.get_clim() == (0, 2.5)
    image = drawn(axes_of()).images[0]
    scaled = values / values.max(1, keepdims=True)
    np.testing.assert_allclose(image.get_array(), scaled)
    assert image.get_clim() == (0, 1)
  ax = plots.alignment_map(axes_of(), weights)
  labels = [label.get_text() for label in ax.get_yticklabels()]
  minus = '\N{MINUS SIGN}'
  assert labels == [f'{minus}2', f'{minus}1', '0', '+1']
  assert ax.get_ylim()[0] < ax.get_ylim()[1]


def test_one_scale(study):
  """Law: the clips of a figure share its scale, up to the greatest value."""
  for chosen in [0, 3], [3, 0]:
    attention = [study.outcome.attention[k] for k in chosen]
    weights = [study.outcome.alignment[k] for k in chosen]
    for draw, high, unit in (
      (figures.figure_2, max(w.max() for w in weights), 'alignment weight'),
      (
        figures.figure_3,
        max((a * a.shape[1]).max() for a in attention),
        'attention over uniform attention',
      ),
    ):
      figure = draw(study, chosen)
      shown = [ax.images[0] for ax in figure.figure.axes[:2]]
      assert all(image.get_clim() == (0, high) for image in shown)
      assert 'all on one scale' in figure.caption
      bar = figure.figure.axes[2]
      assert bar.get_xlabel() == unit
      assert bar.get_xlim() == pytest.approx((0, high))
      figure = draw(study, chosen, captioned.FigureLook(scaled=True))
      for ax in figure.figure.axes[:2]:
        np.testing.assert_allclose(ax.images[0].get_array().max(1), 1)
      assert 'its own maximum of 1' in figure.caption


def test_confusion():
  """Equation: percent of the true emotion's row, and the count below."""
  counts = np.array([[3, 1], [0, 4]])
  ax = plots.confusion_matrix(axes_of(), counts, ['no', 'yes'])
  said = {t.get_position(): t.get_text() for t in ax.texts}
  assert said == {
    (0, 0): '75.0\n3',
    (1, 0): '25.0\n1',
    (0, 1): '0',
    (1, 1): '100\n4',
  }


def test_what_to_see():
  """Law: the sentences name the extremes of the numbers, with counts."""
  counts = np.array([[5, 3, 0], [4, 4, 2], [0, 1, 1], [0, 0, 0]][:3])
  said = sentences.confusion(counts, ['angry', 'sad', 'calm'])
  assert said == (
    '10 of 20 clips are right (50.0 %); the mean of the diagonal (UAR) is'
    ' 50.8 %. Recognised best: angry with 5 of 8; worst: sad with 4 of 10'
    ' (40.0 %). Confused most often: sad taken for angry in 4 of 10 (40.0 %);'
    ' then angry taken for sad in 3 of 8.'
  )
  said = sentences.confusion(np.diag([7, 3]), ['a', 'b'])
  assert said.endswith('No emotion is taken for another.')
  said = sentences.confusion(np.diag([2, 3]), ['a', 'b'])
  assert said.endswith('Too few clips to say more.') and 'best' not in said
  mean = np.array([[1, 0.5, np.nan], [0.5, 1, -0.2], [np.nan, -0.2, 1]])
  assert 'nearly uniform' in sentences.attention(mean, ['a', 'b', 'c'], 1.02)
  said = sentences.attention(mean, ['a', 'b', 'c'], 1.2)
  assert 'two emotions is 0.15: attention depends' in said
  assert 'Most alike are a and b (0.50), least b and c (\u22120.20).' in said
  after = np.array([[0.0, 0], [5, 0], [5, 1]])
  said = sentences.embeddings(np.array([0.2, 3.0, 1.0]), after, 'xyz')
  assert 'moves y most, by 3 times' in said and 'x least, by 0.2.' in said
  assert said.endswith('Closest after it are y and z.')
  said = sentences.embeddings(np.array([0.01, 0.0, 0.02]), after, 'xyz')
  assert 'hardly moved the embeddings: z most, by 0.020 times' in said


def test_reliability():
  """Equation: points at confidence and accuracy, bars and texts of counts."""
  shares = np.array([0.95, 0.95, 0.99, 0.55] * 3)
  probabilities = np.stack([shares, 1 - shares], 1)
  label = np.array([0, 1, 0, 0] * 3)
  bins = classification.reliability(probabilities, label)
  assert bins.counts.tolist() == [0] * 8 + [3] + [0] * 5 + [9]
  assert bins.confidence[14] == pytest.approx((0.95 + 0.95 + 0.99) / 3)
  assert bins.accuracy[14] == pytest.approx(2 / 3)
  error = classification.calibration_error(probabilities, label)
  gaps = np.abs(bins.confidence - bins.accuracy)
  assert error == pytest.approx(bins.counts @ gaps / 12)
  above, below = axes_of(), axes_of()
  plots.reliability_diagram(above, below, bins)
  points = [line for line in above.lines if line.get_marker() == 'o']
  (last,) = points[-1].get_xydata()
  np.testing.assert_allclose(last, [96.333, 66.667], atol=1e-3)
  assert [text.get_text() for text in below.texts] == ['3', '9']
  assert [bar.get_height() for bar in below.patches] == bins.counts.tolist()
  said = sentences.reliability(bins, error)
  assert 'too sure on the mean: confidence 86.0 %, accuracy 75.0 %' in said
  assert f'(ECE) {100 * error:.1f} %' in said
  assert 'of 93 to 100 %, has 9 of 12 clips; of these 66.7 % are right' in said


def test_curve(tmp_path):
  """Law: training and validation over epochs from 1, the best one marked."""
  run = finished.load(make_run(tmp_path / 'a'))
  ax = plots.curve(axes_of(), run.metrics[''], 'accuracy')
  training, validation, best = ax.lines
  np.testing.assert_allclose(training.get_ydata(), [40, 50, 60, 70])
  np.testing.assert_allclose(validation.get_ydata(), [40, 45, 50, 55])
  np.testing.assert_array_equal(training.get_xdata(), [1, 2, 3, 4])
  assert best.get_xdata()[0] == 3


def test_files(study, tmp_path):
  """Law: PNG and PDF have equal bytes for equal figures, with no date."""
  figure = figures.figure_5(study.run).figure
  for suffix in ('.png', '.pdf', '.png'):
    path = tmp_path / f'one{suffix}'
    page.save(figure, path)
    other = tmp_path / f'two{suffix}'
    page.save(figures.figure_5(study.run).figure, other)
    assert path.read_bytes() == other.read_bytes()
  content = (tmp_path / 'one.pdf').read_bytes()
  assert content.startswith(b'%PDF') and b'CreationDate' not in content
  assert b'/FontFile2' in content and b'/Type3' not in content  # embedded
  assert figure.dpi == page.DPI


def test_without_attention(tmp_path):
  """Law: a model without maps has the confusion and the reliability."""
  clips = examples.make_clips(6, 'test')
  shares = np.full((6, 3), 1 / 3)
  answers = outcome.without_maps(clips, examples.EMOTIONS, shares)
  run = finished.load(make_run(tmp_path / 'a', 'linear'))
  made = figures.make_figures(figures.Study(run, clips, answers, None))
  assert [figure.name for figure in made] == NAMES[3:]
