"""The end of a report: how its runs were made, and the page."""

import html
import shlex
import sys
from collections.abc import Sequence

from avjax.reporting import markup
from avjax.runs.finished import FinishedRun, Group

_HEAD = (
  'folder', 'data', 'source', 'fingerprint', 'revision', 'device', 'versions',
  'audit',
)  # fmt: skip


def made(groups: Sequence[Group], command: Sequence[str]) -> str:
  """Returns how each run was made, as HTML; what is the same of all once.

  Args:
    groups: the runs.
    command: the command line that makes the page.
  """
  rows = [_row(run) for group in groups for run in group.runs]
  columns = [*zip(*rows, strict=True)]
  same = [k for k, cells in enumerate(columns) if len({*cells}) == 1]
  kept = [k for k in range(len(_HEAD)) if k not in same]
  table, title = '', 'Run'
  if kept:
    title = f'The same of all {len(rows)} runs'
    table = markup.as_html(
      markup.Table(
        'stamps',
        'Runs',
        tuple(_HEAD[k] for k in kept),
        tuple(tuple(row[k] for k in kept) for row in rows),
      )
    )
  shared = ''.join(
    f'<li>{_HEAD[k]}: {html.escape(rows[0][k])}</li>' for k in same
  )
  if shared:
    shared = f'<p>{title}:</p>\n<ul>{shared}</ul>\n'
  line = html.escape(shlex.join(command))
  python = html.escape(sys.version.split()[0])
  return (
    f'{table}{shared}<p>This page: made with Python {python} by this command:'
    '</p>'
    f'<pre tabindex="0" role="region" aria-label="Command">{line}</pre>\n'
  )


def _row(run: FinishedRun) -> tuple[str, ...]:
  """Returns the cells of a run, one for each of `_HEAD`."""
  data = run.config.data
  versions = run.info.versions.items()
  audit = '; '.join(run.audit) or (
    'nothing found' if 'audit' in run.results else 'not made'
  )
  return (
    '/'.join(run.folder.parts[-2:]),
    f'{data.store}, {data.protocol}, {run.stamp}',
    run.info.source or '-',
    run.info.data_fingerprint[:12],
    str(run.info.revision),
    str(run.results.get('device', '-')),
    ', '.join(f'{name} {value}' for name, value in versions),
    audit,
  )
