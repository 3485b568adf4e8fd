"""Decoded video and audio: their lengths and their times.

The clips are generated here: each frame shows its number, the audio is one
beep.
"""

import re
from fractions import Fraction

import av
import numpy as np
import pytest

from avjax import clips
from avjax.features import audio_track, canvas, media, timestamps, video_track
from tests.features import clips_made
from tests.features.clips_made import make, number, numbers, onset, whole


@pytest.fixture(scope='module')
def decoder():
  with media.Decoder() as made:
    yield made


@pytest.fixture
def good(tmp_path):
  return make(tmp_path / 'good.mp4')


def texts(clip):
  return [note.text for note in clip.notes]


def test_constants_are_those_of_clips():
  """Law: the module without JAX has the same rates as `clips`."""
  assert timestamps.FRAME_RATE == clips.FRAME_RATE
  assert timestamps.SAMPLE_RATE == clips.SAMPLE_RATE


@pytest.mark.parametrize(
  ('suffix', 'kwargs'),
  [
    ('mp4', {}),
    ('mp4', {'rate': 44100}),
    ('mov', {'video': 'libx264', 'rate': 16000}),
    ('mkv', {'video': 'ffv1', 'pixels': 'bgr0', 'audio': 'flac'}),
    ('webm', {'video': 'libvpx', 'audio': 'libopus'}),
    ('webm', {'video': 'libvpx-vp9', 'audio': 'libopus'}),
    ('avi', {'audio': 'pcm_s16le'}),
    ('ts', {'video': 'mpeg2video', 'audio': 'mp2'}),
  ],
)
def test_containers(decoder, tmp_path, suffix, kwargs):
  """Golden: 60 frames and 2.4 s, each frame and the beep at its time."""
  clip = decoder(make(tmp_path / f'a.{suffix}', **kwargs), 'name')
  assert whole(clip) and clip.name == 'name' and clip.notes == ()
  assert clip.frames.shape == (60, 64, 96, 3)
  assert clip.frames.dtype == np.uint8
  assert numbers(clip) == list(range(60))
  assert onset(clip) == pytest.approx(1, abs=0.003)
  # At least the encoded 2.4 s; a codec may add padding.
  assert clip.audible[640:38000].all()


@pytest.mark.parametrize(
  ('ticks', 'length'),
  [
    (range(0, 1440, 20), 60),  # 30 a second
    (range(0, 1440, 10), 60),  # 60 a second
    (range(0, 1440, 50), 60),  # 12 a second
    ([*range(0, 600, 20), *range(600, 900, 75), *range(900, 1440, 18)], 60),
    (range(0, 1441, 20), 61),  # 73 frames: 2.433 s
    ([0], 60),  # a still picture under 2.4 s of sound
  ],
)
def test_nearest_source_frame(decoder, tmp_path, ticks, length):
  """Equation: frame k is the source frame nearest to k / 25 s; VFR too."""
  path = make(tmp_path / 'a.mp4', ticks=ticks, tick=Fraction(1, 600))
  clip = decoder(path)
  assert whole(clip) and clip.length == length
  times = np.array(ticks) / 600
  wanted = [np.argmin(np.abs(times - k / 25)) for k in range(length)]
  assert numbers(clip) == wanted


def test_late_sound_and_gaps(decoder, tmp_path):
  """Law: audio keeps its time; the mask is False where there is none."""
  path = make(
    tmp_path / 'a.mkv',
    ticks=range(100),
    audio='pcm_s16le',
    sound=(2.43, 4.0),
    gap=(3.0, 3.5),
    beep=3.6,
  )
  clip = decoder(path)
  assert whole(clip) and clip.length == 100
  assert texts(clip) == [
    'the sound begins 2.43 s after the picture',
    '1 hole in the sound, 0.50 s',
  ]
  second = np.arange(64000) / 16000
  assert not clip.audible[second < 2.42].any()
  assert clip.audible[(second > 2.44) & (second < 2.9)].all()
  assert not clip.audible[(second > 3.1) & (second < 3.45)].any()
  assert clip.audible[(second > 3.6) & (second < 3.95)].all()
  assert onset(clip) == pytest.approx(3.6, abs=0.003)


