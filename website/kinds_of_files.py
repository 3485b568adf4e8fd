"""Every kind of file that the programs leave, by folder."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class FileKind:
  """A kind of file.

  Attributes:
    patterns: ends of paths, with `*` for what varies.
    about: what it has, in Markdown.
    fields: name of the class that it is read as; or name -> what it is, with
      a `?` behind the name of a field that may be missing.
    renamed: field of the class -> its key in the file, where that is another.
    more: fields beside those of the class.
    shown: its names for people; the patterns where they are the same.
    lines: whether each line is such an object.
  """

  patterns: tuple[str, ...]
  about: str
  fields: str | Mapping[str, str] | None = None
  renamed: Mapping[str, str] = dataclasses.field(default_factory=dict)
  more: Mapping[str, str] = dataclasses.field(default_factory=dict)
  shown: tuple[str, ...] = ()
  lines: bool = False

  def __post_init__(self):
    if not self.shown:
      object.__setattr__(self, 'shown', self.patterns)


@dataclasses.dataclass(frozen=True)
class FolderKind:
  """A kind of folder: its title, what is said of it, and its files."""

  title: str
  about: str
  files: tuple[FileKind, ...]


_RUN = FolderKind(
  'A run',
  'The `--workdir` of `bin/train`. `results.json` comes last: a folder with it'
  ' is a finished run. With several folds or seeds there is one such folder'
  ' for each, `fold-0`, `seed-1`, and their results are joined above;'
  ' `decision_fusion` keeps its members as `audio` and `vision`.'
  ' `bin/evaluate` leaves `predictions.csv` and `results.json` in a folder'
  ' `evaluation-STORE-SPLIT`.',
  (
    FileKind(
      ('config.json',),
      'settings, clips and versions that the run began with',
      'RunInfo',
      renamed={
        'source': 'data_source',
        'store': 'data_path',
        'revision': 'git_revision',
      },
      more={'settings': 'every [setting](settings.md), by section'},
    ),
    FileKind(('metrics.jsonl',), 'one line per epoch', 'EpochLine', lines=True),
    FileKind(
      ('predictions.csv',),
      'one row per clip of every evaluated split: `clip`, `split`, `label`'
      ' (empty if unknown), `predicted`, then a column for each emotion with'
      ' its probability, to six decimals. Of several seeds the mean',
    ),
    FileKind(
      ('results.json',),
      'scores of every split, audit, digests',
      'Results',
      more={
        'penalty?': "`linear`: scikit-learn's C",
        'step?': 'of `bin/evaluate`: the step whose state was evaluated',
      },
    ),
    FileKind(
      ('checkpoints/*/meta.json',),
      'what a checkpoint holds, with digests of all of it',
      {
        'sha256': 'digest of all other fields',
        'step': 'number of steps',
        'best': 'step of the best epoch so far',
        'fingerprint': 'digests of settings and clips; others are refused',
        'progress': 'epoch, place in it, early stopping, the epochs so far',
        'schema': 'version of this file, 1',
        'leaves': 'array -> its shape, type and digest',
        'digest': 'of all arrays',
        'files': 'file of `state/` -> its digest',
        'versions': 'of the packages',
      },
      shown=('checkpoints/STEP/meta.json',),
    ),
    FileKind(
      ('checkpoints/*/state/*',),
      'parameters and state of the optimiser, in the format of Orbax; the'
      ' newest two steps, and the best that each knows of',
      shown=('checkpoints/STEP/state/',),
    ),
    FileKind(
      ('checkpoints/quarantine/*',),
      'checkpoints that were damaged, kept for inspection',
      shown=('checkpoints/quarantine/',),
    ),
    FileKind(
      ('linear.json',), '`linear`: the fitted regression', '_RegressionFile'
    ),
    FileKind(
      ('majority.json',), '`majority`: share of each class', 'ClassShares'
    ),
    FileKind(
      ('average_speaker.json',),
      'of a run that standardises by enrolment: stream -> `mean` and'
      ' `variance` of each column, and how many `frames` they stand for',
    ),
    FileKind(
      ('process-*.log',),
      'of a training in several processes: what all but the first had to say',
      shown=('process-1.log',),
    ),
    FileKind(
      ('lock',), 'locked while a process, whose number it has, is at work'
    ),
  ),
)
_STORE = FolderKind(
  'A store',
  'What `bin/extract` and `bin/ingest` make and `bin/train` reads. With'
  ' `--fit_on=folds` there is an ordinary store for each fold, `fold-0`, ...,'
  ' and `folds.json`. While `bin/extract` is at work, what is measured lies in'
  ' `OUT.work`.',
  (
    FileKind(
      ('manifest.jsonl',),
      'the first line describes the store (`schema`, `streams` with their'
      ' widths, `emotions`, `source`, `avjax`, `extractor`, and `sha256` of'
      ' all the rest); each further line is a clip:',
      {
        'name': 'of the clip',
        'file': 'its `.npz` in the store',
        'split': '`training`, `validation`, `test`, or empty',
        'label': 'the emotion, or null',
        'speaker': 'or empty',
        'lengths': 'stream -> number of frames',
        'truth': 'name -> shape of what is known of a made clip',
        'sha256': 'of the file',
        'corpus?': 'it is of',
        'take?': 'the recording, where several clips are of one',
        'source?': 'SHA-256 of the file that was measured',
        'targets?': 'target -> label, where clips have several',
        'attributes?': 'further columns of the table',
      },
      lines=True,
    ),
    FileKind(
      ('clips/*.npz',),
      'a clip: per stream an array (frames, width) of float32, and `truth.NAME`'
      ' of a made one',
      shown=('clips/000000-NAME.npz',),
    ),
    FileKind(('report.txt',), 'for people: what was used, left out and noted'),
    FileKind(('clips.csv',), 'the table of the clips, as it was read'),
    FileKind(
      ('extractor/extractor.json',),
      'how the features were measured',
      'ExtractorFile',
    ),
    FileKind(
      ('extractor/fitted.npz',),
      'arrays that were fitted on the training clips, as `audio.median`',
    ),
    FileKind(
      ('extractor/*.onnx',),
      'the model of a stream, where it is small',
      shown=('extractor/NAME.onnx',),
    ),
    FileKind(
      ('extractor/alexnet.npz',),
      'weights of the face network, if they were read from a file',
    ),
    FileKind(
      ('folds.json',), 'the division, and what each extractor saw', 'FoldStores'
    ),
  ),
)
_BUNDLE = FolderKind(
  'A bundle',
  'The file that `bin/bundle` writes: a zip of JSON, text and arrays, beside'
  ' which its card lies as Markdown. `bin/export` writes one file that other'
  ' programs run, and its description.',
  (
    FileKind(('bundle.json',), 'in the bundle: what it holds', '_Head'),
    FileKind(
      ('card.md', 'licence.txt'),
      'in the bundle: for people',
    ),
    FileKind(('*.md',), 'the card, beside the bundle', shown=('NAME.md',)),
    FileKind(
      ('onnx/*.onnx',),
      'in the bundle: the model of a stream, where it is small',
      shown=('onnx/NAME.onnx',),
    ),
    FileKind(
      ('extractor/*.npy', '*/[0-9]*/*.npy'),
      'in the bundle: arrays of the extractor; parameters of each network, by'
      ' how it standardises and its number',
      shown=('extractor/ARRAY.npy', 'WAY/NUMBER/.../NAME.npy'),
    ),
    FileKind(
      ('*.onnx', '*.stablehlo', '*.bin'),
      'the exported network',
      shown=('NAME.onnx', 'NAME.stablehlo'),
    ),
    FileKind(
      ('*.onnx.json', '*.stablehlo.json'),
      'what goes in and comes out of it, and which model it is',
      {
        'format': '`onnx` or `stablehlo`',
        'model': 'where it comes from',
        'emotions': 'in the order of the probabilities',
        'streams': 'that it reads',
        'inputs': 'name -> type and shape',
        'outputs': 'name -> type and shape',
        'sizes': 'what the letters of the shapes may be',
        'standardised_by': 'how the clips must be standardised',
        'extractor': 'fingerprint of the extractor, or null',
        'members': 'digest of the parameters of each network',
        'settings': 'of the [model](settings.md#model)',
        'lstm': 'its implementation',
        'packages': 'versions that wrote it',
        'card': 'of a bundle',
        'sha256': 'of the file',
        'checked': 'clips, largest difference from the model, what was allowed',
      },
      shown=('NAME.onnx.json',),
    ),
    FileKind(('*.zip',), 'the bundle', shown=('NAME.zip',)),
  ),
)
_ANSWERS = {
  'clip': 'path of the file',
  'face?': 'of several: `number`, `count`, `where`',
  'headline?': 'the emotion and what makes it doubtful, in a line',
  'predicted?': 'the most probable emotion',
  'caveats': 'what makes it doubtful',
  'probabilities?': 'emotion -> probability',
  'ablated?': '`audio off`, `vision off` -> emotion -> probability',
  'notes': 'further remarks',
  'picture?': 'path of its picture',
  'seconds?': 'of a time line: duration',
  'window?': 'of a time line: seconds of a window',
  'hop?': 'of a time line: seconds to the next one',
  'mean?': 'of a time line: emotion -> mean probability',
  'count?': 'of time lines of all faces: how many',
  'faces?': 'of time lines of all faces: what is said of each',
  'timeline?': 'of a time line: one row per window, as in the table',
}
_PREDICTIONS = FolderKind(
  'Predictions',
  'What `bin/predict` leaves and prints.',
  (
    FileKind(
      ('predictions/*.png',),
      'the picture of a clip, or of a recording over time',
      shown=('predictions/CLIP.png',),
    ),
    FileKind(
      ('predictions*.json',),
      'of `--json`: a list of answers',
      _ANSWERS,
      shown=('the output of --json',),
    ),
    FileKind(
      ('answers.jsonl', '*.csv.jsonl'),
      'of `--jsonl`: one answer per line, as they come; files with an answer'
      ' here are not asked again',
      _ANSWERS
      | {
        'sha256': 'of the file',
        'request': 'digest of model, flags and extractor',
        'answers': 'how many answers the file has, one a face',
      },
      shown=('answers.jsonl',),
      lines=True,
    ),
    FileKind(
      ('film.csv', 'live.csv'),
      'of `--csv`: `clip`, `face` (with `--face`), `time` in seconds (empty'
      ' for a whole clip), `predicted`, a probability for each emotion, the'
      ' shares `found` and `audible`',
      shown=('the table of --csv',),
    ),
  ),
)
_RESULTS = FolderKind(
  'Tables, figures, reports',
  'What is made of finished runs.',
  (
    FileKind(
      (
        *('table-[12].*', 'paper.*', 'validation.*'),
        *('comparisons.*', 'comparisons-*.*'),
        'enrolment.*',
      ),
      '`bin/tables`: each table as Markdown, LaTeX and CSV; the curve of'
      ' enrolment also as a picture',
      shown=('table-1.md', 'table-1.tex', 'table-1.csv'),
    ),
    FileKind(
      ('figure-*.png', 'figure-*.pdf', 'reliability.png', 'reliability.pdf'),
      '`bin/figures`: the figures of the paper, and how far probabilities can'
      ' be trusted',
      shown=('figure-2.png', 'figure-2.pdf'),
    ),
    FileKind(
      ('figure-*.tex', 'figure-*.txt', 'reliability.tex', 'reliability.txt'),
      '`bin/figures`: each figure with its caption for LaTeX; the caption'
      ' alone',
      shown=('figure-2.tex', 'figure-2.txt'),
    ),
    FileKind(
      ('figures.json',),
      '`bin/figures`: figure -> the numbers behind it, by name',
    ),
    FileKind(
      ('report.html',), '`bin/report`: all of it, in one file without a network'
    ),
    FileKind(
      ('BENCHMARKS.md', 'BENCHMARKS.png'),
      '`bin/benchmark --table`: table and picture of measured lines',
    ),
    FileKind(
      ('robustness.csv', 'robustness.md', 'robustness.png', 'robustness.pdf'),
      '`bin/robustness`: accuracy by disturbance and level',
    ),
    FileKind(
      ('kept/*.json',),
      '`bin/robustness`: the answers of a run under one condition, so that it'
      ' can go on',
      'Answers',
      shown=('kept/DIGEST.json',),
    ),
  ),
)
_SWEEP = FolderKind(
  'A sweep',
  'The `--workdir` of `bin/sweep`. With folds each fold has such a folder,'
  ' `fold-K`.',
  (
    FileKind(
      ('sweep.json',),
      'what was asked for: `settings`, `sweep`, and the clips',
      {
        'settings': 'of all that is tried, but for what changes',
        'sweep': 'the file: its list, or how many trials',
        'emotions': 'of the clips',
        'widths': 'stream -> number of columns',
        'data_fingerprint': 'of the clips',
        'audit?': 'findings of the audit',
      },
    ),
    FileKind(
      ('setting-*/setting.json',),
      '`changes`: setting -> value',
      {'changes': 'setting -> value'},
      shown=('setting-0/setting.json',),
    ),
    FileKind(('failure.txt',), 'why a training of a setting failed'),
    FileKind(
      ('chosen.json',),
      'the choice',
      {
        'setting': 'number of the chosen one',
        'changes': 'setting -> value',
        'validation_accuracy': 'number -> mean validation accuracy',
      },
    ),
    FileKind(
      ('optuna.journal', 'trials/*'),
      'of a sampler: its journal, which the processes share, and their locks',
      shown=('optuna.journal',),
    ),
    FileKind(
      ('sweep.md', 'sweep.tex', 'sweep.csv'), 'the table of all settings'
    ),
  ),
)
_MADE = FolderKind(
  'Made clips',
  '`bin/synthesise OUT` draws talking faces whose truth is known.',
  (
    FileKind(
      ('truth.jsonl',),
      'one line per clip: what was drawn',
      {
        'clip': 'its file',
        'emotion': 'that was drawn',
        'speaker': 'who was drawn',
        'split': 'of the clip',
        'frames': 'number of video frames',
        'lag': 'seconds by which the sound is late',
        'landmarks': 'file of its landmarks as drawn',
        'salient': 'from which frame, up to which, the emotion is shown',
      },
      lines=True,
    ),
    FileKind(
      ('truth/*.npy',), 'the landmarks as drawn', shown=('truth/CLIP.npy',)
    ),
  ),
)
_REPRODUCTION = FolderKind(
  'A reproduction',
  'The folder `OUT` of `bin/reproduce`: beside these the store, the runs,'
  ' `tables` and `figures`, as above.',
  (
    FileKind(('README.md',), 'the tables, and what was not as in the paper'),
    FileKind(
      ('reproduce.json',), 'what was asked for; another request is refused'
    ),
    FileKind(('seconds.json',), 'stage -> seconds that it took'),
  ),
)
FOLDERS = (
  *(_RUN, _STORE, _BUNDLE, _PREDICTIONS, _RESULTS, _SWEEP, _REPRODUCTION),
  _MADE,
)
