"""The letters of the array dimensions, and the array types of signatures.

  B   clips in a batch
  T   video frames (25 per second)      t, with the length `visual_length`
  Ta  audio frames (31.25 per second)   j, with the length `audio_length`
  W   positions of the alignment window, 2w                 Section 2.1
  D   width of a feature stream
  C   hidden size of an LSTM, the paper's d
  V   width of the visual representation v_t
  A   width of the alignment's hidden layer                 Eq. 5
  S   hidden size of the selector LSTM, h_sel               Section 2.3
  K   width of an emotion embedding                         Eq. 9
  N   emotions

Signatures read `Float[Array, 'B T D']`. In the tests jaxtyping checks all of
them; elsewhere they cost nothing, and jaxtyping need not be installed. Those of
the public functions are checked everywhere, by `checked`.
"""

import functools
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array | np.ndarray

if TYPE_CHECKING:
  from jaxtyping import Bool, Complex, Float, Int, Key
else:
  try:
    from jaxtyping import Bool, Complex, Float, Int, Key
  except ImportError:

    class _Named:
      """Replaces an array type where jaxtyping is not installed."""

      def __class_getitem__(cls, item):
        return type(cls.__name__, (), {'dtype': cls, 'dim_str': item[1]})

    Bool, Complex, Float, Int, Key = (
      type(name, (_Named,), {})
      for name in ('Bool', 'Complex', 'Float', 'Int', 'Key')
    )

__all__ = [
  'Array',
  'Bool',
  'Complex',
  'Float',
  'Int',
  'Key',
  'ShapeError',
  'checked',
]

Function = TypeVar('Function', bound=Callable[..., Any])

_TYPES = {Float: jnp.floating, Int: jnp.integer}


class ShapeError(ValueError):
  """An array does not fit the function it was given to."""


class _Wanted(NamedTuple):
  """What a signature says of one argument.

  Attributes:
    letters: of the dimensions.
    dtype: Float or Int.
    others: types that may stand in the array's place, such as None.
  """

  letters: Sequence[str]
  dtype: Any
  others: tuple[type, ...]


def checked(function: Function) -> Function:
  """Returns a function that answers arrays that do not fit in one line.

  What it wants stands in its signature. Shapes and types are known when it is
  traced, so compiled code is the same as without this.

  Raises:
    ShapeError: by the function; names the argument, its shape and the wanted
      one.
  """
  parameters = inspect.signature(function).parameters
  table = {
    name: wanted
    for name, parameter in parameters.items()
    if (wanted := _wanted(parameter.annotation))
  }

  @functools.wraps(function)
  def call(*args, **kwargs):
    given = dict(zip(parameters, args, strict=False)) | kwargs
    problem = _problem(table, given)
    if problem:
      raise ShapeError(f'{function.__name__}: {problem}')
    return function(*args, **kwargs)

  return typing.cast(Function, call)


def _wanted(annotation: Any) -> _Wanted | None:
  """Returns what an annotation wants; None where it is not of an array."""
  options = typing.get_args(annotation) or (annotation,)
  for option in options:
    if hasattr(option, 'dim_str'):
      others = tuple(o for o in options if o in (int, type(None)))
      return _Wanted(option.dim_str.split(), option.dtype, others)
  return None


def _problem(table: Mapping[str, _Wanted], given: Mapping[str, Any]) -> str:
  """Returns what is wrong with the first array that does not fit, or ''."""
  sizes: dict[str, int] = {}
  sources: dict[str, str] = {}  # letter -> the array that its size is of
  for name, (letters, dtype, others) in table.items():
    array: Any = given.get(name)
    if name not in given or isinstance(array, others):
      continue
    wanted = _tuple(letters)
    if not hasattr(array, 'shape') or not hasattr(array, 'dtype'):
      kind = type(array).__name__
      return f'{name} is of type {kind}, wanted an array {wanted}'
    found = _tuple(array.shape)
    if len(array.shape) != len(letters):
      batch = '; jax.vmap maps over a batch'
      more = len(array.shape) > len(letters)
      return f'{name} is {found}, wanted {wanted}' + batch * more
    for letter, size in zip(letters, array.shape, strict=True):
      sizes.setdefault(letter, int(letter) if letter.isdigit() else size)
      sources.setdefault(letter, f'{name} {found}')
    fitting = _tuple([sizes[letter] for letter in letters])
    if found != fitting:
      reasons = {
        letter: f'{letter} = {sizes[letter]} from {sources[letter]}'
        for letter, size in zip(letters, array.shape, strict=True)
        if size != sizes[letter] and not letter.isdigit()
      }
      why = ' with ' * bool(reasons) + ', '.join(reasons.values())
      return f'{name} is {found}, wanted {fitting}: {wanted}{why}'
    if not jnp.issubdtype(array.dtype, _TYPES[dtype]):
      return f'{name} is {array.dtype}, wanted {_TYPES[dtype].__name__}'
  return ''


def _tuple(sizes: Sequence[Any]) -> str:
  """Returns '(6, 8)', '(6,)' or '()', of numbers or of letters."""
  return '(' + ', '.join(map(str, sizes)) + ',' * (len(sizes) == 1) + ')'
