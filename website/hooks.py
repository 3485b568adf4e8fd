"""What MkDocs calls while it builds the site."""

import pathlib
import re
import sys

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # MkDocs knows the folder of this file alone

from website import (  # noqa: E402
  api,
  equations,
  links,
  programs,
  run_files,
  settings_page,
)

_MADE = {
  'reference/programs.md': programs.page,
  'reference/settings.md': settings_page.page,
  'reference/api.md': api.page,
  'reference/files.md': run_files.page,
}
"""Page of the site -> what makes it from the project's sources."""
_SELDOM = ('overview.md', 'build.md', 'reference/api.md')
"""Pages that have words of all others; a search finds them last."""
_OWN = ('site.css', 'site.js', 'iframe-worker.js', 'mark.svg')
"""Files beside this one that the site needs."""
_NUMBERS = re.compile(
  r'[\d.]+ ± [\d.]+(?: \[[^\]<]+\])?'
  r'|(?:[\d.]+ )?\[[-+\u2212\d.]+, [-+\u2212\d.]+\]'
)
"""`62.3 ± 4.4`, `65.8 [60.8, 70.8]`, and both together."""
_TABLE = re.compile(r'<table>.*?</table>', re.DOTALL)
_PICTURE = re.compile(r'<p>(<img [^>]*src="([^"]*)"[^>]*>)</p>', re.DOTALL)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
  """Returns the files of docs/, those at the top and those that are made."""
  for path, site in links.MOVED.items():
    if path.endswith('.md') or path.endswith('.png'):
      files.append(_copy(config, site, ROOT / path))
  for site, page in _MADE.items():
    files.append(File.generated(config, site, content=page(ROOT)))
  for name in _OWN:
    files.append(_copy(config, f'assets/{name}', ROOT / 'website' / name))
  return files


def _copy(config: MkDocsConfig, site: str, path: pathlib.Path) -> File:
  return File.generated(config, site, abs_src_path=str(path))


def on_page_markdown(
  markdown: str, *, page: Page, config: MkDocsConfig, files: Files
) -> str:
  """Returns a page whose links lead to pages of the site."""
  if page.file.src_uri in _SELDOM:
    page.meta['search'] = {'boost': 0.4}
  titles = {
    file.src_uri: links.title(file.content_string)
    for file in files.documentation_pages()
  }
  titles['overview.md'] = 'README'
  if page.file.src_uri == 'overview.md':
    markdown = markdown.replace('# avjax', '# README', 1)
  return links.mended(markdown, page.file.src_uri, titles)


def on_page_content(
  content: str, *, page: Page, config: MkDocsConfig, files: Files
) -> str:
  """Returns a page with equations, tables that scroll, pictures that open."""
  content = _PICTURE.sub(r'<p><a href="\2">\1</a></p>', content)
  return _TABLE.sub(_scrolling, equations.as_mathml(content))


def on_post_build(*, config: MkDocsConfig) -> None:
  """Removes the page that only a server shows; its paths begin at its root."""
  pathlib.Path(config.site_dir, '404.html').unlink(missing_ok=True)


def _scrolling(found: re.Match[str]) -> str:
  """Returns a table in a box that scrolls, with numbers that do not break."""
  table = _NUMBERS.sub(lambda one: one[0].replace(' ', '&nbsp;'), found[0])
  return (
    '<div class="scroll" tabindex="0" role="group" aria-label="table">'
    f'{table}</div>'
  )
