"""Runs programs in forks of a process that has loaded their packages.

  python -m tests.forks SOCKET MODULE

Each program is a process of its own, with its own flags, folder, streams and
exit code; only the seconds that JAX and the like take to load are spent once.
Nothing is computed before a fork, so there are no threads to lose.

`command` writes what a shell calls instead of a program: a file that hands over
its arguments and streams, waits, and exits with the same code. In the fork,
`MODULE.run(name, arguments, environment)` is called and runs the program.
"""

import atexit
import gc
import importlib
import json
import os
import pathlib
import select
import socket
import stat
import sys
import threading
import traceback
from collections.abc import Callable, Mapping

LOADED = (
  'av', 'cv2', 'flax.linen', 'jax', 'matplotlib.pyplot', 'ml_collections',
  'optax', 'orbax.checkpoint', 'scipy.stats', 'sklearn.ensemble',
  'sklearn.linear_model',
)  # fmt: skip
Run = Callable[[str, list[str], Mapping[str, str]], None]
_COMMAND = """#!{python} -SE
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
  server.connect({address!r})
  request = {name!r}, sys.argv[1:], os.getcwd(), dict(os.environ)
  socket.send_fds(server, [json.dumps(request).encode()], [0, 1, 2])
  server.shutdown(socket.SHUT_WR)
  sys.exit(int(server.recv(16) or 70))
"""


def command(path: pathlib.Path, name: str, address: str) -> None:
  """Writes the file `path`, a program that has `name` run by the server."""
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(
    _COMMAND.format(python=sys.executable, address=address, name=name)
  )
  path.chmod(path.stat().st_mode | stat.S_IXUSR)


def serve(address: str, run: Run) -> None:
  """Answers requests until standard input ends."""
  for name in LOADED:
    importlib.import_module(name)
  gc.freeze()  # a collection would copy every page that the forks share
  with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(address)
    listener.listen()
    print('ready', flush=True)
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
      connection, _ = listener.accept()
      with connection:
        if os.fork() == 0:
          listener.close()
          _answer(connection, run)
      _reap()


def _reap() -> None:
  """Forgets the forks that have ended."""
  try:
    while os.waitpid(-1, os.WNOHANG)[0]:
      pass
  except ChildProcessError:
    pass


def _answer(connection: socket.socket, run: Run) -> None:
  """Runs what is asked for, sends its exit code, and ends the process."""
  text, streams, _, _ = socket.recv_fds(connection, 2**16, 3)
  while more := connection.recv(2**16):
    text += more
  for number, stream in enumerate(streams):
    os.dup2(stream, number)
    os.close(stream)
  name, arguments, folder, environment = json.loads(text)
  os.chdir(folder)
  code = _ended(lambda: run(name, arguments, environment))
  connection.sendall(str(code).encode())
  os._exit(0)


def _ended(run: Callable[[], None]) -> int:
  """Returns the exit code of a program that has run as the main one.

  Python's own end would take half a second to free what was loaded.
  """
  code = 0
  try:
    run()
  except SystemExit as end:
    code = end.code if isinstance(end.code, int) else int(end.code is not None)
    if isinstance(end.code, str):
      print(end.code, file=sys.stderr)
  except BaseException:
    traceback.print_exc()
    code = 1
  threading._shutdown()  # pools of processes end here
  atexit._run_exitfuncs()
  sys.stdout.flush()
  sys.stderr.flush()
  return code


if __name__ == '__main__':
  serve(sys.argv[1], importlib.import_module(sys.argv[2]).run)
