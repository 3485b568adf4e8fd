r"""Equations of a page, LaTeX -> MathML, so that no script has to set them.

pymdownx.arithmatex leaves `\(...\)` and `\[...\]` in elements of the class
`arithmatex`; GitHub reads the same pages.
"""

import html
import re

from latex2mathml import converter

_FOUND = re.compile(
  r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL
)


def as_mathml(page: str) -> str:
  """Returns the HTML of a page with its equations as MathML."""
  return _FOUND.sub(_set, page)


def _set(found: re.Match[str]) -> str:
  tag, bracket, latex = found.groups()
  block = bracket == '['
  mathml = converter.convert(
    html.unescape(latex).strip(), display='block' if block else 'inline'
  )
  if not block:
    return mathml
  return (
    f'<{tag} class="scroll equation" tabindex="0" role="group"'
    f' aria-label="equation">{mathml}</{tag}>'
  )
