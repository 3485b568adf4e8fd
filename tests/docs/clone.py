"""A folder that looks like a clone, in which the blocks of pages are run."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from tests import forks
from tests.bin.programs import ONE_THREAD, environment
from tests.docs import inputs, programs
from tests.docs.pages import ROOT, Block


class Clone:
  """A folder in which the blocks of pages are run.

  `bin/` holds files that have the programs run by `tests.forks`; what else a
  command reads of the project is linked.

  Attributes:
    folder: where it is.
  """

  def __init__(self, folder: pathlib.Path, address: str):
    self.folder = folder
    folder.mkdir()
    self._tools = folder.parent / 'tools'
    for path in (ROOT / 'bin').iterdir():
      if path.is_file():
        forks.command(folder / 'bin' / path.name, path.name, address)
    for name in programs.OTHERS:
      forks.command(self._tools / name, name, address)
    (folder / 'configs').symlink_to(ROOT / 'configs')
    shutil.copytree(ROOT / 'benchmarks', folder / 'benchmarks')
    # What draws the pictures of the pages writes beside itself.
    shutil.copytree(ROOT / 'docs/pictures', folder / 'docs/pictures')
    (folder / 'docs/results.md').symlink_to(ROOT / 'docs/results.md')

  def run(self, block: Block, only_parse: bool = False) -> str | None:
    """Returns what went wrong in a block of bash or Python, or None.

    Args:
      only_parse: the programs of bin/ end where they have read their flags.
    """
    if block.language == 'python':
      # Its lines are numbered as those of the page.
      path = self.folder / f'{block.page.replace("/", "-")}.py'
      path.write_text('\n' * (block.line - 1) + block.text)
      text = f'python {path.name}'
    else:
      text = block.text
    return self.bash(text, only_parse)

  def bash(self, text: str, only_parse: bool = False) -> str | None:
    """Returns what went wrong in commands, or None."""
    environment = {
      **os.environ,
      'PATH': f'{self._tools}{os.pathsep}{os.environ["PATH"]}',
      **({'ONLY_PARSE': '1'} if only_parse else {}),
    }
    done = subprocess.run(
      ['bash', '-euo', 'pipefail', '-c', text],
      cwd=self.folder,
      env=environment,
      stdin=subprocess.DEVNULL,
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
      text=True,
      timeout=240,
    )
    return None if done.returncode == 0 else done.stdout[-3000:]


@contextlib.contextmanager
def make(folder: pathlib.Path) -> Iterator[Clone]:
  """Gives a clone while the server of its programs runs.

  Args:
    folder: gets the folder `clone`, with made clips in `clone/clips`, and
      others beside it.
  """
  with tempfile.TemporaryDirectory(prefix='avjax') as short:
    address = f'{short}/socket'  # its path must be short
    with subprocess.Popen(
      [sys.executable, '-m', forks.__name__, address, programs.__name__],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      cwd=ROOT,
      env=environment() | ONE_THREAD,
    ) as process:  # at its end standard input is closed, and the server ends
      assert process.stdout.readline() == b'ready\n'
      clone = Clone(folder / 'clone', address)
      wrong = clone.bash('bin/synthesise clips')
      assert wrong is None, wrong
      inputs.fill(clone.folder, sorted((clone.folder / 'clips').glob('*.mp4')))
      yield clone
