"""Links of a page in the repository -> links of the same page in the site."""

import posixpath
import re
from collections.abc import Mapping

DOCS = 'docs'
MOVED = {
  'README.md': 'overview.md',
  'BUILD.md': 'build.md',
  'BENCHMARKS.md': 'benchmarks.md',
  'BENCHMARKS.png': 'benchmarks.png',
  'CHANGELOG.md': 'changelog.md',
  'avjax/pretrained/ravdess.md': 'ravdess.md',
  'avjax/settings.py': 'reference/settings.md',
  'avjax/__init__.py': 'reference/api.md',
  'avjax/runs/folder.py': 'reference/files.md',
  'bin': 'reference/programs.md',
}
"""Path in the repository -> path in the site, where it is another."""
_PATH_OF = {site: path for path, site in MOVED.items() if path.endswith('.md')}
_FENCE = re.compile(r'^(```.*?^```)$', re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'^# +(.+)$', re.MULTILINE)
_LINK = re.compile(r'(!?)\[([^\]]*)\]\(([^)\s]+)\)')
_NAMED = re.compile(r'\bdocs/([\w/]+\.md)(#[\w-]+)?')


def mended(markdown: str, page: str, titles: Mapping[str, str]) -> str:
  """Returns a page whose links lead to pages of the site.

  A link to any other file of the repository becomes text that names the file.

  Args:
    markdown: of the page, as it stands in the repository.
    page: its path in the site, such as 'use.md'.
    titles: path of a page of the site -> its title, which takes the place of
      the name of its file in the text of a link.
  """
  parts = _FENCE.split(markdown)
  parts[::2] = [
    _LINK.sub(lambda found: _mended(found, page, titles), part)
    for part in parts[::2]
  ]
  return ''.join(parts)


def pointed(text: str) -> str:
  """Returns text of a page of reference/ in which names of pages are links."""
  return _NAMED.sub(r'[\1](../\1\2)', text)


def title(markdown: str) -> str:
  """Returns the first heading of a page."""
  found = _TITLE.search(markdown)
  return found[1] if found else ''


def _mended(found: re.Match[str], page: str, titles: Mapping[str, str]) -> str:
  mark, text, link = found.groups()
  if re.match(r'\w+:|#', link):
    return found[0]
  path, _, heading = link.partition('#')
  folder = posixpath.dirname(_PATH_OF.get(page, f'{DOCS}/{page}'))
  target = posixpath.normpath(posixpath.join(folder, path))
  if target.startswith(f'{DOCS}/'):
    site = target.removeprefix(f'{DOCS}/')
  elif target in MOVED:
    site = MOVED[target]
  else:
    return _named(text, target)
  if text.endswith('.md'):
    text = titles.get(site, text)
  site = posixpath.relpath(site, posixpath.dirname(page) or '.')
  return f'{mark}[{text}]({site}{"#" if heading else ""}{heading})'


def _named(text: str, path: str) -> str:
  """Returns the text of a link, with the path of the file that it led to."""
  plain = text.strip('`')
  if path.endswith(plain):
    return f'`{path}`'
  return f'{text} (`{path}`)'
