"""The commands, code and links of README.md and docs/, as a reader meets them.

Every block of a page is run by bash or Python as it is printed, page after page
in one folder (`docs/clone.py`), with the programs at small sizes
(`docs/programs.py`). Of the blocks in PARSED only the flags and settings are
checked; the reason stands beside each.
"""

import re

import pytest

from tests.docs import clone, left, pages

PAGES = pages.named('README.md', 'docs/*.md', 'docs/*/*.md')
FIRST = {
  'docs/use.md': ('README.md',),
  'docs/live.md': ('README.md',),
  'docs/pretrained.md': ('README.md',),
  'docs/python.md': ('README.md', 'docs/pretrained.md'),
  'docs/tutorials/attention.md': ('README.md', 'docs/use.md'),
  'docs/tutorials/deploy.md': ('README.md',),
  'docs/tutorials/train.md': ('README.md',),
}
"""Page -> those whose blocks it builds on."""
RUN = ('bash', 'python')
READ = {
  'csv': 'the table of my_videos, to which clone.py adds rows',
  'bibtex': 'how to cite the paper',
  'text': 'what a command printed, or a layout of files',
}
"""Language of a block that holds no commands -> what it is."""

HOURS = 'takes hours; docs/tutorials/speakers.md runs bin/train and bin/tables'
SEVERAL = 'needs several hosts; tests/bin/train_test.py sets what SLURM sets'
CLUSTER = 'tests/bin/extract_cluster_test.py starts them'
WEIGHTS = 'needs the weights of others'
PARSED = {
  'README.md': {
    "figures]' && bin/predict": 'tests/bin/extract_sound_test.py predicts by a'
    ' bundle, and tests/recognition/bundle_test.py reads the ready model',
  },
  'docs/README.md': {
    'bin/predict clips/s00_0000.mp4': 'README.md has the same commands',
  },
  'docs/install.md': {
    '--workdir=runs/check': 'README.md trains so',
  },
  'docs/start.md': {
    'bin/predict new.mp4': 'README.md has the same commands',
  },
  'docs/use.md': {
    '--window=4': 'tests/bin/extract_sound_test.py makes time lines of a list',
    '--config.training.seeds': 'tests/bin/train_test.py trains two seeds',
    '--labels=names.csv': 'tests/bin/evaluate_test.py evaluates other stores',
    'decision_fusion.py': 'tests/bin/train_test.py trains every config',
  },
  'docs/data.md': {
    '--shard=1/2': 'tests/bin/extract_test.py runs it, and compares the bytes',
    'grouping=balanced': 'tests/data/protocols_test.py balances groups',
    'protocol=loso': 'tests/bin/train_test.py leaves speakers out',
    '--config.data.enrolment=4': 'needs 17 clips of every speaker; run by'
    ' tests/runs/enrolment_test.py',
    'RAVDESS/audio stores/takes': 'tests/bin/extract_sound_test.py runs it on'
    ' made sound',
    '--fit_on=folds': 'tests/bin/extract_sound_test.py runs it on made sound',
    '--config.data.placement=stream': 'tests/runs/unread_test.py trains so',
    'bin/train_faces': 'needs images of people; tests/features/identities_test'
    '.py trains the network on made ones',
  },
  'docs/extractors.md': {
    '--stream=voice:': 'tests/bin/extract_onnx_test.py does it on made sound',
    '--appearance=dlib': 'tests/features/dlib_faces_test.py measures faces',
    '--stream=wav2vec2:': WEIGHTS,
    '--stream=hubert:': WEIGHTS,
    '--stream=wavlm:': WEIGHTS,
    '--stream=emotion2vec:': WEIGHTS,
    '--stream=dimensions:': WEIGHTS,
    '--stream=emotieff:': WEIGHTS,
    '--stream=units:': WEIGHTS,
  },
  'docs/results.md': {
    '--workdir=results/$name-$seed': HOURS,
    '--workdir=results/fair-$name-$seed': HOURS,
    'bin/figures': 'draws a run of those; run by docs/tutorials/attention.md',
    'takes()': HOURS,
    'RAVDESS/audio stores/ravdess': 'tests/bin/extract_sound_test.py runs it on'
    ' made sound',
    'ravdess()': HOURS,
    'results/chosen-': HOURS,
    'results/rec-none': HOURS,
    'results/only-': HOURS,
    '--workdir=results/three-$store': HOURS,
    'bin/synthesise': 'takes hours; tests/docs/clone.py runs it',
  },
  'docs/pretrained.md': {
    'avjax/pretrained/ravdess.zip \\': HOURS,
  },
  'docs/speed.md': {
    '--suite=cpu': 'takes minutes; tests/bin/benchmark_test.py runs a suite',
    '--suite=gpu': 'needs a GPU',
  },
  'docs/live.md': {
    '--camera=1': 'needs a camera and a microphone',
  },
  'docs/scale.md': {
    'mpirun': SEVERAL,
    '--processes=2 --process=0': SEVERAL,
    '--process=1': SEVERAL,
    'scontrol': SEVERAL,
    '--nodes=4': SEVERAL,
    '--array=0-9': SEVERAL,
    '--processes=3': 'tests/runs/dividing_test.py divides folds',
    '--array=0-11': 'tests/runs/dividing_test.py sets what SLURM sets',
    'sweeps/dropout.py': 'tests/runs/sweeping_test.py runs small ones',
    'sweeps/sampled.py': 'tests/runs/sweeping_test.py runs small ones',
    'dask scheduler': CLUSTER,
    'dask worker': CLUSTER,
    'stores/clustered': CLUSTER,
    'dask_jobqueue': 'needs SLURM',
    'gcloud': SEVERAL,
  },
  'docs/tutorials/train.md': {
    'bin/synthesise': 'tests/docs/clone.py runs it for all pages',
    'stores/unsplit': 'tests/bin/extract_sound_test.py extracts for folds',
  },
  'docs/tutorials/speakers.md': {
    'recommended.py': 'tests/bin/train_test.py trains every config',
  },
  'docs/tutorials/cluster.md': {
    '--shard=': 'needs SLURM; tests/bin/extract_test.py runs shards',
    '--array=0-11': 'needs SLURM; tests/runs/dividing_test.py sets what it'
    ' sets',
    '--processes=2 --process=0': 'tests/runs/dividing_test.py divides folds',
    'bin/sweep': 'needs SLURM; tests/runs/sweeping_test.py runs small ones',
    '--ntasks-per-node=4': 'needs SLURM and GPUs; tests/bin/train_test.py sets'
    ' what SLURM sets',
  },
  'docs/concepts/splits.md': {
    'for protocol in': 'tests/bin/ingest_test.py trains on a random split',
  },
  'docs/afew.md': {
    'bin/ingest': 'needs AFEW; tests/data/corpora_test.py checks a made one',
    '--size=smoke': 'takes minutes; tests/bin/reproduce_test.py runs it on six'
    ' of the clips',
    '--sfew=SFEW': 'needs AFEW and SFEW, and takes days',
  },
}
"""Page -> words that one block of it has -> why that block is only parsed."""


