"""A page for figures: laid out in inches, with text that fits.

matplotlib is used without pyplot, so that no figure or setting of the caller
changes.
"""

import io
import os
import pathlib
import textwrap
from collections.abc import Iterable

from avjax import files
from avjax.errors import ConfigError

DPI = 150
SMALL, NORMAL, LARGE = 8, 9, 13  # points


class Page:
  """A figure laid out in inches from its upper left corner.

  Args:
    width: of the page in inches; `resize` sets the height.

  Attributes:
    figure: the matplotlib Figure.

  Raises:
    ConfigError: matplotlib is not installed.
  """

  def __init__(self, width: float):
    try:
      import matplotlib.figure
      from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ImportError as error:
      raise ConfigError(
        "drawing needs the package matplotlib; pip install 'avjax[figures]'"
      ) from error
    from avjax.reporting.sheet import Sheet

    del matplotlib  # imported above for the error only
    self.figure = Sheet((width, 1), DPI, facecolor='white')
    FigureCanvasAgg(self.figure)

  def resize(self, height: float) -> None:
    """Sets the height; call it before adding axes or text."""
    self.figure.set_figheight(height)

  def axes(self, x: float, y: float, width: float, height: float, **options):
    """Returns new axes whose upper left corner is at (x, y)."""
    across, down = self.figure.get_size_inches()
    return self.figure.add_axes(
      (x / across, 1 - (y + height) / down, width / across, height / down),
      **options,
    )

  def text(self, x: float, y: float, text: str, **font):
    """Returns a new text whose baseline begins at (x, y)."""
    from avjax.reporting import fonts

    across, down = self.figure.get_size_inches()
    return self.figure.text(
      x / across,
      1 - y / down,
      text,
      parse_math=False,  # here too: `fit` measures before anything is drawn
      usetex=False,
      fontfamily=list(fonts.installed().families),
      **font,
    )

  def fit(self, text: str, limit: float, **font) -> tuple[str, float]:
    """Returns the text and its width in inches.

    A text that is wider than `limit` inches is shortened in the middle.
    """
    text = shown = printable(text)
    artist, kept = self.text(0.0, 0.0, text, **font), len(text)
    while artist.get_window_extent().width > limit * DPI and kept > 2:
      kept -= max(1, kept // 10)
      shown = text[: kept - kept // 2] + '…' + text[len(text) - kept // 2 :]
      artist.set_text(shown)
    width = artist.get_window_extent().width / DPI
    artist.remove()
    return shown, width


def printable(text: str) -> str:
  """Returns the text on one line, with '?' for letters that no font has."""
  from avjax.reporting import fonts  # imports matplotlib

  return fonts.installed().drawable(text)


def lacking() -> str:
  """Returns the line on letters that could not be drawn so far; '' if none."""
  from avjax.reporting import fonts

  return fonts.installed().message()


def wrapped(texts: Iterable[str], width: float) -> list[str]:
  """Returns the texts wrapped into lines of small type.

  Args:
    texts: one or more.
    width: of a line, in inches.
  """
  letters = int(width / 0.075)  # few letters of this size are wider
  return [
    line
    for text in texts
    for line in textwrap.wrap(printable(text), letters, subsequent_indent='   ')
  ]


def png(figure) -> bytes:
  """Returns a figure as a PNG."""
  packed = io.BytesIO()
  # Not Figure.savefig, which uses the caller's settings, such as cropping.
  figure.canvas.print_png(packed, metadata={'Software': None})
  return packed.getvalue()


def pdf(figure) -> bytes:
  """Returns a figure as a PDF."""
  import matplotlib
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from matplotlib.backends.backend_pdf import FigureCanvasPdf

  packed, nothing = io.BytesIO(), ('Creator', 'Producer', 'CreationDate')
  canvas = FigureCanvasPdf(figure)
  # TrueType fonts, embedded: publishers refuse Type 3, the usual one.
  with matplotlib.rc_context({'pdf.fonttype': 42}):
    canvas.print_pdf(packed, metadata=dict.fromkeys(nothing))
  figure.dpi = DPI  # print_pdf has set it to 72
  FigureCanvasAgg(figure)
  return packed.getvalue()


def save(figure, path: str | os.PathLike) -> None:
  """Writes a figure as a .pdf or PNG file, completely or not at all.

  Equal figures give equal bytes: the file has no date and no program name.

  Raises:
    OSError: the folder is missing, full or not writable.
  """
  path = pathlib.Path(path)
  packed = pdf(figure) if path.suffix == '.pdf' else png(figure)
  files.put(path, packed)
