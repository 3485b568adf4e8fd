"""Words that look alike: the same but for case, spaces, or similar letters.

`Happy`, `happy ` and a `happy` with a Cyrillic letter would be three classes.
"""

import collections
import unicodedata
from collections.abc import Iterable

_LETTERS = str.maketrans(
  # Cyrillic, Greek and other letters, of which one case looks like the Latin.
  'авеѕіјкмнорстухԁһԛԝαβεζηικμνορτυχıɑɡ\u2010\u2011\u2012\u2013\u2014\u2212\u2019',
  "abesijkmhopctyxdhqwabezhikmnoptyxiag------'",
)


def key(word: str) -> str:
  """Returns a text that is equal for words that look alike."""
  folded = unicodedata.normalize('NFKC', word).casefold()
  latin = folded.translate(_LETTERS)
  seen = [c for c in latin if unicodedata.category(c)[0] not in 'ZC']
  return unicodedata.normalize('NFKC', ''.join(seen))


def groups(words: Iterable[str]) -> list[collections.Counter[str]]:
  """Returns the spellings, with their numbers, of words with several.

  The most frequent spelling is the first; of equally frequent ones the one that
  comes first.
  """
  by_key: dict[str, collections.Counter[str]] = {}
  for word in words:
    by_key.setdefault(key(word), collections.Counter())[word] += 1
  return [
    collections.Counter(dict(spellings.most_common()))
    for spellings in by_key.values()
    if len(spellings) > 1
  ]


def described(spellings: Iterable[str]) -> str:
  """Returns the spellings, with the code points of letters beyond ASCII."""
  texts = []
  for word in spellings:
    odd = dict.fromkeys(c for c in word if not c.isascii())
    names = ', '.join(
      f'U+{ord(c):04X} {unicodedata.name(c, "without a name")}' for c in odd
    )
    texts.append(repr(word) + (f' (with {names})' if odd else ''))
  return ' and '.join(texts)
