"""What the programs in bin/ share: flags in, one call, one line on an error.

No JAX here: a program parses its flags, and answers --help, before it loads
anything slow.
"""

import os
import sys
from collections.abc import Callable, Sequence

from absl import flags

from avjax.errors import AvjaxError, TrainingError


def run(main: Callable[[Sequence[str]], int | None]) -> None:
  """Parses the flags, calls `main(arguments)` and exits.

  The arguments are those that are no flags, the program's name first. Exit
  codes: what `main` returns, 0 for None; 2 for anything that the user can mend
  and 1 for a training that broke off, each with one line on standard error.
  """
  program = os.path.basename(sys.argv[0])
  try:
    arguments = _parse(sys.argv)
    if arguments is None:
      print(_help(program))
      sys.exit(0)
    sys.exit(main(arguments))
  except AvjaxError as error:
    _fail(program, error, 1 if isinstance(error, TrainingError) else 2)
  except flags.Error as error:
    _fail(program, f'{error}; see bin/{program} --help')
  except OSError as error:
    if error.filename is None:
      raise
    _fail(program, f'{error.filename}: {error.strerror}')


def _parse(arguments: Sequence[str]) -> Sequence[str] | None:
  """Returns what is no flag, or None if help is asked for."""
  if any(word in ('--help', '-help', '-h') for word in arguments):
    return None
  try:
    return flags.FLAGS(arguments)
  except flags.Error:
    raise
  except (AttributeError, KeyError, TypeError, ValueError) as error:
    # What ml_collections raises for a --config.key that is not in the config,
    # or a value of the wrong type, and what a config file raises itself.
    message = error.args[0] if error.args else error
    raise flags.Error(str(message)) from error


def _help(program: str) -> str:
  """Returns the program's docstring and its own flags."""
  main = sys.modules['__main__']
  own = flags.FLAGS.get_key_flags_for_module(main)
  lines = [f'  --{flag.name}: {flag.help}' for flag in own]
  return '\n'.join([(main.__doc__ or program).strip(), '', *lines])


def _fail(program: str, error: object, code: int = 2) -> None:
  text = ' '.join(str(error).split())
  print(f'{program}: error: {text}', file=sys.stderr)
  sys.exit(code)
