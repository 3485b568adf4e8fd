r"""Makes runs/: finished runs of revision 0f47154, and what it says of them.

  git clone REPOSITORY /avjax && git -C /avjax checkout 0f47154
  python tests/golden/make_runs.py /avjax

The tree that makes them stands alone in a folder of the system's root: Orbax
writes the absolute path of a checkpoint into it, under a digest. See
runs/README.md.
"""

import html.parser
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

RUNS = pathlib.Path(__file__).with_name('runs')
SMALL = {
  'model.implementation': 'fused',
  'model.streams': 'audio,shape',
  'model.hidden_size': 4,
  'model.lstm_cells': 4,
  'model.selector_cells': 2,
  'model.embedding_size': 2,
  'synthetic.training': 21,
  'synthetic.validation': 7,
  'synthetic.test': 14,
  'synthetic.speakers': 2,
  'synthetic.shortest': 30,
  'synthetic.longest': 40,
  'synthetic.segments': 2,
  'synthetic.share': 0.3,
  'synthetic.expression': 4,
  'synthetic.marker': 6,
  'training.epochs': 6,
  'training.batch_size': 3,
}
MODELS = (
  'average_pool5',
  'last_time',
  'average',
  'proposed',
  'linear',
  'decision_fusion',
)
COMMANDS = {name: (name, SMALL) for name in MODELS} | {
  'average_pool5': ('average_pool5', SMALL | {'model.streams': 'shape'}),
  'linear': ('linear', SMALL | {'model.streams': 'shape'}),
  'decision_fusion': (
    'decision_fusion',
    SMALL | {'seed': 2},  # whose networks do not weigh the same
  ),
  'folds': (
    'average',
    SMALL
    | {
      'data.protocol': 'loso',
      'synthetic.speakers': 1,  # of each split: three folds
      'training.epochs': 3,
    },
  ),
  'seeds': (
    'proposed',
    SMALL
    | {
      'model.dropout': 0.0,  # with these it learns where to look
      'synthetic.training': 42,
      'training.epochs': 16,
      'training.seeds': 2,
    },
  ),
  'interrupted': (
    'proposed',
    SMALL
    | {
      'data.placement': 'host',  # a signal is seen after every batch
      'training.batch_size': 8,  # three of them
      'training.epochs': 3,
    },
  ),
}
"""Folder of a run -> its config and settings."""
EVALUATED = (*MODELS, 'folds/fold-1', 'seeds/seed-0')
"""Folders that keep what they predict with: not every fold and seed does."""
SPLITS = 'test', 'all'
TABLES = {'models': MODELS, 'several': ('seeds', 'folds', 'average')}
FIGURES = 'proposed', 'average'
REPORT = 'seeds', 'linear', 'decision_fusion', 'folds', '--clips=2'


class Page(html.parser.HTMLParser):
  """The texts of a page of bin/report, in their order.

  Attributes:
    texts: captions, cells, notes, clips and the alternatives to pictures.
  """

  KEPT = 'h2', 'h3', 'caption', 'th', 'td', 'li', 'p', 'summary', 'figcaption'

  def __init__(self, page: str):
    super().__init__()
    self.texts: list[str] = []
    self._open = False
    self.feed(page)
    # The page's own Python is not the runs'.
    self.texts = [x for x in self.texts if not x.startswith('This page:')]

  def handle_starttag(self, tag, attributes):
    if tag in self.KEPT:
      self.texts.append('')
      self._open = True
    if tag == 'img':
      self.texts.append(dict(attributes)['alt'])

  def handle_endtag(self, tag):
    self._open = self._open and tag not in self.KEPT

  def handle_data(self, data):
    if self._open:
      self.texts[-1] += data


def train(tree: pathlib.Path, name: str) -> list[str]:
  """Returns the arguments of bin/train that make a run in the folder `name`."""
  config, settings = COMMANDS[name]
  flags = [f'--config.{key}={value}' for key, value in settings.items()]
  return [
    f'--config={tree}/configs/{config}.py:smoke',
    *flags,
    f'--workdir={name}',
  ]


