"""What runs where a command of a page names a program.

A program of bin/ is run with the arguments of the page, made small by the rules
below: a flag that a rule adds stands last, where it wins over the page's. Where
ONLY_PARSE is in the environment it ends as soon as its arguments are read:
flags, config files and every setting are checked as in a run. pip and pytest,
which a test cannot run, have their arguments checked.
"""

import configparser
import functools
import pathlib
import re
import runpy
import sys
from collections.abc import Callable, Mapping

from avjax import settings
from tests.docs.pages import ROOT

Arguments = list[str]


def run(name: str, arguments: Arguments, environment: Mapping) -> None:
  """Runs a program as a shell would; does not always return."""
  if name == 'python' and 'ONLY_PARSE' in environment:
    compile(pathlib.Path(arguments[0]).read_text(), arguments[0], 'exec')
    return
  if name in OTHERS:
    sys.exit(OTHERS[name](arguments))
  if 'ONLY_PARSE' in environment:
    _only_parse()
  else:
    arguments = RULES.get(name, list)(arguments)
  path = ROOT / 'bin' / name
  sys.argv = [f'bin/{name}', *arguments]
  sys.path.insert(0, str(path.parent))
  try:
    runpy.run_path(str(path), run_name='__main__')
  except SystemExit as end:
    # A corpus of a few clips is not as expected, which is no fault here.
    if not ('--check' in arguments and end.code == 1):
      raise


def _only_parse() -> None:
  """Makes the programs of bin/ stop where they have read their arguments."""
  from avjax import command_line

  whole = command_line.run

  def stop(main, arguments):
    if '_CONFIG' in main.__globals__:
      config = command_line.config_of(main.__globals__['_CONFIG'])
      settings.section(settings.Settings, config)

  command_line.run = lambda main: whole(functools.partial(stop, main))


def train(arguments: Arguments) -> Arguments:
  """Returns a `:smoke` run of one epoch and, at most, one fold."""
  small = []
  for argument in arguments:
    name, _, value = argument.partition('=')
    if name == '--config' and ':' not in value:
      argument += ':smoke'
    small.append(argument)
  small.append('--config.training.epochs=1')
  protocol = _given(arguments, '--config.data.protocol', 'store')
  if protocol not in (*settings.DIVIDED, 'held_out', 'all'):
    fold = _given(arguments, '--config.data.fold', '0')
    small.append(f'--config.data.fold={fold}')
  return small


def _given(arguments: Arguments, flag: str, default: str) -> str:
  """Returns the last value of a flag."""
  values = [a.partition('=')[2] for a in arguments if a.startswith(f'{flag}=')]
  return values[-1] if values else default


def _adding(*flags: str) -> Callable[[Arguments], Arguments]:
  return lambda arguments: [*arguments, *flags]


RULES: dict[str, Callable[[Arguments], Arguments]] = {
  'train': train,
  'synthesise': _adding(
    '--clips=15', '--speakers=5', '--workers=1', '--measure=false'
  ),
  'extract': _adding('--workers=1'),
  'robustness': _adding('--disturbances=lost'),
  'report': _adding('--clips=2'),
  'benchmark': _adding(
    *('--batch=2', '--frames=4', '--cells=2'),
    *('--rounds=3', '--calls=1', '--turn=0'),
  ),
}
"""Program -> its rule; the others are run as they are printed."""


def pip(arguments: Arguments) -> str | None:
  """Returns what is wrong with `pip install -e '.[extra,...]'`."""
  *words, target = arguments
  found = re.fullmatch(r'\.(?:\[([\w,]+)\])?', target)
  if words != ['install', '-e'] or not found:
    return f'not an installation of this project: pip {" ".join(arguments)}'
  config = configparser.ConfigParser()
  config.read(ROOT / 'setup.cfg')
  there = config['options.extras_require']
  extras = found[1].split(',') if found[1] else []
  wrong = [name for name in extras if name not in there]
  return f'setup.cfg has no extra {wrong}' if wrong else None


def pytest(arguments: Arguments) -> str | None:
  """Returns what is wrong with a call of pytest, which is running already."""
  paths = [a for a in arguments if not a.startswith('-')]
  wrong = [path for path in paths if not (ROOT / path).exists()]
  return f'there are no tests {wrong}' if wrong else None


def python(arguments: Arguments) -> None:
  """Runs a file of Python: a block of a page, or a program of docs/."""
  sys.argv = arguments
  runpy.run_path(arguments[0], run_name='__main__')


def launched(arguments: Arguments) -> None:
  """Checks the flags of the program that a launcher starts on every host."""
  words = ' '.join(arguments).split()
  (place,) = [k for k, word in enumerate(words) if word.startswith('bin/')]
  name = words[place].removeprefix('bin/')
  run(name, words[place + 1 :], {'ONLY_PARSE': '1'})


def dask(arguments: Arguments) -> None:
  """Checks the flags of a scheduler or a worker of Dask."""
  from distributed.cli import dask_scheduler, dask_worker

  program, *rest = arguments
  kinds = {'scheduler': dask_scheduler, 'worker': dask_worker}
  kinds[program].main.make_context(program, rest)


OTHERS: dict[str, Callable[[Arguments], str | None]] = {
  'pip': pip,
  'pytest': pytest,
  'python': python,
  'dask': dask,
  'srun': launched,
  'mpirun': launched,
  'gcloud': launched,
}
"""Program that is none of bin/ -> what runs for it; returns what is wrong."""