def test_rounded_time_stamps(decoder, tmp_path):
  """Equation: time stamps rounded to 1 ms (Matroska) leave a tone intact."""
  kwargs = dict(audio='pcm_s16le', rate=44100)
  clip = decoder(make(tmp_path / 'a.mkv', **kwargs))
  inside = np.arange(16320, 17280)
  wanted = 0.25 * np.cos(2 * np.pi * 1000 * inside / 16000)
  # A shift of 0.1 ms at a block's edge would be an error of 0.15.
  np.testing.assert_allclose(clip.waveform[inside], wanted, atol=1e-3)
  assert clip.audible.all()


def test_pictures_stamped_out_of_order():
  """Law: they keep their order; one with the time of another is left out."""
  track = video_track.VideoTrack(canvas.Canvas(Fraction(1)))

  def begin(first, excess):
    return first

  for index, time in enumerate((0, 0.08, 0.04, 0.08, 0.12)):
    image = np.ascontiguousarray(clips_made.picture(index))
    frame = av.VideoFrame.from_ndarray(image, format='rgb24')
    track.add(frame, Fraction(time).limit_denominator(100), begin)
  while track.waiting:
    track.place(begin)
  track.finish(Fraction(0))
  assert [number(frame) for frame in track.frames] == [0, 1, 2, 4]
  assert track.disordered and track.dropped == 1


@pytest.mark.parametrize(
  ('layout', 'channels', 'share'),
  [('stereo', 2, 0.5), ('5.1', 6, 0.5), ('quad', 4, 0.5), ('3.0', 3, 0.5)],
)
def test_first_channel(decoder, tmp_path, layout, channels, share):
  """Equation: the left channel's share of the mono mix is a half."""
  kwargs = dict(audio='flac', layout=layout, channels=channels, level=0.6)
  clip = decoder(make(tmp_path / 'a.mkv', **kwargs))
  inside = clip.waveform[16320:17280]
  tone = np.cos(2 * np.pi * 1000 * np.arange(16320, 17280) / 16000)
  np.testing.assert_allclose(inside, share * 0.6 * tone, atol=1e-4)


@pytest.mark.parametrize(
  ('layout', 'channels', 'mono'),
  [
    # A voice in the centre is as loud as in both channels of stereo, 3 dB less
    # in each (ITU-R BS.775).
    ('5.1', [2], 0.5**0.5),
    ('stereo', [0, 1], 1),
    ('5.1', [3], 0),  # low frequencies
    ('5.1', [4, 5], 0.5**0.5),
  ],
)
def test_down_mix(layout, channels, mono):
  """Equation: the shares of the channels are those of ITU-R BS.775."""
  count = av.AudioLayout(layout).nb_channels
  block = np.zeros((count, 1024), np.float32)
  block[channels] = 0.5
  frame = av.AudioFrame.from_ndarray(block, format='fltp', layout=layout)
  frame.sample_rate = 16000
  track = audio_track.AudioTrack()
  track.add(frame, Fraction(0))
  track.place(Fraction(0))
  wave, _, _ = track.render(1)
  np.testing.assert_allclose(wave, 0.5 * mono, atol=1e-6)


@pytest.mark.parametrize(
  ('codec', 'atol'),
  [('pcm_u8', 1e-2), ('pcm_s16le', 1e-4), ('pcm_s32le', 1e-6),
   ('pcm_f32le', 1e-6), ('pcm_f64le', 1e-6)],
)  # fmt: skip
def test_sample_formats(decoder, tmp_path, codec, atol):
  """Golden: full scale of every sample format is 1; 16 kHz is not resampled."""
  path = make(
    tmp_path / 'a.mkv', video=None, audio=codec, rate=16000, level=0.5
  )
  clip = decoder(path)
  assert whole(clip) and clip.frames is None and texts(clip) == ['no video']
  assert clip.length == 60
  wanted = np.zeros(38400)
  wanted[16000:17600] = np.cos(2 * np.pi * 1000 * np.arange(1600) / 16000) / 4
  np.testing.assert_allclose(clip.waveform, wanted, atol=atol)


