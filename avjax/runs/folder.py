"""The folder of one run, and the files in it.

config.json      settings, `RunInfo`, versions
metrics.jsonl    one line per epoch, written by training
checkpoints/     states, written by training
predictions.csv  one line for each clip of every evaluated split
results.json     scores of every split, audit, seconds, device
"""

import contextlib
import csv
import dataclasses
import importlib.metadata
import io
import json
import pathlib
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import avjax
from avjax import files
from avjax.clips import Clip
from avjax.data import store
from avjax.errors import CheckpointError
from avjax.settings import Settings, section
from avjax.training.outcome import Outcome
from avjax.training.progress import METRICS

CONFIG = 'config.json'
PREDICTIONS = 'predictions.csv'
RESULTS = 'results.json'
_PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint')


@dataclasses.dataclass(frozen=True)
class RunInfo:
  """What identifies a run besides its settings.

  Attributes:
    emotions: names of the classes, in the order of the probabilities.
    widths: stream that the model reads -> number of columns.
    data_fingerprint: of the clips, see `data.store.fingerprint`.
    audit: the findings of `data.audit` as JSON; None without an audit.
    members: name -> info of each model that the run combines.
    source: where the clips come from; recorded, not compared.
    extractor: fingerprint of the feature extractor, or ''; recorded, not
      compared.
    versions: package -> version when the run began; recorded, not compared.
    revision: git revision when the run began, or None; recorded, not compared.
  """

  emotions: tuple[str, ...]
  widths: Mapping[str, int]
  data_fingerprint: str
  audit: Sequence[Mapping[str, Any]] | None = None
  members: Mapping[str, 'RunInfo'] = dataclasses.field(default_factory=dict)
  source: str = ''
  extractor: str = ''
  versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
  revision: str | None = None

  @classmethod
  def from_clips(
    cls, config: Settings, clips: Sequence[Clip], emotions: Sequence[str]
  ) -> 'RunInfo':
    """Returns the info of a run on these clips, before their audit."""
    widths = {
      name: clips[0].streams[name].shape[1] for name in config.model.streams
    }
    return cls(tuple(emotions), widths, store.fingerprint(clips))

  def compared(self) -> dict[str, Any]:
    """Returns the fields that a resumed run must share, as JSON."""
    content: dict[str, Any] = {
      'emotions': list(self.emotions),
      'widths': dict(self.widths),
      'data_fingerprint': self.data_fingerprint,
    }
    if self.members:
      content['members'] = {k: v.compared() for k, v in self.members.items()}
    if self.audit is not None:
      content['audit'] = files.as_json(self.audit)
    return content

  @classmethod
  def from_json(cls, content: Mapping[str, Any]) -> 'RunInfo':
    """Returns the info that config.json contains."""
    members = content.get('members', {})
    return cls(
      emotions=tuple(content['emotions']),
      widths=dict(content['widths']),
      data_fingerprint=content['data_fingerprint'],
      audit=content.get('audit'),
      members={name: cls.from_json(one) for name, one in members.items()},
      source=content.get('data_source', ''),
      extractor=content.get('extractor', ''),
      versions=content.get('versions', {}),
      revision=content.get('git_revision'),
    )


