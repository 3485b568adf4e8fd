"""Files as people have them: joined, late, out of order, turned, stretched."""

import itertools
import re
from fractions import Fraction

import av
import numpy as np
import pytest

from avjax.errors import DataError
from avjax.features import media, timestamps
from tests.features import clicks, clips_made
from tests.features.clips_made import make, number, numbers

SAMPLE = (
  'mp4, late',
  'mp4, B-frames',
  'mp4, edit list',
  'fragmented mp4, plain',
  'mkv, jitter',
  'webm, late, variable rate, jitter',
  'avi, PCM, B-frames',
  'avi, MP3, plain',
  'ts, late, B-frames',
  'mpg, plain',
  'flv, H.264, B-frames',
  'asf, late',
  'mp3, sound only',
  'wma, sound only',
)
"""The combinations of `clicks` in which something was wrong once."""


@pytest.fixture(scope='module')
def decoder():
  with media.Decoder() as made:
    yield made


def texts(clip):
  return [note.text for note in clip.notes]


@pytest.mark.parametrize('name', SAMPLE)
def test_clicks_and_flashes(decoder, tmp_path, name):
  """Law: a click is heard within 10 ms of its time, a flash seen in 20 ms."""
  case = clicks.cases()[name]
  clip = decoder(clicks.make(tmp_path / f'a.{case.suffix}', case))
  click, flash = clicks.errors(clip, case)
  assert click <= clicks.CLICK_BOUND
  assert flash <= clicks.FLASH_BOUND + 1e-9
  assert not any('partial' in text for text in texts(clip))


@pytest.mark.parametrize('name', ['ts, B-frames', 'mpg, plain', 'mkv, plain'])
def test_joined_recordings(decoder, tmp_path, name):
  """Law: recordings joined in one file follow each other, with a note."""
  case = clicks.cases()[name]
  path = clicks.make(tmp_path / f'a.{case.suffix}', case)
  path.write_bytes(path.read_bytes() * 2)
  clip = decoder(path)
  assert clip.length == 200
  assert 'its time stamps jump: 2 parts follow each other here' in texts(clip)
  wanted = [1, 2, 3, 5, 6, 7]
  assert clicks.flashes(clip) == pytest.approx(wanted, abs=0.02)
  second = clip.waveform[64000:]
  level = np.convolve(second**2, np.ones(64), 'same')
  assert np.argmax(level[:24000]) / 16000 == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
  ('silent', 'heard'), [('10', [1]), ('01', [5]), ('101', [1, 9])]
)
def test_joined_where_a_part_has_no_sound(decoder, tmp_path, silent, heard):
  """Law: sound stays with the picture of its own recording."""
  path = tmp_path / 'a.ts'
  data = b''
  for k, has_sound in enumerate(silent):
    audio = 'aac' if has_sound == '1' else None
    case = clicks.Case('ts', 'libx264', audio, offset=10)
    data += clicks.make(tmp_path / f'{k}.ts', case).read_bytes()
  path.write_bytes(data)
  clip = decoder(path)
  assert clip.length == 100 * len(silent)
  level = np.convolve(clip.waveform**2, np.ones(64), 'same')
  for first in heard:
    near = slice(round(16000 * (first - 0.5)), round(16000 * (first + 0.5)))
    found = first - 0.5 + np.argmax(level[near]) / 16000
    assert found == pytest.approx(first, abs=0.01)
  quiet = np.repeat([part == '0' for part in silent], 64000)
  assert not clip.audible[quiet].any()


@pytest.mark.parametrize('stream', ['audio', 'video'])
def test_a_long_gap_of_one_stream(decoder, tmp_path, stream):
  """Law: in a transport stream too, what pauses alone begins no recording."""
  path = make(
    tmp_path / 'a.ts',
    video='mpeg2video',
    audio='mp2',
    ticks=[*range(50), *range(350, 400)] if stream == 'video' else range(400),
    sound=(0, 16),
    gap=(2, 14) if stream == 'audio' else None,
    beep=15,
  )
  clip = decoder(path)
  assert clip.length == pytest.approx(400, abs=1)
  assert clips_made.onset(clip) == pytest.approx(15, abs=0.03)
  wanted = '1 hole in' if stream == 'audio' else 'stands still for 12'
  assert wanted in ' '.join(texts(clip))


