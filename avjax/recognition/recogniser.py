"""A trained model with its extractor, ready for clips.

  recogniser = avjax.load('runs/mine')
  print(recogniser('new.mp4'))

Several models may answer together: the mean of their probabilities counts. They
are networks with the same settings, trained from several seeds, or one model of
any kind.

A recogniser may know further ones that read the same features, but were trained
on clips that were standardised in another way (`others`). A single short clip
is best read as it is ('none'). Where more is known of the speaker, other
recordings or a long one, that is worth more than any change of the network:
`by` returns the recogniser for it.
"""

import contextlib
import dataclasses
import functools
import gc
import os
import pathlib
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from avjax import freed_memory
from avjax.clips import AUDIO, Clip, Note, RawClip
from avjax.data import batching, corpus, standardising
from avjax.data.standardising import Average
from avjax.errors import ConfigError, DataError
from avjax.features import face_choice, measuring
from avjax.features.columns import Columns, Measure
from avjax.features.extractor import Extractor
from avjax.features.long_recordings import Progress, RecordingMeasure
from avjax.onnx_stream import FACE
from avjax.recognition import ablation, decoded, remarks
from avjax.recognition.cards import Card
from avjax.recognition.recognised import Recognised, Unrecognised
from avjax.reporting import panels
from avjax.runs.model import Predictor
from avjax.settings import STANDARDISINGS, ModelConfig
from avjax.training import outcome as outcomes
from avjax.training.outcome import Outcome

if TYPE_CHECKING:
  from avjax.recognition.recorded_timeline import (
    FaceTimelines,
    RecordedTimeline,
  )

_MOST = 32  # clips of a batch


