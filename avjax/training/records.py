"""What a run leaves in its folder: config, metrics, predictions, results."""

import csv
import dataclasses
import importlib.metadata
import io
import json
import os
import pathlib
import platform
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import avjax
from avjax.errors import CheckpointError
from avjax.settings import Settings
from avjax.training.evaluate import Outcome

CONFIG = 'config.json'
METRICS = 'metrics.jsonl'
PREDICTIONS = 'predictions.csv'
RESULTS = 'results.json'
_PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint')


def write(path: pathlib.Path, text: str) -> None:
  """Writes a whole file or, if the process dies, leaves the one before.

  Raises:
    CheckpointError: there is no room, or no permission.
  """
  part = path.with_name(path.name + '.part')
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(part, 'w', encoding='utf-8', newline='') as file:
      file.write(text)
      file.flush()
      os.fsync(file.fileno())
    part.replace(path)
  except OSError as error:
    raise CheckpointError(
      f'{path} cannot be written: {error.strerror}; mend that and run again'
      ' to resume'
    ) from None


def read(path: pathlib.Path) -> dict[str, Any]:
  """Returns one of the folder's JSON files.

  Raises:
    CheckpointError: there is none, or it is damaged.
  """
  try:
    content = json.loads(path.read_text(encoding='utf-8'))
  except FileNotFoundError:
    raise CheckpointError(
      f'{path} does not exist; give a folder that bin/train has made'
    ) from None
  except (OSError, ValueError) as error:
    raise CheckpointError(
      f'{path} cannot be read ({error}); restore it, or train into another'
      ' folder'
    ) from None
  if not isinstance(content, dict):
    raise CheckpointError(
      f'{path} does not hold a JSON object; restore it, or train into another'
      ' folder'
    )
  return content


def write_json(path: pathlib.Path, content: Mapping[str, Any]) -> None:
  """Writes a JSON file as `write` does."""
  write(path, json.dumps(content, indent=2, sort_keys=False) + '\n')


def settings_as_json(config: Settings) -> dict[str, Any]:
  """Returns the settings as they read back from config.json."""
  return json.loads(json.dumps(dataclasses.asdict(config)))


def open_run(
  workdir: pathlib.Path,
  config: Settings,
  about: Mapping[str, Any],
  source: str = '',
) -> None:
  """Writes config.json, or checks that the one there is the same run's.

  Args:
    workdir: the run's folder.
    config: its settings.
    about: what else makes the run what it is: 'emotions', 'widths' and
      'data_fingerprint'.
    source: where the data comes from, which is recorded and not compared.

  Raises:
    CheckpointError: the folder belongs to a run with other settings or data;
      names each difference.
  """
  path = workdir / CONFIG
  now = {'settings': settings_as_json(config)} | dict(about)
  if path.exists():
    before = read(path)
    if before.get('data_fingerprint') != now['data_fingerprint'] and (
      before.get('settings') == now['settings']
    ):
      raise CheckpointError(
        f'{workdir} holds a run on other clips: the data has changed since;'
        ' use another --workdir, or the data it was started with'
      )
    different = [
      f'{key} was {old!r} and is {new!r}'
      for key, old, new in _differences(
        {key: before.get(key) for key in now}, now
      )
    ]
    if different:
      raise CheckpointError(
        f'{workdir} holds a run with other settings ('
        + '; '.join(different)
        + '); use another --workdir, or the settings it was started with'
      )
    return
  write_json(path, now | {'data_source': source} | environment())


def _differences(old: Any, new: Any, at: str = ''):
  """Yields (key, old, new) for every leaf of two JSON values that differs."""
  if isinstance(old, dict) and isinstance(new, dict):
    for key in sorted(old.keys() | new.keys()):
      place = f'{at}.{key}' if at else key
      yield from _differences(
        old.get(key), new.get(key), place.removeprefix('settings.')
      )
  elif old != new:
    yield at, old, new


def environment() -> dict[str, Any]:
  """Returns the versions and the source revision that a run was made with."""
  root = pathlib.Path(__file__).parents[2]
  try:
    if not (root / '.git').exists():
      raise FileNotFoundError  # another project's history may be around it
    revision = subprocess.run(
      ['git', '-C', str(root), 'describe', '--always', '--dirty'],
      capture_output=True,
      text=True,
      check=True,
    ).stdout.strip()
  except (OSError, subprocess.CalledProcessError):
    revision = None  # installed without its history
  return {
    'versions': {'avjax': avjax.__version__}
    | {name: importlib.metadata.version(name) for name in _PACKAGES}
    | {'python': platform.python_version()},
    'git_revision': revision,
  }


def write_metrics(workdir: pathlib.Path, lines: Sequence[dict]) -> None:
  """Writes metrics.jsonl, one line an epoch."""
  text = ''.join(json.dumps(line) + '\n' for line in lines)
  write(workdir / METRICS, text)


def write_predictions(
  workdir: pathlib.Path, outcomes: Mapping[str, Outcome]
) -> None:
  """Writes predictions.csv, one line a clip of every split.

  Args:
    workdir: the run's folder.
    outcomes: split -> its outcome.
  """
  file = io.StringIO()
  table = csv.writer(file, lineterminator='\n')
  emotions = next(iter(outcomes.values())).emotions
  table.writerow(['clip', 'split', 'label', 'predicted', *emotions])
  for split, outcome in outcomes.items():
    for clip, n, row in zip(
      outcome.clips, outcome.predicted, outcome.probabilities, strict=True
    ):
      shares = [f'{share:.6f}' for share in row]
      table.writerow([clip.name, split, clip.label, emotions[n], *shares])
  write(workdir / PREDICTIONS, file.getvalue())


def join_predictions(
  workdir: pathlib.Path, folders: Sequence[pathlib.Path], split: str
) -> None:
  """Writes predictions.csv from the lines of one split in several folders."""
  file = io.StringIO()
  table = csv.writer(file, lineterminator='\n')
  for k, folder in enumerate(folders):
    with open(folder / PREDICTIONS, encoding='utf-8', newline='') as part:
      head, *rows = csv.reader(part)
    table.writerows([head] if k == 0 else [])
    table.writerows(row for row in rows if row[1] == split)
  write(workdir / PREDICTIONS, file.getvalue())
