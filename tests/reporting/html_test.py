"""The page of some runs: what it holds, for every reader, and in a browser."""

import dataclasses
import html.parser
import itertools
import re
import shutil
import subprocess

import numpy as np
import pytest

from avjax.reporting import figures
from avjax.reporting import html as pages
from avjax.runs import finished
from avjax.training.outcome import Outcome
from tests.reporting.examples import make_run
from tests.training import examples

CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser')
NAME = '<b>&"odd" clip</b>'
FLAGS = (
  '--headless', '--no-sandbox', '--disable-gpu', '--no-first-run',
  '--disable-background-networking', '--disable-component-update',
  '--allow-file-access-from-files', '--enable-logging=stderr',
  '--virtual-time-budget=5000', '--dump-dom',
)  # fmt: skip


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
    groups = finished.grouped(loaded)
    text, left_out = pages.report(groups, 9, ['bin/report', 'a', 'b c'])
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
  assert len(pictures) == 4 + 2 + 9 + 1 + 2
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


def test_page_says(written):
  """Law: audit, stamps, command, and names as they are written."""
  text = written.read_text(encoding='utf-8')
  assert text.count('allowed: Ann &amp; Bob speak in both') >= 3
  assert 'bin/report a &#x27;b c&#x27;' in text
  assert 'its store is gone' in text
  assert '<b>&' not in text and '&lt;b&gt;&amp;&quot;odd&quot;' in text
  assert len(Elements(text).of('details')) == 9


def test_sample(tmp_path):
  """Law: emotions take turns, the surest wrong clip of each comes first."""
  study = make_study(finished.load(make_run(tmp_path / 'a')))
  chosen = pages.sample(study, 12)
  assert sorted(chosen) == list(range(12))
  assert chosen[:5] == pages.sample(study, 5)
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
    'const clips = [...page.querySelectorAll("details")];'
    'document.body.append("|" + page.documentElement.scrollWidth + "|"'
    ' + page.querySelector("[role=status]").textContent + "|"'
    ' + clips.filter(c => !c.hidden).every(c => c.dataset.result == "wrong")'
    ' + "|");}</script>'
  )
  dom, console = browse(frame, tmp_path)
  assert console == []
  width, status, wrong = re.search(r'\|(\d+)\|(.*?)\|(\w+)\|', dom).groups()
  assert int(width) <= 390
  assert re.match(r'[1-8] of 9 clips shown', status) and wrong == 'true'
  # The page's own policy would refuse, and say so, what is not in it.
  text = written.read_text(encoding='utf-8')
  text = text.replace('<main', '<img src="elsewhere.png" alt=""><main')
  (tmp_path / 'bad.html').write_text(text, encoding='utf-8')
  _, console = browse(tmp_path / 'bad.html', tmp_path)
  assert any('Content Security Policy' in line for line in console)
