"""The fonts of this machine: which one has a letter, and which letters none."""

import functools
import unicodedata

from matplotlib import font_manager

_UNSUITED = ('Last Resort', 'STIXNonUnicode', 'STIXSize', 'cm')
"""Fonts whose glyphs are not those of Unicode, by how their names begin."""

_LISTED = 8  # letters in one message


class Fonts:
  """The default font, and those that have letters it lacks.

  Attributes:
    families: names of the fonts in use, the default first.
    lacking: the letters met so far that no font has.
  """

  def __init__(self):
    path = font_manager.findfont(font_manager.FontProperties())
    first = font_manager.get_font(path)
    self.families = [first.family_name]
    self.lacking: set[str] = set()
    self._known = set(first.get_charmap())
    plain = (
      entry
      for entry in font_manager.fontManager.ttflist
      if entry.style == 'normal'
      and entry.weight in (400, 'normal', 'regular')
      and not entry.name.startswith(_UNSUITED)
    )
    # Sans serif first, as the default is.
    self._others = sorted(
      {(('Sans' not in entry.name), entry.name, entry.fname) for entry in plain}
    )

  def drawable(self, text: str) -> str:
    """Returns the text on one line, with '?' for letters that no font has."""
    line = ' '.join(text.split())
    for letter in sorted(set(line)):
      if ord(letter) not in self._known and not self._find(letter):
        self.lacking.add(letter)
    return ''.join(c if ord(c) in self._known else '?' for c in line)

  def _find(self, letter: str) -> bool:
    """Returns whether another font has the letter, which is then in use."""
    # Without control and formatting characters and halves of surrogates.
    if letter in self.lacking or unicodedata.category(letter)[0] == 'C':
      return False
    for _, name, path in self._others:
      try:
        letters = font_manager.get_font(path).get_charmap()
      except (OSError, RuntimeError):  # such as a font of coloured pictures
        continue
      if ord(letter) in letters:
        self.families.append(name)
        self._known.update(letters)
        return True
    return False

  def message(self) -> str:
    """Returns the line that names the letters without a font; '' if none."""
    if not self.lacking:
      return ''
    letters = sorted(self.lacking)
    named = ', '.join(
      f'{c} (U+{ord(c):04X})' if c.isprintable() else f'U+{ord(c):04X}'
      for c in letters[:_LISTED]
    )
    more = len(letters) - _LISTED
    return (
      f'no font here has {named}{f" and {more} more" if more > 0 else ""}:'
      ' drawn as ?; install a font that has them, such as Noto Sans'
    )


@functools.cache
def installed() -> Fonts:
  """Returns the fonts of this machine."""
  return Fonts()
