"""The paper's tables of finished runs."""

import csv
import dataclasses
import io
import json
import re

import numpy as np
import pytest

from avjax import files
from avjax.data import corpus
from avjax.data.store import fingerprint
from avjax.errors import CheckpointError, ConfigError
from avjax.metrics import classification, significance
from avjax.reporting import figures, markup, published, titles
from avjax.reporting import tables as paper_tables
from avjax.reporting.comparisons import comparisons
from avjax.runs import finished, joining
from avjax.runs.folder import RunFolder
from avjax.settings import RegularisationConfig
from tests.reporting.examples import make_run


def groups_of(*folders):
  return finished.grouped([finished.load(folder) for folder in folders])


def cells(table, row):
  """Returns column -> cell of a row."""
  found = next(r for r in table.rows if r[0] == row)
  return dict(zip(table.head, found, strict=True))


def known_speakers(monkeypatch):
  """Speakers of the made clips, as their store would name them."""
  named = {f'test-{k}': f'speaker {k % 4}' for k in range(24)}
  monkeypatch.setattr(finished, '_speakers', lambda *_: named)
  return named


STREAMS = 'streams=audio,face'


def test_table_1(tmp_path, monkeypatch):
  """Law: a row says what its run's files say, and the paper's is apart."""
  named = known_speakers(monkeypatch)
  groups = groups_of(make_run(tmp_path / 'a'))
  table = paper_tables.table_1(groups)
  row = cells(table, f'proposed, {STREAMS}')
  assert not [name for name in row if 'paper' in name]
  one = groups[0].first.results['splits']['test']
  low, high = (100 * bound for bound in one['accuracy_interval_95'])
  share = f'{100 * one["accuracy"]:.1f} [{low:.1f}, {high:.1f}]'
  assert row['test'] == f'{share} {one["correct"]}/24'
  assert row['UAR'] == f'{100 * one["uar"]:.1f}'
  assert row['F1'] == f'{100 * one["macro_f1"]:.1f}'
  test = groups[0].first.predictions['test']
  error = classification.calibration_error(test.probabilities, test.label)
  assert row['ECE'] == f'{100 * error:.1f}'
  low, high = significance.clustered_bootstrap(test.right, [*named.values()])
  assert row['test, by speaker'] == f'[{100 * low:.1f}, {100 * high:.1f}] (4)'
  largest = cells(table, 'largest class of 24 test clips')
  assert largest['test'] == '33.3 (8)' and len(table.rows) == 2
  paper = paper_tables.make_tables(groups)[-1]
  assert paper.name == 'paper' and 'paper gives it' in paper.title
  assert cells(paper, 'proposed')['test'] == '44.90 [40.7, 49.1] 242/539'
  assert 'none of those here' in paper.notes[0]


def of_afew(group, counts, protocol='afew/official'):
  """Returns a group whose run says that it has these numbers of clips."""
  run = group.first
  config = dataclasses.replace(
    run.config, data=dataclasses.replace(run.config.data, protocol=protocol)
  )
  splits = {k: {'n': n} for k, n in zip(run.predictions, counts, strict=True)}
  run = dataclasses.replace(run, config=config, results={'splits': splits})
  return dataclasses.replace(group, runs=(run,))


def test_beside_the_paper(tmp_path):
  """Law: only runs on the paper's clips have its results beside them."""
  (made,) = groups_of(make_run(tmp_path / 'a'))
  for counts, protocol, beside in (
    ((711, 371, 539), 'afew/official', True),
    ((723, 383, 0), 'afew/official', True),  # no label of a test clip is known
    ((711, 371, 539), 'store', False),
    ((774, 383, 0), 'afew/official', False),  # of another year
    ((21, 7, 14), 'afew/official', False),
  ):
    group = of_afew(made, counts, protocol)
    assert published.comparable(group) is beside
    row = cells(paper_tables.table_1([group]), group.title)
    assert ('paper, test' in row) is beside
    if beside:
      assert row['paper, test'] == '44.90 [40.7, 49.1] 242/539'
      assert [*row][1] == 'training'  # one's own first


