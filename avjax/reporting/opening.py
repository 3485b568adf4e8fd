"""What opens a report: the data, chance, the best row and whether it is better.

Every sentence is computed from the runs.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from avjax.data.corpus import SYNTHETIC
from avjax.reporting import comparisons, sentences, titles
from avjax.reporting.comparisons import fraction_correct
from avjax.reporting.tables import ranked
from avjax.runs.finished import FinishedRun, Group

_MEANING = {
  'transductive': 'each speaker is known by unlabelled clips, those tested'
  ' among them, whose mean and deviation standardise every clip',
  'inductive by recording': 'each clip is standardised by itself',
  'inductive': 'nothing is known of a tested speaker but the clip itself',
  'enrolment': 'a tested speaker is known by some other clips, without labels',
}
"""First words of a stamp -> what it means; see docs/concepts."""


def opening(
  groups: Sequence[Group], best: str, base: Group | None = None
) -> list[str]:
  """Returns the first paragraphs of a report.

  Args:
    groups: the rows.
    best: which of them is the most accurate; '' if nothing is tested.
    base: of the comparisons; None for that of `choose_base`.
  """
  answer = ' '.join(text for text in (best, _gain(groups, base)) if text)
  made = [answer, _tested(groups), _meanings(groups)]
  made += [f'{note}.' for note in titles.notes(groups)]
  return [text for text in made if text]


def _tested(groups: Sequence[Group]) -> str:
  """Returns what has been tested, on whom, and what guessing is worth."""
  sets = defaultdict(list)
  for group in groups:
    right = fraction_correct(group)
    if right:
      counts = group.first.predictions['test'].counts.sum(1)
      chance = 100 * counts.max() / counts.sum()
      largest = group.first.emotions[int(counts.argmax())]
      key = (
        f'{len(right)} clips{_people(group.first, right)}',
        f'saying {largest} each time would be right in {chance:.1f} %',
      )
      sets[key].append(group.title)
  names = sorted({*map(_corpus, groups)})
  where = f'Data: {", ".join(names)}.'
  if not sets:
    return f'{where} No test clip has a label, so that nothing is tested.'
  told = [
    f'{clips}: {chance}'
    if len(sets) == 1
    else f'{clips} ({"; ".join(rows)}): {chance}'
    for (clips, chance), rows in sets.items()
  ]
  text = f'{where} Tested on {"; and on ".join(told)}.'
  if all(_apart(group) for group in groups):
    text += ' Nobody is tested by a model that was trained on the same person.'
  return text


def _corpus(group: Group) -> str:
  data = group.first.config.data
  if data.store == SYNTHETIC:
    return 'made-up clips (synthetic)'
  # A path of this machine means nothing to a reader of the page.
  return f'{data.store.rstrip("/").rpartition("/")[2]}, {data.protocol}'


def _people(run: FinishedRun, right: Mapping[str, float]) -> str:
  """Returns of how many speakers some clips are; '' where it is unknown."""
  speakers = run.speakers
  if not all(clip in speakers for clip in right):
    return ''
  count = len({speakers[clip] for clip in right})
  return f' of {count} speaker{"s" if count != 1 else ""}'


def _apart(group: Group) -> bool:
  """Returns whether the audit has found all speakers apart."""
  return all('audit' in r.results and not r.audit for r in group.runs)


def _meanings(groups: Sequence[Group]) -> str:
  """Returns what the stamps of the rows mean, once each."""
  stamps = dict.fromkeys(group.first.stamp for group in groups)
  told = {}
  for stamp in stamps:
    word = next(word for word in _MEANING if stamp.startswith(word))
    told[word] = f'{word.capitalize()}: {_MEANING[word]}.'
  return ' '.join(told.values())


def _gain(groups: Sequence[Group], base: Group | None) -> str:
  """Returns whether the best row is better than the base; '' if it is that."""
  rows = [group for group in ranked(groups) if fraction_correct(group)]
  base = base or comparisons.choose_base(groups)
  if not rows or rows[0] == base:
    return ''
  best = rows[0]
  shared = comparisons.common(
    *(comparisons.labels(group, 'test') for group in (best, base))
  )
  if not shared:
    return ''
  ours, theirs = fraction_correct(best), fraction_correct(base)
  gaps = {clip: ours[clip] - theirs[clip] for clip in shared}
  points = 100 * sum(gaps.values()) / len(gaps)
  text = (
    f'Compared with {base.title} on the {len(shared)} clips that both have:'
    f' {points:+.1f} points'
  )
  bounds = comparisons.speaker_bounds(base, gaps)
  if bounds is None:
    return sentences.signed(f'{text}.')
  low, high = (100 * bound for bound in bounds)
  text += f' [{low:+.1f}, {high:+.1f}]'
  if low <= 0 <= high:
    text += ', which can be no difference at all'
  return sentences.signed(f'{text}.')
