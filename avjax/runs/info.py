"""What identifies a run, as config.json records it."""

import dataclasses
import importlib.metadata
import pathlib
import platform
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import avjax
from avjax import files, records
from avjax.clips import Clip
from avjax.data import corpus
from avjax.settings import Settings

FORMAT = 2
"""Of config.json; in a folder of this format results.json has digests."""
_PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint')
_NAMES = {
  'source': 'data_source',
  'store': 'data_path',
  'revision': 'git_revision',
}
"""Field of `RunInfo` -> its key in config.json, where that is another."""


@dataclasses.dataclass(frozen=True)
class RunInfo:
  """What identifies a run besides its settings.

  Attributes:
    emotions: names of the classes, in the order of the probabilities.
    widths: stream that the model reads -> number of columns.
    data_fingerprint: of the clips, see `data.corpus.fingerprint`.
    audit: the findings of `data.audit` as JSON; None without an audit.
    members: name -> info of each model that the run combines.
    source: where the clips come from; recorded, not compared.
    store: absolute path of the store, or ''; recorded, not compared.
    extractor: fingerprint of the feature extractor, or ''; recorded, not
      compared.
    versions: package -> version when the run began; recorded, not compared.
    revision: git revision when the run began, or None; recorded, not compared.
    format: `FORMAT` when the run began; recorded, not compared.
  """

  emotions: tuple[str, ...]
  widths: Mapping[str, int]
  data_fingerprint: str
  audit: Sequence[Mapping[str, Any]] | None = None
  members: Mapping[str, 'RunInfo'] = dataclasses.field(default_factory=dict)
  source: str = ''
  store: str = ''
  extractor: str = ''
  versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
  revision: str | None = None
  format: int = 1

  @classmethod
  def from_clips(
    cls, config: Settings, clips: Sequence[Clip], emotions: Sequence[str]
  ) -> 'RunInfo':
    """Returns the info of a run on these clips, before their audit."""
    widths = {name: clips[0].shapes[name][1] for name in config.model.streams}
    fingerprint = corpus.fingerprint(config, clips)
    return cls(tuple(emotions), widths, fingerprint)

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

  def recorded(self) -> dict[str, Any]:
    """Returns the other fields, as JSON; empty ones are left out."""
    content = {'source': self.source, 'store': self.store}
    content |= {'extractor': self.extractor}
    return {_NAMES.get(k, k): v for k, v in content.items() if v}

  @classmethod
  def from_json(cls, content: Mapping[str, Any]) -> 'RunInfo':
    """Returns the info that config.json contains.

    Raises:
      MismatchError: it is damaged.
    """
    field_of = {key: name for name, key in _NAMES.items()}
    return records.typed(
      cls, {field_of.get(key, key): value for key, value in content.items()}
    )


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
