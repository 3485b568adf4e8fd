"""The documentation site: strict, complete, and alone.

It is built once, in a process of its own, where MkDocs is installed.
"""

import ast
import html.parser
import importlib.util
import os
import pathlib
import re
import subprocess
import sys

import pytest

import avjax
from tests.docs import pages

EMBEDDED = {
  'script': 'src',
  'img': 'src',
  'iframe': 'src',
  'source': 'src',
  'link': 'href',
}
"""Element -> the attribute by which it fetches something."""
FETCHED = ('stylesheet', 'icon', 'preload', 'preconnect', 'manifest')
"""Kinds of <link> that fetch something."""


class Elements(html.parser.HTMLParser):
  """Collects the elements of a page with their attributes."""

  def __init__(self, path):
    super().__init__()
    self.found = []
    self.feed(path.read_text(encoding='utf-8'))

  def handle_starttag(self, tag, attrs):
    self.found.append((tag, dict(attrs)))


@pytest.fixture(scope='module')
def site(tmp_path_factory):
  """Folder of the site."""
  for name in ('mkdocs', 'material', 'mkdocstrings', 'latex2mathml'):
    if importlib.util.find_spec(name) is None:
      pytest.skip(f'{name} is not installed; it is in the extra docs')
  folder = tmp_path_factory.mktemp('site')
  done = subprocess.run(
    [sys.executable, '-m', 'mkdocs', 'build', '--strict', '-d', folder],
    cwd=pages.ROOT,
    env=os.environ | {'NO_MKDOCS_2_WARNING': '1'},
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )
  assert done.returncode == 0, done.stdout
  return folder


def test_pages(site):
  """Program: every page is there, is found, and asks for nothing elsewhere."""
  made = sorted(site.rglob('*.html'))
  for name in pages.named('docs/*.md', 'docs/*/*.md'):
    path = pathlib.Path(name).relative_to('docs').with_suffix('.html')
    path = path.with_name(path.name.replace('README', 'index'))
    assert site / path in made
  linked = set()
  for path in made:
    for tag, attributes in Elements(path).found:
      wanted = attributes.get(EMBEDDED.get(tag, ''), '')
      if tag == 'link' and attributes.get('rel') not in FETCHED:
        wanted = ''
      assert '//' not in wanted, f'{path.name}: {tag} {wanted}'
      target = wanted or (attributes.get('href', '') if tag == 'a' else '')
      target = target.partition('#')[0]
      if target and '//' not in target and not target.startswith('mailto:'):
        there = (path.parent / target).resolve()
        assert there.exists(), f'{path.name}: {tag} {target}'
        linked.add(there)
  assert set(made) <= linked


def texts(path):
  """Returns the strings in a file of Python; NUL is where values are put in."""
  found = []
  for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
    if isinstance(node, ast.JoinedStr):
      parts = [getattr(part, 'value', '') for part in node.values]
      found += [''.join(p if isinstance(p, str) else '\0' for p in parts)]
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
      found.append(node.value)
  return '\n'.join(found)


def test_messages():
  """Law: what docs/faq.md quotes of a message stands in one source file."""
  quoted = re.findall(r'^> `(.+)`$', pages.text('docs/faq.md'), re.MULTILINE)
  sources = [texts(path) for path in pages.ROOT.glob('avjax/**/*.py')]
  strange = []
  for message in quoted:
    words = [part for part in message.split('...') if part]
    if not any(all(part in text for part in words) for text in sources):
      strange.append(message)
  assert len(quoted) > 20 and not strange


def test_version():
  """Law: the package has the version by which it is cited, and the newest."""
  changes = re.findall(r'^## (.+)$', pages.text('CHANGELOG.md'), re.MULTILINE)
  cited = re.findall(r'^version: (.+)$', pages.text('CITATION.cff'), re.M)
  cited += re.findall(r'^  version = {(.+)}$', pages.text('docs/cite.md'), re.M)
  assert [changes[0], *cited] == [avjax.__version__] * 3
