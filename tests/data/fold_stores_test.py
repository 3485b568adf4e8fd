"""Stores of which every fold has clips of its own."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from avjax import records
from avjax.clips import Clip
from avjax.data import corpus, fold_stores, preparation, protocols, store
from avjax.errors import DataError
from avjax.settings import DataConfig, ModelConfig, Settings

DATA = DataConfig(protocol='speakers/3')


def clips(value=0.0, **attributes):
  """Returns two clips a speaker; their frames are the value and a number."""
  return [
    Clip(
      f'{s}{e}',
      {'shape': np.full((2, 1), value + k, np.float32)},
      e,
      s,
      attributes=attributes,
    )
    for k, s in enumerate('abc')
    for e in ('happy', 'sad')
  ]


def write(
  folder, data=DATA, fitted_on=None, values=(0.0, 10.0, 20.0), **attributes
):
  """Writes the stores of three folds, with frames of another value each."""
  folds = []
  for k, value in enumerate(values):
    own, made = fold_stores.fold(folder, k), clips(value, **attributes)
    store.write(own, made)
    names = [c.name for c in protocols.split(made, data, k)['training']]
    names = fitted_on[k] if fitted_on else names
    folds.append(fold_stores.described(own, made, names))
  fold_stores.write(folder, data, folds)
  return folder


def config(folder, **data):
  data = dataclasses.replace(DATA, store=str(folder), **data)
  return Settings(data=data, model=ModelConfig(streams=('shape',)))


def test_every_fold_reads_its_own(tmp_path):
  """Law: all folds together have the clips that each has alone."""
  folder = write(tmp_path / 'store')
  whole = preparation.prepare(config(folder))
  assert [one.fold for one in whole.divisions] == [0, 1, 2]
  for k, division in enumerate(whole.divisions):
    alone = preparation.prepare(config(folder, fold=str(k)))
    (own,) = alone.divisions
    assert own.alone is None and own.findings == division.findings
    for split, members in own.splits.items():
      names = [clip.name for clip in members]
      assert names == [clip.name for clip in division.splits[split]]
      for clip in (*members, *division.splits[split]):
        assert clip.streams['shape'][0, 0] // 10 == k
    assert [c.speaker for c in division.splits['test']] == ['abc'[k]] * 2
  assert corpus.folder(config(folder, fold='2').data) == f'{folder}/fold-2'


def test_the_fingerprint_covers_every_fold(tmp_path):
  """Law: another value in any fold changes that of all, but of no other."""

  def prints(folder):
    configs = [config(folder, fold=str(k)) for k in range(3)]
    return [
      corpus.fingerprint(one, corpus.read(one))
      for one in (config(folder), *configs)
    ]

  before = prints(write(tmp_path / 'a'))
  assert len(set(before)) == 4
  assert prints(write(tmp_path / 'b', hair='red')) == before
  after = prints(write(tmp_path / 'c', values=(0.0, 10.0, 21.0)))
  assert [a == b for a, b in zip(before, after, strict=True)] == [
    False, True, True, False,
  ]  # fmt: skip


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    ({'protocol': 'loso'}, "'speakers/3' and not 'loso'; train with those"),
    ({'grouping': 'balanced'}, "data.grouping='natural' and not 'balanced'"),
    ({'validation_share': 0.3}, 'data.validation_share=0.2 and not 0.3'),
    ({'fold': '3'}, 'data.fold is 3; .* has the folds 0 to 2'),
    ({'protocol': 'store'}, 'for each fold of speakers/3'),
  ],
)
def test_other_folds_are_refused(tmp_path, change, message):
  """Law: what an extractor was fitted for is what a run must ask for."""
  folder = write(tmp_path / 'store')
  with pytest.raises(DataError, match=message) as caught:
    preparation.prepare(config(folder, **change))
  assert '\n' not in str(caught.value)


def test_a_clip_that_was_fitted_on_is_not_evaluated(tmp_path):
  """Law: whatever the settings say, it is refused by its name."""
  names = [['csad'], ['aHappy'], ['chappy', 'bsad']]
  folder = write(tmp_path / 'store', fitted_on=names)
  preparation.prepare(config(folder, fold='0'))
  preparation.prepare(config(folder, fold='1'))
  with pytest.raises(DataError, match=r'fold-2 was fitted on 1 .*\(chappy\)'):
    preparation.prepare(config(folder, fold='2'))
  with pytest.raises(DataError, match='fold-2'):
    preparation.prepare(config(folder))


def test_damaged_folds(tmp_path):
  """Program: one line names the file and what to do."""
  folder = write(tmp_path / 'store')
  path = folder / fold_stores.NAME
  text = path.read_text()
  for damaged in (text.replace('csad', 'cSad'), text[:-9], '[]', '{}'):
    path.write_text(damaged)
    with pytest.raises(DataError, match=r'folds.json is damaged: .* again'):
      corpus.read(config(folder))
  later = {**json.loads(text), 'format': 2}
  del later[records.SEAL]
  path.write_text(json.dumps(records.seal(later)))
  with pytest.raises(DataError, match='format is 2, not 1'):
    corpus.read(config(folder))
  path.write_text(text)
  shutil.rmtree(folder / 'fold-0')
  shutil.copytree(folder / 'fold-1', folder / 'fold-0')
  with pytest.raises(DataError, match=r'fold-0/manifest.* not that of this'):
    corpus.read(config(folder))
