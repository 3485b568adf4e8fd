"""Safe reading and writing of .npy and .npz files.

`numpy.load` allocates whatever a header declares, and it can unpickle. The
files here may come from other people. So the header is read and checked first,
and then exactly the bytes that it declares are read.
"""

import contextlib
import dataclasses
import io
import math
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping
from typing import IO, BinaryIO

import numpy as np

from avjax.errors import DataError

MAX_AXES = 32  # what every version of NumPy can make
MAX_BYTES = 1 << 28
"""Of one array or one clip's file: 43 minutes of a 1024-wide visual stream."""


# For the type checker a zip member is IO[bytes], at run time it is not.
File = IO[bytes] | io.BufferedIOBase


@dataclasses.dataclass(frozen=True)
class Header:
  """The header of a .npy file."""

  shape: tuple[int, ...]
  dtype: np.dtype
  fortran: bool


@contextlib.contextmanager
def opened(path: str | os.PathLike) -> Iterator[BinaryIO]:
  """Opens a file for reading.

  Raises:
    DataError: it is not a regular file; reading a pipe might never end.
    OSError: there is no such file, or it cannot be opened.
  """
  with open(path, 'rb', opener=_without_waiting) as file:
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
      raise DataError('is not a regular file')
    yield file


def _without_waiting(path: str, flags: int) -> int:
  return os.open(path, flags | os.O_NONBLOCK)


def header(file: File, size: int, kinds: str = 'fiub') -> Header:
  """Reads and returns the header; then `file` is positioned at the data.

  Args:
    file: positioned at the first byte of a .npy file.
    size: bytes of the whole .npy file.
    kinds: letters of NumPy's kinds of types that are wanted: numbers.

  Raises:
    DataError: the header does not declare an array of plain numbers that ends
      with the file, or declares more than MAX_BYTES.
  """
  try:
    version = np.lib.format.read_magic(file)
    # Later versions allow headers of 4 GB, for structured arrays.
    head = version == (1, 0) and np.lib.format.read_array_header_1_0(file)
  except Exception as error:
    # NumPy evaluates the header as a Python literal; the errors of malformed
    # ones (RecursionError, TokenError, ...) are not documented.
    raise DataError('not an array in the .npy format') from error
  if not head:
    raise DataError(f'is .npy version {version}; save it again with numpy.save')
  shape, fortran, dtype = head
  if dtype.kind not in kinds:
    wanted = 'numbers' if 'f' in kinds else 'text'
    raise DataError(f'has the type {dtype}; wanted {wanted}')
  if any(type(n) is not int or n < 0 for n in shape):
    raise DataError(f'declares the shape {shape!r:.200}')
  if len(shape) > MAX_AXES:
    raise DataError(f'has {len(shape)} axes; at most {MAX_AXES} are read')
  count = math.prod(shape) * dtype.itemsize
  if count > MAX_BYTES:
    raise DataError(
      f'declares {count} bytes (shape {shape}); at most {MAX_BYTES} are read'
    )
  if max(shape, default=0) > MAX_BYTES:  # of an array that is empty
    raise DataError(f'declares the shape {shape!r:.200}')
  if count != size - file.tell():
    raise DataError(
      f'has {size - file.tell()} bytes of data, and its shape {shape} needs'
      f' {count}'
    )
  return Header(shape, dtype, fortran)


def data(file: File, head: Header) -> np.ndarray:
  """Reads and returns the array; `file` is positioned as `header` left it.

  Raises:
    DataError: the file is truncated.
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
    DataError: the file is not a zip archive.
  """
  try:
    return zipfile.ZipFile(file)
  except Exception as error:
    # zipfile documents BadZipFile, but damaged files also raise ValueError,
    # struct.error, NotImplementedError and others.
    raise DataError('not a .npz archive') from error


def member(
  packed: zipfile.ZipFile, key: str, kinds: str = 'fiub'
) -> np.ndarray:
  """Reads and returns one array of an .npz archive; see `header`.

  Raises:
    DataError: there is no such array, or it is damaged.
  """
  if f'{key}.npy' not in packed.namelist():
    listed = ', '.join(m.removesuffix('.npy') for m in packed.namelist())
    raise DataError(f'no array {key!r} among {listed:.100}')
  info = packed.getinfo(f'{key}.npy')
  with packed.open(info) as file:
    return data(file, header(file, info.file_size, kinds))


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
  """Returns the bytes of a .npz file; equal arrays give equal bytes.

  `numpy.savez` would write the current time into the file.
  """
  packed = io.BytesIO()
  with zipfile.ZipFile(packed, 'w', zipfile.ZIP_STORED) as file:
    for name, array in arrays.items():
      member = io.BytesIO()
      array = np.ascontiguousarray(array)
      np.lib.format.write_array(member, array, (1, 0), allow_pickle=False)
      # The default date of a ZipInfo is 1980-01-01, not the current time.
      info = zipfile.ZipInfo(f'{name}.npy')
      info.create_system = 3  # the same value on every platform
      file.writestr(info, member.getvalue())
  return packed.getvalue()


def unpack(packed: bytes) -> dict[str, np.ndarray]:
  """Returns the arrays of an uncompressed .npz file.

  Raises:
    DataError: it is not such a file, or is damaged.
  """
  arrays = {}
  with archive(io.BytesIO(packed)) as members:
    for info in members.infolist():
      if info.compress_type != zipfile.ZIP_STORED:
        raise DataError(f'{info.filename} is compressed; wanted uncompressed')
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
