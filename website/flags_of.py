"""Prints docstring and flags of a program of bin/ as JSON.

python -m website.flags_of bin/train

A process of its own for each, since absl keeps one set of flags a process.
"""

import json
import runpy
import sys

from absl import flags

NAME = 'program'


def described(path: str) -> dict:
  """Returns the docstring of a program, and its flags."""
  program = runpy.run_path(path, run_name=NAME)
  return {
    'about': program['__doc__'],
    'flags': [
      {
        'name': flag.name,
        'default': flag.default,
        'help': flag.help,
        'kind': flag.flag_type(),
      }
      for flag in flags.FLAGS.get_key_flags_for_module(NAME)
    ],
  }


if __name__ == '__main__':
  json.dump(described(sys.argv[1]), sys.stdout, default=str)
