"""A report of finished runs: one HTML page without external resources."""

import base64
import html
import shlex
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from avjax.errors import AvjaxError
from avjax.reporting import figures, markup, page, plots
from avjax.reporting import tables as paper_tables
from avjax.reporting.page import Page
from avjax.runs.finished import FinishedRun, Group

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1rem; color: #1a1a1a;
  background: #fff; font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
h3 { font-size: 1.05rem; }
a, summary { color: #00558b; }
a:focus-visible, summary:focus-visible, select:focus-visible,
.scroll:focus-visible { outline: 3px solid #d55e00; outline-offset: 2px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { position: static; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: 0.85rem; }
caption { text-align: left; font-weight: 600; padding: 0.3rem 0; }
th, td { padding: 0.3rem 0.6rem; border-bottom: 1px solid #ccc;
  text-align: left; vertical-align: top; }
thead th { border-bottom: 2px solid #444; }
tbody th { font-weight: 500; }
.scroll td, .scroll th { white-space: nowrap; }
.notes, figcaption { font-size: 0.85rem; color: #333; }
figure { margin: 1rem 0; display: inline-block; vertical-align: top;
  max-width: 25rem; width: 100%; }
img { max-width: 100%; height: auto; display: block; }
details { border-bottom: 1px solid #ccc; padding: 0.3rem 0; }
summary { cursor: pointer; padding: 0.3rem 0; min-height: 1.75rem; }
label { margin-right: 1rem; } select { font: inherit; padding: 0.3rem; }
.found { border-left: 4px solid #d55e00; padding: 0.3rem 0.8rem;
  background: #fdf3ec; }
pre { overflow-x: auto; background: #f4f4f4; padding: 0.6rem;
  font-size: 0.8rem; }
.wrong { color: #a33e00; }
"""

DIFFERENCES = 'Differences from the paper'

# With this policy the page cannot load anything from elsewhere.
POLICY = (
  "default-src 'none'; img-src data:; style-src 'unsafe-inline';"
  " script-src 'unsafe-inline'"
)

# The page works without scripts; this one only filters the list of clips.
SCRIPT = """
for (const browser of document.querySelectorAll('.browser')) {
  const [emotion, result] = browser.querySelectorAll('select');
  const clips = [...browser.querySelectorAll('details')];
  const filter = () => {
    let shown = 0;
    for (const clip of clips) {
      clip.hidden = (emotion.value && clip.dataset.label !== emotion.value)
        || (result.value && clip.dataset.result !== result.value);
      shown += !clip.hidden;
    }
    browser.querySelector('[role=status]').textContent =
      `${shown} of ${clips.length} clips shown`;
  };
  emotion.addEventListener('change', filter);
  result.addEventListener('change', filter);
  browser.querySelector('.filters').hidden = false;
  filter();
}
"""


def report(
  groups: Sequence[Group],
  clips: int,
  command: Sequence[str],
  differences: Sequence[str] = (),
) -> tuple[str, dict[str, str]]:
  """Returns the page as HTML, and title -> why a run lacks clips and maps.

  Args:
    groups: runs; figures and clips are those of each group's first run.
    clips: the largest number of clips to show of each run.
    command: the command line that makes the page.
    differences: sentences on differences from the paper, shown first.

  Raises:
    AvjaxError: matplotlib is missing.
  """
  sections = []  # id, title, body
  if differences:
    lines = ''.join(f'<li>{html.escape(text)}</li>' for text in differences)
    sections.append(('differences', DIFFERENCES, f'<ul>{lines}</ul>\n'))
  sections.append(('tables', 'Tables', _tables(groups)))
  left_out = {}
  for number, group in enumerate(groups):
    body, why = _run(group.first, clips, number)
    sections.append((f'run-{number}', group.title, body))
    if why:
      left_out[group.title] = why
  sections.append(('stamps', 'How it was made', _stamps(groups, command)))
  menu = ''.join(
    f'<li><a href="#{name}">{html.escape(title)}</a></li>'
    for name, title, _ in sections
  )
  content = ''.join(_section(*section) for section in sections)
  whole = (
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
    '<link rel="icon" href="data:,">\n'
    f'<title>avjax: report of {sum(len(g.runs) for g in groups)} runs</title>\n'
    f'<style>{STYLE}</style></head>\n<body>\n'
    '<a class="skip" href="#main">Skip to the tables</a>\n'
    '<header><h1>Emotion recognition from audio and video</h1>\n'
    f'<nav aria-label="Sections"><ul>{menu}</ul></nav></header>\n'
    f'<main id="main">\n{content}</main>\n'
    f'<script>{SCRIPT}</script>\n</body></html>\n'
  )
  return whole, left_out


def _section(name: str, title: str, body: str) -> str:
  return (
    f'<section id="{name}" aria-labelledby="{name}-title">\n'
    f'<h2 id="{name}-title">{html.escape(title)}</h2>\n{body}</section>\n'
  )


def _tables(groups: Sequence[Group]) -> str:
  return ''.join(
    markup.as_html(table) for table in paper_tables.make_tables(groups)
  )


def _run(run: FinishedRun, clips: int, number: int) -> tuple[str, str]:
  """Returns audit, figures, curves and clips of one run, and what is amiss.

  That is why its clips and maps cannot be shown, or ''. A run of several folds
  and an ensemble have none of their own.
  """
  parts, amiss = [_audit(run)], ''
  try:
    study = figures.make_study(run)
  except AvjaxError as error:
    study = None
    joint = run.config.data.several or run.members > 1
    amiss = '' if joint else str(error)
    why = html.escape(str(error))
    parts.append(f'<p>Clips and maps of this run cannot be shown: {why}.</p>\n')
  if study is None:
    made = [figures.figure_5(run)] if run.shown_split in run.predictions else []
  else:
    made = figures.make_figures(study)
  for figure in made:
    caption = f'Figure {figure.name[-1]}. {figure.caption}'
    parts.append(_figure(figure.figure, figure.result, caption))
  parts += [
    _figure(*_curve(name, epochs, metric), _curve_caption(name, metric))
    for name, epochs in run.metrics.items()
    for metric in ('loss', 'accuracy')
  ]
  if study is not None:
    parts.append(_browser(study, clips, number))
  return ''.join(parts), amiss


def _figure(figure, text: str, caption: str) -> str:
  """Returns a figure with its alternative text and its caption."""
  return (
    f'<figure>{image(figure, text)}<figcaption>{html.escape(caption)}'
    '</figcaption></figure>\n'
  )


def image(figure, text: str) -> str:
  """Returns an image element with the bytes and the alternative text."""
  data = base64.b64encode(page.png(figure)).decode()
  width, height = figure.canvas.get_width_height()
  return (
    f'<img src="data:image/png;base64,{data}" alt="{html.escape(text)}"'
    f' width="{width}" height="{height}">'
  )


def _curve_caption(name: str, metric: str) -> str:
  """Returns the caption of the curves of a training."""
  title = f'{name} {metric}'.strip().capitalize()
  return (
    f'{title} of training (dashed) and validation (solid) over the epochs. A'
    ' widening gap indicates overfitting; the dotted line is the best epoch.'
  )


def _curve(name: str, epochs, metric: str) -> tuple[Any, str]:
  """Returns a figure of the curves, and its alternative text.

  Args:
    name: of the fold, seed or member; '' for a single training.
    epochs: lines of metrics.jsonl.
    metric: 'loss' or 'accuracy'.
  """
  sheet = Page(figures.WIDTH)
  sheet.resize(2.1)
  plots.curve(sheet.axes(0.6, 0.1, 2.6, 1.5), epochs, metric)
  last, key = epochs[-1], f'validation_{metric}'
  best = [line for line in epochs if line['best']]
  text = (
    f'{name} {metric} over {len(epochs)} epochs: training ends at'
    f' {last[f"training_{metric}"]:.3f}, validation at {last[key]:.3f}'
  ).strip()
  if best:
    text += f'; best epoch {best[-1]["epoch"] + 1} with {best[-1][key]:.3f}'
  return sheet.figure, text + '.'


def _browser(study: figures.Study, limit: int, number: int) -> str:
  """Returns a list of clips that unfold, and two filters.

  Args:
    study: the run.
    limit: the largest number of clips.
    number: of the run on the page, for ids.
  """
  shown = sample(study, limit)
  entries = ''.join(_clip(study, k) for k in shown)
  emotions = ''.join(
    f'<option>{html.escape(name)}</option>' for name in study.run.emotions
  )
  count = f'{len(shown)} of {len(study.clips)} {study.run.shown_split} clips'
  return (
    f'<h3>{count}</h3>\n'
    '<div class="browser"><p class="filters" hidden>'
    f'<label>True emotion <select id="e-{number}"><option value="">all</option>'
    f'{emotions}</select></label>'
    f'<label>Prediction <select id="r-{number}"><option value="">all</option>'
    '<option>right</option><option>wrong</option></select></label>'
    f'<span role="status"></span></p>\n{entries}</div>\n'
  )


def sample(study: figures.Study, limit: int) -> list[int]:
  """Returns the indices of at most `limit` clips, of all emotions in turn.

  The clips of an emotion alternate between wrong and right predictions, wrong
  ones first, each by decreasing probability.
  """
  confidence = study.outcome.probabilities.max(1)
  queues = []
  for name in study.run.emotions:
    own = [k for k, clip in enumerate(study.clips) if clip.label == name]
    own.sort(key=lambda k: -confidence[k])
    sides = [[k for k in own if study.right(k) == side] for side in (0, 1)]
    mixed = [
      side[k] for k in range(len(own)) for side in sides if k < len(side)
    ]
    queues.append(mixed)
  longest = max(map(len, queues))
  turns = [q[k] for k in range(longest) for q in queues if k < len(q)]
  return turns[:limit]


def _clip(study: figures.Study, k: int) -> str:
  """Returns one clip: its summary line, its maps and its probabilities."""
  clip, predicted = study.clips[k], study.predicted(k)
  shares = study.outcome.probabilities[k]
  result = 'right' if study.right(k) else 'wrong'
  rows = ''.join(
    f'<tr><th scope="row">{html.escape(name)}</th><td>{100 * p:.1f} %</td></tr>'
    for name, p in zip(study.run.emotions, shares, strict=True)
  )
  text = html.escape
  return (
    f'<details data-label="{text(clip.label or "")}" data-result="{result}">'
    f'<summary>{text(clip.name)}: {text(clip.label or "")},'
    f' <span class="{result}">predicted {text(predicted)}'
    f' {100 * shares.max():.0f} %</span></summary>\n{_maps(study, k)}'
    '<table><caption>Probability</caption><thead><tr><th scope="col">emotion'
    '</th><th scope="col">probability</th></tr></thead>'
    f'<tbody>{rows}</tbody></table></details>\n'
  )


def _maps(study: figures.Study, k: int) -> str:
  """Returns a figure of a clip's attention and alignment; '' without both."""
  attention, weights = study.outcome.attention[k], study.outcome.alignment[k]
  names = study.run.emotions
  rows, texts = [], []
  if attention is not None:
    height = max(0.7, 0.15 * len(names))
    rows.append((height, lambda ax: plots.attention_map(ax, attention, names)))
    n = int(study.outcome.predicted[k])
    over = attention[n] * attention.shape[1]
    texts.append(
      f'Attention for {names[n]}: greatest at frame {int(over.argmax())} of'
      f' {len(over)}, {over.max():.1f} times uniform; half of the attention'
      f' mass lies in {_half(attention[n])} frames.'
    )
  if weights is not None:
    rows.append((0.62, lambda ax: plots.alignment_map(ax, weights)))
    mean = ', '.join(f'{x:.2f}' for x in weights.mean(0))
    texts.append(f'Mean alignment weights, earliest position first: {mean}.')
  if not rows:
    return ''
  sheet = Page(figures.WIDTH)
  sheet.resize(sum(height + 0.5 for height, _ in rows))
  y = 0.06
  for height, paint in rows:
    paint(sheet.axes(0.78, y, 2.45, height))
    y += height + 0.5
  return f'<figure>{image(sheet.figure, " ".join(texts))}</figure>\n'


def _half(attention: np.ndarray) -> int:
  """Returns the smallest number of frames with half of the attention mass."""
  total = np.cumsum(np.sort(attention)[::-1])
  return int(np.searchsorted(total, total[-1] / 2) + 1)


def _audit(run: FinishedRun) -> str:
  """Returns warnings and findings of the split audit; '' without any."""
  parts = []
  for title, texts in ('Warning', run.warnings), ('Split audit', run.audit):
    lines = ''.join(f'<li>{html.escape(line)}</li>' for line in texts)
    if lines:
      parts.append(
        f'<div class="found"><p>{title}:</p><ul>{lines}</ul></div>\n'
      )
  return ''.join(parts)


def _stamps(groups: Sequence[Group], command: Sequence[str]) -> str:
  """Returns how each run was made: data, versions, revision and audit."""
  rows = []
  for run in (run for group in groups for run in group.runs):
    versions = run.info.versions.items()
    listed = ', '.join(f'{name} {value}' for name, value in versions)
    audit = '; '.join(run.audit) or (
      'nothing found' if 'audit' in run.results else 'not made'
    )
    rows.append(
      (
        run.folder.name,
        f'{run.config.data.store}, {run.config.data.protocol}, {run.stamp}',
        run.info.data_fingerprint[:12],
        str(run.info.revision),
        str(run.results.get('device', '-')),
        listed,
        audit,
      )
    )
  table = markup.Table(
    'stamps',
    'Runs',
    (
      'folder',
      'data',
      'fingerprint',
      'revision',
      'device',
      'versions',
      'audit',
    ),
    tuple(rows),
  )
  line = html.escape(shlex.join(command))
  python = html.escape(sys.version.split()[0])
  return (
    f'{markup.as_html(table)}<p>This page: Python {python},</p>'
    f'<pre tabindex="0" aria-label="Command">{line}</pre>\n'
  )
