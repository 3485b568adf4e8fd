"""Ready models: bundles that come with the package, by name.

Their weights have a licence of their own, LICENCE_WEIGHTS beside them, and are
not under that of the code. docs/pretrained.md has the commands that made them.
"""

import pathlib

from avjax.errors import ConfigError

DEFAULT = 'ravdess'
FOLDER = pathlib.Path(__file__).parent


def names() -> list[str]:
  """Returns the names of the ready models of this installation."""
  return sorted(path.stem for path in FOLDER.glob('*.zip'))


def path(name: str = DEFAULT) -> pathlib.Path:
  """Returns the bundle of a ready model.

  Raises:
    ConfigError: it is not in this installation.
  """
  if name not in names():
    raise ConfigError(
      f'the ready model {name!r} is not in this installation, which has'
      f' {", ".join(names()) or "none"}; give a bundle or the folder of a run,'
      ' or make it as docs/pretrained.md says'
    )
  return FOLDER / f'{name}.zip'