class RunFolder:
  """The folder of a run; it need not exist yet."""

  def __init__(self, path: str | pathlib.Path):
    self.path = pathlib.Path(path).expanduser()

  def __str__(self) -> str:
    return str(self.path)

  def __truediv__(self, name: str) -> 'RunFolder':
    """Returns the folder of one fold, seed or member, such as 'fold-0'."""
    return RunFolder(self.path / name)

  @property
  def finished(self) -> bool:
    """Whether the run has written its results."""
    return (self.path / RESULTS).exists()

  def locked(self) -> contextlib.AbstractContextManager[None]:
    """Locks the folder for this process; see `files.lock`."""
    return files.lock(self.path)

  @contextlib.contextmanager
  def opened(self, config: Settings, info: RunInfo) -> Iterator[None]:
    """Locks the folder for this process, and begins or resumes the run.

    Raises:
      CheckpointError: another process has the lock, or the folder belongs to
        a run with other settings or data. The message lists the differences.
    """
    with self.locked():
      self.begin(config, info)
      yield

  def begin(self, config: Settings, info: RunInfo) -> None:
    """Writes config.json, or checks that an existing one is of the same run.

    Raises:
      CheckpointError: the folder belongs to a run with other settings or data.
        The message lists the differences.
    """
    path = self.path / CONFIG
    now = {'settings': settings_json(config)} | info.compared()
    if not path.exists():
      recorded = {'data_source': info.source}
      if info.extractor:
        recorded['extractor'] = info.extractor
      files.write_json(path, now | recorded | environment())
      return
    before = files.read_json(path)
    if before.get('data_fingerprint') != info.data_fingerprint and (
      before.get('settings') == now['settings']
    ):
      raise CheckpointError(
        f'{self} holds a run on other clips: the data has changed since; use'
        ' another --workdir, or the data it was started with'
      )
    kept = {key: before.get(key) for key in now}
    if different := [
      line.removeprefix('settings.') for line in files.differences(kept, now)
    ]:
      raise CheckpointError(
        f'{self} holds a run with other settings ({"; ".join(different)}); use'
        ' another --workdir, or the settings it was started with'
      )

  def read_config(self) -> tuple[Settings, RunInfo]:
    """Returns the settings and the info that the run was begun with.

    Raises:
      CheckpointError: config.json is missing or damaged.
    """
    content = files.read_json(self.path / CONFIG)
    try:
      return (
        section(Settings, content['settings']),
        RunInfo.from_json(content),
      )
    except (KeyError, TypeError, ValueError) as error:
      raise CheckpointError(
        f'{self.path / CONFIG} is not the config of a run ({error}); restore'
        ' it, or train into another folder'
      ) from None

  def read_results(self) -> dict[str, Any]:
    """Returns the content of results.json.

    Raises:
      CheckpointError: results.json is missing or damaged.
    """
    return files.read_json(self.path / RESULTS)

  def write_results(self, content: Mapping[str, Any]) -> None:
    """Writes results.json; it comes last, and marks the run as finished."""
    files.write_json(self.path / RESULTS, content)

  def read_metrics(self) -> dict[str, list[dict[str, Any]]]:
    """Returns the lines of every metrics.jsonl below the folder.

    The keys are the subfolders, such as 'fold-0'; '' is the folder itself.
    """
    found = {}
    for path in sorted(self.path.glob(f'**/{METRICS}')):
      lines = path.read_text(encoding='utf-8').splitlines()
      name = path.parent.relative_to(self.path).as_posix().strip('.')
      if lines:
        found[name] = [json.loads(line) for line in lines]
    return found

  def write_predictions(self, outcomes: Mapping[str, Outcome]) -> None:
    """Writes predictions.csv, one line for each clip of every split.

    Args:
      outcomes: split -> predictions for its clips.
    """
    emotions = next(iter(outcomes.values())).emotions
    rows: list[list[Any]] = [['clip', 'split', 'label', 'predicted', *emotions]]
    for split, outcome in outcomes.items():
      for clip, n, row in zip(
        outcome.clips, outcome.predicted, outcome.probabilities, strict=True
      ):
        shares = [f'{share:.6f}' for share in row]
        rows.append([clip.name, split, clip.label, emotions[n], *shares])
    self._write_rows(rows)

  def join_predictions(self, folds: Sequence['RunFolder'], split: str) -> None:
    """Writes predictions.csv from the lines of one split in every fold."""
    joined: list[list[str]] = []
    for fold in folds:
      with open(fold.path / PREDICTIONS, encoding='utf-8', newline='') as file:
        head, *rows = csv.reader(file)
      joined = joined or [head]
      joined += [row for row in rows if row[1] == split]
    self._write_rows(joined)

  def _write_rows(self, rows: Sequence[Sequence[Any]]) -> None:
    file = io.StringIO()
    csv.writer(file, lineterminator='\n').writerows(rows)
    files.write_text(self.path / PREDICTIONS, file.getvalue())


def settings_json(config: Settings) -> dict[str, Any]:
  """Returns the settings as config.json returns them."""
  return files.as_json(dataclasses.asdict(config))


def environment() -> dict[str, Any]:
  """Returns the package versions and the git revision, for config.json."""
  root = pathlib.Path(__file__).parents[2]
  try:
    if not (root / '.git').exists():
      raise FileNotFoundError  # a parent folder may be another repository
    revision = subprocess.run(
      ['git', '-C', str(root), 'describe', '--always', '--dirty'],
      capture_output=True,
      text=True,
      check=True,
    ).stdout.strip()
  except (OSError, subprocess.CalledProcessError):
    revision = None  # installed without the repository
  return {
    'versions': {'avjax': avjax.__version__}
    | {name: importlib.metadata.version(name) for name in _PACKAGES}
    | {'python': platform.python_version()},
    'git_revision': revision,
  }
