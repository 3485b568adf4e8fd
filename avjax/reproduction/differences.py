"""In plain words, what a reproduction does not do as the paper did."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence

from avjax.reporting import published
from avjax.reporting.figures import Figure
from avjax.reporting.markup import Table, markdown
from avjax.reproduction.request import ReproductionRequest


def of(request: ReproductionRequest) -> list[str]:
  """Returns sentences, the most important first.

  Args:
    request: whose store is there.
  """
  with open(request.store / 'clips.csv', encoding='utf-8', newline='') as file:
    rows = list(csv.DictReader(file))
  return [*_trial(request), *_clips(rows), *_features(request), *_runs(request)]


def _trial(request: ReproductionRequest) -> Iterator[str]:
  if request.size != 'full':
    yield (
      f'A trial (--size={request.size}): the networks were trained for a'
      ' moment, to see that everything works. No accuracy here means anything.'
    )


def _clips(rows: Sequence[dict[str, str]]) -> Iterator[str]:
  """Yields what differs in the clips; a clip's name begins with its split."""
  usable = [row for row in rows if not row['failure']]
  found = Counter(row['clip'].split('/')[0] for row in usable)
  if any(found[split] != count for split, count in published.CLIPS.items()):
    yield (
      'The clips are not those of the paper: '
      + ', '.join(
        f'{found[s]} {s} (paper {n})' for s, n in published.CLIPS.items()
      )
      + '.'
    )
  if broken := len(rows) - len(usable):
    yield f'{broken} clips could not be used; store/report.txt says why.'
  if faceless := sum(row['faces'] == '0' for row in usable):
    yield (
      f'In {faceless} clips no face was found; they are used, and their visual'
      ' streams are 0.'
    )
  test = [row for row in usable if row['clip'].startswith('test/')]
  unknown = sum(not row['label'] for row in test)
  if not test:
    yield 'There are no test clips: nothing can be said of the test split.'
  elif unknown == len(test):
    yield (
      f'No label of the {unknown} test clips is known, as the organisers do not'
      ' publish them: the tables have no test accuracy, the figures show the'
      ' validation clips, on which the epoch was chosen too. What each run'
      ' says of the test clips is in its predictions.csv.'
    )
  elif unknown:
    yield f'{unknown} of {len(test)} test clips have no label; not counted.'


def _features(request: ReproductionRequest) -> Iterator[str]:
  features = request.features
  if 'appearance' in features.streams:
    if features.alexnet:
      yield (
        f'The face network is that of {features.alexnet}; the weights of the'
        " paper's own are not here."
      )
    else:
      yield (
        'The face network has random weights (no --alexnet): the appearance is'
        ' that of an untrained network, average_pool5 cannot be compared with'
        ' the paper, and the other networks only in part.'
      )
    if not request.sfew:
      yield (
        'The random forest that chooses values of pool5 learnt from frames of'
        ' the training clips, not from SFEW (no --sfew).'
      )
  if not features.landmarks:
    yield (
      "The landmarks and the faces were found by dlib; the organisers' own"
      ' landmarks were not used (no --landmarks).'
    )
  yield (
    'The audio has 27 features, as in the paper, and 901 columns where the'
    ' paper has 939.'
  )


def _runs(request: ReproductionRequest) -> Iterator[str]:
  if request.seeds == 1:
    yield 'One seed a network: there is no deviation over seeds.'
  yield (
    'The paper does not say over how many runs its figures are, nor its batch'
    ' size and some other settings; those here are the defaults of'
    ' avjax/settings.py.'
  )
  yield (
    'AFEW names no actors, so that it is not known whether somebody plays in'
    ' two splits.'
  )


def readme(
  request: ReproductionRequest,
  made: Sequence[Table],
  pictures: Sequence[Figure],
  told: Sequence[str],
) -> str:
  """Returns the page in words that stands beside the results."""
  lines = [
    '# The paper on AFEW, by avjax',
    '',
    'Made by bin/reproduce. What there is:',
    '',
    '- report.html: everything on one page; it needs no network',
    '- tables/: the tables as .md, .tex and .csv',
    '- figures/: Figures 2 to 5 of the first seed of `proposed`, as .png and'
    ' .pdf, and figures.json with their numbers',
    '- runs/: the runs, for bin/evaluate, bin/predict and bin/report',
    '- store/: the features; store/report.txt says what became of every clip',
    '- seconds.json: how long each stage took, less what kill -9 cut off',
    '',
    '## What is not as in the paper',
    '',
    *(f'- {text}' for text in told),
    '',
    '## Tables',
    '',
    *(markdown(table) for table in made),
    '## Figures',
    '',
  ]
  for figure in pictures:
    lines += [f'![{figure.name}](figures/{figure.name}.png)', '', figure.text]
    lines.append('')
  return '\n'.join(lines)
