"""Folders as finished runs leave them, without a training."""

import dataclasses

import numpy as np

from avjax.metrics import classification
from avjax.runs.folder import RunFolder
from avjax.runs.info import RunInfo
from avjax.training.outcome import without_maps
from avjax.training.progress import Progress
from tests.training import examples

INFO = RunInfo(examples.EMOTIONS, {'audio': 3, 'face': 2}, 'abc')
GROUPS = {
  name: {
    'n': 10,
    'speakers': 1,
    'correct': correct,
    'accuracy': correct / 10,
    'accuracy_interval_95': [*classification.wilson_interval(correct, 10)],
    'uar': 0.5,
    'calibration_error': 0.1,
  }
  for name, correct in (('Ann', 7), ('a long name ' * 9, 10), ('', 2))
}


def make_run(
  folder,
  variant='proposed',
  seed=0,
  sharp=1.0,
  audit=None,
  unlabelled=(),
  data=None,
  **model,
):
  """Writes a run whose predictions know the labels the better, the sharper.

  The clips of the splits `unlabelled` have no label; `data` are settings of the
  data that are not the usual ones.
  """
  config = dataclasses.replace(
    examples.SETTINGS,
    seed=seed,
    data=dataclasses.replace(examples.SETTINGS.data, **(data or {})),
    model=dataclasses.replace(
      examples.SETTINGS.model, variant=variant, **model
    ),
  )
  run = RunFolder(folder)
  run.begin(config, INFO)
  random = np.random.default_rng([seed, len(variant)])
  outcomes = {}
  for split, count in (('training', 30), ('validation', 12), ('test', 24)):
    clips = examples.make_clips(count, split)
    logits = random.standard_normal((count, 3))
    for row, clip in zip(logits, clips, strict=True):
      row[examples.EMOTIONS.index(clip.label)] += sharp
    shares = np.exp(logits)
    shares /= shares.sum(1, keepdims=True)
    if split in unlabelled:
      clips = [dataclasses.replace(clip, label=None) for clip in clips]
    outcomes[split] = without_maps(clips, examples.EMOTIONS, shares)
  run.write_predictions(outcomes)
  lines = [
    {
      'epoch': k,
      'training_loss': 1.1 - 0.1 * k,
      'training_accuracy': 0.4 + 0.1 * k,
      'validation_loss': 1.2 - 0.05 * k,
      'validation_accuracy': 0.4 + 0.05 * k,
      'best': k == 2,
    }
    for k in range(4)
  ]
  Progress(history=lines).write(folder)
  results = {'splits': {k: one.summary() for k, one in outcomes.items()}}
  if audit is not None:
    results['audit'] = audit
  run.write_results(results)
  return folder
