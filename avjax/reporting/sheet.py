"""The figure behind a page, whose texts are drawn letter by letter."""

from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.text import Text

from avjax.reporting import fonts


class Sheet(MatplotlibFigure):
  """A figure in which `$` and backslashes are letters, not mathematics.

  Names of clips and emotions come from users. Here is the only place that all
  their texts pass, whatever draws them.
  """

  def draw(self, renderer) -> None:
    families = fonts.installed().families
    for text in self.findobj(Text):
      text.set_parse_math(False)
      text.set_usetex(False)
      if len(families) > 1:
        text.set_fontfamily(list(families))
    super().draw(renderer)
