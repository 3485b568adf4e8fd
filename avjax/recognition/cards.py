"""The card of a bundle, Markdown: what it is, how well it does, its licence."""

import dataclasses
from collections.abc import Sequence

from avjax.recognition.accuracies import Accuracy


@dataclasses.dataclass(frozen=True)
class Card:
  """What a bundle tells people.

  Attributes:
    about: a line about its training data.
    licence: the text of the licence of the weights; the first line names it.
    text: the card, Markdown.
    accuracies: on people that the networks were not trained on.
  """

  about: str = ''
  licence: str = ''
  text: str = ''
  accuracies: tuple[Accuracy, ...] = ()


WAYS = {
  'none': 'as it is',
  'recording': "by the recording's own statistics",
  'speaker': "by all of the speaker's recordings, without labels",
  'enrolment': 'by a few other recordings of the speaker',
}
"""How a clip is standardised -> in words."""


def notice(name: str, card: Card, standardise: str) -> str:
  """Returns a line on a ready model, for whoever did not choose it.

  Args:
    name: of the model.
    card: of its bundle.
    standardise: how the clips are standardised.
  """
  known = [one for one in card.accuracies if one.standardise == standardise]
  how = WAYS[standardise]
  right = (
    f'it recognised {known[0].text} of {known[0].emotions} emotions of people'
    f' it did not know, clips read {how}'
    if known
    else f'its accuracy was not measured for clips read {how}'
  )
  licence = card.licence.partition('\n')[0] or 'of no stated licence'
  return (
    f'ready model {name!r}: {card.about}, which is not life; {right}; weights'
    f' {licence}; --model or --workdir takes another'
  )


def markdown(about: str, prose: str, accuracies: Sequence[Accuracy]) -> str:
  """Returns the card.

  Args:
    about: a line about the training data.
    prose: Markdown by the maker: intended use, limits, licence.
    accuracies: of the same networks, trained without the people tested.
  """
  parts = [prose.strip() or f'# {about or "A bundle of avjax"}']
  if accuracies:
    parts.append(_table(accuracies))
  for one in accuracies:
    if one.groups:
      parts.append(_groups(one))
  return '\n\n'.join(parts) + '\n'


def _table(accuracies: Sequence[Accuracy]) -> str:
  lines = [
    '## Accuracy on people that it was not trained on',
    '',
    '| a clip is read | accuracy, % [95 %] | recall (UAR), % | chance, % |'
    ' clips | speakers | networks averaged | protocol |',
    '|---|---|---|---|---|---|---|---|',
  ]
  for one in accuracies:
    lines.append(
      f'| {WAYS[one.standardise]} ({one.stamp}) | {one.text.replace(" %", "")}'
      f' | {100 * one.uar:.1f} | {100 / one.emotions:.1f} | {one.clips} |'
      f' {one.speakers or "-"} | {one.members} | {one.protocol} |'
    )
  if any(one.speakers for one in accuracies):
    lines += ['', 'Intervals are bootstraps over the speakers where these are']
    lines[-1] += " known, otherwise Wilson's."
  return '\n'.join(lines)


def _groups(one: Accuracy) -> str:
  lines = [
    f'### By group, {WAYS[one.standardise]}',
    '',
    '| column | group | accuracy, % [95 %] | interval | clips |',
    '|---|---|---|---|---|',
  ]
  for group in one.groups:
    how = 'by speaker' if group.by_speaker else 'Wilson'
    lines.append(
      f'| {group.column} | {group.word} | {100 * group.accuracy:.1f}'
      f' [{100 * group.low:.1f}, {100 * group.high:.1f}] | {how} |'
      f' {group.clips} |'
    )
  return '\n'.join(lines)
