"""Functions that the programs in bin/ share: flags, exit codes, error lines.

JAX is not imported here: a program parses its flags, and prints --help, before
it imports anything slow.
"""

import errno
import os
import pathlib
import shlex
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

from absl import flags

from avjax.errors import AvjaxError, ConfigError, TrainingError

if TYPE_CHECKING:
  from ml_collections import config_dict

PARTIAL = 3
"""Exit code: something that was given was left out, the rest is done."""
leave: Callable[[int], NoReturn] = sys.exit
"""How a program ends after an error. One of several processes ends at once,
since JAX's own end waits for the others, which may never come there."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def run(main: Callable[[Sequence[str]], int | None]) -> None:
  """Parses the flags, calls `main(arguments)` and exits.

  The arguments are the program's name and everything that is not a flag. The
  exit code is the result of `main`, 0 for None. For an error that the user can
  fix it is 2, for a failed training 1, with one line on standard error. Signals
  are answered by `interrupts`.
  """
  program = os.path.basename(sys.argv[0])
  try:
    arguments = _parse(sys.argv)
    if arguments is None:
      print(_help(program), flush=True)
      sys.exit(0)
    code = main(arguments)
    sys.stdout.flush()
    sys.exit(code)
  except BrokenPipeError:
    # What read the output has ended, such as `head`; nothing is to be flushed.
    _discard_output()
    sys.exit(128 + signal.SIGPIPE)
  except SystemExit as end:
    if end.code in (128 + signal.SIGINT, 128 + signal.SIGTERM):
      # A training that has saved. Libraries take a second to clear up.
      sys.stderr.flush()
      os._exit(end.code)
    raise
  except AvjaxError as error:
    _fail(program, error, 1 if isinstance(error, TrainingError) else 2)
  except flags.Error as error:
    _fail(program, f'{error}; see bin/{program} --help')
  except OSError as error:
    if error.filename is not None:
      _fail(program, f'{error.filename}: {error.strerror}')
    if error.errno not in _FULL:
      raise
    _discard_output()  # of which the rest could not be written either
    _fail(
      program,
      f'the output cannot be written: {error.strerror}; make room, or write it'
      ' elsewhere',
    )


def _discard_output() -> None:
  """Lets standard output end in nothing."""
  os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parse(arguments: Sequence[str]) -> Sequence[str] | None:
  """Returns the arguments without flags, or None if help is requested."""
  if any(word in ('--help', '-help', '-h') for word in arguments):
    return None
  if nul := [word for word in arguments if '\0' in word]:
    raise flags.Error(f'{nul[0]!r:.80} holds a NUL character; leave it out')
  try:
    return flags.FLAGS(arguments)
  except flags.Error as error:
    # An error in a config file is reported as a traceback; its last line has
    # the cause.
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
    # Raised by ml_collections for an unknown --config.key, a value of the wrong
    # type or a file that is not Python. The text of a KeyError is quoted,
    # sometimes twice.
    text = str(error.args[0] if error.args else error)
    text = text.replace('\\n', ' ').replace("\\'", '').strip('\'" ')
    raise flags.Error(f'--config: {text}') from error
  except OSError as error:
    # Raised, without the file's name, where a --config.key follows.
    given = [word for word in arguments if word.startswith('--config=')]
    raise flags.Error(
      f'{(given or ["--config"])[-1]} cannot be read; give one of configs/*.py'
    ) from error


def config_of(flag: flags.FlagHolder) -> 'config_dict.ConfigDict':
  """Returns the config that a config flag names.

  Raises:
    flags.Error: no config was given, or the file cannot be read.
  """
  # Only programs with such a flag need the package.
  from ml_collections import config_dict, config_flags

  value = flag.value
  if value is None:
    raise flags.Error(f'--{flag.name} is missing; give one of configs/*.py')
  # ml_collections ignores a file that it cannot read.
  if not isinstance(value, config_dict.ConfigDict):
    path = config_flags.get_config_filename(flags.FLAGS[flag.name])
    nearby = sorted(pathlib.Path(path).parent.glob('*.py'))
    nearby = nearby or sorted(pathlib.Path('configs').glob('*.py'))
    listed = ', '.join(map(str, nearby)) or 'no .py file beside it'
    raise flags.Error(f'--{flag.name}={path} cannot be read; there is {listed}')
  return value


def training_command(
  store: str,
  streams: Sequence[str],
  divided: bool,
  speakers: int,
  division: Mapping[str, object],
) -> str:
  """Returns the command that trains on a store.

  Args:
    store: its folder, quoted for a shell.
    streams: names of its streams.
    divided: whether its clips have splits.
    speakers: number of its speakers.
    division: settings of the folds that it was made for.
  """
  # Of several streams of sound a model reads one.
  sounds = [name for name in streams if name.partition('.')[0] == 'audio']
  names = [name for name in streams if name not in sounds[:-1]]
  if names == sounds[-1:]:  # without a picture the audio takes its place
    names = [names[0].replace('audio', 'sound', 1)]
  words = [
    'bin/train --config=configs/proposed.py',
    f'--config.data.store={store}',
    f'--config.model.streams={",".join(names)}',
  ]
  words += [f'--config.data.{name}={v}' for name, v in division.items()]
  if not (divided or division):
    protocol = 'loso' if speakers >= 3 else 'random'
    words.append(f'--config.data.protocol={protocol}')
  return ' '.join(words)


def _help(program: str) -> str:
  """Returns the program's docstring and its flags."""
  main = sys.modules['__main__']
  own = flags.FLAGS.get_key_flags_for_module(main)
  lines = [f'  --{flag.name}: {flag.help}' for flag in own]
  return '\n'.join([(main.__doc__ or program).strip(), '', *lines])


def suggest(*command: object) -> None:
  """Prints the command that usually comes next, on standard error."""
  print('next:', shlex.join(map(str, command)), file=sys.stderr)


def _fail(program: str, error: object, code: int = 2) -> None:
  """Prints the error on one line and exits."""
  text = ' '.join(str(error).split())
  print(f'{program}: error: {text}', file=sys.stderr, flush=True)
  leave(code)


def keep_compiled(folder: str) -> None:
  """Makes JAX cache compiled programs in a folder.

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
  # Only programs worth caching; most others compile in milliseconds.
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.5)
