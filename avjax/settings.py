"""All settings, with their defaults and the source of each default.

`default(size)` returns them as a `ConfigDict` for `--config`; the files in
configs/ change only what differs. Each section becomes a frozen dataclass by
`section(ModelConfig, config.model)`, so an unknown key or an impossible value
is an error before anything runs.

The comment on a setting, or above it, says what it does and, behind the last
semicolon, where it is from: a section of the paper, another publication, or
"ours", a choice that the paper leaves open; docs/choices.md lists these.
"""

import dataclasses
import difflib
import re
import typing
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeVar

from avjax.errors import ConfigError
from avjax.onnx_stream import FACE, OnnxStream

if TYPE_CHECKING:
  from ml_collections import config_dict

FUSIONS = ('validation', 'equal')
"""Weights of decision_fusion's networks: the best on validation, or equal."""
DIVIDED = ('store', 'afew/official', 'meld/official')
"""Protocols that use the corpus's own splits, and so have no folds."""
_UNFOLDED = ('held_out', 'all')
"""Protocols without folds, in which some training speakers validate."""
PROTOCOLS = (
  *DIVIDED,
  'loso',
  'ravdess/6fold-4actors',
  'ravdess/5fold-luna',
  'cremad/5fold-actors',
  'savee/loso',
  'enterface/loso',
  'held_out',
  'all',
  'random',
)
"""Evaluation protocols, which docs/data.md#protocols describes.

Besides these, 'speakers/K' with a number K of groups of speakers.
"""
STANDARDISINGS = ('none', 'speaker', 'recording', 'enrolment')
"""By what clips are standardised; see docs/data.md#standardising."""
PLACEMENTS = ('auto', 'device', 'host', 'stream')
"""Where clips are during a training.

  device   on the device
  host     in memory
  stream   in the store: they are read again for every batch
  auto     in the store if they fill more than a third of the free memory; or
           else on an accelerator, if they fill at most half of it; or in memory
"""
LEAKS = ('speaker', 'take', 'content', 'selection', 'class')
"""Kinds of leaks between splits; see docs/data.md#the-audit-of-a-split."""
Section = TypeVar('Section')


def _one_of(name: str, value: Any, choices: tuple[Any, ...]) -> None:
  if value not in choices:
    listed = ', '.join(str(choice) for choice in choices)
    raise ConfigError(f'{name} is {value!r}; it must be one of {listed}')


def _at_least(name: str, value: int | float, least: int | float) -> None:
  if not value >= least:
    raise ConfigError(f'{name} is {value!r}; it must be at least {least}')
  if isinstance(value, int) and value >= 2**63:  # no file could keep it
    raise ConfigError(f'{name} is {value!r}; it must be below 2**63')


def _seed(name: str, value: int) -> None:
  if not 0 <= value < 2**31:
    raise ConfigError(f'{name} is {value!r}; it must be in [0, 2**31)')


def _fraction(name: str, value: int | float) -> None:
  if not 0 <= value < 1:
    raise ConfigError(f'{name} is {value!r}; it must be in [0, 1)')


@dataclasses.dataclass(frozen=True)
class AlignmentConfig:
  """The alignment of audio to the video frames (Section 2.1)."""

  # 'soft': a video frame takes a weighted mean of the audio frames around it;
  # 'centre': it takes the middle one, p_t, so nothing is aligned; Eqs. 4-6
  mode: str = 'soft'
  half_window: int = 2  # w; that mean is over 2w audio frames, 4; Figure 2
  # what is aligned: the 'states' of the audio LSTM, or the 'hidden' layer below
  # it, and then there is no audio LSTM; Eq. 5
  reads: str = 'states'
  # audio frames per video frame; 0 takes those of the clip, Ta / T; Section 2.1
  ratio: float = 0.0

  def __post_init__(self):
    _one_of('model.alignment.mode', self.mode, ('soft', 'centre'))
    _one_of('model.alignment.reads', self.reads, ('states', 'hidden'))
    _at_least('model.alignment.half_window', self.half_window, 1)
    if not 0 <= self.ratio <= 1000:
      raise ConfigError(
        f'model.alignment.ratio is {self.ratio!r}; it must be in [0, 1000]'
      )

  @property
  def fixed_ratio(self) -> Fraction | None:
    """The ratio of the rates as a fraction; None for that of the clip."""
    return Fraction(self.ratio).limit_denominator(1000) or None


