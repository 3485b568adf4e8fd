"""Readers of the public corpora, on folders generated in their layouts."""

import os
import pathlib
import re

import pytest

from avjax.data import clip_table
from avjax.data.corpora import afew, catalogue, cremad, meld
from avjax.data.corpora.listing import rows
from avjax.errors import AvjaxError, ConfigError, DataError
from tests.data.corpus_trees import TREES, write

CLIPS = {
  'afew': 1156,
  'ravdess': 1440,
  'cremad': 7438,
  'savee': 480,
  'enterface': 1287,
  'meld': 13704,
}
"""Usable clips of a complete corpus."""


@pytest.fixture(scope='module')
def trees(tmp_path_factory):
  """Returns a folder with every corpus, by its name."""
  root = tmp_path_factory.mktemp('corpora')
  for name, make in TREES.items():
    (root / name).mkdir()
    make(root / name)
  return root


@pytest.mark.parametrize('name', TREES)
def test_every_clip_once(trees, name):
  """Law: a complete corpus is as expected; every take is listed once."""
  text, good = catalogue.check(name, trees / name)
  assert good, text
  assert text.endswith('\nas expected\n')
  listing = catalogue.read(name, trees / name)
  assert len(listing.entries) == CLIPS[name]
  for key in ('name', 'path', 'take'):
    assert len({getattr(e, key) for e in listing.entries}) == CLIPS[name]
  assert not listing.broken
  listed = {path for path, _ in listing.ignored}
  listed |= {e.path for e in listing.nominal}
  media = {'.mp4', '.wav', '.flv', '.avi'}
  for path in (trees / name).rglob('*'):
    if path.suffix in media:  # every file is a clip or ignored
      assert path.relative_to(trees / name).as_posix() in listed


def facts(name, path, trees):
  """Returns name, split, speaker and targets of the clip at a path."""
  entries = catalogue.read(name, trees / name).entries
  (clip,) = (entry for entry in entries if entry.path == path)
  return clip.name, clip.split, clip.speaker, dict(clip.targets)


@pytest.mark.parametrize(
  ('name', 'path', 'known'),
  [
    (
      'afew',
      'Val_AFEW/Happy/000000001.avi',
      (
        'validation/happy/000000001', 'validation', '',
        {'annotated': 'happy'},
      ),
    ),
    (
      'ravdess',
      'Actor_12/01-01-06-01-02-01-12.mp4',
      ('01-06-01-02-01-12', '', 'Actor_12', {'acted': 'fear'}),
    ),
    (
      'cremad',
      'VideoFlash/1001_DFA_ANG_XX.flv',
      (
        '1001_DFA_ANG_XX', '', '1001',
        {'acted': 'angry', 'voice': 'neutral', 'multimodal': 'angry'},
      ),
    ),
    (
      'savee',
      'AudioVisualClip/JE/su04.avi',
      ('JE_su04', '', 'JE', {'acted': 'surprise'}),
    ),
    (
      'enterface',
      'subject 11/sadness/sentence 2/s12_sa_2.avi',
      ('s11_sa_2', '', 'subject 11', {'elicited': 'sad'}),
    ),
    (
      'enterface',
      'subject 12/sadness/sentence 2/s12_sa_2.avi',
      ('s12_sa_2', '', 'subject 12', {'elicited': 'sad'}),
    ),
    (
      'enterface',
      'subject 3/happiness/sentence 1/s_3_ha_1.avi',
      ('s3_ha_1', '', 'subject 3', {'elicited': 'happy'}),
    ),
    (
      'meld',
      'dev_splits_complete/dia0_utt3.mp4',
      (
        'dev/dia0_utt3', 'validation', "Rachel's Mum",
        {'annotated': 'angry'},
      ),
    ),
  ],
)  # fmt: skip
def test_facts_of_a_clip(trees, name, path, known):
  """Golden: name, split, speaker and labels of one clip."""
  assert facts(name, path, trees) == known


