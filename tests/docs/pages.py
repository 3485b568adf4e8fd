"""The pages of the project: their blocks of code, their headings and links."""

import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]
_FENCE = re.compile(r'^```(\w*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
_LINK = re.compile(r'\]\(([^)\s]+)\)')
_HEADING = re.compile(r'^#+ +(.+)$', re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Block:
  """A fenced block of a page.

  Attributes:
    page: its path from the project's root.
    line: of the page, on which the first line of the block stands.
    language: after the fence, or ''.
    text: between the fences.
  """

  page: str
  line: int
  language: str
  text: str

  def __str__(self) -> str:
    return f'{self.page}:{self.line}'


def named(*patterns: str) -> list[str]:
  """Returns the paths of pages from the root, in the order of the patterns."""
  return [
    path.relative_to(ROOT).as_posix()
    for pattern in patterns
    for path in sorted(ROOT.glob(pattern))
  ]


def text(page: str) -> str:
  """Returns what a page says."""
  return (ROOT / page).read_text(encoding='utf-8')


def blocks(page: str) -> list[Block]:
  """Returns the fenced blocks of a page in their order."""
  whole = text(page)
  return [
    Block(page, whole.count('\n', 0, found.start(2)) + 1, *found.groups())
    for found in _FENCE.finditer(whole)
  ]


def links(page: str) -> list[str]:
  """Returns the links of a page to other files and to headings."""
  found = _LINK.findall(_FENCE.sub('', text(page)))
  return [link for link in found if not re.match(r'\w+:', link)]


def anchors(page: str) -> set[str]:
  """Returns what a link to a heading of the page may say behind its #."""
  headings = _HEADING.findall(_FENCE.sub('', text(page)))
  plain = [re.sub(r'[^\w\- ]', '', heading).lower() for heading in headings]
  return {heading.replace(' ', '-') for heading in plain}