def test_samples_that_are_not_finite(decoder, tmp_path):
  """Law: NaN and infinity in a float file become silence, with a note."""
  path = make(tmp_path / 'a.mkv', audio='pcm_f32le', level=np.nan)
  clip = decoder(path)
  assert whole(clip) and not clip.waveform.any()
  assert texts(clip) == ['4800 audio samples are not finite']
  assert clip.audible.sum() == 38400 - 1600
  loud = decoder(make(tmp_path / 'b.mkv', audio='pcm_f32le', level=9.0))
  assert whole(loud)


def test_one_stream_only(decoder, tmp_path):
  """Law: no audio gives zeros; no video gives None and the audio's length."""
  silent = decoder(make(tmp_path / 'a.mp4', audio=None))
  assert whole(silent) and silent.length == 60
  assert not silent.audible.any() and texts(silent) == ['no audio']
  audio = decoder(make(tmp_path / 'b.mka', video=None, sound=(0, 2.41)))
  assert whole(audio) and audio.length == 61
  assert audio.frames is None and texts(audio) == ['no video']
  assert onset(audio) == pytest.approx(1, abs=0.003)


def test_titles_in_other_encodings(decoder, good):
  """Law: a file with metadata that is not UTF-8 is decoded."""
  data = good.read_bytes()
  assert b'Lavf' in data
  path = good.with_name('other.mp4')
  path.write_bytes(data.replace(b'Lavf', b'\xff\xfe\xe9\xff'))
  assert decoder(path).length == 60


def test_album_art_is_no_video(decoder, tmp_path):
  """Law: the cover image of an audio file is not decoded as video."""
  kwargs = dict(video='mjpeg', pixels='yuvj420p', ticks=[0], cover=True)
  clip = decoder(make(tmp_path / 'a.mp4', **kwargs))
  assert clip.frames is None and texts(clip) == ['no video']


@pytest.mark.parametrize('degrees', [90, 180, -90])
def test_rotation(decoder, tmp_path, degrees):
  """Law: a video with a rotation tag is decoded upright."""
  path = make(tmp_path / 'a.mp4', rotation=degrees)
  clip = decoder(path)
  upright = np.rot90(clip.frames[37], -degrees // 90)
  assert upright.shape == (64, 96, 3)
  assert number(upright) == 37


@pytest.mark.parametrize(
  'pixels', ['gray', 'yuv444p', 'yuv422p10le', 'bgra', 'rgb48le']
)
def test_pixel_formats(decoder, tmp_path, pixels):
  """Golden: every pixel format, and odd sizes, are decoded to RGB."""
  size = (97, 65)
  kwargs = dict(video='ffv1', pixels=pixels, size=size, ticks=range(5))
  clip = decoder(make(tmp_path / 'a.mkv', audio=None, **kwargs))
  wanted = np.stack([clips_made.picture(k, *size) for k in range(5)])
  error = np.abs(clip.frames.astype(int) - wanted)
  assert error.max() <= 3  # video levels have 219 steps from black to white


@pytest.mark.parametrize(
  ('suffix', 'options'), [('mp4', {'movflags': 'faststart'}), ('mkv', {})]
)
def test_cut_short(decoder, tmp_path, suffix, options):
  """Law: a truncated file gives the first part of the clip, with a note."""
  path = make(tmp_path / f'a.{suffix}', options=options)
  clip = decoder(path)
  assert clip.notes == ()
  data = path.read_bytes()
  path.write_bytes(data[: len(data) * 6 // 10])
  first = decoder(path)
  assert whole(first) and 20 < first.length < 50
  note = re.search(r'partial: (\d\.\d\d) of 2\.4\d s', ' '.join(texts(first)))
  assert float(note[1]) == pytest.approx(first.length / 25, abs=0.05)
  assert len(texts(first)) - any('damaged' in t for t in texts(first)) == 1
  # The frame at the cut may be incomplete.
  same = first.length - 2
  np.testing.assert_array_equal(first.frames[:same], clip.frames[:same])


def test_missing_bytes(decoder, tmp_path):
  """Law: a WAV file and an MP4 index that are cut have a note."""
  sound = dict(video=None, audio='pcm_s16le', rate=16000)
  for name, given in (('a.wav', sound), ('a.mp4', {})):
    path = make(tmp_path / name, **given)
    assert 'missing' not in ' '.join(texts(decoder(path)))
    path.write_bytes(path.read_bytes()[:-20])
    assert 'bytes of it are missing' in ' '.join(texts(decoder(path)))