def start(tree: pathlib.Path, program: str, *arguments: str):
  """Returns a program of the tree that has been started in it."""
  return subprocess.Popen(
    [sys.executable, tree / 'bin' / program, *arguments],
    cwd=tree,
    env={**os.environ, 'PYTHONPATH': str(tree)},
  )


def run(tree: pathlib.Path, program: str, *arguments: str) -> None:
  """Runs a program of the tree in it."""
  if code := start(tree, program, *arguments).wait():
    raise SystemExit(f'bin/{program} {" ".join(arguments)} ended with {code}')


def interrupt(tree: pathlib.Path, name: str) -> None:
  """Trains until SIGTERM stops it in the middle of the second epoch."""
  folder = tree / name
  while True:
    shutil.rmtree(folder, ignore_errors=True)
    process = start(tree, 'train', *train(tree, name))
    metrics = folder / 'metrics.jsonl'
    while not (metrics.exists() and metrics.read_text().count('\n')):
      time.sleep(0.001)
    time.sleep(random.uniform(0, 0.05))
    process.send_signal(signal.SIGTERM)
    process.wait()
    newest = max((folder / 'checkpoints').iterdir(), key=lambda p: int(p.name))
    progress = json.loads((newest / 'meta.json').read_text())['progress']
    if progress['epoch'] == 1 and 0 < progress['batch'] < 3:
      return


def prune(folder: pathlib.Path) -> None:
  """Leaves of a finished run what its readers need.

  That is the checkpoint of the best epoch alone, and none of several seeds
  together nor of folds and seeds that are not in EVALUATED.
  """
  for path in folder.rglob('lock'):
    path.unlink()
  for results in folder.rglob('results.json'):
    part = str(results.parent.relative_to(folder.parent))
    checkpoints = results.with_name('checkpoints')
    if part in ('folds', 'seeds') or not checkpoints.exists():
      shutil.rmtree(checkpoints, ignore_errors=True)
    elif part.startswith(('folds', 'seeds')) and part not in EVALUATED:
      shutil.rmtree(checkpoints)
    else:
      newest = max(checkpoints.iterdir(), key=lambda path: int(path.name))
      best = json.loads((newest / 'meta.json').read_text())['best']
      for path in checkpoints.iterdir():
        if path.name != str(best):
          shutil.rmtree(path)


def say(tree: pathlib.Path, expected: pathlib.Path) -> None:
  """Writes what the programs of the tree say of its runs."""
  for name in EVALUATED:
    for split in SPLITS:
      output = f'--output={expected}/evaluate/{name}/{split}'
      run(tree, 'evaluate', f'--workdir={name}', f'--split={split}', output)
  for name, runs in TABLES.items():
    run(tree, 'tables', *runs, f'--output={expected}/tables/{name}')
  for name in FIGURES:
    run(tree, 'figures', name, '--output=figures')
    target = expected / f'figures/{name}.json'
    target.parent.mkdir(exist_ok=True)
    shutil.copy(tree / 'figures/figures.json', target)
  run(tree, 'report', *REPORT, '--output=report.html')
  texts = Page((tree / 'report.html').read_text()).texts
  (expected / 'report.json').write_text(json.dumps(texts, indent=1) + '\n')


def main(tree: pathlib.Path) -> None:
  """Makes runs/ with the tree, which stays as it was but for its runs."""
  for name in COMMANDS:
    run(tree, 'train', *train(tree, name))
  expected = RUNS / 'expected'
  shutil.rmtree(expected, ignore_errors=True)
  for name in ('metrics.jsonl', 'predictions.csv'):
    (expected / 'train').mkdir(parents=True, exist_ok=True)
    shutil.copy(tree / 'interrupted' / name, expected / 'train' / name)
  interrupt(tree, 'interrupted')
  for name in COMMANDS:
    prune(tree / name)
    shutil.rmtree(RUNS / name, ignore_errors=True)
    shutil.copytree(tree / name, RUNS / name)
  say(tree, expected)


if __name__ == '__main__':
  main(pathlib.Path(sys.argv[1]).resolve())