@dataclasses.dataclass(frozen=True, eq=False)
class Recogniser:
  """A trained model with its extractor, ready for clips.

  Attributes:
    name: where it comes from, for messages.
    emotions: names of the N classes.
    settings: of the network.
    widths: stream that the model reads -> number of columns.
    models: whose probabilities are averaged.
    extractor: of the features; None where they are measured elsewhere.
    lacking: why there is no extractor; '' with one.
    standardise: by what clips are standardised, as in `data.standardise`.
    average: stream -> the average training speaker, for 'enrolment'.
    card: of a bundle: data, licence and measured accuracies.
    others: recognisers of the same features that standardise otherwise.
  """

  name: str
  emotions: tuple[str, ...]
  settings: ModelConfig
  widths: Mapping[str, int]
  models: tuple[Predictor, ...]
  extractor: Extractor | None = None
  lacking: str = ''
  standardise: str = 'none'
  average: Mapping[str, Average] = dataclasses.field(default_factory=dict)
  card: Card = dataclasses.field(default_factory=Card)
  others: tuple['Recogniser', ...] = ()

  @property
  def streams(self) -> tuple[str, ...]:
    """Names of the streams that the model reads."""
    return self.settings.streams

  @property
  def members(self) -> tuple[Mapping[str, Any], ...]:
    """The parameters of each network; their probabilities are averaged.

    Raises:
      ConfigError: the model is no network.
    """
    trees = [one.parameters() for one in self.models]
    if found := tuple(tree for tree in trees if tree is not None):
      return found
    raise ConfigError(
      f'{self.name} is of the kind {self.settings.variant!r}, which is no'
      ' network; give a run of a network, such as of configs/proposed.py'
    )

  def by(
    self, standardise: str | None = None, enrolled: int = 0
  ) -> 'Recogniser':
    """Returns the recogniser for a way to standardise: itself, or another.

    Args:
      standardise: one of `settings.STANDARDISINGS`. For 'recording' a model
        does that was trained with the speaker's own statistics: the recording
        then stands for the speaker. None: by the speaker if there are
        recordings of the speaker, otherwise its own way.
      enrolled: number of recordings of the speaker.

    Raises:
      ConfigError: no model was trained for that.
    """
    ways = {one.standardise: one for one in (*self.others, self)}
    if standardise is None:
      standardise = self.standardise
      if enrolled and standardise not in remarks.BY_SPEAKER:
        known = (how for how in remarks.BY_SPEAKER if how in ways)
        standardise = next(known, standardise)
    if standardise not in STANDARDISINGS:
      raise ConfigError(
        f'standardise is {standardise!r}; it must be one of'
        f' {", ".join(STANDARDISINGS)}'
      )
    if enrolled and standardise not in remarks.BY_SPEAKER:
      raise ConfigError(
        f'{self.name} was trained with data.standardise={standardise}, which'
        ' needs no recordings of the speaker; leave out --enrolment'
      )
    if (
      standardise == 'recording'
      and 'speaker' in ways
      and (standardise not in ways)
    ):
      return dataclasses.replace(ways['speaker'], standardise='recording')
    if standardise not in ways:
      raise ConfigError(
        f'{self.name} has no model for clips standardised by {standardise!r};'
        f' it has {", ".join(sorted(ways))}'
      )
    return ways[standardise]

  def standardised(self, clip: Clip, enrolled: Sequence[Clip] = ()) -> Clip:
    """Returns a clip of an unknown speaker, standardised for the model.

    Args:
      clip: as the extractor returns it.
      enrolled: other clips of the speaker.
    """
    return standardising.stranger(
      clip, self.standardise, enrolled, self.average
    )

  def outcome(self, clips: Sequence[Clip]) -> Outcome:
    """Returns the mean predictions of the models for some clips, in order.

    They are batched, 32 at a time, and padded to a few lengths and numbers of
    clips, so that few networks are compiled.

    Args:
      clips: standardised already; one at least.

    Raises:
      DataError: a clip lacks a stream, or has another width.
    """
    read = corpus.as_read(clips, self.streams)
    batching.check_streams(read, self.streams, trained=True)
    for name in self.streams:
      if (width := read[0].shapes[name][1]) != self.widths[name]:
        raise DataError(
          f'the stream {name!r} is {width} wide and the model was trained on'
          f' {self.widths[name]}; extract it as for the training clips'
        )
    parts = [read[k : k + _MOST] for k in range(0, len(read), _MOST)]
    joined = outcomes.joined([self._together(part) for part in parts])
    return dataclasses.replace(joined, clips=clips)

  def _together(self, clips: list[Clip]) -> Outcome:
    """Returns the mean predictions for one batch."""
    padded = 1 << (len(clips) - 1).bit_length()
    same = clips + clips[-1:] * (padded - len(clips))
    each = [one.predict(same, rounded=True)[0] for one in self.models]
    count = len(clips)
    return Outcome(
      clips,
      self.emotions,
      np.mean([one.probabilities[:count] for one in each], axis=0),
      _mean_maps([one.attention[:count] for one in each]),
      _mean_maps([one.alignment[:count] for one in each]),
    )

  def __call__(
    self,
    clip: str | os.PathLike | RawClip | Clip | None = None,
    *,
    frames: np.ndarray | None = None,
    waveform: np.ndarray | None = None,
    rate: int | float = 16000,
    frame_rate: int | float = 25,
    enrolled: Sequence[str | os.PathLike | RawClip | Clip] = (),
    standardise: str | None = None,
    ablated: bool = False,
    face: str = face_choice.LARGEST,
  ) -> Recognised:
    """Returns the emotion that is recognised in one clip.

    The first call loads the detectors and compiles the network; later ones are
    faster. `outcome` takes many clips of features at once.

    Args:
      clip: path of a file; or a decoded clip; or a `Clip` of features, as the
        extractor gives them. None: `frames`, `waveform` or both.
      frames: (frames, height, width, 3) uint8 RGB pictures.
      waveform: (samples,) mono, in [-1, 1].
      rate: samples a second of the waveform.
      frame_rate: pictures a second of the frames.
      enrolled: other recordings of the speaker; see `by`.
      standardise: see `by`.
      ablated: whether to predict without audio and without the face, too.
      face: 'largest', 'left' or 'right'; see `face_choice`.

    Raises:
      AvjaxError: the clip cannot be read, or no model is for it.
    """
    if clip is None:
      clip = decoded.raw_clip(frames, waveform, rate, frame_rate)
    elif frames is not None or waveform is not None:
      raise ConfigError('give either a clip, or frames and waveform')
    other = self.by(standardise, len(enrolled))
    if face == face_choice.ALL:
      raise ConfigError("face is 'all'; `each` returns every face of a clip")
    known = [self.features(one) for one in enrolled]
    return next(self._faces(clip, face, other, known, ablated))

  def each(
    self,
    paths: Sequence[str | os.PathLike],
    enrolled: Sequence[str | os.PathLike | RawClip | Clip] = (),
    standardise: str | None = None,
    ablated: bool = False,
    face: str = face_choice.LARGEST,
  ) -> Iterator[Recognised | Unrecognised]:
    """Returns an iterator over what is recognised in files, in their order.

    A file is decoded when it is its turn, and only what its picture shows is
    kept of it.

    Args:
      paths: of the files.
      enrolled: paths of recordings of the speaker of all files.
      standardise: see `by`.
      ablated: whether to predict without audio and without the face, too.
      face: which face is measured, of `face_choice.CHOICES`; 'all' gives as
        many answers for a file as it has faces.

    Raises:
      AvjaxError: there is no extractor, or no model for this, or a recording
        of the speaker cannot be read.
    """
    other = self.by(standardise, len(enrolled))
    self._fitted()
    face_choice.check(face)
    return self._each(paths, face, other, enrolled, ablated)

  def _each(self, paths, face, other, enrolled, ablated):
    known = [self.recorded(one) for one in enrolled]
    for path in dict.fromkeys(map(os.fspath, paths)):
      # Nothing of the clip is kept here while the next one is decoded.
      yield from self._attempt(path, face, other, known, ablated)
      gc.collect()  # its picture, whose parts refer to each other
      freed_memory.give_back()

  def _attempt(
    self, path, face, other, known, ablated
  ) -> Iterator[Recognised | Unrecognised]:
    """Returns what is recognised in a file, or why nothing is."""
    try:
      yield from self._faces(path, face, other, known, ablated)
    except (DataError, OSError) as error:
      yield Unrecognised(path, ' '.join(str(error).split()))

  def _faces(self, clip, face, other, known, ablated) -> Iterator[Recognised]:
    """Returns what is recognised in the chosen faces of a clip."""
    if face == face_choice.LARGEST:
      yield self._recognised(clip, other, known, ablated)
      return
    if isinstance(clip, Clip):
      raise ConfigError(
        f'face is {face!r} and the clip has features of one face; give a file'
      )
    raw = self._decoded(clip)
    for placed, chosen in self._measure.persons(raw, face):
      one = self._recognised(placed, other, known, ablated)
      yield one.of_face(_name(clip), chosen)

  def timeline(
    self,
    path: str | os.PathLike,
    window: float = 4.0,
    hop: float = 0.5,
    standardise: str | None = None,
    every: int = 1,
    enrolled: Sequence[str | os.PathLike | RawClip | Clip] = (),
    work: pathlib.Path | None = None,
    progress: Progress | None = None,
    face: str = face_choice.LARGEST,
  ) -> 'RecordedTimeline | FaceTimelines':
    """Returns the emotions in a recording of any length, over time.

    The file is decoded piece by piece, in bounded memory, and measured once.
    Every window of it is a clip for the model.

    Args:
      path: of the file.
      window: seconds of a window.
      hop: seconds from one window to the next.
      standardise: see `by`; all but 'none' takes the statistics of the whole
        recording.
      every: every how many frames are searched for a face; landmarks in between
        are interpolated.
      enrolled: other recordings of the speaker, whose statistics count then.
      work: folder where landmarks are kept minute by minute, so that this
        resumes after an interruption; the caller removes it. None: no folder.
      progress: called with the seconds that are measured.
      face: which face is measured, of `face_choice.CHOICES`; 'all' gives the
        time lines of all faces, as `FaceTimelines`.

    Raises:
      AvjaxError: the file cannot be read, or the model is not for recordings.
    """
    from avjax.recognition import windows  # it needs this module

    windows.check(window, hop, every)
    face_choice.check(face)
    other = self.by(standardise, len(enrolled))
    known = [self.features(one) for one in enrolled]

    def measured(seconds: float) -> None:
      freed_memory.give_back()  # what the pieces leave would add up
      if progress is not None:
        progress(seconds)

    least = windows.frames(window)
    recorded = self._recordings(path, every, work, measured, face, least)
    made = windows.timeline(other, recorded, window, hop, known, face)
    freed_memory.give_back()
    return made

  def features(self, clip: str | os.PathLike | RawClip | Clip) -> Clip:
    """Returns the features of a clip, before they are standardised.

    Args:
      clip: path of a file, or a decoded clip; a `Clip` is returned as it is.

    Raises:
      DataError: it cannot be decoded, or there is no extractor.
    """
    if isinstance(clip, Clip):
      return self._heard(clip)
    fitted, raw = self._fitted(), self._decoded(clip)
    return self._heard(Clip(_name(clip), fitted(self._measure(raw))))

  def recorded(self, path: str | os.PathLike | RawClip | Clip) -> Clip:
    """Returns the features of a recording of the speaker.

    Raises:
      DataError: it cannot be used.
    """
    try:
      return self.features(path)
    except (DataError, OSError) as error:
      raise DataError(
        f'{path} cannot be used for the enrolment: {error}; leave it out'
      ) from error

  def _recognised(
    self,
    clip: str | os.PathLike | RawClip | Clip,
    other: 'Recogniser',
    enrolled: Sequence[Clip],
    ablated: bool,
  ) -> Recognised:
    """Returns the emotion in a clip, by a recogniser of the same features."""
    raw = found = None
    notes: list[Note] = []
    if isinstance(clip, Clip):
      whole = self._heard(clip)
    else:
      fitted = self._fitted()
      raw, columns = self._measured(clip)
      whole = self._heard(Clip(_name(clip), fitted(columns)))
      notes = [*columns.notes, *remarks.of_features(fitted, self.streams)]
      if raw.frames is not None and fitted.settings.seen:
        found = columns.found
    notes += remarks.of_standardising(other.standardise, len(enrolled))
    clips = [other.standardised(whole, enrolled)]
    if ablated and AUDIO in self.streams:
      clips += ablation.every(clips[0])
    outcome = other.outcome(clips)
    freed_memory.give_back()
    divided = remarks.divided(notes, self.streams)
    return Recognised.of(whole.name, raw, found, outcome, divided)

  def _measured(
    self, clip: str | os.PathLike | RawClip
  ) -> tuple[RawClip, Columns]:
    """Returns a decoded clip with the frames to show, and its raw features."""
    raw = self._decoded(clip)
    examined = self._measure.examine(raw, cautious=True)
    if raw.frames is not None:
      # A copy of what the picture shows, so that the other frames are freed.
      shown = raw.frames[panels.thumbnails(raw.length)]
      raw = dataclasses.replace(raw, frames=shown)
    columns = self._measure.finish(examined)
    del examined
    freed_memory.give_back()
    return raw, columns

  def _decoded(self, clip: str | os.PathLike | RawClip) -> RawClip:
    if isinstance(clip, RawClip):
      return clip
    path = pathlib.Path(clip)
    return self._measure.decode(clip, path.name, path.parent)

  def _heard(self, clip: Clip) -> Clip:
    """Returns a clip with the sound that the model hears as its audio."""
    name = f'{AUDIO}.{self.settings.audio}'
    if name not in clip.streams and AUDIO in clip.streams:
      return clip  # arrays of one's own, or one that is so already
    return corpus.heard(clip, self.settings)

  def with_models(self, files: Mapping[str, str]) -> 'Recogniser':
    """Returns the recogniser with models of ONNX streams from these files.

    Args:
      files: name of a stream -> path of its model.

    Raises:
      AvjaxError: a file is missing, or is not the model of that stream.
    """
    if not files:
      return self
    if self.extractor is None:
      raise DataError(self.lacking)
    fitted = self.extractor.with_files(files)
    others = tuple(
      dataclasses.replace(one, extractor=fitted) for one in self.others
    )
    return dataclasses.replace(self, extractor=fitted, others=others)

  @property
  def used(self) -> Extractor | None:
    """The extractor without ONNX streams that the model does not read."""
    made = self.extractor
    if made is None or not made.settings.onnx:
      return made
    read = {*self.streams, f'{AUDIO}.{self.settings.audio}'}
    onnx = tuple(
      one
      for one in made.settings.onnx
      if one.stream in read or (one.of == FACE and 'face' in read)
    )
    settings = dataclasses.replace(made.settings, onnx=onnx)
    return dataclasses.replace(made, settings=settings)

  def _fitted(self) -> Extractor:
    """Returns the extractor that is used.

    Raises:
      DataError: there is none.
    """
    if (used := self.used) is None:
      raise DataError(self.lacking)
    return used

  @functools.cached_property
  def _recordings(self) -> RecordingMeasure:
    """Measures recordings of any length; it ends with the recogniser."""
    opened = contextlib.ExitStack()
    measure = opened.enter_context(RecordingMeasure(self._fitted()))
    weakref.finalize(self, opened.close)
    return measure

  @functools.cached_property
  def _measure(self) -> Measure:
    """Decodes and measures clips; it ends with the recogniser."""
    fitted = self._fitted()
    settings = fitted.settings
    if settings.landmark_archive:  # it has no landmarks of other clips
      settings = dataclasses.replace(settings, landmarks='', landmarks_rate='')
    opened = contextlib.ExitStack()
    made = measuring.measure(settings, fitted.carried)
    measure = opened.enter_context(made)
    weakref.finalize(self, opened.close)
    return measure


def _name(clip: str | os.PathLike | RawClip) -> str:
  return clip.name if isinstance(clip, RawClip) else os.fspath(clip)


def _mean_maps(
  each: Sequence[Sequence[np.ndarray | None]],
) -> list[np.ndarray | None]:
  """Returns the mean over the models of each clip's map; None without one."""
  return [
    None if maps[0] is None else np.mean(maps, axis=0)
    for maps in zip(*each, strict=True)
  ]
