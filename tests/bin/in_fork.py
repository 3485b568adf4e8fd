"""What `tests.forks` runs for `programs.forked`: a program of bin/ as it is."""

import pathlib
import runpy
import sys

ROOT = pathlib.Path(__file__).parents[2]


def run(name, arguments, environment) -> None:
  """Runs a program with its arguments; does not return."""
  del environment  # that of the server
  path = ROOT / 'bin' / name
  sys.argv = [str(path), *arguments]
  sys.path.insert(0, str(path.parent))
  runpy.run_path(str(path), run_name='__main__')