def test_the_papers_counts():
  """Golden: every percentage of Table 1 is a share of 711, 371 or 539."""
  for row in published.TABLE_1.values():
    for share, n in zip(row, published.CLIPS.values(), strict=True):
      # 43.14 is 160 of 371, rounded up by the authors.
      assert abs(100 * round(share * n / 100) / n - share) < 0.0134
  assert published.TABLE_1['proposed'][2] == round(100 * 242 / 539, 2)


def test_seeds_are_one_row(tmp_path):
  """Law: mean and deviation of seeds, a run that is given twice once."""
  folders = [make_run(tmp_path / f'{k}', seed=k) for k in (2, 0, 1)]
  groups = groups_of(*folders, folders[0])
  assert [group.seeds for group in groups] == [[0, 1, 2]]
  each = [
    100 * run.results['splits']['test']['accuracy'] for run in groups[0].runs
  ]
  row = cells(paper_tables.table_1(groups), f'proposed, {STREAMS}')
  wanted = f'{np.mean(each):.1f} ± {np.std(each, ddof=1):.1f} (3 seeds)'
  assert row['test'] == wanted


def test_a_folder_of_several_seeds(tmp_path):
  """Law: it counts as its runs, and only as those that it names."""
  folders = [make_run(tmp_path / f'w/seed-{k}', seed=k) for k in range(3)]
  results = {'seeds': {}, 'runs': {'seed-0': {}, 'seed-1': {}}}
  files.write_json(tmp_path / 'w/results.json', results)
  other = make_run(tmp_path / 'a', 'average')
  found = finished.load_all([tmp_path / 'w', other])
  assert [run.folder for run in found] == [*folders[:2], other]
  assert [group.seeds for group in finished.grouped(found)] == [[0, 1], [0]]


def test_no_test_labels(tmp_path):
  """Law: without a label on a test clip, figures show those of validation."""
  folder = make_run(tmp_path / 'a')
  assert finished.load(folder).shown_split == 'test'
  run = finished.load(make_run(tmp_path / 'c', unlabelled=('test',)))
  assert run.shown_split == 'validation'
  assert '12 validation clips' in figures.figure_5(run).text
  other = finished.load(make_run(tmp_path / 'b', 'average'))
  (table,) = comparisons(finished.grouped([run, other]))
  assert not table.rows
  assert f'clip of it: average, {STREAMS}.' in table.notes[-1]


def test_other_rows(tmp_path):
  """Law: what is no row of Table 1 is in Table 2, with the paper's words."""
  shared = make_run(tmp_path / 'shared', shared_encoder=True)
  fused = make_run(tmp_path / 'fused', 'decision_fusion')
  linear = make_run(tmp_path / 'linear', 'linear')
  groups = groups_of(shared, fused, linear)
  table = paper_tables.table_2(groups)
  assert [row[0].split(',')[0] for row in table.rows] == [
    'proposed',
    'decision_fusion',
  ]
  words = ' '.join(paper_tables.paper_table(groups).notes)
  assert 'encoder is worse' in words and 'fusion is the stronger' in words
  first = [row[0] for row in paper_tables.table_1(groups).rows]
  assert f'linear, {STREAMS}' in first
  made = [table.name for table in paper_tables.make_tables(groups)]
  assert made == ['table-1', 'table-2', 'comparisons', 'paper']