@dataclasses.dataclass(frozen=True)
class ModelConfig:
  """The network (Sections 2 and 4.1)."""

  variant: str = 'proposed'  # kind of model, one of MODELS; Table 1
  # streams of the store that the model reads; Section 3
  streams: tuple[str, ...] = ('audio', 'shape', 'appearance')
  # NAME: read the stream audio.NAME of the store instead of audio; ours
  audio: str = ''
  hidden_size: int = 64  # units of the layer on each visual stream; Section 4.1
  # units of the main LSTM, h_av (64 in the other rows of Table 1); Section 4.1
  lstm_cells: int = 32
  # units of the smaller LSTM that chooses the frames, h_sel; Section 2.3
  selector_cells: int = 8
  embedding_size: int = 8  # numbers that describe an emotion; Section 4.1
  # True: the main LSTM chooses the frames too, which is worse; Section 2.3
  shared_encoder: bool = False
  # of the hidden layers: relu, tanh or sigmoid; ours
  activation: str = 'relu'
  # share of units left out in training, in all layers but LSTMs; Section 4.1
  dropout: float = 0.5
  # weights of decision_fusion's two networks, one of FUSIONS; ours
  fusion: str = 'validation'
  # which program computes the LSTM; None chooses by the device; ours
  implementation: str | None = None
  alignment: AlignmentConfig = dataclasses.field(
    default_factory=AlignmentConfig
  )

  def __post_init__(self):
    # 'audio,shape' on the command line is a single string.
    streams = [name for part in self.streams for name in str(part).split(',')]
    # 'audio.NAME' is the audio, and which of the store's.
    for k, name in enumerate(streams):
      kind, dot, which = name.partition('.')
      if dot and kind in ('audio', 'sound'):
        object.__setattr__(self, 'audio', which)
        streams[k] = kind
    object.__setattr__(self, 'streams', tuple(streams))
    _one_of('model.fusion', self.fusion, FUSIONS)
    _one_of('model.activation', self.activation, ('relu', 'tanh', 'sigmoid'))
    for name in (
      'hidden_size',
      'lstm_cells',
      'selector_cells',
      'embedding_size',
    ):
      _at_least(f'model.{name}', getattr(self, name), 1)
    if not 0 <= self.dropout <= 0.99:
      raise ConfigError(
        f'model.dropout is {self.dropout!r}; it must be in [0, 0.99]'
      )
    if len(set(self.streams)) < len(self.streams):
      raise ConfigError(
        f'model.streams {self.streams} names a stream twice; of the audio of a'
        ' store, a model reads one stream'
      )
    if 'visual' in self.streams:
      raise ConfigError(
        "model.streams names a stream 'visual'; the layer that joins the"
        ' streams has that name: call the stream something else'
      )
    if 'sound' in self.streams and len(self.streams) > 1:
      raise ConfigError(
        f"model.streams is {self.streams}; 'sound' is the audio as the only"
        " stream: use it alone, or call the stream 'audio'"
      )

  @property
  def stated(self) -> tuple[str, ...]:
    """The streams as they are asked for: with the audio that is read."""
    heard = f'.{self.audio}' if self.audio else ''
    return tuple(
      name + heard if name in ('audio', 'sound') else name
      for name in self.streams
    )


