"""The pages of the project: their blocks of code, their headings and links."""

import dataclasses
import pathlib
import re
import textwrap

ROOT = pathlib.Path(__file__).parents[2]
_FENCE = re.compile(
  r'^```(\w*)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL
)
_LINK = re.compile(r'\]\(([^)\s]+)\)')
_HEADING = re.compile(r'^#+ +(.+)$', re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Block:
  """A fenced block of a page.

  Attributes:
    page: its path from the project's root.
    line: of the page, on which the first line of the block stands.
    language: after the fence, or ''.
    source: title of the block, the file of which it quotes a passage; or ''.
    text: between the fences.
  """

  page: str
  line: int
  language: str
  source: str
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
    Block(page, whole.count('\n', 0, found.start(3)) + 1, *found.groups(''))
    for found in _FENCE.finditer(whole)
  ]


def stands(block: Block) -> bool:
  """Returns whether a passage stands in its source, at any indentation."""
  source = (ROOT / block.source).read_text(encoding='utf-8').splitlines()
  passage = textwrap.dedent(block.text).splitlines()
  return any(
    textwrap.dedent('\n'.join(source[k : k + len(passage)])).splitlines()
    == passage
    for k in range(len(source))
  )


def links(page: str) -> list[str]:
  """Returns the links of a page to other files and to headings."""
  found = _LINK.findall(_FENCE.sub('', text(page)))
  return [link for link in found if not re.match(r'\w+:', link)]


def anchors(page: str) -> set[str]:
  """Returns what a link to a heading of the page may say behind its #."""
  headings = _HEADING.findall(_FENCE.sub('', text(page)))
  plain = [re.sub(r'[^\w\- ]', '', heading).lower() for heading in headings]
  return {heading.replace(' ', '-') for heading in plain}
