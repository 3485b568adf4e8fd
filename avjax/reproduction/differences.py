"""How a reproduction differs from the paper, in sentences."""

from collections import Counter
from collections.abc import Iterator, Sequence

from avjax.features import corpus_report
from avjax.reporting import published
from avjax.reporting.captioned import Figure
from avjax.reporting.markup import Table, markdown
from avjax.reproduction.request import ReproductionRequest


def list_differences(request: ReproductionRequest) -> list[str]:
  """Returns the differences from the paper, the most important first.

  Args:
    request: whose store has been made.
  """
  rows = corpus_report.read_rows(request.store)
  return [*_trial(request), *_clips(rows), *_features(request), *_runs(request)]


def _trial(request: ReproductionRequest) -> Iterator[str]:
  if request.size != 'full':
    yield (
      f'A trial (--size={request.size}): the networks were trained for a few'
      ' steps, to check that everything works. The accuracies mean nothing.'
    )


def _clips(rows: Sequence[corpus_report.Row]) -> Iterator[str]:
  """Yields differences in the clips; a clip's name begins with its split."""
  usable = [row for row in rows if not row.failure]
  found = Counter(row.clip.split('/')[0] for row in usable)
  if any(found[split] != count for split, count in published.CLIPS.items()):
    yield (
      'The clips are not those of the paper: '
      + ', '.join(
        f'{found[s]} {s} (paper {n})' for s, n in published.CLIPS.items()
      )
      + '.'
    )
  if broken := len(rows) - len(usable):
    yield f'{broken} clips could not be used; see store/report.txt.'
  if faceless := sum(row.faces == 0 for row in usable):
    yield (
      f'In {faceless} clips no face was found; they are used, and their visual'
      ' streams are 0.'
    )
  test = [row for row in usable if row.clip.startswith('test/')]
  unknown = sum(not row.label for row in test)
  if not test:
    yield 'There are no test clips, and so no results on the test split.'
  elif unknown == len(test):
    yield (
      f'No label of the {unknown} test clips is known, since the organisers do'
      ' not publish them. The tables have no test accuracy. The figures show'
      ' the validation clips, on which the best epoch was selected. The'
      ' predictions for the test clips are in the predictions.csv of each run.'
    )
  elif unknown:
    yield (
      f'{unknown} of {len(test)} test clips have no label and are not counted.'
    )


def _features(request: ReproductionRequest) -> Iterator[str]:
  """Yields differences in the features."""
  features = request.features
  if 'appearance' in features.streams:
    if features.appearance == 'dlib':
      yield (
        "The appearance is not AlexNet's pool5 but the 128 numbers of dlib's"
        ' face recognition network (--appearance=dlib), all of them: no random'
        ' forest selects.'
      )
    elif features.alexnet:
      yield (
        f'The face network has the weights of {features.alexnet}; those of the'
        ' paper are not available.'
      )
    else:
      yield (
        'The face network has random weights (no --alexnet). Its appearance'
        ' features are those of an untrained network, so that average_pool5'
        ' cannot be compared with the paper, and the other networks only in'
        ' part.'
      )
    if features.appearance == 'alexnet' and not request.sfew:
      yield (
        'The random forest that selects values of pool5 was trained on frames'
        ' of the training clips, not on SFEW (no --sfew).'
      )
  if not features.landmarks:
    yield (
      'Faces and landmarks were found by dlib; the landmarks of the organisers'
      ' were not used (no --landmarks).'
    )
  yield (
    'The audio has the 27 features of the paper, in 901 columns; the paper has'
    ' 939 columns.'
  )


def _runs(request: ReproductionRequest) -> Iterator[str]:
  """Yields differences in the runs."""
  if request.seeds == 1:
    yield 'One seed per network: there is no standard deviation over seeds.'
  yield (
    'The paper does not state the number of runs behind its results, nor the'
    ' batch size and some other settings. Those used here are the defaults of'
    ' avjax/settings.py.'
  )
  yield (
    'AFEW does not name its actors, so it is not known whether an actor appears'
    ' in two splits.'
  )


def readme(
  made: Sequence[Table],
  pictures: Sequence[Figure],
  differences: Sequence[str],
) -> str:
  """Returns the README.md of a reproduction.

  Args:
    made: the tables.
    pictures: the figures.
    differences: from the paper, in sentences.
  """
  lines = [
    '# The paper on AFEW, by avjax',
    '',
    'Made by bin/reproduce. Files and folders:',
    '',
    '- report.html: everything on one page, to be read offline',
    '- tables/: the tables as .md, .tex and .csv files',
    '- figures/: Figures 2 to 5 and the reliability of the first seed of'
    ' `proposed`, as .png and .pdf files, their captions as .txt and .tex'
    ' files, and figures.json with their numbers',
    '- runs/: the runs, for bin/evaluate, bin/predict and bin/report',
    '- store/: the features; store/report.txt lists clips that failed',
    '- seconds.json: duration of every stage, without time lost to kill -9',
    '',
    '## Differences from the paper',
    '',
    *(f'- {text}' for text in differences),
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