@pytest.mark.parametrize(
  ('name', 'lines'),
  [
    (
      'ravdess',
      [
        r'2 files, the same take as \(Actor_01/0[23].*, Actor_01/0[23]',
        r'1 files, a song \(Actor_01/01-02-01',
        r'1 files, a system file \(Actor_01/._01',
        r'  Actor_24 +60\n',
        r'neutral +96 +96\n',
      ],
    ),
    (
      'cremad',
      [
        *(f'known to be bad, not used: {clip} ' for clip in cremad.FAULTS),
        'the same take as .AudioWAV/1001_DFA_ANG_XX.wav, AudioWAV/1040_ITH',
        r'neutral +1087 +1087\n',
        r'speakers +91 +91\n',
      ],
    ),
    ('savee', ['the same take as .AudioData/DC/a01', r'speakers +4 +4\n']),
    (
      'enterface',
      [
        'known to be bad, not used: s6_di is not cut',
        'note: subject 11/anger/sentence 1/s12_an_1.avi is s11_an_1 by',
        'note: subject 3/happiness/sentence 5/s_3_ha_5.avi is s3_ha_5 by',
        'note: subject 16/surprise/sentence 3/s16_su_3avi.avi is s16_su_3 by',
        r'  subject 23 +27',
      ],
    ),
    (
      'meld',
      [
        *(f'known to be bad, not used: {clip} ' for clip in meld.FAULTS),
        r'1 files, a first cut \(.*/dia93_utt9.mp4',
        r'1 files, a system file',
        r'1 files, not in the table \(.*dia900_utt0',
        r'validation +1109 +1109\n',
      ],
    ),
    ('afew', [r'training fear +81 +81\n', r'validation +383 +383\n']),
  ],
)
def test_known_faults_are_reported(trees, name, lines):
  """Golden: the report lists every known fault of a corpus with its reason."""
  text, _ = catalogue.check(name, trees / name)
  for line in lines:
    assert re.search(line, text), f'{line} in\n{text}'


@pytest.mark.parametrize('name', ['ravdess', 'afew', 'savee', 'enterface'])
def test_unzipped_twice(trees, name, tmp_path):
  """Law: an additional outer folder changes nothing."""
  outer = tmp_path / 'corpus'
  outer.mkdir()
  (outer / name).symlink_to(trees / name)
  plain = catalogue.read(name, trees / name).entries
  nested = catalogue.read(name, outer).entries
  assert [e.name for e in plain] == [e.name for e in nested]
  assert [e.targets for e in plain] == [e.targets for e in nested]


def small(tmp_path, *paths):
  """Returns a folder with two intact takes of RAVDESS and further files."""
  write(tmp_path, ['Actor_01/01-01-01-01-01-01-01.mp4'])
  write(tmp_path, ['Actor_02/01-01-03-01-01-01-02.mp4', *paths])
  return tmp_path


@pytest.mark.parametrize(
  ('path', 'text', 'reason'),
  [
    ('Actor_03/01-01-03-01-01-01-03.mp4', '', 'is empty'),
    (
      'Actor_03/01-01-03-01-01-01-03.mp4',
      'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n',
      "run 'git lfs pull'",
    ),
    ('Actor_03/holiday.mp4', 'x', 'is not named like'),
    ('Actor_03/01-01-03-01-01-01-04.mp4', 'x', 'is in Actor_03'),
    ('Actor_25/01-01-03-01-01-01-25.mp4', 'x', 'no actor 25'),
    ('Actor_03/01-01-01-02-01-01-03.mp4', 'x', 'no neutral take of high'),
    ('Actor_03/03-01-03-01-01-01-03.wav', 'x', 'is the only file of its take'),
    (
      'more/Actor_02/01-01-03-01-01-01-02.mp4',
      'x',
      'is the same clip as Actor_02/01-01-03-01-01-01-02.mp4, with another',
    ),
  ],
)
def test_unexpected_files(tmp_path, path, text, reason):
  """Law: a damaged or unexpected file is reported and not used."""
  root = small(tmp_path, path)
  (root / path).write_text(text)
  listing = catalogue.read('ravdess', root)
  assert [e.speaker for e in listing.entries] == ['Actor_01', 'Actor_02']
  ((where, why),) = listing.broken
  assert where == path
  assert reason in why
  report, good = catalogue.check('ravdess', root)
  assert not good
  assert f'broken: {path} {why}' in report
  assert report.endswith('\nNOT as expected\n')


