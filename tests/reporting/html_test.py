"""The page of some runs: what it holds, for every reader, and in a browser."""

import dataclasses
import html.parser
import itertools
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from avjax.errors import ConfigError
from avjax.reporting import (
  captioned,
  clip_browser,
  figures,
  opening,
  overview,
  page_style,
  robustness_curves,
  titles,
)
from avjax.reporting import html as pages
from avjax.runs import finished
from avjax.training.outcome import Outcome
from tests.reporting.examples import GROUPS, make_run
from tests.training import examples

CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser')
NAME = '<b>&"odd" clip</b>'
FLAGS = (
  '--headless', '--no-sandbox', '--disable-gpu', '--no-first-run',
  '--disable-background-networking', '--disable-component-update',
  '--allow-file-access-from-files', '--enable-logging=stderr',
  '--virtual-time-budget=5000', '--dump-dom',
)  # fmt: skip


DISTURBED = """\
run,disturbance,level,unit,clips,accuracy,"from, by speaker",to,change
one,undisturbed,-,-,9,80.0,70.0,90.0,+0.0
one,white noise,20,"SNR, dB",9,75.0,-,-,-5.0
one,white noise,-5,"SNR, dB",9,60.0,50.5,70.0,-20.0
one,no sound,-,-,9,40.0,30.0,50.0,-40.0
two,undisturbed,-,-,9,50.0,40.0,60.0,+0.0
two,white noise,20,"SNR, dB",9,50.0,40.0,60.0,+0.0
"""


def make_study(run):
  """Returns 12 clips with maps, of which some are predicted wrong."""
  random = np.random.default_rng(0)
  clips = examples.make_clips(12, 'test')
  clips[0] = dataclasses.replace(clips[0], name=NAME)
  shares = random.dirichlet(np.ones(3), 12)
  return figures.Study(
    run,
    clips,
    Outcome(
      clips,
      examples.EMOTIONS,
      shares,
      [random.dirichlet(np.ones(c.visual_length), 3) for c in clips],
      [random.dirichlet(np.ones(4), c.visual_length) for c in clips],
    ),
    tuple(random.standard_normal((2, 3, 2))),
  )


@pytest.fixture(scope='module')
def written(tmp_path_factory):
  """A page of two runs, one of which has its maps."""
  folder = tmp_path_factory.mktemp('page')
  found = [{'status': 'allowed', 'text': 'Ann & Bob speak in both'}]
  loaded = [
    finished.load(make_run(folder / 'a', audit=found)),
    finished.load(make_run(folder / 'b', 'average')),
  ]
  with pytest.MonkeyPatch.context() as patch:

    def study(run):
      if run.variant == 'average':
        raise finished.CheckpointError('its store is gone')
      return make_study(run)

    patch.setattr(figures, 'make_study', study)
    named = {f'test-{k}': f'speaker {k % 4}' for k in range(24)}
    patch.setattr(finished, '_speakers', lambda *_: named)
    (folder / 'robustness.csv').write_text(DISTURBED)
    (folder / 'a/evaluation-own-test').mkdir()
    (folder / 'a/evaluation-own-test/results.json').write_text(
      json.dumps({'groups': {'gender': GROUPS, 'label': GROUPS}})
    )
    text, left_out = pages.report(
      finished.grouped(loaded),
      9,
      ['bin/report', 'a', 'b c'],
      differences=['It is a trial.', 'Another & more.'],
      robustness=str(folder),
    )
  assert list(left_out.values()) == ['its store is gone']
  path = folder / 'report.html'
  path.write_text(text, encoding='utf-8')
  return path


class Elements(html.parser.HTMLParser):
  """Collects every element's tag and attributes."""

  def __init__(self, text):
    super().__init__()
    self.found = []
    self.feed(text)

  def handle_starttag(self, tag, attrs):
    self.found.append((tag, dict(attrs)))

  def of(self, tag):
    return [attributes for name, attributes in self.found if name == tag]


