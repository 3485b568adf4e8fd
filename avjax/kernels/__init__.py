"""Operations with several implementations, one folder each."""


class KernelError(ValueError):
  """An implementation is unknown, or cannot run here or with these arrays."""