def test_a_copy(tmp_path):
  """Law: a copy is ignored; a copy under another name is reported."""
  root = small(tmp_path)
  first = root / 'Actor_01/01-01-01-01-01-01-01.mp4'
  (root / 'again').mkdir()
  (root / 'again' / first.name).write_bytes(first.read_bytes())
  (root / 'Actor_01/01-01-02-01-01-01-01.mp4').write_bytes(first.read_bytes())
  listing = catalogue.read('ravdess', root)
  assert len(listing.entries) == 3
  assert not listing.broken
  report, _ = catalogue.check('ravdess', root)
  assert 'a copy of (again/01-01-01-01-01-01-01.mp4)' in report
  assert 'has the same bytes as Actor_01/01-01-01-01-01-01-01.mp4' in report


def test_audio_only(tmp_path):
  """Law: if no take has a video, the audio files are the clips."""
  write(tmp_path, [f'AudioWAV/100{k}_DFA_ANG_XX.wav' for k in (1, 2)])
  write(tmp_path, ['AudioMP3/1001_DFA_ANG_XX.mp3'])
  listing = catalogue.read('cremad', tmp_path)
  assert [e.path for e in listing.entries] == [
    'AudioWAV/1001_DFA_ANG_XX.wav',
    'AudioWAV/1002_DFA_ANG_XX.wav',
  ]
  assert not listing.broken


def test_savee_without_folders(tmp_path):
  """Law: flat copies are read by their names, in both styles."""
  write(tmp_path, ['x/DC_sa01.avi', 'x/KLn30.avi', 'x/a02.avi'])
  listing = catalogue.read('savee', tmp_path)
  assert [(e.name, e.label) for e in listing.entries] == [
    ('DC_sa01', 'sad'),
    ('KL_n30', 'neutral'),
  ]
  assert 'has no speaker' in listing.broken[0][1]


def test_enterface_without_folders(tmp_path):
  """Law: file names without the folders are not used."""
  write(tmp_path, ['s12_an_1.avi', 'subject 2/anger/sentence 1/s2_an_1.avi'])
  listing = catalogue.read('enterface', tmp_path)
  assert [e.name for e in listing.entries] == ['s2_an_1']
  assert 'files of subject 11 are called s12' in listing.broken[0][1]


def test_meld_second_cuts(tmp_path):
  """Law: a second cut is used instead of the first, also of a bad first."""
  folder = 'output_repeated_splits_test'
  names = ('dia38_utt4', 'final_videos_testdia38_utt4', 'dia1_utt0')
  write(tmp_path, [f'{folder}/{name}.mp4' for name in names])
  head = 'Sr No.,Utterance,Speaker,Emotion,Dialogue_ID,Utterance_ID\n'
  lines = '1,a,Ross,joy,38,4\n2,b,Ross,joy,1,0\n3,c,Ross,joy,1,1\n'
  (tmp_path / 'test_sent_emo.csv').write_text(head + lines)
  listing = catalogue.read('meld', tmp_path)
  assert [e.path for e in listing.entries] == [
    f'{folder}/final_videos_testdia38_utt4.mp4',
    f'{folder}/dia1_utt0.mp4',
  ]
  assert not listing.faults
  assert listing.broken == (
    ('test/dia1_utt1', 'is in the table and has no file'),
  )


@pytest.mark.parametrize(
  ('text', 'reason'),
  [
    (None, 'no train_sent_emo.csv; copy it from'),
    ('Speaker\nRoss\n', 'is not the table of MELD'),
    (
      'Speaker,Emotion,Dialogue_ID,Utterance_ID\nRoss,bored,0,0\n',
      'is not the table of MELD',
    ),
  ],
)
def test_meld_without_its_tables(tmp_path, text, reason):
  """Law: MELD without a table, or with another table, is refused."""
  write(tmp_path, ['train_splits/dia0_utt0.mp4'])
  if text is not None:
    (tmp_path / 'train_sent_emo.csv').write_text(text)
  with pytest.raises(DataError, match=reason):
    catalogue.read('meld', tmp_path)


def test_test_clips_of_afew(tmp_path):
  """Law: files directly in a test folder are clips without a label."""
  write(
    tmp_path,
    [
      'Train_AFEW/Train_AFEW/Sad/000000001.avi',
      'Test_vid_Distribute/000000001.mp4',
      'Train_AFEW/Bored/000000002.avi',
      'Sad/000000003.avi',
    ],
  )
  listing = catalogue.read('afew', tmp_path)
  assert [(e.name, e.split, e.label) for e in listing.entries] == [
    ('test/000000001', 'test', ''),
    ('training/sad/000000001', 'training', 'sad'),
  ]
  assert [why.split(',')[0] for _, why in listing.broken] == [
    'is not in a folder Train...',
    'is in Bored',
  ]
  assert clip_table.clip(rows('afew', listing.entries)[0], {}).label is None