def test_page_needs_nothing(written):
  """Law: every source is in the page, every link leads to a part of it."""
  text = written.read_text(encoding='utf-8')
  elements = Elements(text)
  anchors = {a['id'] for _, a in elements.found if 'id' in a}
  for tag, attributes in elements.found:
    assert attributes.get('src', 'data:').startswith('data:'), tag
    link = attributes.get('href', 'data:')
    assert link.startswith('data:') or link[1:] in anchors, link
  assert '://' not in text and 'url(' not in text and '@import' not in text


def test_page_can_be_heard(written):
  """Law: language, titles, labels, headers, and a text for every picture."""
  text = written.read_text(encoding='utf-8')
  elements = Elements(text)
  assert elements.of('html') == [{'lang': 'en'}]
  assert elements.of('meta')[1]['name'] == 'viewport'
  pictures = elements.of('img')
  assert len(pictures) == 1 + 1 + (5 + 2 + 1 + 9) + (2 + 1 + 1)
  assert all(len(picture['alt']) > 40 for picture in pictures)
  assert all(cell['scope'] in ('row', 'col') for cell in elements.of('th'))
  assert len(elements.of('caption')) == len(elements.of('table'))
  regions = [a for _, a in elements.found if a.get('role') == 'region']
  assert all(a['tabindex'] == '0' and a['aria-label'] for a in regions)
  levels = [
    int(tag[1]) for tag, _ in elements.found if tag in ('h1', 'h2', 'h3')
  ]
  assert levels[0] == 1 and levels.count(1) == 1
  assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
  assert text.count('<label') == len(elements.of('select')) == 2
  for landmark in ('header', 'nav', 'main'):
    assert len(elements.of(landmark)) == 1
  assert elements.of('a')[0] == {'class': 'skip', 'href': '#main'}


def test_page_says(written):
  """Law: audit, stamps, command, and names as they are written."""
  text = written.read_text(encoding='utf-8')
  assert text.count('allowed: Ann &amp; Bob speak in both') >= 3
  assert 'bin/report a &#x27;b c&#x27;' in text
  assert 'its store is gone' in text
  assert '<b>&' not in text and '&lt;b&gt;&amp;&quot;odd&quot;' in text
  clips = Elements(text).of('details')
  assert len([one for one in clips if 'data-result' in one]) == 9


def test_own_results_come_first(written):
  """Law: one's own before the paper's, which is apart and named so."""
  text = written.read_text(encoding='utf-8')
  sections = [section['id'] for section in Elements(text).of('section')]
  assert sections == [
    'results', 'comparisons', 'robustness', 'run-0', 'run-1', 'paper',
    'differences', 'stamps',
  ]  # fmt: skip
  own, paper = text.index('the best row first'), text.index('44.90 [40.7')
  assert own < text.index('id="paper"') < paper
  assert text.index('It is a trial.') < own < text.index('Another &amp; more.')
  assert (
    'Compared with proposed' in text and '<code>--base=RUN</code> takes' in text
  )
  assert 'Lowest by gender: ' in text and 'Lowest by label' not in text


def test_opening(tmp_path, monkeypatch):
  """Law: data, people and chance, the best row, and whether it is better."""
  named = {f'test-{k}': f'speaker {k % 4}' for k in range(24)}
  monkeypatch.setattr(finished, '_speakers', lambda *_: named)
  how = {'standardise': 'speaker'}
  ours = make_run(tmp_path / 'a', sharp=3.0, audit=[], data=how)
  theirs = make_run(tmp_path / 'b', 'linear', sharp=0.0, audit=[], data=how)
  loaded = finished.load_all([ours, theirs])
  groups = titles.entitled(finished.grouped(loaded), [ours, theirs], 'xy')
  said = opening.opening(groups, 'The best.')
  right = [one.predictions['test'].right.astype(float) for one in loaded]
  points = 100 * (right[0] - right[1]).mean()
  assert said[0].startswith(
    f'The best. Compared with y on the 24 clips that both have: {points:+.1f}'
  )
  assert said[1] == (
    'Data: made-up clips (synthetic). Tested on 24 clips of 4 speakers: saying'
    ' angry each time would be right in 33.3 %. Nobody is tested by a model'
    ' that was trained on the same person.'
  )
  assert said[2].startswith('Transductive: each speaker is known by unlabelled')
  assert said[3:] == [
    'All rows: streams=audio,face, transductive.',
    'x: proposed; y: linear.',
  ]
  (leaky,) = finished.grouped([finished.load(make_run(tmp_path / 'c'))])
  assert 'Nobody' not in ' '.join(opening.opening([leaky], ''))