def test_frozen_picture(decoder, tmp_path):
  """Law: a picture that stands still stays until the next one, with a note."""
  path = make(
    tmp_path / 'a.mp4', ticks=[*range(25), *range(75, 100)], sound=(0, 4)
  )
  clip = decoder(path)
  assert numbers(clip) == [*range(25), *[24] * 50, *range(25, 50)]
  assert texts(clip) == ['a picture stands still for 2.0 s']


def test_pictures_of_another_shape(decoder, tmp_path):
  """Law: they keep their proportions; black bars fill the first's size."""
  data = b''
  for k, size in enumerate(((96, 64), (64, 96))):
    data += make(
      tmp_path / f'{k}.ts', size=size, ticks=range(20), audio=None,
      video='mpeg2video',
    ).read_bytes()  # fmt: skip
  path = tmp_path / 'a.ts'
  path.write_bytes(data)
  clip = decoder(path)
  assert clip.frames.shape[1:] == (64, 96, 3)
  assert number(clip.frames[15]) == 15
  assert number(clip.frames[-1][:, 27:69]) == 19  # 43 wide, 64 high
  assert clip.frames[-1][:, :24].max() < 8
  assert 'black bars' in ' '.join(texts(clip))


@pytest.mark.parametrize('name', ['mp4, plain', 'fragmented mp4, plain', 'flv'])
def test_joined_where_one_is_read(decoder, tmp_path, name):
  """Law: the first recording is as it was alone, and a note names the rest."""
  case = clicks.cases().get(name) or clicks.Case('flv', 'flv', 'aac')
  path = clicks.make(tmp_path / f'a.{case.suffix}', case)
  alone = decoder(path)
  path.write_bytes(path.read_bytes() * 2)
  clip = decoder(path)
  np.testing.assert_array_equal(clip.waveform, alone.waveform)
  np.testing.assert_array_equal(clip.frames, alone.frames)
  assert alone.notes == () and 'joined' in ' '.join(texts(clip))


@pytest.mark.parametrize('jump', [1000, -60])
def test_clock_set_anew(decoder, tmp_path, jump):
  """Law: a transport stream whose clock jumps goes on without a gap."""
  parts = []
  for k, offset in enumerate((100, 100 + jump)):
    case = clicks.Case('ts', 'libx264', 'aac', offset=offset)
    parts.append(clicks.make(tmp_path / f'{k}.ts', case).read_bytes())
  path = tmp_path / 'a.ts'
  path.write_bytes(b''.join(parts))
  clip = decoder(path)
  assert clip.length == 200
  assert clicks.flashes(clip) == [1, 2, 3, 5, 6, 7]


@pytest.mark.parametrize(
  ('times', 'parts', 'lost', 'anew'),
  [
    ([0, 1, 2, 0.5, 4], [0, 0, 0, 0, 0], [3], True),  # one false stamp
    ([0, 1, 2, 0.5, 1.5], [0, 0, 0, 1, 1], [], True),
    ([0, 1, 2, 1.9, 3], [0, 0, 0, 0, 0], [], True),  # out of order
    ([0, 1, 50, 51], [0, 0, 1, 1], [], True),
    ([0, 1, 2, 0.5], [0, 0, 0, 0], [3], True),  # nothing confirms it
    ([0, None, 2, 0.5, None, 1], [0] * 6, [1, 3, 4, 5], True),
    ([0, 15, 30], [0, 0, 0], [], False),  # a slow slide show
    ([0, 1, 50, 2, 3], [0, 0, 0, 0, 0], [2], False),
  ],
)
def test_parts_of_time_stamps(times, parts, lost, anew):
  """Law: a part begins where two stamps agree that time has jumped."""
  clock = timestamps.Clock('video', anew, timestamps.Latest())
  settled = []
  for k, time in enumerate(times):
    settled += clock.add(k, None if time is None else Fraction(time))
  settled += clock.finish()
  assert [k for _, k, _ in settled] == list(range(len(times)))
  assert [part for part, _, _ in settled] == parts
  assert [k for _, k, time in settled if time is None] == lost


