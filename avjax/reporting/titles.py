"""The titles of the rows: what tells runs apart, and what all of them share."""

import dataclasses
import pathlib
from collections import defaultdict
from collections.abc import Sequence

from avjax.errors import ConfigError
from avjax.runs import finished
from avjax.runs.finished import FinishedRun, Group

_COUNTED = 2  # additions to a training that a title still names


def entitled(
  groups: Sequence[Group],
  folders: Sequence[str | pathlib.Path] = (),
  names: Sequence[str] = (),
) -> list[Group]:
  """Returns the groups with the names that are given, or with short titles.

  For the arguments see `named`.

  Raises:
    ConfigError: the names do not fit the folders.
  """
  return named(groups, folders, names) if names else shortened(groups)


def shortened(groups: Sequence[Group]) -> list[Group]:
  """Returns the groups, whose titles lack the settings that all share.

  `notes` has these. A single group keeps its title.
  """
  if len(groups) < 2:
    return list(groups)
  shared = _shared(groups)
  titles = [
    ', '.join([group.first.variant, *_told(group.first, shared)])
    for group in groups
  ]
  return finished.entitled([group.runs for group in groups], titles)


def named(
  groups: Sequence[Group],
  folders: Sequence[str | pathlib.Path],
  names: Sequence[str],
) -> list[Group]:
  """Returns the groups with titles of the user's choice.

  Args:
    groups: of the runs in the folders.
    folders: of runs; folders that differ in their seed only are one group.
    names: one for each folder, the same for those of one group.

  Raises:
    ConfigError: the names do not fit the folders.
  """
  if len(names) != len(folders):
    raise ConfigError(
      f'--names: {len(names)} names for {len(folders)} runs; give one for each,'
      ' with commas between'
    )
  chosen = [_chosen(group, folders, names) for group in groups]
  if repeated := [name for name in chosen if chosen.count(name) > 1]:
    raise ConfigError(
      f'--names has {repeated[0]!r} for runs that differ in more than their'
      ' seed; give each another name'
    )
  return [
    dataclasses.replace(group, title=title)
    for group, title in zip(groups, chosen, strict=True)
  ]


def _chosen(
  group: Group, folders: Sequence[str | pathlib.Path], names: Sequence[str]
) -> str:
  """Returns the title that the names of its folders give a group."""
  inside = {
    path.resolve()
    for run in group.runs
    for path in (run.folder, run.folder.parent)
  }
  found = {
    name.strip()
    for folder, name in zip(folders, names, strict=True)
    if pathlib.Path(folder).expanduser().resolve() in inside
  }
  if len(found) != 1 or not all(found):
    raise ConfigError(
      f'--names has {", ".join(map(repr, sorted(found))) or "nothing"} for'
      f' {group.title}, which is one row; give its folders one name'
    )
  return ', '.join([*found, *_several(group.first)])


def notes(groups: Sequence[Group]) -> list[str]:
  """Returns what all rows share, and what their titles do not say."""
  shared = _shared(groups) if len(groups) > 1 else []
  everywhere = [x for x in shared if x not in _additions(groups)]
  made = [f'All rows: {", ".join(everywhere)}'] if everywhere else []
  if own := [x for x in shared if x not in everywhere]:
    made.append(f'Additions to the training of every network: {", ".join(own)}')
  counted, chosen = defaultdict(list), []
  for group in groups:
    run = group.first
    if run.members == 1 and not group.title.startswith(run.variant):
      about = ', '.join([run.variant, *_told(run, shared)])
      chosen.append(f'{group.title}: {about}')
    recipe = [x for x in run.recipe if x not in shared]
    if len(recipe) > _COUNTED:
      counted[', '.join(recipe)].append(group.title)
  if chosen:
    made.append('; '.join(chosen))
  return made + [
    f'Additions to the training of {"; ".join(titles)}: {recipe}'
    for recipe, titles in counted.items()
  ]


def _told(run: FinishedRun, shared: Sequence[str] = ()) -> list[str]:
  """Returns what a title says after the variant, without what is shared."""
  recipe = [x for x in run.recipe if x not in shared]
  if len(recipe) > _COUNTED:
    recipe = [f'{len(recipe)} additions']
  before, after = (
    [x for x in parts if x not in shared] for parts in (_model(run), _data(run))
  )
  return [*before, *recipe, *_several(run), *after]


def _model(run: FinishedRun) -> list[str]:
  streams = [f'streams={run.streams}'] if run.streams else []
  return [*streams, *run.changed]


def _data(run: FinishedRun) -> list[str]:
  """Returns the stamp in parts; being inductive is the rule."""
  return [part for part in run.stamp.split(', ') if part != 'inductive']


def _several(run: FinishedRun) -> list[str]:
  return [f'ensemble of {run.members}'] if run.members > 1 else []


def _shared(groups: Sequence[Group]) -> list[str]:
  """Returns the settings of all rows, and the additions of all networks."""
  each = [[*_model(g.first), *_data(g.first)] for g in groups]
  same = [x for x in each[0] if all(x in other for other in each)]
  return same + _additions(groups)


def _additions(groups: Sequence[Group]) -> list[str]:
  """Returns the additions that the trainings of all networks have."""
  recipes = [g.first.recipe for g in groups if g.first.model.random]
  common = recipes[0] if recipes else ()
  return [x for x in common if all(x in recipe for recipe in recipes)]
