"""The raw features of one clip, written to a file (Section 3)."""

import json
import pathlib
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from avjax import files
from avjax.data import npy
from avjax.data.corpora.tree import digest
from avjax.errors import ConfigError, DataError
from avjax.features import columns, extractor
from avjax.settings import FeaturesConfig


def measure(
  settings: FeaturesConfig, carried: Mapping[str, bytes] | None = None
) -> columns.Measure:
  """Returns a `Measure` with the network that the settings need.

  Args:
    settings: of the features.
    carried: see `columns.Measure`.

  Raises:
    AvjaxError: a package or a file that the settings need is missing.
  """
  network = None
  if 'appearance' in settings.streams:
    network = extractor.network(settings)
  return columns.Measure(settings, network, carried)


def measure_clip(
  measured_by: columns.Measure, name: str, source: str, corpus: str, target: str
) -> dict[str, Any]:
  """Measures a `workers.Task` and writes its file; returns an answer.

  It has the key 'outcome', or 'refused' or 'unwritten' where all other clips
  would fail too.
  """
  try:
    start = time.perf_counter()
    raw = measured_by.decode(source, name, corpus)
    decoding = time.perf_counter() - start
    measured = measured_by(raw)
    sha256 = digest(source)
  except ConfigError as error:  # every other clip would fail too
    return {'refused': str(error)}
  except (DataError, OSError) as error:
    return {'outcome': {'failure': ' '.join(str(error).split())}}
  except Exception as error:  # one clip must not stop the others
    return {'outcome': {'failure': f'it cannot be measured ({error!r:.200})'}}
  arrays = {
    **measured.arrays,
    'found': measured.found,
    'notes': np.frombuffer(json.dumps(measured.notes).encode(), np.uint8),
    'sha256': np.frombuffer(bytes.fromhex(sha256), np.uint8),
  }
  if measured_by.landmarks is not None:
    found = measured_by.landmarks.digest(name, corpus)
    arrays['landmarks'] = np.frombuffer(bytes.fromhex(found), np.uint8)
  try:
    files.put(pathlib.Path(target), npy.pack(arrays))
  except OSError as error:
    return {
      'unwritten': f'{target} cannot be written: {error.strerror}; run the same'
      ' command again when it can be'
    }
  seconds = {'decode': decoding, **measured.seconds}
  return {'outcome': {'failure': '', 'seconds': seconds}}
