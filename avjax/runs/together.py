"""One run that several processes train together, in a folder they share.

The first process holds the lock and writes the run; the others write their logs
beside it, `process-1.log` and so on. Before the first step all say what they
are about to do, and end with one line each if that is not the same.
"""

import contextlib
import pathlib
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from avjax.errors import ConfigError
from avjax.runs import experiment, info
from avjax.runs.folder import RunFolder
from avjax.settings import whole
from avjax.training import checkpoints, hosts

LAG_S = 10
"""Seconds that a network file system may take to show a file everywhere; ours.
NFS keeps what it has read of a folder for up to a minute only if nothing asks
again, and for some seconds if it does."""

_REMEDIES = {
  'versions': 'install the same versions on every host',
  'settings': 'start the same command on every host',
  'clips': 'give every host the same store',
  'folder': 'give a --workdir that is the same folder on every host',
}
"""What is compared -> what to do where it differs."""


def train(config: Any, workdir: str | pathlib.Path) -> dict[str, Any] | None:
  """Trains a network in all processes; see `experiment.train`.

  Args:
    config: a whole config, or `settings.Settings`; the same in every process.
    workdir: the run folder, which all processes see.

  Returns:
    the content of results.json in the first process, None in the others.

  Raises:
    AvjaxError: the config, the data or the folder cannot be used, here or by
      another process, or the processes differ in them.
  """
  config, folder, process = whole(config), RunFolder(workdir), hosts.this()
  with hosts.all_or_none():
    prepared = experiment.prepare(config)
    _check(prepared)
  _agree(prepared, folder)
  results = None
  if folder.finished:
    with hosts.all_or_none():
      if process.first:
        results = experiment.train(config, workdir)
    return results
  with contextlib.ExitStack() as stack:
    with hosts.all_or_none():
      if process.first:
        stack.enter_context(folder.opened(config, prepared.info))
        print(f'workdir: {folder}', file=sys.stderr, flush=True)
    with hosts.all_or_none():
      if not process.first:
        hosts.log_to(folder.path / f'process-{process.index}.log')
    (job,) = prepared.jobs(config, folder)
    fitted = prepared.model.fit(job)
    with hosts.all_or_none():
      if process.first:
        results = job.write(fitted)
  return results


def _check(prepared: experiment.Experiment) -> None:
  """Raises ConfigError unless processes can train this together."""
  config = prepared.config
  if config.training.seeds > 1 or config.data.several:
    raise ConfigError(
      'several processes train one run together, and this is several seeds or'
      ' folds; choose one with training.seeds=1 and data.fold=K'
    )
  if not prepared.model.distributed:
    raise ConfigError(
      f'{config.model.variant} is fitted by one process; leave out'
      ' --distributed, --coordinator, --processes and --process'
    )


def _agree(prepared: experiment.Experiment, folder: RunFolder) -> None:
  """Raises ConfigError if the processes are about to do different things.

  What the folder holds is compared with what process 0 sees there, for which
  the file system has `LAG_S`.
  """
  versions = info.environment()['versions']
  del versions['python']
  settings = info.settings_json(prepared.config)
  del settings['data']['store']  # it may be elsewhere; its clips are compared
  facts = {
    'host': socket.gethostname(),
    'versions': versions,
    'settings': settings,
    'clips': {'fingerprint': prepared.info.data_fingerprint},
    'folder': _seen(folder),
  }
  first, *_ = hosts.gathered(facts)
  end = time.monotonic() + LAG_S
  while _seen(folder) != first['folder'] and time.monotonic() < end:
    time.sleep(0.1)
  everyone = hosts.gathered(facts | {'folder': _seen(folder)})
  for topic, remedy in _REMEDIES.items():
    if differ := list(_differences(everyone, topic)):
      raise ConfigError(
        f'the processes differ in {topic}: {"; ".join(differ)}; {remedy}'
      )


def _seen(folder: RunFolder) -> dict[str, Any]:
  """Returns what a process sees of the run, in words."""
  step = checkpoints.newest(folder.path / 'checkpoints')
  return {
    'results': 'there' if folder.finished else 'missing',
    'newest checkpoint': 'missing' if step is None else f'step {step}',
  }


def _differences(
  everyone: Sequence[Mapping[str, Any]], topic: str
) -> Iterator[str]:
  """Yields how every other process differs from the first in a topic."""
  first = dict(_leaves(everyone[0][topic]))
  for index, facts in enumerate(everyone):
    own = dict(_leaves(facts[topic]))
    for name in {**first, **own}:
      if own.get(name) != first.get(name):
        yield (
          f'{name} is {_short(first.get(name))} in process 0'
          f' ({everyone[0]["host"]}) and {_short(own.get(name))} in process'
          f' {index} ({facts["host"]})'
        )


def _leaves(value: Any, name: str = '') -> Iterator[tuple[str, Any]]:
  """Yields (name, value) of everything within a JSON object."""
  if not isinstance(value, dict):
    yield name, value
    return
  for key, inner in value.items():
    yield from _leaves(inner, f'{name}.{key}' if name else key)


def _short(value: Any) -> str:
  """Returns a value for a message; a fingerprint by its beginning."""
  text = str(value)
  return text if len(text) < 40 else f'{text[:12]}...'
