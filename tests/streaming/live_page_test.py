"""The page of bin/live, and the program on a file."""

import http.client
import json
import shutil
import subprocess
import threading
import urllib.request

import pytest

from avjax.streaming.live_page import LivePage

CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser')
SHARES = {'happy': 0.75, 'sad': 0.25}


def test_every_state_arrives():
  """Law: a browser gets the page and its states; other hosts get nothing."""
  with LivePage() as page:
    assert page.address.startswith('http://127.0.0.1:')
    with urllib.request.urlopen(page.address, timeout=20) as answer:
      assert "default-src 'none'" in answer.headers['Content-Security-Policy']
      text = answer.read().decode()
    assert 'http:' not in text and 'https:' not in text and '//' not in text
    port = int(page.address.split(':')[2].strip('/'))
    for host, path, code in (
      ('elsewhere.example:80', '/', 403),
      (f'127.0.0.1:{port}', '/favicon.ico', 404),
    ):
      asked = http.client.HTTPConnection('127.0.0.1', port, timeout=20)
      asked.request('GET', path, headers={'Host': host})
      assert asked.getresponse().status == code
    page.show(1.0, SHARES, False)
    events = urllib.request.urlopen(f'{page.address}events', timeout=20)
    assert json.loads(events.readline()[6:])['seconds'] == 1.0
    assert events.readline() == b'\n'
    page.show(2.0, SHARES, True)
    assert json.loads(events.readline()[6:]) == {
      'seconds': 2.0,
      'probabilities': SHARES,
      'ended': True,
    }
    waiting = threading.Thread(target=events.read)
    waiting.start()
  waiting.join(20)  # the stream of states has ended with the page
  assert not waiting.is_alive()


@pytest.mark.skipif(not CHROMIUM, reason='Chromium is not installed')
def test_in_a_browser():
  """Program: Chromium shows the state, and its console is empty."""
  with LivePage() as page:
    page.show(2.0, SHARES, True)
    done = subprocess.run(
      [
        *(CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu'),
        *('--enable-logging=stderr', '--virtual-time-budget=3000'),
        *('--dump-dom', page.address),
      ],
      capture_output=True,
      text=True,
      timeout=120,
    )
  assert 'after 2.0 s; the stream has ended' in done.stdout
  assert '75.0 %' in done.stdout
  assert 'CONSOLE' not in done.stderr, done.stderr
