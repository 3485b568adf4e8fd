"""Seeds and folds divided among processes that never meet.

They share the folder and nothing else, so that one that dies takes no other
with it, and their number may be another one at the next start.
"""

import pathlib
import sys
from typing import Any

from avjax import files
from avjax.errors import BusyError
from avjax.processes import Process
from avjax.runs import experiment
from avjax.runs.folder import RunFolder
from avjax.settings import whole


def train(
  config: Any, workdir: str | pathlib.Path, share: Process
) -> dict[str, Any] | None:
  """Trains a share of several runs; returns the joint results if it is last.

  Process p of n trains the runs p, p + n, ..., one after another, each in its
  own folder, and knows nothing of the others. Whoever finds all runs finished
  joins them. None is returned while some are not.

  Args:
    config: a whole config of several seeds or folds, or `settings.Settings`.
    workdir: the folder of all runs, which all processes share.
    share: which of the processes this is.

  Raises:
    AvjaxError: the config, the data or the folder cannot be used.
  """
  config = whole(config)
  prepared = experiment.prepare(config)
  folder = RunFolder(workdir)
  if folder.finished:
    return experiment.read_finished(folder, config, prepared.info)
  with files.lock(folder.path, shared=True):
    folder.begin(config, prepared.info)
    print(
      f'workdir: {folder}, process {share.index} of {share.count}',
      file=sys.stderr,
    )
    seeds = experiment.by_seed(prepared, folder)
    jobs = [job for each in seeds.values() for job in each]
    for job in jobs[share.index :: share.count]:
      try:
        with job.folder.opened(job.config, job.info):
          experiment.fit(prepared.model, job)
      except BusyError:
        print(f'{job.folder} is in other hands', file=sys.stderr)
    if waiting := [job for job in jobs if not job.folder.seen_finished]:
      print(
        f'{len(waiting)} of {len(jobs)} runs are left to other processes, the'
        ' last of which joins the results; if one was killed, run its command'
        ' again',
        file=sys.stderr,
      )
      return None
    try:
      with files.lock(folder.path / 'joining'):
        return experiment.joined(folder, config, seeds)
    except BusyError:
      print('another process joins the results', file=sys.stderr)
      return None
