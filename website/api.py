"""The reference of the Python names, as a page for mkdocstrings."""

import ast
import pathlib

_HEAD = """\
# Python API

Names, arguments, shapes and errors. How they are used is on
[another page](../python.md); which of them stay as they are from one version to
the next, on [a third](../stability.md). `Float[Array, 'B T D']` is an array of
floats with the axes B, T and D; letters that recur stand for the same number.
Arrays of JAX and of NumPy are both taken. Names of `avjax` itself are imported
when they are first used.
"""
_MORE = {
  'A trained model at work': (
    'avjax.load',
    'avjax.recognition.recogniser.Recogniser',
    'avjax.recognition.recognised.Recognised',
    'avjax.recognition.recognised.Unrecognised',
    'avjax.recognition.recorded_timeline.RecordedTimeline',
    'avjax.recognition.recorded_timeline.FaceTimelines',
    'avjax.stream',
    'avjax.streaming.live_stream.LiveStream',
    'avjax.streaming.causal.Moment',
  ),
  'Training': (
    'avjax.training.steps.TrainState',
    'avjax.training.steps.create_state',
    'avjax.training.steps.train_step',
    'avjax.training.steps.eval_step',
    'avjax.settings.default',
    'avjax.settings.section',
  ),
  'Audio features': (
    'avjax.features.audio.extract',
    'avjax.features.audio.columns',
    'avjax.features.audio.width',
  ),
  'Statistics': (
    'avjax.metrics.wilson_interval',
    'avjax.metrics.unweighted_recall',
    'avjax.metrics.mcnemar',
    'avjax.metrics.clustered_bootstrap',
  ),
  'Errors': (
    'avjax.errors.AvjaxError',
    'avjax.errors.ConfigError',
    'avjax.errors.DataError',
    'avjax.errors.CheckpointError',
    'avjax.errors.BusyError',
    'avjax.errors.TrainingError',
  ),
}
"""Heading -> the names below it, beside those of the package itself."""
_FIRST = ('lstm', 'align', 'attend', 'classify', 'build')


def page(root: pathlib.Path) -> str:
  """Returns the page, of which mkdocstrings reads the sources.

  Args:
    root: of the project.
  """
  listed = {name for names in _MORE.values() for name in names}
  own = [f'avjax.{n}' for n in (*_FIRST, *_exported(root)) if n]
  own = [name for name in dict.fromkeys(own) if name not in listed]
  lines = [_HEAD]
  for heading, names in {'The paper': own, **_MORE}.items():
    lines.append(f'## {heading}\n')
    lines += [f'::: {name}\n' for name in names]
  return '\n'.join(lines)


def _exported(root: pathlib.Path) -> list[str]:
  """Returns the names in `avjax.__all__`."""
  source = (root / 'avjax/__init__.py').read_text(encoding='utf-8')
  for node in ast.parse(source).body:
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == (
      '__all__'
    ):
      return list(ast.literal_eval(node.value))
  raise ValueError('avjax/__init__.py has no __all__')
