"""The test clips of a run on a page: a list that unfolds, with their maps."""

import base64
import html
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from avjax.reporting import page, plots, sentences
from avjax.reporting.captioned import WIDTH
from avjax.reporting.figures import Study
from avjax.reporting.page import Page


def browser(study: Study, limit: int, number: int) -> str:
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


def sample(study: Study, limit: int) -> list[int]:
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


def _clip(study: Study, k: int) -> str:
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
    f' {100 * shares.max():.0f} %</span></summary>\n'
    f'<div class="figures">{_maps(study, k)}'
    '<div><table><caption>Probability</caption><thead><tr>'
    '<th scope="col">emotion</th><th scope="col">probability</th></tr></thead>'
    f'<tbody>{rows}</tbody></table></div></div></details>\n'
  )


def _maps(study: Study, k: int) -> str:
  """Returns a figure of a clip's attention and alignment; '' without both."""
  attention, weights = study.outcome.attention[k], study.outcome.alignment[k]
  names = study.run.emotions
  rows: list[tuple[float, str, Callable[[Any], Any]]] = []
  texts = []
  if attention is not None:
    over = plots.over_uniform(attention)
    high, n = float(over.max()), int(study.outcome.predicted[k])
    height = max(0.7, 0.15 * len(names))
    rows.append((
      height, 'over uniform',
      lambda ax: plots.attention_map(ax, attention, names, high),
    ))  # fmt: skip
    if over[n].max() < sentences.FLAT:
      texts.append(f'Attention for {names[n]} is nearly uniform.')
    else:
      texts.append(
        f'Attention for {names[n]} is greatest at frame {over[n].argmax() + 1}'
        f' of {over.shape[1]}, {over[n].max():.1f} times uniform; half of it'
        f' lies in {_half(attention[n])} frames.'
      )
  if weights is not None:
    top = float(weights.max())
    rows.append((
      0.62, 'weight', lambda ax: plots.alignment_map(ax, weights, top)
    ))  # fmt: skip
    mean = ', '.join(f'{x:.2f}' for x in weights.mean(0))
    texts.append(f'Mean alignment weights, earliest position first: {mean}.')
  if not rows:
    return ''
  sheet = Page(WIDTH)
  sheet.resize(sum(height + 0.5 for height, *_ in rows))
  y = 0.06
  for height, unit, paint in rows:
    ax = paint(sheet.axes(0.78, y, 1.9, height))
    bar = sheet.axes(2.74, y, 0.07, height)
    plots.colour_bar(ax.images[0], bar, unit, 'vertical')
    y += height + 0.5
  name = study.clips[k].name
  return figure(
    sheet.figure, f'Attention and alignment of {name}, frame by frame.',
    'Each map has its own scale.', ' '.join(texts),
  )  # fmt: skip


def _half(attention: np.ndarray) -> int:
  """Returns the smallest number of frames with half of the attention mass."""
  total = np.cumsum(np.sort(attention)[::-1])
  return int(np.searchsorted(total, total[-1] / 2) + 1)


def figure(drawn, text: str, caption: str, result: str) -> str:
  """Returns a figure element.

  Args:
    drawn: the matplotlib Figure.
    text: the alternative to the picture.
    caption: what it shows.
    result: what to see in it.
  """
  data = base64.b64encode(page.png(drawn)).decode()
  width, height = drawn.canvas.get_width_height()
  seen = f' <span class="seen">{joined(result)}</span>' if result else ''
  return (
    f'<figure><img src="data:image/png;base64,{data}" alt="{html.escape(text)}"'
    f' width="{width}" height="{height}">'
    f'<figcaption>{joined(caption)}{seen}</figcaption></figure>\n'
  )


def joined(text: str) -> str:
  """Returns a text as HTML, in which no number and no interval is broken."""
  kept = re.sub(r'(\[[^ \]]+,) ([^ \]]+\])', r'\1&nbsp;\2', html.escape(text))
  return kept.replace(' %', '&nbsp;%')
