"""The paper's published results, and which runs they can be compared with."""

from avjax.runs.finished import FinishedRun, Group

TABLE_1 = {
  'average_pool5': (73.84, 43.14, 39.89),
  'last_time': (82.70, 36.39, 41.19),
  'average': (83.83, 43.40, 41.19),
  'proposed': (58.23, 46.90, 44.90),
}
"""Table 1: accuracy on AFEW in %, on training, validation and test."""
CLIPS = {'training': 711, 'validation': 371, 'test': 539}
"""Number of clips in the paper's splits, inferred from its percentages."""
LARGEST = '29.5 (159)'
"""Most frequent class of the paper's test clips, in % (and clips)."""
IN_WORDS = (
  'In words, without a number: decision fusion is the stronger alternative'
  ' (4.3); a shared encoder is worse (2.3).'
)
"""What the paper states about other models."""
PROTOCOL = 'afew/official'
"""How the paper divides its clips."""
TOLERANCE = 0.05
"""Of the number of clips: releases and failed clips differ by less."""
RULE = (
  f'Runs can be compared with the paper where their protocol is {PROTOCOL} and'
  " each labelled split has the paper's number of clips to within"
  f' {100 * TOLERANCE:.0f} %'
)


def comparable(group: Group) -> bool:
  """Returns whether a group is on the clips of the paper; see `RULE`."""
  run = group.first
  return run.config.data.protocol == PROTOCOL and all(
    abs(count / CLIPS[split] - 1) <= TOLERANCE
    for split, count in _counts(run).items()
  )


def _counts(run: FinishedRun) -> dict[str, int]:
  """Returns split -> number of labelled clips, of splits that have some."""
  splits = run.results['splits']
  known = {split: splits[split]['n'] for split in CLIPS if split in splits}
  return {split: count for split, count in known.items() if count}