def test_faces_of_sfew(tmp_path):
  """Law: the training faces of SFEW are found at any depth."""
  write(
    tmp_path,
    [
      'Train/Train_Aligned_Faces/Train_Aligned_Faces/Sad/A_000000001_01.png',
      'Val/Val_Aligned_Faces_new/Val_Aligned_Faces/Sad/B_000000001_01.png',
    ],
  )
  inner = tmp_path / 'Train/Train_Aligned_Faces/Train_Aligned_Faces'
  assert afew.faces(str(tmp_path)) == inner == afew.faces(str(inner))
  assert afew.faces(str(tmp_path / 'Val')) == tmp_path / 'Val'
  text, good = catalogue.check('sfew', tmp_path)
  assert good
  assert re.search(r'training sad +1 ', text)


@pytest.mark.parametrize('name', catalogue.CORPORA)
def test_a_missing_corpus(tmp_path, name):
  """Law: one line tells where to request a corpus, and its licence."""
  corpus = catalogue.CORPORA[name]
  (tmp_path / 'other.mp4').write_text('x')
  for folder in (tmp_path, tmp_path / 'nowhere'):
    with pytest.raises(DataError) as caught:
      catalogue.read(name, folder)
    message = str(caught.value)
    assert '\n' not in message
    assert corpus.source in message and corpus.licence in message
  with pytest.raises(ConfigError, match='one of afew, ravdess'):
    catalogue.read('imagenet', tmp_path)


def test_rows_become_clips(trees):
  """Law: all facts of an entry are in the clip."""
  listing = catalogue.read('cremad', trees / 'cremad')
  first = next(
    row
    for row in rows('cremad', listing.entries)
    if row['clip'] == '1001_DFA_ANG_XX'
  )
  clip = clip_table.clip(first, {}, 'f0')
  assert (clip.name, clip.label, clip.speaker, clip.split) == (
    '1001_DFA_ANG_XX', 'angry', '1001', '',
  )  # fmt: skip
  assert (clip.corpus, clip.take, clip.source) == ('cremad', clip.name, 'f0')
  assert dict(clip.targets) == {
    'acted': 'angry',
    'voice': 'neutral',
    'multimodal': 'angry',
  }


def test_feature_files(tmp_path):
  """Law: a clip with feature files is named after them, and listed once."""
  write(
    tmp_path,
    [
      'audio/01-01-03-01-01-01-02.npy',
      'shape/01-01-03-01-01-01-02.npy',
      'audio/01-02-01-01-01-01.npz',
      'mean.npy',
    ],
  )
  got = catalogue.feature_rows('ravdess', tmp_path)
  assert [(row['clip'], row['take'], row['label']) for row in got] == [
    ('01-01-03-01-01-01-02', '01-03-01-01-01-02', 'happy'),
    ('01-02-01-01-01-01', '01-02-01-01-01-01', 'calm'),
  ]
  assert [clip_table.clip(row, {}).attributes for row in got] == [
    {'gender': 'female', 'intensity': 'normal'},
    {'gender': 'male', 'intensity': 'normal'},
  ]
  for name, folder in (('meld', tmp_path), ('cremad', tmp_path)):
    with pytest.raises(AvjaxError):
      catalogue.feature_rows(name, folder)


def test_real_takes():
  """Golden: 284 takes of five actors, if AVJAX_RAVDESS names their folder."""
  folder = os.environ.get('AVJAX_RAVDESS', '')
  if not folder:
    pytest.skip('AVJAX_RAVDESS names no folder of real takes')
  got = {row['clip']: row for row in catalogue.feature_rows('ravdess', folder)}
  listed = clip_table.read(
    pathlib.Path(folder, 'manifest.csv'), {'clip': 'take'}
  )
  assert len(got) == len(listed) == 284
  other = {'fearful': 'fear', 'surprised': 'surprise'}
  for row in listed:
    read = got[row['clip']]
    assert read['speaker'] == row['speaker']
    assert read['label'] == other.get(row['label'], row['label'])
    assert read['take'] == row['clip']