@dataclasses.dataclass(frozen=True)
class DataConfig:
  """The clips, their division into splits, and their batches."""

  # folder of a store; 'synthetic' makes the synthetic corpus in memory; ours
  store: str = 'synthetic'
  # who is tested, one of PROTOCOLS; 'store' takes the splits of the store; ours
  protocol: str = 'store'
  fold: str = 'all'  # every fold; or the number of one, from 0; ours
  # leaks that are recorded and do not stop the training, of LEAKS; ours
  allow_leaks: str = ''
  # how speakers/K forms groups: 'natural', by their names, or 'balanced', so
  # that each has nearly the same share of every emotion; ours
  grouping: str = 'natural'
  # speakers that the protocol held_out tests, such as 'anna,ben'; ours
  held_out: str = ''
  # which clips choose the best epoch: those of the next fold, or those of some
  # training speakers ('speakers'); ours
  validation: str = 'fold'
  # share of the training speakers that are taken for that; ours
  validation_share: float = 0.2
  # draws the balanced groups and those validation speakers; ours
  grouping_seed: int = 0
  # which label of clips that have several, such as 'voice'; '' the first of
  # them, or the column `label` of a table; ours
  target: str = ''
  # by whose frames streams are standardised; 'speaker' uses all clips of a
  # tested speaker, without labels (transductive); one of STANDARDISINGS; ours
  standardise: str = 'none'
  # clips of a new speaker that 'enrolment' standardises by; ours
  enrolment: int = 0
  # clips of each validated or tested speaker that are set apart for that; ours
  enrolment_clips: int = 0
  # lengths that clips are padded to; each is compiled once; ours
  buckets: int = 2
  # most frames of a batch, with its padding; a longer clip is alone in it; ours
  batch_frames: int = 2**16
  # where the clips are during a training, one of PLACEMENTS; ours
  placement: str = 'auto'

  def __post_init__(self):
    if '\0' in self.store:
      raise ConfigError(f'data.store is {self.store!r}; no path has a NUL')
    if not self.groups:
      _one_of('data.protocol', self.protocol, (*PROTOCOLS, 'speakers/K'))
    _one_of('data.grouping', self.grouping, ('natural', 'balanced'))
    _one_of('data.validation', self.validation, ('fold', 'speakers'))
    _fraction('data.validation_share', self.validation_share)
    _seed('data.grouping_seed', self.grouping_seed)
    if bool(self.tested) != (self.protocol == 'held_out'):
      raise ConfigError(
        f'data.held_out is {self.held_out!r} and data.protocol is'
        f' {self.protocol!r}; the names of the speakers to test and the'
        " protocol 'held_out' go together"
      )
    for kind in self.allowed:
      _one_of('a kind in data.allow_leaks', kind, LEAKS)
    _one_of('data.placement', self.placement, PLACEMENTS)
    _at_least('data.batch_frames', self.batch_frames, 1)
    self._check_standardising()
    _at_least('data.buckets', self.buckets, 1)
    if self.fold != 'all' and not self.fold.isdecimal():
      raise ConfigError(
        f"data.fold is {self.fold!r}; it must be a number from 0, or 'all'"
      )
    if self.fold != 'all' and not self.has_folds:
      raise ConfigError(
        f'data.fold is {self.fold}, and data.protocol {self.protocol} has no'
        ' folds; set data.protocol to loso'
      )

  def _check_standardising(self) -> None:
    _one_of('data.standardise', self.standardise, STANDARDISINGS)
    _at_least('data.enrolment', self.enrolment, 0)
    _at_least('data.enrolment_clips', self.enrolment_clips, 0)
    if self.standardise == 'enrolment':
      if self.enrolment_clips < max(self.enrolment, 1):
        raise ConfigError(
          f'data.enrolment is {self.enrolment} and data.enrolment_clips'
          f' {self.enrolment_clips}; set apart as many clips of each tested'
          ' speaker or more, such as data.enrolment_clips=16'
        )
    elif self.enrolment:
      raise ConfigError(
        f'data.enrolment is {self.enrolment} and data.standardise'
        f" {self.standardise!r}; set data.standardise to 'enrolment'"
      )

  @property
  def groups(self) -> int:
    """The number K of groups of 'speakers/K'; 0 for another protocol."""
    number = re.fullmatch('speakers/([0-9]{1,4})', self.protocol)
    if number and int(number[1]) < 3:
      raise ConfigError(
        f'data.protocol is {self.protocol}; K must be at least 3: one group'
        ' tests, one validates, the rest trains'
      )
    return int(number[1]) if number else 0

  @property
  def tested(self) -> tuple[str, ...]:
    """The names of the speakers that are held out."""
    names = (name.strip() for name in self.held_out.split(','))
    return tuple(name for name in names if name)

  @property
  def chooses_validation(self) -> bool:
    """Whether some of the training speakers validate, for want of a fold."""
    return self.validation == 'speakers' or self.protocol in _UNFOLDED

  @property
  def has_folds(self) -> bool:
    """Whether the protocol tests several folds in turn."""
    return self.protocol not in (*DIVIDED, *_UNFOLDED)

  @property
  def allowed(self) -> tuple[str, ...]:
    """The kinds of leaks that are no error."""
    return tuple(kind for kind in self.allow_leaks.split(',') if kind)

  @property
  def first_fold(self) -> int:
    """The requested fold; 0 if all are requested."""
    return 0 if self.fold == 'all' else int(self.fold)

  @property
  def several(self) -> bool:
    """Whether the protocol has folds and all are requested."""
    return self.fold == 'all' and self.has_folds


