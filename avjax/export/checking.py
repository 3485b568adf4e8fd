"""Compares an exported file with the model, in a process without avjax."""

import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence

import jax
import numpy as np

from avjax.clips import AUDIO
from avjax.errors import AvjaxError, ConfigError
from avjax.export import fresh_process
from avjax.models.averaged import Averaged

TOLERANCE = 1e-5
"""Largest difference of a probability or a weight of the attention."""
CLIPS = 20
LONGEST = 120
"""Video frames of the longest clip that is compared."""
_PARTS = (slice(0, 1), slice(1, CLIPS))
"""The clips of each batch that the file is given; the model is given them all
at once."""
_SECONDS = 600

Arrays = dict[str, np.ndarray]


def difference(model: Averaged, data: bytes, kind: str) -> float:
  """Returns the largest difference between an exported file and its model.

  CLIPS clips of random features and of lengths from one frame to LONGEST go
  through both, in other batches, with other padding. The padding is NaN.

  Args:
    model: what was exported.
    data: the file.
    kind: its format, a key of `fresh_process.FORMATS`.

  Raises:
    ConfigError: a package is missing that runs this format.
    AvjaxError: the file does not run, or the difference is above TOLERANCE.
  """
  clips = _clips(model)
  parts = [_batch(model, clips[rows]) for rows in _PARTS]
  found = _run(data, kind, parts)
  whole, worst = _predicted(model, _batch(model, clips)), 0.0
  for number, rows in enumerate(_PARTS):
    for name, every in whole.items():
      got, wanted = found[f'{number}/{name}'], every[rows]
      if got.ndim == 3:  # attention, of as many frames as the part has
        wanted = wanted[..., : got.shape[2]]
      if got.shape != wanted.shape or not np.isfinite(got).all():
        raise AvjaxError(
          f'the {kind} file gives {name} of shape {got.shape}, not all'
          f' finite, for {wanted.shape} of the model; {_REMEDY}'
        )
      worst = max(worst, float(np.abs(got - wanted).max()))
  if not worst <= TOLERANCE:
    raise AvjaxError(
      f'the {kind} file differs from the model by {worst:.2g}, and'
      f' {TOLERANCE:.0e} is allowed; nothing was written; {_REMEDY}'
    )
  return worst


_REMEDY = 'please report it, with the versions of the packages (pip freeze)'


def _predicted(model: Averaged, batch: Arrays) -> Arrays:
  """Returns what the model gives for a batch, network by network."""
  with jax.default_device(jax.devices('cpu')[0]):
    function = jax.jit(model.member)
    given = model.batch(**batch)
    each = [jax.device_get(function(p, given)) for p in model.members]
  return {
    name: np.mean([one[name] for one in each], axis=0) for name in each[0]
  }


def _clips(model: Averaged) -> list[Arrays]:
  """Returns CLIPS clips: stream -> its frames."""
  random = np.random.default_rng(0)
  visual = random.integers(1, LONGEST + 1, CLIPS)
  visual[:2] = 1, LONGEST
  # From no audio at all to more than twice the usual.
  audio = (visual * random.uniform(0, 3, CLIPS)).astype(int)
  audio[2:4] = 0, 1
  return [
    {
      name: random.standard_normal((a if name == AUDIO else v, width))
      for name, width in model.widths.items()
    }
    for a, v in zip(audio, visual, strict=True)
  ]


def _batch(model: Averaged, clips: Sequence[Arrays]) -> Arrays:
  """Returns the inputs of some clips, with NaN in the padding."""
  batch: Arrays = {}
  for name, width in model.widths.items():
    lengths = np.array([len(clip[name]) for clip in clips], np.int32)
    frames = max(int(lengths.max()), 1)
    padded = np.full((len(clips), frames, width), np.nan, np.float32)
    for row, clip in enumerate(clips):
      padded[row, : lengths[row]] = clip[name]
    batch[name] = padded
    batch['audio_length' if name == AUDIO else 'visual_length'] = lengths
  return batch


def _run(
  data: bytes, kind: str, batches: Sequence[Arrays]
) -> Mapping[str, np.ndarray]:
  """Returns 'BATCH/NAME' -> what the file gives in a fresh process."""
  with tempfile.TemporaryDirectory(prefix='avjax-export-') as folder:
    path = pathlib.Path(folder)
    (path / 'file').write_bytes(data)
    arrays = {
      f'{number}/{name}': array
      for number, batch in enumerate(batches)
      for name, array in batch.items()
    }
    np.savez(path / 'inputs.npz', **arrays)  # type: ignore[arg-type]
    names = (path / name for name in ('inputs.npz', 'outputs.npz'))
    # -P: the script's own folder is not on its path.
    program = sys.executable, '-P', fresh_process.__file__
    done = subprocess.run(
      [*program, path / 'file', kind, *names],
      capture_output=True,
      text=True,
      timeout=_SECONDS,
      env=os.environ | {'JAX_PLATFORMS': 'cpu'},
    )
    if done.returncode:
      last = (done.stderr.strip().splitlines() or ['no message'])[-1]
      if 'ModuleNotFoundError' in last:
        raise ConfigError(
          f'a file of format {kind} is checked before it is written, and the'
          f" check lacks a package ({last}): pip install -e '.[export]'"
        )
      raise AvjaxError(
        f'the {kind} file does not run in a process of its own: {last};'
        f' {_REMEDY}'
      )
    with np.load(path / 'outputs.npz') as found:
      return {name: found[name] for name in found.files}