def test_comparisons(tmp_path, monkeypatch):
  """Law: difference, bootstrap by speaker, McNemar and t-test of the files."""
  named = known_speakers(monkeypatch)
  ours = [make_run(tmp_path / f'a{k}', seed=k, sharp=2) for k in range(3)]
  theirs = [make_run(tmp_path / f'b{k}', 'average', seed=k) for k in range(3)]
  groups = groups_of(*theirs, *ours)
  (table,) = comparisons(groups)
  assert table.title.endswith(f'each row less proposed, {STREAMS}')
  right = [
    np.array([run.predictions['test'].right for run in group.runs])
    for group in groups
  ]
  (row,) = table.rows
  assert row[:2] == (f'average, {STREAMS}', '24')
  gaps = right[0].mean(0) - right[1].mean(0)
  minus = '\N{MINUS SIGN}'
  assert row[2] == f'{100 * gaps.mean():+.1f}'.replace('-', minus)
  low, high = significance.clustered_bootstrap(gaps, [*named.values()])
  wanted = f'[{100 * low:+.1f}, {100 * high:+.1f}] (4)'
  assert row[3] == wanted.replace('-', minus)
  test = significance.mcnemar(right[0][0], right[1][0])
  assert row[4].startswith(f'{test.first_only} : {test.second_only}, p')
  assert row[4].endswith('seed 0')
  t = significance.paired_t(*(r.mean(1).tolist() for r in right))
  assert f't = {t.t:.2f}'.replace('-', minus) in row[5]
  assert re.match('3 seeds', row[5])


def with_clips(run, chosen, **synthetic):
  """Returns a run that has predicted some of its test clips."""
  test = run.predictions['test']
  some = dataclasses.replace(
    test,
    clips=tuple(test.clips[k] for k in chosen),
    label=test.label[chosen],
    predicted=test.predicted[chosen],
    probabilities=test.probabilities[chosen],
  )
  config = dataclasses.replace(
    run.config,
    synthetic=dataclasses.replace(run.config.synthetic, **synthetic),
  )
  return dataclasses.replace(run, config=config, predictions={'test': some})


def test_the_base_shares_the_clips(tmp_path):
  """Law: the base is what shares most clips, which alone are compared.

  The linear baseline goes before, and among equals the paper's network; made
  clips of another seed have the same names and are others.
  """
  names = 'proposed', 'last_time', 'average', 'majority'
  runs = [finished.load(make_run(tmp_path / name, name)) for name in names]
  runs[0] = with_clips(runs[0], range(8))
  runs[1] = with_clips(runs[1], range(4, 24))
  runs[3] = with_clips(runs[3], range(24), seed=7)
  groups = finished.grouped(runs)
  (table,) = comparisons(groups)
  title = f'average, {STREAMS}'
  assert table.title.endswith(f'less {title}')
  assert (
    f'Compared with {title}. It is logistic regression, if' in table.notes[0]
  )
  assert [row[:2] for row in table.rows] == [
    (f'proposed, {STREAMS}', '8 of 24'),
    (f'last_time, {STREAMS}', '20 of 24'),
  ]
  gap = runs[1].predictions['test'].right - (
    runs[2].predictions['test'].right[4:].astype(float)
  )
  points = f'{100 * gap.mean():+.1f}'.replace('-', '\N{MINUS SIGN}')
  assert table.rows[1][2] == points
  assert 'majority' in table.notes[-1]
  (given,) = comparisons(groups, base=groups[1])
  assert given.title.endswith(f'less last_time, {STREAMS}')
  assert '--base' in given.notes[0] and len(given.rows) == 2
  whole = [finished.load(tmp_path / name) for name in names[1::-1]]
  (equal,) = comparisons(finished.grouped(whole))
  assert equal.title.endswith(f'less proposed, {STREAMS}')
  linear = finished.load(make_run(tmp_path / 'linear', 'linear'))
  (better,) = comparisons(
    finished.grouped([*runs, with_clips(linear, range(2, 9))])
  )
  assert better.title.endswith(f'less linear, {STREAMS}')