@dataclasses.dataclass(frozen=True)
class RegularisationConfig:
  """Additions to the paper's training; all of them are off by default.

  They change training clips at random, their labels, or the parameters that
  are evaluated. Randomness is a function of seed, step and row, as in dropout.
  """

  # longest interval that is set to 0 in each stream, as a share of the clip;
  # Park et al. (2019)
  time_mask: float = 0.0
  # share of the clips without their sound, or without all that is seen;
  # Neverova et al. (2016)
  modality_dropout: float = 0.0
  # standard deviation of the noise that is added to every value; Bishop (1995)
  noise: float = 0.0
  # standard deviation of a constant that is added to a column of a clip; ours
  offset: float = 0.0
  # alpha of the beta distribution by which two clips, and their labels, are
  # mixed; Zhang et al. (2018)
  mixup: float = 0.0
  # share of the label that all emotions divide; Szegedy et al. (2016)
  label_smoothing: float = 0.0
  # share of the clips whose columns get the mean and standard deviation of
  # another training speaker; ours
  speaker_exchange: float = 0.0
  # with speaker_exchange above 0: the other speaker's mean and deviation are
  # drawn from a distribution like that of the training speakers, this many
  # times as wide; 0 takes a real training speaker; ours
  speaker_spread: float = 0.0
  # the network that predicts is a moving average of the steps; its decay;
  # Polyak and Juditsky (1992)
  average: float = 0.0

  def __post_init__(self):
    for field in dataclasses.fields(self):
      _at_least(
        f'training.regularisation.{field.name}', getattr(self, field.name), 0
      )
    for name in ('time_mask', 'modality_dropout', 'speaker_exchange'):
      if getattr(self, name) > 1:
        raise ConfigError(
          f'training.regularisation.{name} is {getattr(self, name)!r}; it must'
          ' be in [0, 1]'
        )
    for name in ('label_smoothing', 'average'):
      _fraction(f'training.regularisation.{name}', getattr(self, name))


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
  """The training (Section 4.1)."""

  epochs: int = 50  # most epochs, each over all training clips; Section 4.1
  # epochs without a better validation accuracy after which training stops; ours
  patience: int = 20
  batch_size: int = 32  # clips in a step, over all devices together; ours
  # adadelta, or adamw (Loshchilov and Hutter, 2019); Section 4.1
  optimiser: str = 'adadelta'
  # of the optimiser, on which the paper says nothing; Zeiler (2012)
  learning_rate: float = 1.0
  # of the learning rate: 'constant', or 'cosine', which falls to 0 (Loshchilov
  # and Hutter, 2017); ours
  schedule: str = 'constant'
  # share of all steps in which the learning rate rises from 0; ours
  warm_up: float = 0.0
  # gradients are shortened to this norm; 0 leaves them; Pascanu et al. (2013)
  clip_norm: float = 0.0
  rho: float = 0.95  # decay of the averages that Adadelta keeps; Zeiler (2012)
  epsilon: float = 1e-6  # keeps Adadelta from dividing by 0; Zeiler (2012)
  # weight decay of every parameter, which is added to its gradient, or with
  # adamw to its step; Section 4.1
  weight_decay: float = 0.0005
  # how JAX divides a step among the devices: jit or pmap; ours
  parallelism: str = 'jit'
  # how many runs are trained, with the seeds `seed`, `seed` + 1, ...; ours
  seeds: int = 1
  regularisation: RegularisationConfig = dataclasses.field(
    default_factory=RegularisationConfig
  )

  def __post_init__(self):
    for name in ('epochs', 'patience', 'batch_size', 'seeds'):
      _at_least(f'training.{name}', getattr(self, name), 1)
    for name in ('learning_rate', 'epsilon'):
      if not getattr(self, name) > 0:
        raise ConfigError(
          f'training.{name} is {getattr(self, name)!r}; it must be above 0'
        )
    _fraction('training.rho', self.rho)
    _at_least('training.weight_decay', self.weight_decay, 0)
    _at_least('training.clip_norm', self.clip_norm, 0)
    _fraction('training.warm_up', self.warm_up)
    _one_of('training.optimiser', self.optimiser, ('adadelta', 'adamw'))
    _one_of('training.schedule', self.schedule, ('constant', 'cosine'))
    _one_of('training.parallelism', self.parallelism, ('jit', 'pmap'))