def test_packed_pictures_of_avi(decoder, tmp_path):
  """Law: DivX's packed B-frames are shown in order, each at its time."""
  case = clicks.Case('avi', 'mpeg4', None, b_frames=1)
  path = tmp_path / 'a.avi'
  with av.open(str(path), 'w') as box:
    pictures = [bytes(p) for p in clicks.pictures(box, case)]
    # Each P is packed with the B after it; an empty picture follows.
    packed = [pictures[0]]
    for p, b in itertools.zip_longest(pictures[1::2], pictures[2::2]):
      packed += [p + b, b'\0\0\1\xb6\x50\x4f'] if b else [p]
    start = packed[0].index(b'\0\0\1\xb6')
    mark = b'\0\0\1\xb2DivX503b1393p'
    packed[0] = packed[0][:start] + mark + packed[0][start:]
    for k, data in enumerate(packed):
      packet = av.Packet(data)
      packet.stream, packet.time_base = box.streams.video[0], Fraction(1, 25)
      packet.pts = packet.dts = k
      packet.is_keyframe = not k
      box.mux(packet)
  clip = decoder(path)
  assert clip.length == 100
  assert clicks.flashes(clip) == list(clicks.AT)


def tone(path, *, jitter=0.0, lost=()):
  """Writes 4 s of 440 Hz in blocks of 20 ms; returns the path."""
  rng = np.random.default_rng(1)
  second = np.arange(64000) / 16000
  wave = (0.5 * np.sin(2 * np.pi * 440 * second)).astype(np.float32)
  with av.open(str(path), 'w') as box:
    stream = box.add_stream('pcm_s16le', rate=16000, layout='mono')
    blocks = clips_made.encoded_audio(
      stream, wave[None], 0, 16000, 'mono', None, step=320
    )
    for k, packet in enumerate(blocks):
      if k not in lost:
        error = rng.uniform(0.6, 1) * rng.choice([-1, 1]) * jitter
        packet.pts += round(error / packet.time_base)
        packet.dts = packet.pts
        box.mux(packet)
  return path


def test_jittering_sound(decoder, tmp_path):
  """Law: stamps that are off by up to 10 ms leave a tone intact."""
  clip = decoder(tone(tmp_path / 'a.mkv', jitter=0.010))
  assert not any('sound' in text for text in texts(clip))
  wave = clip.waveform[16000:48000] * np.hanning(32000)
  power = np.abs(np.fft.rfft(wave)) ** 2
  inside = power[876:885].sum()  # 440 Hz is bin 880
  assert 10 * np.log10(inside / (power.sum() - inside)) > 50


def test_lost_sound(decoder, tmp_path):
  """Law: a hole stays a hole, however the stamps jitter, and is noted."""
  clip = decoder(tone(tmp_path / 'a.mkv', jitter=0.008, lost=range(100, 110)))
  note = re.search(r'1 hole in the sound, (0\.\d\d) s', ' '.join(texts(clip)))
  assert float(note[1]) == pytest.approx(0.2, abs=0.01)
  hole = ~clip.audible[16000:48000]
  assert hole.sum() / 16000 == pytest.approx(0.2, abs=0.01)
  assert np.flatnonzero(hole)[0] / 16000 + 1 == pytest.approx(2, abs=0.01)


def test_last_picture_is_held(decoder, tmp_path):
  """Law: the last picture is shown while the sound goes on, with a note."""
  path = make(tmp_path / 'a.mp4', ticks=range(30), sound=(0, 4), beep=3)
  clip = decoder(path)
  assert clip.length == 100 and numbers(clip)[29:] == [29] * 71
  assert clips_made.onset(clip) == pytest.approx(3, abs=0.003)
  assert texts(clip) == ['the last picture is held for 2.8 s']
  make(path, ticks=range(5), sound=(0, 40))
  clip = decoder(path)
  assert clip.length == 5 + 30 * 25
  assert 's after the last picture are left out' in texts(clip)[0]


