"""Many files, short and long, asked of one recogniser; what is known is kept.

A clip of up to a minute has one answer, a longer recording a time line. Answers
are dictionaries, one a line of a file as they come. A file that has an answer
there to the same request is not asked again; while a long recording is
measured, its landmarks are kept minute by minute.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

import avjax
from avjax import files
from avjax.clips import AUDIO, Clip
from avjax.data.corpora.tree import digest
from avjax.errors import CheckpointError, DataError
from avjax.features import face_choice, long_recordings
from avjax.features.long_recordings import Progress
from avjax.features.media import Decoder
from avjax.recognition.recognised import Recognised, Unrecognised
from avjax.recognition.recogniser import Recogniser
from avjax.recognition.recorded_timeline import (
  FaceTimelines,
  RecordedTimeline,
  table,
)
from avjax.recognition.windows import check

LONG_S = 60.0
"""Seconds. A longer file has a time line, unless a window is given."""


@dataclasses.dataclass(frozen=True)
class Asked:
  """How files are to be asked about.

  Attributes:
    window: seconds of a window; None asks for one answer a clip, and for
      windows of four seconds in a file of more than a minute.
    hop: seconds from one window to the next.
    every: every how many frames of a time line are searched for a face.
    standardise: see `Recogniser.by`.
    enrolled: paths of recordings of the speaker of all files.
    face: which face is measured, of `face_choice.CHOICES`.
  """

  window: float | None = None
  hop: float = 0.5
  every: int = 1
  standardise: str | None = None
  enrolled: tuple[str, ...] = ()
  face: str = face_choice.LARGEST

  def __post_init__(self):
    check(4.0 if self.window is None else self.window, self.hop, self.every)
    face_choice.check(self.face)


@dataclasses.dataclass(frozen=True)
class Answered:
  """A file that has an answer.

  Attributes:
    content: the answer, as it is printed and kept.
    result: what it is of; None for an answer that was known before.
  """

  content: dict[str, Any]
  result: Recognised | RecordedTimeline | FaceTimelines | None

  @property
  def path(self) -> str:
    """Path of the file."""
    return self.content['clip']


class AnswerFile:
  """A file of answers, one JSON object a line.

  Args:
    path: of the file; '' keeps none.
    request: digest of the request whose answers count.

  Raises:
    CheckpointError: another process is using it, or it cannot be written to.
  """

  def __init__(self, path: str | pathlib.Path, request: str):
    self._path, self._request = path and pathlib.Path(path), request
    found: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for content in self._read():
      each = found.setdefault((content['clip'], content['sha256']), {})
      each[json.dumps(content.get('face'))] = content
    self.known = {
      key: list(each.values())
      for key, each in found.items()
      if len(each) >= next(iter(each.values()))['answers']
    }
    if self._path:
      # A line that was cut off, and those of other requests, are left out.
      contents = [one for each in self.known.values() for one in each]
      lines = [json.dumps(content) + '\n' for content in contents]
      files.write_text(self._path, ''.join(lines))

  def _read(self) -> Iterator[dict[str, Any]]:
    if not self._path or not self._path.exists():
      return
    try:
      lines = self._path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
      raise CheckpointError(
        f'{self._path} cannot be read ({error}); give another file'
      ) from error
    for line in lines:
      try:
        content = json.loads(line)
        asked, _ = content['request'], content['answers']
      except (ValueError, TypeError, KeyError):
        if line == lines[-1]:
          return  # it was cut off
        raise CheckpointError(
          f'{self._path} is not a file of answers; give another one'
        ) from None
      if asked == self._request:
        yield content

  def add(self, content: dict[str, Any]) -> None:
    """Adds an answer to the end of the file."""
    if not self._path:
      return
    try:
      with open(self._path, 'a') as file:
        file.write(json.dumps(content) + '\n')
    except OSError as error:
      raise CheckpointError(
        f'{self._path} cannot be written: {error.strerror}; fix that, then run'
        ' it again to resume'
      ) from None


def answers(
  recogniser: Recogniser,
  paths: Sequence[str],
  request: Asked,
  kept: str | pathlib.Path = '',
  progress: Progress | None = None,
) -> Iterator[Answered | Unrecognised]:
  """Yields the answer for each file, in order; one a face, if all are asked.

  Args:
    recogniser: to ask.
    paths: of the files.
    request: how.
    kept: file of answers; landmarks of the recording at hand are in the folder
      of that name with `.work`. '': nothing is kept.
    progress: called with the seconds of a recording that are measured.

  Raises:
    AvjaxError: the recogniser is not for this request, or nothing can be kept.
  """
  if recogniser.extractor is None:
    raise DataError(recogniser.lacking)
  asked = fingerprint(recogniser, request)
  answered = AnswerFile(kept, asked)
  work = pathlib.Path(f'{kept}.work') if kept else None
  enrolled = [recogniser.recorded(path) for path in request.enrolled]
  with Decoder() as decoder:
    for path in paths:
      results: list[
        Recognised | RecordedTimeline | FaceTimelines | Unrecognised
      ]
      try:
        sha256 = digest(path) if kept and os.path.isfile(path) else ''
        if (path, sha256) in answered.known:
          for content in answered.known[path, sha256]:
            yield Answered(content, None)
          continue
        if request.window is None and not _is_long(recogniser, path, decoder):
          each = recogniser.each(
            [path], enrolled, request.standardise, True, request.face
          )
          results = list(each)
        else:
          faces = '' if request.face == face_choice.LARGEST else '-faces'
          landmarks = work and work / f'{sha256[:16]}-{request.every}{faces}'
          line = recogniser.timeline(
            path, request.window or 4.0, request.hop, request.standardise,
            request.every, enrolled, landmarks, progress, request.face,
          )  # fmt: skip
          results = [line]
      except (DataError, OSError) as error:
        results = [Unrecognised(path, ' '.join(str(error).split()))]
      for result in results:
        if isinstance(result, Unrecognised):
          yield result
          continue
        content = result.to_dict()
        if work is not None:
          key = {'request': asked, 'sha256': sha256, 'answers': len(results)}
          answered.add(content | key)
          shutil.rmtree(work, ignore_errors=True)
        yield Answered(content, result)


def _is_long(recogniser: Recogniser, path: str, decoder: Decoder) -> bool:
  """Returns whether a file has a time line without being asked for it."""
  fitted = recogniser.used
  if fitted is None or long_recordings.refusal(fitted.settings):
    return False
  return decoder.lasts(path, LONG_S)


def fingerprint(recogniser: Recogniser, request: Asked) -> str:
  """Returns a digest of the request and of what the models answer to noise."""
  other = recogniser.by(request.standardise, len(request.enrolled))
  random = np.random.default_rng(0)
  lengths = {name: 40 if name == AUDIO else 32 for name in other.widths}
  noise = {
    name: random.normal(size=(lengths[name], width)).astype(np.float32)
    for name, width in other.widths.items()
  }
  shares = other.outcome([Clip('noise', noise)]).probabilities[0]
  extractor = recogniser.extractor
  about = dataclasses.asdict(request) | {
    'avjax': avjax.__version__,
    'enrolled': [digest(path) for path in request.enrolled],
    'extractor': '' if extractor is None else extractor.fingerprint,
    'emotions': recogniser.emotions,
    'noise': [round(share, 5) for share in shares.tolist()],
  }
  return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]


def rows(
  content: Mapping[str, Any], face: str = face_choice.LARGEST
) -> list[dict[str, Any]]:
  """Returns the rows of an answer for a table: one, or one a window.

  Args:
    content: the answer.
    face: which one was asked for; others than the largest have a column with
      their number.
  """
  first = {'clip': content['clip']}
  if face != face_choice.LARGEST:
    first['face'] = content.get('face', {}).get('number', '')
  if 'timeline' in content:
    return [first | row for row in content['timeline']]
  row = first | {'time': '', 'predicted': content['predicted']}
  return [row | content['probabilities'] | {'found': '', 'audible': ''}]


def write_table(
  path: str, answers: Sequence[Mapping[str, Any]], face: str
) -> None:
  """Writes the rows of all answers as a CSV file; see `rows`.

  Raises:
    CheckpointError: it cannot be written.
  """
  made = [row for content in answers for row in rows(content, face)]
  files.write_text(pathlib.Path(path), table(made))