@dataclasses.dataclass(frozen=True)
class SyntheticConfig:
  """The synthetic corpus (`data.store = 'synthetic'`).

  Amplitudes are per frame, in standard deviations of the noise.
  """

  # draws the corpus; the `seed` at the top is that of the run; ours
  seed: int = 0
  training: int = 700  # clips to train on; the paper has 711; ours
  validation: int = 300  # clips to choose the epoch on; the paper has 371; ours
  test: int = 500  # clips to test on; the paper has 539; ours
  speakers: int = 10  # of each split; no speaker is in two splits; ours
  shortest: int = 40  # video frames of the shortest clip, 25 a second; ours
  longest: int = 80  # video frames of the longest clip; ours
  # parts of a clip that show an emotion each; one of them gives the label; ours
  segments: int = 4
  share: float = 0.18  # of the frames of a clip that one segment takes; ours
  # video frames from one event (a beat of the face, an onset of the voice) to
  # the next; ours
  spacing: int = 5
  # how far a segment's expression moves the face, in all of its frames; ours
  expression: float = 1.5
  # how far the mark of the segment that counts moves the face; ours
  marker: float = 2.0
  # how large beats of the face and onsets of the voice are; ours
  event: float = 20.0

  def __post_init__(self):
    _seed('synthetic.seed', self.seed)
    for name in ('training', 'validation', 'test'):
      _at_least(f'synthetic.{name}', getattr(self, name), 7)
    for name in ('speakers', 'segments'):
      _at_least(f'synthetic.{name}', getattr(self, name), 1)
    _at_least('synthetic.spacing', self.spacing, 5)
    _at_least('synthetic.longest', self.longest, self.shortest)
    if not self.spacing <= self.share * self.shortest:
      raise ConfigError(
        f'synthetic.share {self.share} of the shortest clip, {self.shortest}'
        f' frames, holds no event; it must be {self.spacing} frames or more'
      )
    if not self.share * self.segments <= 1:
      raise ConfigError(
        f'synthetic.segments is {self.segments}, each {self.share} of a clip;'
        ' together they must not exceed 1'
      )