def test_ensemble(tmp_path, monkeypatch):
  """Equation: a row of the mean probabilities, its difference to the others."""
  named = known_speakers(monkeypatch)
  parts = [make_run(tmp_path / f'w/seed-{k}', seed=k) for k in range(3)]
  each = [finished.load(part) for part in parts]
  for part in parts:
    content = json.loads((part / 'results.json').read_text())
    facts = {'seconds': 1.0, 'parameters': 1, 'device': 'd'}
    RunFolder(part).write_results({'splits': content['splits']} | facts)
  folder = RunFolder(tmp_path / 'w')
  training = dataclasses.replace(each[0].config.training, seeds=3)
  config = dataclasses.replace(each[0].config, training=training)
  folder.begin(config, dataclasses.replace(each[0].info, audit=[]))
  joining.join_seeds(folder, [RunFolder(part) for part in parts])
  linear = make_run(tmp_path / 'linear', 'linear')
  groups = finished.grouped(finished.load_all([tmp_path / 'w', linear]))
  title = f'proposed, {STREAMS}, ensemble of 3'
  assert [g.title for g in groups][1] == title
  shares = sum(run.predictions['test'].probabilities for run in each) / 3
  label = each[0].predictions['test'].label
  right = shares.argmax(1) == label
  row = cells(paper_tables.table_1(groups), title)
  assert row['test'].startswith(f'{100 * right.mean():.1f} [')
  assert row['test'].endswith(f' {right.sum()}/24')
  error = classification.calibration_error(shares, label)
  assert row['ECE'] == f'{100 * error:.1f}'
  reference, table = comparisons(groups)
  assert reference.title.endswith(f'less linear, {STREAMS}')
  assert title in reference.rows[1] and 'ensemble' in table.title
  gaps = finished.load(linear).predictions['test'].right - right.astype(float)
  low, high = significance.clustered_bootstrap(gaps, [*named.values()])
  found = next(row for row in table.rows if row[0].startswith('linear'))
  minus = '\N{MINUS SIGN}'
  assert found[2] == f'{100 * gaps.mean():+.1f}'.replace('-', minus)
  wanted = f'[{100 * low:+.1f}, {100 * high:+.1f}] (4)'
  assert found[3] == wanted.replace('-', minus)


def test_choice_on_validation(tmp_path):
  """Law: settings are compared on validation, and nothing of test is shown."""
  ours, theirs = (
    make_run(tmp_path / name, name) for name in ('proposed', 'average')
  )
  groups = groups_of(ours, theirs)
  base = finished.group_of(groups, finished.load(theirs))
  made = paper_tables.make_tables(groups, 'validation', base)
  assert [table.name for table in made] == ['validation', 'comparisons']
  right = [
    {k: p.right.mean() for k, p in finished.load(run).predictions.items()}
    for run in (theirs, ours)
  ]
  points = 100 * (right[1]['validation'] - right[0]['validation'])
  (row,) = made[1].rows
  assert row[2] == f'{points:+.1f}'.replace('-', '\N{MINUS SIGN}')
  shown = cells(made[0], groups[0].title)
  assert shown['validation'].startswith(f'{100 * right[1]["validation"]:.1f} [')
  with pytest.raises(CheckpointError, match='none of the runs'):
    other = make_run(tmp_path / 'c', 'linear')
    finished.group_of(groups, finished.load(other))


def test_titles_name_additions(tmp_path):
  """Law: two additions to the training are named, more are counted."""
  run = finished.load(make_run(tmp_path / 'a'))

  def title(**changed):
    given = dataclasses.replace(RegularisationConfig(), **changed)
    training = dataclasses.replace(
      run.config.training, regularisation=given, optimiser='adamw'
    )
    config = dataclasses.replace(run.config, training=training)
    return dataclasses.replace(run, config=config).title

  assert title(mixup=0.2).endswith('optimiser=adamw, mixup=0.2')
  assert title(mixup=0.2, noise=0.1).endswith(', 3 additions')


def test_titles_lack_what_all_share(tmp_path):
  """Law: what all rows share is in one note, what all networks add in another.

  Titles still tell all rows apart.
  """
  runs = [
    finished.load(make_run(tmp_path / name, name))
    for name in ('proposed', 'average', 'linear')
  ]
  for k, changed in enumerate(({'mixup': 0.2}, {'mixup': 0.2, 'noise': 0.1})):
    given = dataclasses.replace(RegularisationConfig(), **changed)
    config = dataclasses.replace(
      runs[k].config,
      training=dataclasses.replace(
        runs[k].config.training, regularisation=given
      ),
    )
    runs[k] = dataclasses.replace(runs[k], config=config)
  groups = finished.grouped(runs)
  short = titles.entitled(groups)
  assert [g.title for g in short] == [
    'proposed',
    'average, noise=0.1',
    'linear',
  ]
  assert titles.notes(short) == [
    f'All rows: {STREAMS}',
    'Additions to the training of every network: mixup=0.2',
  ]
  assert titles.entitled(groups[:1]) == groups[:1]
  table = paper_tables.report_table(short)
  share = [float(row[1].split()[0]) for row in table.rows[:3]]
  assert share == sorted(share, reverse=True) and table.head[1] == 'test'


