"""Signals while code has a handler of its own, as a training has."""

import signal
import subprocess
import sys
import time

import pytest

PROGRAM = """
import signal, sys, time
from avjax import interrupts
interrupts.answer('program')
def note(number, frame):
  global noted
  noted = True
noted = False
signal.signal(signal.SIGTERM, note)
print('ready', flush=True)
while not (noted and {saves}):
  time.sleep(0.01)
time.sleep(0.2)  # saves
signal.signal(signal.SIGTERM, interrupts._left_to_the_thread)
time.sleep(0.5)
sys.exit(7)
"""


@pytest.mark.parametrize('saves', [True, False])
def test_a_handler_of_its_own(saves):
  """Program: it has time to save and to end; then it is ended."""
  process = subprocess.Popen(
    [sys.executable, '-c', PROGRAM.format(saves=saves)],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  assert process.stdout.readline() == 'ready\n'
  asked = time.monotonic()
  process.send_signal(signal.SIGTERM)
  _, error = process.communicate(timeout=30)
  assert time.monotonic() - asked < 3
  said = 'program: ended by SIGTERM; run the same command again to go on\n'
  wanted = (7, '') if saves else (143, said)
  assert (process.returncode, error) == wanted