@dataclasses.dataclass(frozen=True)
class FeaturesConfig:
  """The features (Section 3), for bin/extract; not in the settings of a run."""

  # what is measured, of audio, shape and appearance; Section 3
  streams: tuple[str, ...] = ('audio', 'shape', 'appearance')
  # list of audio features: 27 names, 901 columns; Section 3.3
  preset: str = 'v0.65'
  # numbers that are kept of those columns by whitening; Section 3.3
  audio_width: int = 50
  # numbers that are kept of the 98 coordinates of the landmarks; Section 3.1
  shape_width: int = 20
  # values of pool5 that a random forest selects of 9216; Section 3.2
  appearance_width: int = 1024
  # network of the face: alexnet, or dlib (ours), of whose 128 numbers none is
  # left out; Section 3.2
  appearance: str = 'alexnet'
  # file with the weights of the alexnet; '' draws random, untrained ones; ours
  alexnet: str = ''
  # landmarks that others measured: a path with {clip} in it, or one .npz of all
  # clips; '' finds them with dlib; ours
  landmarks: str = ''
  # frames a second in those files; '' one for every video frame; ours
  landmarks_rate: str = ''
  # draws the random forest and random weights; ours
  seed: int = 0
  onnx: tuple[OnnxStream, ...] = ()  # streams that ONNX models compute; ours

  def __post_init__(self):
    # From JSON, where a dataclass is a dictionary.
    made = [
      OnnxStream(**one) if isinstance(one, dict) else one for one in self.onnx
    ]
    object.__setattr__(self, 'onnx', tuple(made))
    names = [one.name for one in made]
    if twice := [name for name in names if names.count(name) > 1]:
      raise ConfigError(
        f'two streams have the name {twice[0]!r}; give each --stream its own'
      )
    for name in self.streams:
      _one_of('a stream', name, ('audio', 'shape', 'appearance'))
    if not (self.streams or self.onnx):
      raise ConfigError('no stream is asked for; ask for audio or shape')
    _one_of('appearance', self.appearance, ('alexnet', 'dlib'))
    if self.appearance == 'dlib' and self.alexnet:
      raise ConfigError(
        f"appearance is 'dlib' and alexnet is {self.alexnet!r}; a clip has one"
        ' appearance: leave out one of them'
      )
    if self.appearance == 'dlib' and self.appearance_width not in (1024, 128):
      raise ConfigError(
        f"appearance is 'dlib' and appearance_width {self.appearance_width}; of"
        " dlib's 128 numbers none is left out: leave out appearance_width"
      )
    for name in ('audio_width', 'shape_width', 'appearance_width'):
      _at_least(name, getattr(self, name), 1)
    if self.landmarks and not (
      '{clip}' in self.landmarks or self.landmark_archive
    ):
      raise ConfigError(
        f'landmarks is {self.landmarks!r}; it must be the path of a file with'
        ' {clip} in it, such as points/{clip}.mat, or of one .npz of all clips'
      )
    if self.landmarks_rate and not self.landmarks:
      raise ConfigError(
        f'landmarks_rate is {self.landmarks_rate!r} and there are no landmarks;'
        ' name their files with landmarks too'
      )
    _ = self.rate  # raises if it is not one
    _seed('seed', self.seed)

  @property
  def seen(self) -> bool:
    """Whether a stream is of the face."""
    return bool({'shape', 'appearance'} & set(self.streams)) or any(
      one.of == FACE for one in self.onnx
    )

  @property
  def names(self) -> tuple[str, ...]:
    """Names of all streams that are measured, but for 'face'."""
    return (*self.streams, *(one.stream for one in self.onnx))

  @property
  def appearance_column(self) -> str:
    """Name of the raw features of the appearance."""
    return 'dlib' if self.appearance == 'dlib' else 'pool5'

  @property
  def landmark_archive(self) -> bool:
    """Whether the landmarks of all clips are in one file."""
    return '{clip}' not in self.landmarks and self.landmarks.endswith('.npz')

  @property
  def rate(self) -> Fraction | None:
    """Frames of landmarks a second; None: those of the video.

    Raises:
      ConfigError: it is not a number from 1 to 1000.
    """
    if not self.landmarks_rate:
      return None
    try:
      rate = Fraction(self.landmarks_rate)
    except (ValueError, ZeroDivisionError):
      rate = Fraction(0)
    if not 1 <= rate <= 1000:
      raise ConfigError(
        f'landmarks_rate is {self.landmarks_rate!r}; it must be a number of'
        ' frames a second from 1 to 1000, such as 29.97 or 30000/1001'
      )
    return rate