def test_overview(tmp_path):
  """Law: a point at each accuracy; the best is named, and if it is nothing."""
  for sharp, wanted in (
    (3.0, '].'),
    (0.0, ', not clearly more than the largest'),
  ):
    names = 'proposed', 'average'
    runs = [
      finished.load(make_run(tmp_path / f'{name}{sharp}', name, sharp=sharp))
      for name in names
    ]
    groups = finished.grouped(runs)
    figure = overview.overview(groups, captioned.FigureLook())
    right = [100 * run.predictions['test'].right.mean() for run in runs]
    (ax,) = figure.figure.axes
    points = [ln.get_xdata()[0] for ln in ax.lines if ln.get_marker() == 'o']
    assert points == pytest.approx(right)
    best = groups[int(np.argmax(right))].title
    assert figure.result.startswith(
      f'Most accurate: {best}, {max(right):.1f} %'
    )
    assert wanted in figure.result and 'class, 33.3 %' in figure.caption


def test_robustness(written):
  """Law: a figure for what has levels, the table for all; faults are named."""
  table, (figure,) = robustness_curves.read(written.parent)
  minus = '\N{MINUS SIGN}'
  assert figure.result == (
    f'From 80.0 % to 60.0 %, at {minus}5: one. Never below its 50.0 %: two.'
  )
  lines = [line for line in figure.figure.axes[0].lines if line.get_marker()]
  assert list(lines[0].get_xdata()) == [20, -5]
  assert figure.figure.axes[0].xaxis_inverted()  # worse to the right
  assert table.head == ('disturbance', 'one', 'two')
  assert [row[0] for row in table.rows] == [
    'undisturbed',
    'white noise, 20 (SNR, dB)',
    f'white noise, {minus}5 (SNR, dB)',
    'no sound',
  ]
  assert table.rows[1][1:] == (f'75.0 {minus}5.0', '50.0 [40.0, 60.0] +0.0')
  assert table.rows[2][1:] == (f'60.0 [50.5, 70.0] {minus}20.0', '-')


@pytest.mark.parametrize(
  'text, wanted',
  [
    ('', 'not the table'),
    (DISTURBED.replace('80.0', 'nan'), "'nan' is no number"),
    (DISTURBED.replace('run,', 'name,'), 'not the table'),
    (None, 'that bin/robustness has written'),
  ],
)
def test_a_damaged_study(text, wanted, tmp_path):
  """Law: what is no table of bin/robustness is one line that says so."""
  if text is not None:
    (tmp_path / 'robustness.csv').write_text(text)
  with pytest.raises(ConfigError, match=wanted):
    robustness_curves.read(tmp_path)


def contrast(one, other):
  """Returns the contrast of two colours (WCAG 2)."""
  bright = []
  for colour in one, other:
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [
      c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts
    ]
    bright.append(np.dot(linear, (0.2126, 0.7152, 0.0722)) + 0.05)
  return max(bright) / min(bright)


