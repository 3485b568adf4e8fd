"""One .npy file, read only after its header has been judged.

`numpy.load` allocates what a header claims and can unpickle; the files here
come from other people. So the header is read first, refused or accepted, and
then exactly the bytes that it announces are taken.
"""

import dataclasses
import io
import math
import zipfile
from collections.abc import Mapping
from typing import IO

import numpy as np

from avjax.errors import DataError

MAX_BYTES = 1 << 28
"""Of one array or one clip's file: 43 minutes of a 1024-wide visual stream."""


# A zip member is one for the type checker but not at run time.
File = IO[bytes] | io.BufferedIOBase


@dataclasses.dataclass(frozen=True)
class Header:
  """What a .npy file says of its data."""

  shape: tuple[int, ...]
  dtype: np.dtype
  fortran: bool


def header(file: File, size: int) -> Header:
  """Returns the header at the head of `file`, which then stands at the data.

  Args:
    file: at the first byte of a .npy file.
    size: bytes of the whole .npy file.

  Raises:
    DataError: the header promises other than `size` bytes of plain numbers, or
      more than MAX_BYTES of them.
  """
  try:
    version = np.lib.format.read_magic(file)
    # The later versions allow headers of 4 GB, for structures of many fields.
    head = version == (1, 0) and np.lib.format.read_array_header_1_0(file)
  except Exception as error:
    # NumPy evaluates the header as a Python literal; what that raises on
    # hostile bytes (RecursionError, TokenError, ...) is nowhere listed.
    raise DataError('not an array in the .npy format') from error
  if not head:
    raise DataError(f'is .npy version {version}; save it again with numpy.save')
  shape, fortran, dtype = head
  if dtype.kind not in 'fiub':
    raise DataError(f'holds {dtype} where numbers are wanted')
  if any(n < 0 for n in shape):
    raise DataError(f'claims the shape {shape}')
  count = math.prod(shape) * dtype.itemsize
  if count > MAX_BYTES:
    raise DataError(
      f'claims {count} bytes (shape {shape}); at most {MAX_BYTES} are read'
    )
  if count != size - file.tell():
    raise DataError(
      f'has {size - file.tell()} bytes of data where its shape {shape} wants'
      f' {count}'
    )
  return Header(shape, dtype, fortran)


def data(file: File, head: Header) -> np.ndarray:
  """Returns the array whose data `file` stands at, after `header`.

  Raises:
    DataError: the file ends too soon.
  """
  count = math.prod(head.shape) * head.dtype.itemsize
  raw = file.read(count)
  if len(raw) != count:
    raise DataError(f'ends after {len(raw)} of {count} bytes of data')
  flat = np.frombuffer(raw, head.dtype)
  if head.fortran:
    return flat.reshape(head.shape[::-1]).T
  return flat.reshape(head.shape)


def archive(file: File) -> zipfile.ZipFile:
  """Returns the open .npz archive.

  Raises:
    DataError: the file is no zip archive.
  """
  try:
    return zipfile.ZipFile(file)
  except Exception as error:
    # As in `header`: zipfile promises BadZipFile, and on damaged directories
    # raises ValueError, struct.error, NotImplementedError and others beside.
    raise DataError('not a .npz archive') from error


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
  """Returns a .npz file; equal arrays give equal bytes.

  `numpy.savez` writes the time of day into it.
  """
  packed = io.BytesIO()
  with zipfile.ZipFile(packed, 'w', zipfile.ZIP_STORED) as file:
    for name, array in arrays.items():
      member = io.BytesIO()
      array = np.ascontiguousarray(array)
      np.lib.format.write_array(member, array, (1, 0), allow_pickle=False)
      # A ZipInfo by itself has the date 1980-01-01: no clock in the bytes.
      info = zipfile.ZipInfo(f'{name}.npy')
      info.create_system = 3  # one of the two that Python writes, everywhere
      file.writestr(info, member.getvalue())
  return packed.getvalue()


def unpack(packed: bytes) -> dict[str, np.ndarray]:
  """Returns the arrays of a .npz file that is not compressed.

  Raises:
    DataError: it is no such file, or damaged.
  """
  arrays = {}
  with archive(io.BytesIO(packed)) as members:
    for info in members.infolist():
      if info.compress_type != zipfile.ZIP_STORED:
        raise DataError(f'{info.filename} is compressed; ours are not')
      try:
        with members.open(info) as file:
          arrays[info.filename.removesuffix('.npy')] = data(
            file, header(file, info.file_size)
          )
      except DataError:
        raise
      except Exception as error:
        # As in `archive`.
        raise DataError(f'{info.filename}: {error!r:.100}') from error
  return arrays
