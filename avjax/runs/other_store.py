"""The clips of another store than a run's own: their labels, and an audit."""

import dataclasses
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from avjax.clips import Clip
from avjax.data import audit, clip_table, corpus
from avjax.data.audit import Finding
from avjax.errors import ConfigError, DataError
from avjax.runs.ensemble import Ensemble, Portion, trained_on
from avjax.settings import DataConfig


@dataclasses.dataclass(frozen=True)
class Adaptation:
  """What to do with the clips of another store.

  Attributes:
    labels: a table with the columns from and to: how labels are renamed; an
      empty name leaves their clips out. '' for none.
    drop: labels, after renaming, whose clips are left out.
    allow_leaks: kinds of leaks that are no error, separated by commas.
  """

  labels: str = ''
  drop: Sequence[str] = ()
  allow_leaks: str = ''

  def __bool__(self) -> bool:
    return bool(self.labels or self.drop or self.allow_leaks)


AS_IT_IS = Adaptation()


def labelled(
  portion: Portion, emotions: Sequence[str], store: str, how: Adaptation
) -> tuple[Portion, dict[str, Any]]:
  """Returns the clips with labels of the run, and facts for results.json.

  The facts are 'dropped', label -> number of clips, and 'absent', the emotions
  that no clip has; without empty ones.

  Args:
    portion: of the other store.
    emotions: of the run.
    store: its name.
    how: what to do with the labels.

  Raises:
    DataError: a clip has another label.
  """
  renames = clip_table.renames(how.labels, dropping=True) if how.labels else {}
  given = Counter(c.label for c in portion.clips if c.label is not None)
  clip_table.say_unused(how.labels, renames.keys() - given.keys())
  gone = {name: given[name] for name in given if renames.get(name) == ''}
  renamed: Counter[str] = Counter()
  for name in given.keys() - gone.keys():
    renamed[renames.get(name, name)] += given[name]
  for name in how.drop:
    if name not in renamed:
      raise DataError(
        f'--drop names {name!r}, and no clip of {store} has this label; it has'
        f' {_counted(renamed)}'
      )
    gone[name] = renamed.pop(name)
  if strange := {k: renamed[k] for k in sorted(renamed) if k not in emotions}:
    raise DataError(
      f'{store} has {sum(strange.values())} clips with labels that the run'
      f' lacks: {_counted(strange)}; the run has {", ".join(emotions)}: rename'
      ' them by --labels=FILE with the columns from,to, or leave them out by'
      f' --drop={",".join(strange)}'
    )
  if not renamed and None not in {clip.label for clip in portion.clips}:
    raise DataError(f'no clip of {store} is left; drop fewer labels')
  members = [
    (run, _relabelled(clips, renames, {*how.drop}))
    for run, clips in portion.members
  ]
  absent = [name for name in emotions if name not in renamed]
  facts = {'dropped': gone, 'absent': absent if renamed else []}
  return dataclasses.replace(portion, members=members), {
    key: value for key, value in facts.items() if value
  }


def examined(
  runs: Ensemble, clips: Sequence[Clip], store: str, how: Adaptation
) -> list[dict[str, Any]]:
  """Returns the findings of the audit against the clips of the training.

  Args:
    runs: that were trained.
    clips: to be evaluated.
    store: of these clips.
    how: which leaks are allowed.

  Raises:
    DataError: there are others.
  """
  allowed = DataConfig(allow_leaks=how.allow_leaks).allowed
  name = os.path.basename(os.path.abspath(store))
  evaluated = {clip.name for clip in clips}
  stored = corpus.read(runs.whole.elsewhere(store))
  others = [clip for clip in stored if clip.name in evaluated]
  try:
    findings = audit.examine_others(trained_on(runs), others, name)
  except DataError as error:
    text = f'{name} was not compared with the clips of the training: {error}'
    findings = [Finding('speaker', (name,), (), len(others), text, 'unchecked')]
  return audit.settle(findings, '', allowed, store)


def warnings(runs: Ensemble, store: str) -> list[str]:
  """Returns what a reader must know of the features of another store."""
  made = corpus.origin(runs.whole.elsewhere(store)).extractor
  each = [run.info.extractor for members in runs.folds for run in members]
  if not made or all(one in ('', made) for one in each):
    return []
  return [
    f'the features of {store} are of another extractor than those of the'
    ' training; extract the clips again with --extractor=STORE/extractor, where'
    ' STORE is that of the run'
  ]


def check_unused(how: Adaptation) -> None:
  """Raises ConfigError if the run's own store is to be changed."""
  if how:
    raise ConfigError(
      '--labels, --drop and --allow_leaks are for another store; name it with'
      ' --store'
    )


def _relabelled(
  clips: Sequence[Clip], renames: Mapping[str, str], drop: set[str]
) -> list[Clip]:
  """Returns the clips with their labels renamed, some of them left out."""
  kept = []
  for clip in clips:
    label = clip.label
    if label is not None:
      label = renames.get(label, label)
    if label != '' and label not in drop:
      kept.append(dataclasses.replace(clip, label=label))
  return kept


def _counted(numbers: Mapping[str, int]) -> str:
  return ', '.join(f'{name!r} {n}' for name, n in numbers.items())