@pytest.mark.parametrize('colours', [page_style.LIGHT, page_style.DARK])
def test_contrast(colours):
  """Law: AA for every colour of text on every ground, and for the focus."""
  for ground in ('page', 'warm', 'code'):
    for text in ('text', 'soft', 'link', 'alarm'):
      assert contrast(colours[text], colours[ground]) >= 4.5
  for line in ('focus', 'rule'):
    assert contrast(colours[line], colours['page']) >= 3
  used = set(re.findall(r'var\(--(\w+)\)', page_style.STYLE))
  assert used == set(colours)
  assert not re.search(r'(?<!--)\bcolor: #', page_style.STYLE)


def test_sample(tmp_path):
  """Law: emotions take turns, the surest wrong clip of each comes first."""
  study = make_study(finished.load(make_run(tmp_path / 'a')))
  chosen = clip_browser.sample(study, 12)
  assert sorted(chosen) == list(range(12))
  assert chosen[:5] == clip_browser.sample(study, 5)
  assert {study.clips[k].label for k in chosen[:3]} == set(examples.EMOTIONS)
  sure = study.outcome.probabilities.max(1)
  for k in chosen[:3]:
    wrong = [
      sure[i]
      for i, clip in enumerate(study.clips)
      if clip.label == study.clips[k].label and not study.right(i)
    ]
    assert not wrong or (sure[k] == max(wrong) and not study.right(k))


def browse(path, folder):
  """Returns what a page has become in Chromium, and its console."""
  done = subprocess.run(
    [CHROMIUM, *FLAGS, f'--user-data-dir={folder}/profile', path.as_uri()],
    capture_output=True,
    text=True,
    timeout=60,
  )
  lines = done.stderr.splitlines()
  return done.stdout, [line for line in lines if 'CONSOLE' in line]


@pytest.mark.skipif(not CHROMIUM, reason='Chromium is not installed')
def test_in_a_browser(written, tmp_path):
  """Program: no word on the console; filters; no wider than a phone."""
  shutil.copy(written, tmp_path / 'report.html')
  frame = tmp_path / 'phone.html'
  frame.write_text(
    '<iframe src="report.html" style="width:390px;height:800px"></iframe>'
    '<script>onload = () => {'
    'const page = document.querySelector("iframe").contentDocument;'
    'const result = page.querySelectorAll("select")[1];'
    'result.value = "wrong"; result.dispatchEvent(new Event("change"));'
    'const clips = [...page.querySelectorAll(".browser details")];'
    'const rows = [];'
    'for (const box of page.querySelectorAll(".scroll")) {'
    'const name = box.querySelector("tbody th"), cell = name.nextSibling;'
    'const left = name.getBoundingClientRect().left;'
    'const at = cell.getBoundingClientRect().left;'
    'box.scrollLeft = 40;'
    'const kept = Math.abs(name.getBoundingClientRect().left - left) < 1;'
    'const moved = at - cell.getBoundingClientRect().left;'
    'if (moved) rows.push(kept && Math.abs(moved - 40) < 1);}'
    'document.body.append("|" + rows + "|"'
    ' + page.documentElement.scrollWidth + "|"'
    ' + page.querySelector("[role=status]").textContent + "|"'
    ' + clips.filter(c => !c.hidden).every(c => c.dataset.result == "wrong")'
    ' + "|");}</script>'
  )
  dom, console = browse(frame, tmp_path)
  assert console == []
  rows, width, status, wrong = re.search(
    r'\|([\w,]*)\|(\d+)\|(.*?)\|(\w+)\|', dom
  ).groups()
  # Wide tables scroll by themselves, and the names of their rows stay.
  assert len(rows.split(',')) >= 3 and set(rows.split(',')) == {'true'}
  assert int(width) <= 390
  assert re.match(r'[1-8] of 9 clips shown', status) and wrong == 'true'
  # The page's own policy would refuse, and say so, what is not in it.
  text = written.read_text(encoding='utf-8')
  text = text.replace('<main', '<img src="elsewhere.png" alt=""><main')
  (tmp_path / 'bad.html').write_text(text, encoding='utf-8')
  _, console = browse(tmp_path / 'bad.html', tmp_path)
  assert any('Content Security Policy' in line for line in console)
