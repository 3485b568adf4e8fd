"""The pictures of recognised clips, as files."""

import os
import pathlib

from avjax.errors import AvjaxError
from avjax.recognition.recognised import Recognised
from avjax.recognition.recorded_timeline import FaceTimelines, RecordedTimeline

_LONGEST = 255  # bytes of a file name


def picture(
  recognised: Recognised | RecordedTimeline | FaceTimelines,
  folder: pathlib.Path,
  taken: set[str],
) -> pathlib.Path:
  """Draws the time line of a clip as a PNG file; returns its path.

  Args:
    recognised: what was recognised in the clip, or in a recording over time.
    folder: of the pictures; created if it is missing.
    taken: file names in use; the new name is added.

  Raises:
    AvjaxError: matplotlib is missing, or the folder cannot be written to.
  """
  from avjax.reporting import over_time, timeline

  stem, number = pathlib.Path(recognised.path).stem, 1
  while (name := _file_name(stem, number)) in taken:
    number += 1
  taken.add(name)
  try:
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(recognised, Recognised):
      figure = timeline.draw(recognised.timeline)
    else:
      figure = over_time.draw(recognised.picture)
    timeline.save(figure, folder / name)
  except OSError as error:
    raise AvjaxError(
      f'cannot write {folder / name}: {error.strerror}; choose another --output'
    ) from error
  return folder / name


def _file_name(stem: str, number: int) -> str:
  """Returns the name of the so many-th picture for clips of one name.

  The stem is shortened where a file system would refuse the whole.
  """
  ending = '.png' if number == 1 else f'-{number}.png'
  while len(os.fsencode(stem + ending)) > _LONGEST:
    stem = stem[:-1]
  return stem + ending
