"""A figure with its caption and its numbers, and the files of it."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

from avjax import files
from avjax.reporting import markup, page
from avjax.reporting.page import Page

WIDTH = 3.35  # inches, a column of a paper
TOP = 0.08  # inches above the first panel
AXIS = 0.42  # inches of an axis and its label


@dataclasses.dataclass(frozen=True)
class FigureLook:
  """How figures are drawn.

  Attributes:
    width: in inches.
    scaled: whether each row of Figures 2 and 3 is scaled to a maximum of 1, as
      the paper draws them, so that rows cannot be compared with one another.
  """

  width: float = WIDTH
  scaled: bool = False


@dataclasses.dataclass(frozen=True)
class Figure:
  """A figure, its numbers and its caption; no prose is in the picture.

  Attributes:
    name: stem of file names, such as 'figure-2'.
    figure: the matplotlib Figure.
    numbers: name -> value, over all clips, even if the figure shows only some.
    caption: what the figure shows.
    result: what to see in it, computed from its numbers.
    remarks: what else a reader must know: how the clips were standardised, what
      the audit of the split found.
    spoken: numbers that the picture shows and the caption does not name.
  """

  name: str
  figure: Any
  numbers: dict[str, Any]
  caption: str
  result: str
  remarks: Sequence[str] = ()
  spoken: str = ''

  @property
  def text(self) -> str:
    """The whole caption, for a paper."""
    remarks = (f'{text.rstrip(".")}.' for text in self.remarks)
    return ' '.join([self.caption, self.result, *remarks])

  @property
  def heard(self) -> str:
    """The figure in words, for those who do not see it, beside its caption."""
    return f'{self.caption.split(". ")[0].rstrip(".")}. {self.spoken}'.strip()


def write(made: Sequence[Figure], folder: pathlib.Path) -> None:
  """Writes each figure as .png and .pdf, its caption, and figures.json.

  The caption is a .txt file, and a .tex file that includes the figure.
  """
  numbers = {figure.name: figure.numbers for figure in made}
  files.write_json(folder / 'figures.json', numbers)
  for figure in made:
    for suffix in ('.png', '.pdf'):
      page.save(figure.figure, folder / f'{figure.name}{suffix}')
    files.write_text(folder / f'{figure.name}.txt', f'{figure.text}\n')
    text = markup.latex_figure(figure.name, figure.text)
    files.write_text(folder / f'{figure.name}.tex', text)


def sheet(width: float, height: float) -> Page:
  """Returns a page of this size, with a margin above and below."""
  made = Page(width)
  made.resize(TOP + height + 0.06)
  return made
