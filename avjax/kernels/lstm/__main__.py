"""Prints which implementations of the LSTM this machine has, and why not."""

import sys

from avjax.kernels import compiled
from avjax.kernels.lstm import implementations


def main() -> int:
  """Prints a line an implementation; what failed before is tried again."""
  compiled.forget()
  for name, reason in implementations().items():
    print(f'{name:14} {reason or "ready"}')
  return 0


if __name__ == '__main__':
  sys.exit(main())