@pytest.fixture(scope='module')
def reader(tmp_path_factory):
  """A clone, and the pages whose blocks have been run in it."""
  folder = tmp_path_factory.mktemp('docs')
  with clone.make(folder) as made:
    yield made, set()


def follow(reader, page):
  """Runs the blocks of a page, and of the pages that come first."""
  made, done = reader
  for name in (*FIRST.get(page, ()), page):
    if name not in done:
      done.add(name)
      for block in pages.blocks(name):
        if block.language in RUN and not block.source:
          wrong = made.run(block, only_parse=reason(block) is not None)
          assert wrong is None, f'{block}\n{wrong}'


def reason(block):
  """Returns why a block is only parsed, or None."""
  table = PARSED.get(block.page, {})
  return next(
    (why for words, why in table.items() if words in block.text), None
  )


@pytest.mark.parametrize('page', PAGES)
def test_blocks(reader, page):
  """Program: every block of a page does what it is printed for."""
  follow(reader, page)


def test_what_is_left(reader):
  """Program: every file that the programs left is on the page on files."""
  for page in PAGES:
    follow(reader, page)
  wrong, met = left.faults(reader[0].folder)
  assert not wrong
  assert met >= left.MET


def test_what_is_not_run():
  """Law: a block is run, or its reason is listed; no reason outlives it."""
  assert PARSED.keys() <= set(PAGES)
  for page in PAGES:
    blocks = pages.blocks(page)
    assert 2 * len(blocks) == pages.text(page).count('```'), page
    for block in blocks:
      assert block.language in (*RUN, *READ), f'{block}: {block.language!r}'
    for words, why in PARSED.get(page, {}).items():
      found = [block for block in blocks if words in block.text]
      assert len(found) == 1, f'{page}: {words!r} is in {len(found)} blocks'
      for test in re.findall(r'tests/\S+\.py', why):
        assert (pages.ROOT / test).exists(), f'{page}: {words!r}: {test}'


def test_quotations():
  """Law: a block with the name of a file is a passage of that file."""
  quoted = [b for page in PAGES for b in pages.blocks(page) if b.source]
  assert quoted
  assert not [f'{b}: {b.source}' for b in quoted if not pages.stands(b)]


@pytest.mark.parametrize(
  'page', pages.named('*.md', 'docs/*.md', 'docs/*/*.md')
)
def test_links(page):
  """Law: what a page links to is there, headings too."""
  wrong = []
  for link in pages.links(page):
    path, _, heading = link.partition('#')
    target = (pages.ROOT / page).parent / path if path else pages.ROOT / page
    if not target.exists():
      wrong.append(link)
    elif heading:
      other = target.resolve().relative_to(pages.ROOT).as_posix()
      wrong += [link] if heading not in pages.anchors(other) else []
  assert not wrong
