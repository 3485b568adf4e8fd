"""The reliability of a finished run: accuracy against confidence (ours)."""

from avjax.metrics import classification
from avjax.reporting import captioned, plots, sentences
from avjax.reporting.captioned import AXIS, TOP, Figure, FigureLook
from avjax.runs.finished import FinishedRun

_USUAL = FigureLook()
_LEFT, _RIGHT = 0.62, 0.12  # inches


def reliability(run: FinishedRun, look: FigureLook = _USUAL) -> Figure:
  """Returns the reliability diagram of `run.shown_split` (ours)."""
  shown = run.predictions[run.shown_split]
  bins = classification.reliability(shown.probabilities, shown.label)
  error = classification.calibration_error(shown.probabilities, shown.label)
  sheet = captioned.sheet(look.width, 1.9 + 0.95 + AXIS)
  width = look.width - _LEFT - _RIGHT
  above = sheet.axes(_LEFT, TOP, width, 1.9)
  below = sheet.axes(_LEFT, TOP + 2.1, width, 0.75)
  plots.reliability_diagram(above, below, bins)
  caption = (
    'Reliability: accuracy of the clips in each bin of confidence, the'
    ' probability of the predicted emotion, with 95 % Wilson intervals; below,'
    ' the number of clips in each bin. Points under the dashed diagonal are'
    ' predictions that are too sure.'
  )
  numbers = {
    'ECE': 100 * error,
    'clips': bins.counts.tolist(),
    'confidence': bins.confidence.tolist(),
    'accuracy': bins.accuracy.tolist(),
  }
  spoken = '; '.join(
    f'up to {100 * edge:.0f} %: {n} clips, {100 * right:.0f} % right'
    for edge, n, right in zip(
      bins.edges[1:], bins.counts, bins.accuracy, strict=True
    )
    if n
  )
  return Figure(
    'reliability', sheet.figure, numbers, caption,
    sentences.reliability(bins, error), run.remarks,
    f'By confidence, {spoken}.',
  )  # fmt: skip