@pytest.mark.parametrize(
  'names, wanted',
  [
    (['ours', 'ours', 'linear'], None),
    (['ours', 'linear'], '2 names for 3 runs'),
    (['one', 'two', 'linear'], 'one row; give its folders one name'),
    (['x', 'x', 'x'], "'x' for runs that differ"),
    (['', '', 'x'], "has '' for"),
  ],
)
def test_names(names, wanted, tmp_path):
  """Law: one name for each row, or one line that says what does not fit."""
  folders = [make_run(tmp_path / f'{k}', seed=k) for k in range(2)]
  folders.append(make_run(tmp_path / 'linear', 'linear'))
  groups = groups_of(*folders)
  if wanted is None:
    found = titles.entitled(groups, folders, names)
    assert [g.title for g in found] == ['ours', 'linear']
    assert [g.runs for g in found] == [g.runs for g in groups]
  else:
    with pytest.raises(ConfigError, match=wanted):
      titles.entitled(groups, folders, names)


def test_audit_is_said(tmp_path):
  """Law: what a split's auditor found is in the notes, strings or records."""
  found = [{'status': 'allowed', 'text': 'Ann speaks in both'}, 'something']
  groups = groups_of(make_run(tmp_path / 'a', audit=found))
  notes = ' '.join(paper_tables.table_1(groups).notes)
  assert 'allowed: Ann speaks in both' in notes and 'something' in notes


TABLE = markup.Table(
  't', 'A & B', ('a|b', 'c_d'), (('50 %', '1 ± 2, <p>'),), ('note #1',)
)


def test_formats():
  """Golden: what has a meaning in a format is written so that it has none."""
  assert '| a\\|b | c_d |' in markup.markdown(TABLE)
  text = markup.latex(TABLE)
  assert r'\caption{A \& B}' in text
  assert r'50 \% & 1 $\pm$ 2, $<$p$>$ \\' in text
  assert r'note \#1' in text
  rows = list(csv.reader(io.StringIO(markup.comma_separated(TABLE))))
  assert rows == [['a|b', 'c_d'], ['50 %', '1 ± 2, <p>']]
  text = markup.as_html(TABLE)
  assert (
    '<caption><span>A &amp; B</span></caption>' in text and '&lt;p&gt;' in text
  )
  with pytest.raises(ValueError, match='must have 2 columns'):
    markup.Table('t', '', ('a', 'b'), (('a',),))


def test_speakers_of_another_store(tmp_path, capsys):
  """Law: the store that lies there now is used only if it is the run's."""
  finished._speakers.cache_clear()
  run = finished.load(make_run(tmp_path / 'a'))
  assert run.speakers == {}
  assert 'synthetic has changed since the run' in capsys.readouterr().err
  clips = corpus.load(run.config)
  info = dataclasses.replace(run.info, data_fingerprint=fingerprint(clips))
  assert len(dataclasses.replace(run, info=info).speakers) == 28


def test_what_is_no_run(tmp_path):
  """Law: a folder without a run, or with half of one, is named."""
  with pytest.raises(CheckpointError, match='bin/train has made'):
    finished.load(tmp_path)
  folder = make_run(tmp_path / 'a')
  text = (folder / 'predictions.csv').read_text()
  (folder / 'predictions.csv').write_text(text.replace('angry', 'anger', 1))
  with pytest.raises(CheckpointError, match=r'predictions.csv is damaged'):
    finished.load(folder)
  (folder / 'predictions.csv').unlink()
  with pytest.raises(CheckpointError, match=r'predictions.csv does not exist'):
    finished.load(folder)
