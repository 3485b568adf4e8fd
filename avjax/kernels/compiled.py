"""The kernels in C++: compiled where they are first used, and kept.

The compiler of the machine builds `cpu_source/` for the processor at hand,
against the headers that the installed jaxlib brings with it. So there is
nothing to build at installation, no headers of another release, whose handlers
XLA would refuse at the call, and no library that was built before the sources
changed. What was built is tried in a process of its own before it is kept, in
`$XDG_CACHE_HOME/avjax` or `~/.cache/avjax`.
"""

import ctypes
import functools
import hashlib
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence

import jax
import jaxlib

from avjax.kernels import KernelError
from avjax.shapes import Array

SOURCE = pathlib.Path(__file__).parent / 'cpu_source'
TRIAL = 'import sys; from avjax.kernels import trial; trial.run(sys.argv[1])'
CALLS = tuple(
  f'avjax_{operation}_{direction}'
  for operation in ('lstm', 'window', 'dense')
  for direction in ('forward', 'backward')
)
SECONDS = 600  # to compile, and to try
FLAGS = (
  *('-std=c++20', '-O3', '-fPIC', '-shared', '-Wno-psabi', '-fno-math-errno'),
  # Not -ffast-math: it folds away how exp rounds.
  '-ffp-contract=fast',
  '-march=native' if platform.machine() == 'x86_64' else '-mcpu=native',
)


@functools.cache
def library() -> pathlib.Path:
  """Returns the shared library, compiled and tried if it is not there yet.

  Raises:
    KernelError: why there is none. What a compiler or a trial said is kept as
      well, so that only a change of the machine tries it again; see `forget`.
  """
  compiler = _compiler()
  path = _folder() / f'cpu-{_digest(compiler)}.so'
  refusal = path.with_suffix('.txt')
  if path.exists():
    return path
  if refusal.exists():
    raise KernelError(refusal.read_text(encoding='utf-8'))
  try:
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
      built = pathlib.Path(folder) / path.name
      _run('does not compile', [compiler, *FLAGS, *_inputs(), '-o', str(built)])
      _run('fails when tried', [sys.executable, '-c', TRIAL, str(built)])
      built.replace(path)
  except KernelError as error:
    refusal.write_text(str(error), encoding='utf-8')
    raise
  except OSError as error:
    raise KernelError(f'{path.parent}: {error.strerror}') from error
  return path


def register(path: pathlib.Path) -> None:
  """Makes the calls of a library known to XLA.

  Raises:
    KernelError: it does not load.
  """
  try:
    built = ctypes.CDLL(str(path))
  except OSError as error:
    raise KernelError(f'the C++ kernel does not load: {error}') from error
  for name in CALLS:
    pointer = jax.ffi.pycapsule(getattr(built, name))
    jax.ffi.register_ffi_target(name, pointer, platform='cpu')


@functools.cache
def missing() -> str | None:
  """Returns why the kernels cannot run here, None if they can."""
  if jax.default_backend() != 'cpu':
    return f'JAX runs on a {jax.default_backend().upper()}'
  try:
    register(library())
  except KernelError as error:
    return str(error)
  return None


def runs(implementation: str) -> bool:
  """Returns whether a network whose LSTM is this one has all of its kernels."""
  return implementation.startswith('cpu') and not missing()


def require(what: str) -> None:
  """Raises a KernelError that names `what` where the kernels cannot run."""
  if reason := missing():
    raise KernelError(
      f"{what} cannot run here: {reason}; choose 'fused', or none"
    )


def call(
  name: str, results: Sequence[jax.ShapeDtypeStruct], *arguments: Array
) -> Sequence[Array]:
  """Returns the results of one of `CALLS`; runs mapped over go in turn."""
  return jax.ffi.ffi_call(name, results, vmap_method='sequential')(*arguments)


def forget() -> None:
  """Forgets what was refused on this machine, so that it is tried again."""
  for refusal in _folder().glob('cpu-*.txt'):
    refusal.unlink(missing_ok=True)
  library.cache_clear()


def _folder() -> pathlib.Path:
  home = os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache'
  folder = pathlib.Path(home) / 'avjax'
  try:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
  except OSError as error:
    raise KernelError(f'{folder}: {error.strerror}') from error
  return folder


def _compiler() -> str:
  for name in (os.environ.get('CXX'), 'c++', 'g++', 'clang++'):
    found = name and shutil.which(name)
    if found:
      return found
  raise KernelError('there is no C++ compiler (c++, g++ or clang++)')


def _inputs() -> list[str]:
  headers = pathlib.Path(jax.ffi.include_dir())
  if not (headers / 'xla/ffi/api/c_api.h').exists():
    raise KernelError(f'jaxlib {jaxlib.__version__} brings no headers')
  return [f'-I{headers}', *(str(path) for path in sorted(SOURCE.glob('*.cc')))]


def _digest(compiler: str) -> str:
  """Returns a name for the sources, the releases and the processor."""
  digest = hashlib.sha256()
  for path in sorted(SOURCE.iterdir()):
    digest.update(path.read_bytes())
  about = (
    *FLAGS,
    compiler,
    jaxlib.__version__,
    platform.machine(),
    _features(),
  )
  digest.update('\n'.join(about).encode())
  return digest.hexdigest()[:16]


def _features() -> str:
  """Returns what the processor can do, as Linux says, or else its name."""
  try:
    lines = pathlib.Path('/proc/cpuinfo').read_text().splitlines()
  except OSError:
    return platform.processor()
  return next((x for x in lines if x.startswith(('flags', 'Features'))), '')


def _run(what: str, command: list[str]) -> None:
  root = str(pathlib.Path(__file__).parents[2])
  path = os.pathsep.join(filter(None, (root, os.environ.get('PYTHONPATH'))))
  environment = {**os.environ, 'PYTHONPATH': path, 'JAX_PLATFORMS': 'cpu'}
  try:
    done = subprocess.run(
      command,
      env=environment,
      capture_output=True,
      stdin=subprocess.DEVNULL,
      text=True,
      errors='replace',
      timeout=SECONDS,
    )
  except (OSError, subprocess.TimeoutExpired) as error:
    raise KernelError(f'the C++ kernel {what}: {error}') from error
  if done.returncode:
    lines = done.stderr.strip().splitlines() or ['']
    said = next((x for x in lines if 'error' in x), lines[-1])
    raise KernelError(
      f'the C++ kernel {what} (exit code {done.returncode}): {said:.300}'
    )
