"""The flags of bin/extract and bin/ingest that describe a table of clips."""

from typing import Any

from absl import flags

CLIPS = flags.DEFINE_string(
  'clips',
  None,
  'table of the clips, sought in this folder, in that of the clips and beside'
  ' it; by default clips.csv in the folder of the clips',
)
_COLUMNS = {
  name: flags.DEFINE_string(
    f'{name}_column', None, f'column of the table with the {name}'
  )
  for name in ('clip', 'label', 'speaker', 'split', 'corpus', 'take')
}
_MERGE = flags.DEFINE_bool(
  'merge_labels',
  False,
  'make labels, and speakers, one that differ only in case, spaces or letters'
  ' that look alike, by the most frequent spelling',
)
_LABELS = flags.DEFINE_string(
  'labels', '', 'table with the columns from,to: labels to rename'
)


def given() -> dict[str, Any]:
  """Returns the arguments of `clip_table.read` besides the table's path."""
  columns = {k: flag.value for k, flag in _COLUMNS.items()}
  return {
    'renamed': {k: name for k, name in columns.items() if name is not None},
    'merge': _MERGE.value,
    'labels': _LABELS.value,
  }


def check_unused(corpus: str) -> None:
  """Raises flags.Error if --corpus and a flag of a table are given."""
  renamed, merge, labels = given().values()
  if corpus and (CLIPS.value or renamed or merge or labels):
    raise flags.Error(
      f'--corpus={corpus} reads no table; leave out --clips, the columns,'
      ' --merge_labels and --labels'
    )
