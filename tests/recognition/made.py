"""A recogniser of two small networks for each of two ways, and its bundle."""

import numpy as np

import avjax
from avjax.clips import Clip
from avjax.features.extractor import Extractor
from avjax.features.whitening import Whitener
from avjax.recognition import bundle
from avjax.recognition.accuracies import Accuracy
from avjax.recognition.cards import Card
from avjax.recognition.recogniser import Recogniser
from avjax.runs import network
from avjax.settings import FeaturesConfig, ModelConfig

EMOTIONS = ('happy', 'sad', 'calm')
WIDTHS = {'audio': 4, 'shape': 3}
MODEL = ModelConfig(
  streams=tuple(WIDTHS), hidden_size=4, lstm_cells=3, selector_cells=2
)
TESTED = Accuracy(
  standardise='none', stamp='inductive', protocol='loso', members=2, clips=12,
  speakers=3, emotions=3, accuracy=0.5, uar=0.5, low=0.25, high=0.75,
)  # fmt: skip
CARD = Card('three made people', 'A licence\n', '# A card\n', (TESTED,))


def extractor():
  """Returns an extractor that is fitted on nothing."""
  random = np.random.default_rng(0)
  columns = {'audio': 901, 'shape': 98}

  def whitener(name):
    count = columns[name]
    return Whitener(
      random.normal(size=count),
      random.uniform(0.5, 2, count),
      random.normal(size=count),
      random.normal(size=(count, WIDTHS[name])) / count,
    )

  settings = FeaturesConfig(streams=tuple(WIDTHS), audio_width=4, shape_width=3)
  return Extractor(
    settings, 'c' * 64, '', (), whitener('audio'), whitener('shape'), None
  )


def recogniser():
  """Returns the recogniser."""
  random = np.random.default_rng(1)

  def tree(shapes):
    if hasattr(shapes, 'shape'):
      return random.normal(size=shapes.shape).astype(np.float32)
    return {key: tree(one) for key, one in sorted(shapes.items())}

  shapes = network.parameter_shapes(MODEL, EMOTIONS, WIDTHS)
  fitted, made = extractor(), []
  for way in ('none', 'speaker'):
    models = [network.Weights(MODEL, EMOTIONS, tree(shapes)) for _ in '12']
    made.append(
      Recogniser(
        'made', EMOTIONS, MODEL, WIDTHS, tuple(models), fitted, standardise=way
      )
    )
  object.__setattr__(made[0], 'others', (made[1],))
  return made[0]


def clips(lengths=(40, 25, 60)):
  """Returns clips of features, with so many video frames."""
  random = np.random.default_rng(2)
  return [
    Clip(
      f'clip {n}',
      {
        'audio': random.normal(size=(n * 5 // 4, 4)).astype(np.float32),
        'shape': random.normal(size=(n, 3)).astype(np.float32),
      },
    )
    for n in lengths
  ]


def write(path):
  """Writes the bundle of the recogniser; returns the latter."""
  made = recogniser()
  path.write_bytes(bundle.pack(made, CARD))
  assert avjax.load(path).emotions == EMOTIONS
  return made
