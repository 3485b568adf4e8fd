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
from avjax.reporting import figures, fonts, page, plots
from avjax.runs import experiment, finished
from avjax.training import outcome
from avjax.training.setup import Setup
from tests.reporting.examples import make_run
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
  """Law: four figures, with numbers and words, as wide as a column."""
  made = figures.make_figures(study)
  assert [f.name for f in made] == [f'figure-{k}' for k in (2, 3, 4, 5)]
  for figure in made:
    assert figure.figure.get_figwidth() == figures.WIDTH
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
  assert f'(UAR) {uar:.1f} %' in made[3].text


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
  """Law: no text on another, none off the page, none below 7 points."""
  long = dataclasses.replace(
    study.run, results=study.run.results | {'audit': ['found ' * 60]}
  )
  for figure in figures.make_figures(dataclasses.replace(study, run=long)):
    assert any('found' in t.get_text() for t in figure.figure.texts)
    texts = words(figure.figure)
    bounds = figure.figure.bbox
    for text in texts:
      box = text.get_window_extent()
      assert bounds.x0 <= box.x0 and box.x1 <= bounds.x1, text
      assert bounds.y0 <= box.y0 and box.y1 <= bounds.y1, text
      assert text.get_fontsize() >= 7
    upright = [t for t in texts if t.get_rotation() in (0, 90)]
    boxes = [t.get_window_extent() for t in upright]
    for (one, a), (other, b) in itertools.combinations(
      zip(upright, boxes, strict=True), 2
    ):
      across = min(a.x1, b.x1) - max(a.x0, b.x0)
      down = min(a.y1, b.y1) - max(a.y0, b.y0)
      assert across <= 1 or down <= 1, (one, other)


def axes_of():
  sheet = page.Page(4.0)
  sheet.resize(4.0)
  return sheet.axes(1.0, 1.0, 2.0, 2.0)


def test_maps():
  """Equation: each row of a map divided by its largest value."""
  random = np.random.default_rng(0)
  weights = random.dirichlet(np.ones(4), 9)
  ax = plots.alignment_map(axes_of(), weights)
  for i in range(4):
    np.testing.assert_allclose(
      ax.images[0].get_array()[i], weights[:, i] / max(weights[:, i])
    )
  labels = [label.get_text() for label in ax.get_yticklabels()]
  minus = '\N{MINUS SIGN}'
  assert labels == [f'{minus}2', f'{minus}1', '0', '+1']
  assert ax.get_ylim()[0] < ax.get_ylim()[1]
  attention = random.dirichlet(np.ones(9), 3)
  ax = plots.attention_map(axes_of(), attention, list('abc'))
  np.testing.assert_allclose(ax.images[0].get_array().max(1), 1)


def test_confusion():
  """Equation: the texts are the row's percentages, the true emotion's row."""
  counts = np.array([[3, 1], [0, 4]])
  ax = plots.confusion_matrix(axes_of(), counts, ['no', 'yes'])
  said = {t.get_position(): t.get_text() for t in ax.texts}
  assert said == {
    (0, 0): '75.0',
    (1, 0): '25.0',
    (0, 1): '0.0',
    (1, 1): '100',
  }


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
  assert (tmp_path / 'one.pdf').read_bytes().startswith(b'%PDF')
  assert b'CreationDate' not in (tmp_path / 'one.pdf').read_bytes()
  assert figure.dpi == page.DPI


def test_without_attention(tmp_path):
  """Law: a model without maps has the confusion alone."""
  clips = examples.make_clips(6, 'test')
  shares = np.full((6, 3), 1 / 3)
  answers = outcome.without_maps(clips, examples.EMOTIONS, shares)
  run = finished.load(make_run(tmp_path / 'a', 'linear'))
  made = figures.make_figures(figures.Study(run, clips, answers, None))
  assert [figure.name for figure in made] == ['figure-5']