@dataclasses.dataclass(frozen=True)
class Settings:
  """All sections of one run."""

  # draws the first parameters, the order of the clips and all else that is
  # random in a training; ours
  seed: int = 0
  data: DataConfig = dataclasses.field(default_factory=DataConfig)
  synthetic: SyntheticConfig = dataclasses.field(
    default_factory=SyntheticConfig
  )
  model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
  training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)

  def __post_init__(self):
    _seed('seed', self.seed)
    _seed('the last seed', self.seed + self.training.seeds - 1)
    if self.data.placement == 'stream' and self.training.seeds > 1:
      raise ConfigError(
        f"data.placement is 'stream' and training.seeds {self.training.seeds};"
        ' several seeds in one program keep all clips on the device: train one'
        ' seed at a time, with seed=0, seed=1, ...'
      )
    on_device = self.data.placement == 'device' or self.training.seeds > 1
    if self.training.parallelism == 'pmap' and on_device:
      raise ConfigError(
        "training.parallelism is 'pmap', which takes every batch from the host"
        " and trains one seed; set it to 'jit', or data.placement to 'host' and"
        ' training.seeds to 1'
      )

  @property
  def several(self) -> bool:
    """Whether these are several runs: seeds or folds."""
    return self.training.seeds > 1 or self.data.several


def whole(config: Any) -> Settings:
  """Returns the settings of a whole config; `Settings` are returned as is.

  Raises:
    ConfigError: see `section`.
  """
  return config if isinstance(config, Settings) else section(Settings, config)


def section(kind: type[Section], values: Any, name: str = '') -> Section:
  """Returns the dataclass of one section, made from a config's values.

  Args:
    kind: one of this module's dataclasses.
    values: a ConfigDict or dict with the section's keys.
    name: of the section in the config, such as 'model', for the error message.

  Raises:
    ConfigError: the section does not have a key, or a value is invalid.
  """
  if hasattr(values, 'to_dict'):  # a ConfigDict
    values = values.to_dict()
  known = typing.get_type_hints(kind)
  for key in values:
    if key not in known:
      near = difflib.get_close_matches(key, known, n=1)
      hint = f'; did you mean {near[0]}?' if near else ''
      raise ConfigError(f'{name or "config"} has no setting {key!r}{hint}')
  nested = {
    key: section(known[key], value, f'{name}.{key}' if name else key)
    for key, value in values.items()
    if isinstance(value, dict)
  }
  lists = {  # from JSON, which has no tuples
    key: tuple(value) for key, value in values.items() if type(value) is list
  }
  return kind(**{**values, **lists, **nested})


def default(size: str = 'full') -> 'config_dict.ConfigDict':
  """Returns every setting at its default, for `--config`.

  Args:
    size: 'full', or 'smoke' for a run of a few seconds.
  """
  # Imported here, so that nothing else needs the package.
  from ml_collections import config_dict

  _one_of('the part after the colon of --config', size, ('full', 'smoke'))
  config = config_dict.ConfigDict(dataclasses.asdict(Settings()))
  config.model.implementation = config_dict.placeholder(str)
  if size == 'smoke':
    config.synthetic.update(training=48, validation=16, test=16)
    config.data.buckets = 1
    config.training.update(epochs=2, batch_size=16)
  return config
