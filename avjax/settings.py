"""All settings, with their defaults and the source of each default.

`default(size)` returns them as a `ConfigDict` for `--config`; the files in
configs/ change only what differs. Each section becomes a frozen dataclass by
`section(ModelConfig, config.model)`, so an unknown key or an impossible value
is an error before anything runs.

"ours" marks a choice that the paper leaves open; docs/choices.md lists them.
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
DIVIDED = ('store', 'afew/official', 'meld/official')
"""Protocols that use the corpus's own splits; the others have folds."""
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
"""Evaluation protocols; `data.protocols` describes them.

Besides these, 'speakers/K' with a number K of groups of speakers.
"""
STANDARDISINGS = ('none', 'speaker', 'recording', 'enrolment')
"""By what clips are standardised; `data.standardising` describes them."""
PLACEMENTS = ('auto', 'device', 'host', 'stream')
"""Where clips are during a training.

  device   on the device
  host     in memory
  stream   in the store: they are read again for every batch
  auto     in the store if they fill more than a third of the free memory; or
           else on an accelerator, if they fill at most half of it; or in memory
"""
LEAKS = ('speaker', 'take', 'content', 'selection', 'class')
"""Kinds of leaks between splits; `data.audit` describes them."""
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

  mode: str = 'soft'  # Eqs. 4-6; 'centre' switches alignment off: x_t = h_{p_t}
  half_window: int = 2  # w: 2w = 4 positions, Figure 2
  reads: str = 'states'  # the audio LSTM's states, Eq. 5; 'hidden': its input
  ratio: float = 0.0  # audio frames a video frame; 0: the clip's, Ta / T (2.1)

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

  variant: str = 'proposed'  # a key of runs.registry.MODELS
  streams: tuple[str, ...] = ('audio', 'shape', 'appearance')  # Section 3
  audio: str = ''  # NAME: the stream audio.NAME of the store is the audio; ours
  hidden_size: int = 64  # hidden layer of each visual stream, Section 4.1
  lstm_cells: int = 32  # hidden size of h_av; 64 in the other rows, Section 4.1
  selector_cells: int = 8  # hidden size of h_sel, the smaller LSTM, Section 2.3
  embedding_size: int = 8  # width of an emotion embedding, Section 4.1
  shared_encoder: bool = False  # True: h_sel = h_av, which is worse (2.3)
  activation: str = 'relu'  # of the hidden layers; ours
  dropout: float = 0.5  # of every layer except the LSTMs, Section 4.1
  fusion: str = 'validation'  # decision_fusion's weights; or 'equal'; ours
  implementation: str | None = None  # of the LSTM; None: chosen automatically
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


@dataclasses.dataclass(frozen=True)
class DataConfig:
  """The clips, their division into splits, and their batches."""

  store: str = 'synthetic'  # or the folder of a store
  protocol: str = 'store'  # the store's splits; 'loso': leave one speaker out
  fold: str = 'all'  # a number from 0; 'all': one after another
  allow_leaks: str = ''  # kinds that are no error, such as 'speaker,take'
  grouping: str = 'natural'  # of speakers/K; or 'balanced', by label; ours
  held_out: str = ''  # speakers that held_out tests, such as 'anna,ben'
  validation: str = 'fold'  # the next fold; 'speakers': some of training; ours
  validation_share: float = 0.2  # of the speakers, balanced by label; ours
  grouping_seed: int = 0  # of balanced groups and validation speakers; ours
  target: str = ''  # which label: 'voice', ...; '': the store's
  standardise: str = 'none'  # one of STANDARDISINGS; ours
  enrolment: int = 0  # clips of a new speaker to standardise by; ours
  enrolment_clips: int = 0  # of each tested speaker, set apart for it; ours
  buckets: int = 2  # padded lengths, each compiled once; ours
  batch_frames: int = 2**16  # of a batch with its padding, or one clip; ours
  placement: str = 'auto'  # of the clips; one of PLACEMENTS; ours

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

  time_mask: float = 0.0  # longest masked share of a stream; Park et al. (2019)
  modality_dropout: float = (
    0.0  # of clips, audio or video; Neverova et al. (2016)
  )
  noise: float = 0.0  # std of noise on every input; Bishop (1995)
  offset: float = 0.0  # std of a constant added to a clip's inputs; ours
  mixup: float = 0.0  # alpha of the mixtures of two clips; Zhang et al. (2018)
  label_smoothing: float = 0.0  # Szegedy et al. (2016), Section 7
  speaker_exchange: float = 0.0  # share of clips given other moments; ours
  speaker_spread: float = 0.0  # of made speakers, see augmentation; ours
  average: float = 0.0  # decay of averaged parameters; Polyak, Juditsky (1992)

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

  epochs: int = 50  # maximum; Section 4.1
  patience: int = 20  # epochs without a better validation result; ours
  batch_size: int = 32  # clips, over all devices; ours
  optimiser: str = 'adadelta'  # Section 4.1; or 'adamw', Loshchilov (2019)
  learning_rate: float = 1.0  # Zeiler (2012); the paper gives none
  schedule: str = 'constant'  # of the rate; 'cosine' to 0, Loshchilov (2017)
  warm_up: float = 0.0  # share of the steps in which the rate rises; ours
  clip_norm: float = 0.0  # largest norm of a gradient; 0: any; Pascanu (2013)
  rho: float = 0.95  # Zeiler (2012)
  epsilon: float = 1e-6  # Zeiler (2012)
  weight_decay: float = 0.0005  # of every parameter, coupled; Section 4.1
  parallelism: str = 'jit'  # over all devices; or 'pmap'
  seeds: int = 1  # runs with the seeds from `seed` on, in one program; ours
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
  """The synthetic corpus (`data.store = 'synthetic'`); all of it ours.

  Amplitudes are per frame, in standard deviations of the noise.
  """

  seed: int = 0  # of the corpus; the top-level `seed` is that of the run
  training: int = 700  # clips; the paper has 711
  validation: int = 300  # clips; the paper has 371
  test: int = 500  # clips; the paper has 539
  speakers: int = 10  # per split; no speaker is in two splits
  shortest: int = 40  # video frames of a clip, 25 per second
  longest: int = 80  # video frames of a clip
  segments: int = 4  # each shows an emotion; one is salient
  share: float = 0.18  # of a clip's frames, per segment
  spacing: int = 5  # video frames from one event to the next
  expression: float = 1.5  # amplitude of the face's row, in the whole segment
  marker: float = 2.0  # amplitude of the marker of the salient segment
  event: float = 20.0  # amplitude of beats, onsets and the voice's columns

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

  streams: tuple[str, ...] = ('audio', 'shape', 'appearance')
  preset: str = 'v0.65'  # list of audio features: 27 names, 901 columns
  audio_width: int = 50  # of 901 columns, Section 3.3
  shape_width: int = 20  # of 98 coordinates, Section 3.1
  appearance_width: int = 1024  # of 9216 values of pool5, Section 3.2
  appearance: str = 'alexnet'  # Section 3.2; or 'dlib', 128 numbers; ours
  alexnet: str = ''  # file of weights; '': random, untrained weights
  landmarks: str = ''  # files, with {clip}, or one .npz of all; '': dlib
  landmarks_rate: str = ''  # frames a second in them; '': every video frame
  seed: int = 0  # of the random forest and of random weights; ours
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

  seed: int = 0  # parameters, data order and dropout; ours
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
