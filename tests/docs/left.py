"""What the programs of the pages left behind, against the page on files."""

import io
import json
import pathlib
import zipfile

from tests.docs.pages import ROOT
from website import run_files

FOLDERS = (
  *('runs', 'stores', 'tables', 'figures', 'predictions', 'robustness'),
  'clips',
)
"""Folders of the clone that programs alone write to."""
MET = {
  *('config.json', 'metrics.jsonl', 'predictions.csv', 'results.json'),
  *('manifest.jsonl', 'extractor/extractor.json', 'folds.json'),
  *('bundle.json', 'NAME.onnx.json', 'the output of --json'),
  *('figures.json', 'kept/DIGEST.json', 'truth.jsonl'),
}
"""What must be among it, or nothing would be compared."""
OWN = ('.mp4', '.py', '.tmp')
"""Endings of files that are a reader's own, or code."""


def faults(folder: pathlib.Path) -> tuple[list[str], set[str]]:
  """Returns the files that are not as described, and the kinds met.

  Args:
    folder: the clone.
  """
  classes = run_files.Classes(ROOT)
  wrong, met = [], set()
  for path in _files(folder):
    kind = run_files.kind_of(path.relative_to(folder))
    if kind is None:
      wrong.append(f'{path.relative_to(folder)} is not described')
      continue
    met.add(kind.shown[0])
    fields = run_files.of(kind, classes)
    for content in _objects(path, kind.lines) if fields else ():
      wrong += [
        f'{path.relative_to(folder)}: {one}'
        for one in _differences(content, fields)
      ]
  return wrong, met


def _files(folder: pathlib.Path) -> list[pathlib.Path]:
  found = [p for p in folder.iterdir() if p.is_file()]
  for name in FOLDERS:
    found += [p for p in (folder / name).rglob('*') if p.is_file()]
  packed = []
  for path in found:
    if path.suffix == '.zip':
      own = path.with_suffix('')
      zipfile.ZipFile(io.BytesIO(path.read_bytes())).extractall(own)
      packed += [p for p in own.rglob('*') if p.is_file()]
  return [p for p in (*found, *packed) if p.suffix not in OWN]


def _objects(path: pathlib.Path, lines: bool) -> list[dict]:
  """Returns the objects in a file of JSON; without the head of a manifest."""
  text = path.read_text(encoding='utf-8')
  if lines:
    found = [json.loads(line) for line in text.splitlines()]
    return found[1:] if path.name == 'manifest.jsonl' else found
  content = json.loads(text)
  return content if isinstance(content, list) else [content]


def _differences(content: dict, fields: list[run_files.Field]) -> list[str]:
  known = {field.name for field in fields}
  needed = {field.name for field in fields if not field.optional}
  return [f'{name} is not described' for name in content.keys() - known] + [
    f'{name} is missing' for name in needed - content.keys()
  ]