def test_default_tracks(decoder, tmp_path):
  """Law: of two tracks the one that is flagged default is decoded."""
  path = tmp_path / 'a.mkv'
  with av.open(str(path), 'w') as box:
    silent, loud = (
      box.add_stream('flac', rate=16000, layout='mono') for _ in range(2)
    )
    loud.disposition = av.stream.Disposition.default
    silent.disposition = av.stream.Disposition(0)
    for stream, level in ((silent, 0), (loud, 0.5)):
      wave = np.full((1, 16000), level, np.float32)
      for packet in clips_made.encoded_audio(
        stream, wave, 0, 16000, 'mono', None
      ):
        box.mux(packet)
  clip = decoder(path)
  np.testing.assert_allclose(clip.waveform, 0.5, atol=1e-4)
  assert '2 audio tracks, of which number 2 is used' in texts(clip)


@pytest.mark.parametrize(
  ('transpose', 'x', 'y'), [*itertools.product((0, 1), (1, -1), (1, -1))]
)
def test_display_matrix(decoder, tmp_path, transpose, x, y):
  """Equation: a point (x, y) is shown at (a x + c y, b x + d y)."""
  a, b, c, d = (0, x, y, 0) if transpose else (x, 0, 0, y)
  one = 65536
  matrix = [a * one, b * one, 0, c * one, d * one, 0, 0, 0, 2**30]
  image = np.zeros((64, 96, 3), np.uint8)
  image[:20, :30], image[:20, -30:], image[-20:, :30] = 85, 170, 255
  path = tmp_path / 'a.mp4'
  with av.open(str(path), 'w') as box:
    stream = box.add_stream('mpeg4', rate=25)
    stream.width, stream.height, stream.pix_fmt = 96, 64, 'yuv420p'
    stream.bit_rate = 2_000_000
    stream.set_display_matrix(matrix)
    frame = av.VideoFrame.from_ndarray(image, format='rgb24')
    box.mux([*stream.encode(frame), *stream.encode(None)])
  shown = decoder(path).frames[0]
  row, column = np.mgrid[:64, :96]
  right, down = a * column + c * row, b * column + d * row
  wanted = np.zeros_like(image.transpose(1, 0, 2) if transpose else image)
  wanted[down - down.min(), right - right.min()] = image
  assert shown.shape == wanted.shape
  assert np.abs(shown.astype(int) - wanted).mean() < 3


@pytest.mark.parametrize(
  ('aspect', 'shape'),
  [(Fraction(3, 2), (64, 144)), (Fraction(8, 9), (72, 96))],
)
def test_pixels_that_are_not_square(decoder, tmp_path, aspect, shape):
  """Equation: the picture is as wide as its sample aspect ratio says."""
  path = make(tmp_path / 'a.mkv', ticks=range(5), audio=None, aspect=aspect)
  clip = decoder(path)
  assert clip.frames.shape[1:3] == shape
  assert number(clip.frames[3]) == 3


def test_hdr_is_noted(decoder, tmp_path):
  """Law: video with another transfer function than SDR gets a note."""
  path = tmp_path / 'a.mkv'
  make(path, ticks=range(3), audio=None, video='ffv1', trc=16)
  assert 'HDR video (PQ)' in ' '.join(texts(decoder(path)))


@pytest.mark.parametrize(
  'text',
  [
    'ffconcat version 1.0\nfile good.mp4\n',
    '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\ngood.mp4\n#EXT-X-ENDLIST\n',
    '<?xml version="1.0"?>\n<MPD></MPD>\n',
    'v=0\no=- 0 0 IN IP4 127.0.0.1\nm=audio 4 RTP/AVP 0\n',
  ],
)
def test_playlists(decoder, tmp_path, text):
  """Law: a file that names other files is refused, whatever its name."""
  make(tmp_path / 'good.mp4', ticks=range(5))
  path = tmp_path / 'clip.mp4'
  path.write_text(text)
  with pytest.raises(DataError, match='it is a playlist, which names other'):
    decoder(path)


def test_stretched(decoder, tmp_path):
  """Law: a few pictures whose stamps stretch over minutes are refused."""
  path = make(
    tmp_path / 'a.mp4', ticks=range(0, 500, 50), tick=Fraction(1), audio=None
  )
  with pytest.raises(DataError, match=r'stretch \d+ bytes over 45\d s'):
    decoder(path)
