"""Folders in the layouts of the corpora, complete and with their known faults.

The files contain only their names, since readers use only names and folders.
"""

import itertools
import pathlib

from avjax.clips import EMOTIONS


def write(root: pathlib.Path, paths) -> None:
  """Writes a file per path, which contains its path."""
  for path in paths:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(str(path))


def ravdess(root: pathlib.Path) -> None:
  """Writes all 1440 takes, one in three formats, a song and a system file."""
  takes = []
  for actor in range(1, 25):
    for emotion, intensity in itertools.product(range(1, 9), (1, 2)):
      if (emotion, intensity) != (1, 2):
        for sentence, repetition in itertools.product((1, 2), (1, 2)):
          fields = (1, emotion, intensity, sentence, repetition, actor)
          take = '-'.join(f'{field:02}' for field in fields)
          takes.append(f'Actor_{actor:02}/01-{take}.mp4')
  assert len(takes) == 1440
  write(root, takes)
  first = takes[0].split('/01-')[1]
  write(root, [f'Actor_01/02-{first}', f'Actor_01/03-{first[:-4]}.wav'])
  write(root, ['Actor_01/01-02-01-01-01-01-01.mp4', f'Actor_01/._01-{first}'])


SENTENCES = (
  'IEO', 'TIE', 'IOM', 'IWW', 'TAI', 'MTI', 'IWL', 'ITH', 'DFA', 'ITS', 'TSI',
  'WSI',
)  # fmt: skip


def cremad_names() -> list[str]:
  """Returns the names of 7442 clips: 1271 per emotion, 1087 of neutral."""
  names = []
  for actor, sentence in itertools.product(range(1001, 1092), SENTENCES):
    for emotion in ('ANG', 'DIS', 'FEA', 'HAP', 'NEU', 'SAD'):
      several = sentence == 'IEO' and emotion != 'NEU'
      for level in ('LO', 'MD', 'HI') if several else ('XX',):
        names.append(f'{actor}_{sentence}_{emotion}_{level}')
  for emotion in ('ANG', 'DIS', 'FEA', 'HAP', 'NEU', 'SAD'):
    lacking = [n for n in names if n.startswith('1090_') and emotion in n]
    for name in lacking[: 5 if emotion == 'NEU' else 3]:
      names.remove(name)
  assert len(names) == 7442
  return names


def cremad(root: pathlib.Path) -> None:
  """Writes all clips as videos, two also as audio, one of them misnamed."""
  names = cremad_names()
  write(root, [f'VideoFlash/{name}.flv' for name in names])
  write(root, ['AudioWAV/1001_DFA_ANG_XX.wav', 'AudioWAV/1040_ITH_SAD_X.wav'])
  table = root / 'processedResults/summaryTable.csv'
  table.parent.mkdir()
  table.write_text(
    '"","fileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel",'
    '"MultiModalVote","MultiModalLevel"\n'
    '"1","1001_DFA_ANG_XX","N","50","A:D","60:40","A","70"\n'
    '"2","1040_ITH_SAD_XX","S","50","S","60","S","70"\n'
  )


def savee(root: pathlib.Path) -> None:
  """Writes all 480 clips, and the audio of one."""
  counts = {'a': 15, 'd': 15, 'f': 15, 'h': 15, 'n': 30, 'sa': 15, 'su': 15}
  write(
    root,
    [
      f'AudioVisualClip/{speaker}/{code}{number:02}.avi'
      for speaker in ('DC', 'JE', 'JK', 'KL')
      for code, count in counts.items()
      for number in range(1, count + 1)
    ],
  )
  write(root, ['AudioData/DC/a01.wav'])


def enterface(root: pathlib.Path) -> None:
  """Writes 44 subjects: 6 is uncut, 11 is called 12, 23 lacks three clips."""
  codes = {
    'anger': 'an', 'disgust': 'di', 'fear': 'fe', 'happiness': 'ha',
    'sadness': 'sa', 'surprise': 'su',
  }  # fmt: skip
  paths = []
  for subject, (emotion, code) in itertools.product(
    range(1, 45), codes.items()
  ):
    folder = f'subject {subject}/{emotion}'
    if subject == 6:
      paths.append(f'{folder}/s6_{code}.avi')
      continue
    for k in range(1, 6):
      if (subject, k) == (23, 5) and code in ('an', 'fe', 'su'):
        continue
      name = f's{12 if subject == 11 else subject}_{code}_{k}'
      name = f's_3_{code}_{k}' if subject == 3 and code == 'ha' else name
      name = 's16_su_3avi' if name == 's16_su_3' else name
      paths.append(f'{folder}/sentence {k}/{name}.avi')
  assert len(paths) == 1293
  write(root, paths)


MELD = {
  'train': ('train_splits', 9989),
  'dev': ('dev_splits_complete', 1109),
  'test': ('output_repeated_splits_test', 2610),
}


def meld(root: pathlib.Path) -> None:
  """Writes three splits, with ten lines per dialogue, and the known faults.

  One test clip has a second cut, one file is not in the table.
  """
  emotions = ('neutral', 'joy', 'surprise', 'anger', 'sadness', 'disgust')
  for split, (folder, count) in MELD.items():
    rows, paths = [], []
    for k in range(count):
      emotion, name = emotions[k % 6], f'dia{k // 10}_utt{k % 10}'
      speaker = 'Rachel\x92s Mum' if k == 3 else ('Ross', 'Monica')[k % 2]
      line = f'{k},Oh\x85,{speaker},{emotion},x,{k // 10},{k % 10}\n'
      rows.append(line.encode('latin-1'))
      paths.append(f'{folder}/{name}.mp4')
    if split == 'dev':
      paths.remove(f'{folder}/dia110_utt7.mp4')
    write(root, paths)
    head = b'Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,'
    (root / f'{split}_sent_emo.csv').write_bytes(
      head + b'Utterance_ID\n' + b''.join(rows)
    )
  test = 'output_repeated_splits_test'
  write(
    root,
    [
      f'{test}/final_videos_testdia93_utt9.mp4',
      f'{test}/._dia0_utt0.mp4',
      f'{test}/dia900_utt0.mp4',
    ],
  )


TRAINING = (133, 74, 81, 150, 144, 117, 74)
VALIDATION = (64, 40, 46, 63, 63, 61, 46)


def afew(root: pathlib.Path) -> None:
  """Writes training and validation of 2017; both have a clip 000000001."""
  for folder, counts in (('Train_AFEW', TRAINING), ('Val_AFEW', VALIDATION)):
    for emotion, count in zip(EMOTIONS, counts, strict=True):
      write(
        root,
        [
          f'{folder}/{emotion.capitalize()}/{k:09}.avi'
          for k in range(1, count + 1)
        ],
      )


TREES = {
  'afew': afew,
  'ravdess': ravdess,
  'cremad': cremad,
  'savee': savee,
  'enterface': enterface,
  'meld': meld,
}
