"""What the programs in bin/ share: flags in, one call, one line on an error.

No JAX here: a program parses its flags, and answers --help, before it loads
anything slow.
"""

import os
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from absl import flags

from avjax.errors import AvjaxError, ConfigError, TrainingError

if TYPE_CHECKING:
  from ml_collections import config_dict


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
  except KeyboardInterrupt:
    sys.exit(130)


def _parse(arguments: Sequence[str]) -> Sequence[str] | None:
  """Returns what is no flag, or None if help is asked for."""
  if any(word in ('--help', '-help', '-h') for word in arguments):
    return None
  try:
    return flags.FLAGS(arguments)
  except flags.Error as error:
    # A config file that fails comes as a whole traceback: its last line says
    # what went wrong.
    text = str(error)
    if 'Traceback' in text:
      text = text.splitlines()[0] + ' ' + text.strip().splitlines()[-1]
    raise flags.Error(text) from error
  except (
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
    SyntaxError,
  ) as error:
    # What ml_collections raises for a --config.key that is not in the config,
    # a value of the wrong type or a file that is not Python.
    # The KeyErrors quote their text, some of them twice.
    text = str(error.args[0] if error.args else error)
    text = text.replace('\\n', ' ').replace("\\'", '').strip('\'" ')
    raise flags.Error(f'--config: {text}') from error


def config_of(flag: flags.FlagHolder) -> 'config_dict.ConfigDict':
  """Returns the config that a config flag names.

  Raises:
    flags.Error: none was given, or the file cannot be read.
  """
  # Only programs that have such a flag need the package.
  from ml_collections import config_dict, config_flags

  value = flag.value
  if value is None:
    raise flags.Error(f'--{flag.name} is missing; give one of configs/*.py')
  if not isinstance(value, config_dict.ConfigDict):  # not read, and not said
    path = config_flags.get_config_filename(flags.FLAGS[flag.name])
    near = sorted(pathlib.Path(path).parent.glob('*.py'))
    near = near or sorted(pathlib.Path('configs').glob('*.py'))
    there = ', '.join(map(str, near)) or 'no .py file beside it'
    raise flags.Error(f'--{flag.name}={path} cannot be read; there is {there}')
  return value


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


def keep_compiled(folder: str) -> None:
  """Makes JAX keep compiled programs in a folder, and take them from there.

  Raises:
    ConfigError: the folder cannot be made.
  """
  import jax

  path = pathlib.Path(folder).expanduser().absolute()
  try:
    path.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise ConfigError(
      f'--compilation_cache={folder} cannot be made: {error.strerror}'
    ) from None
  jax.config.update('jax_compilation_cache_dir', str(path))
  # The programs that are worth it; most others take milliseconds.
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.5)
