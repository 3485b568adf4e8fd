"""A process that measures clips, one at a time; `workers` starts it.

A request is one line of JSON on standard input: the settings first, then clips.
Each is answered by one line on standard output. The process and the one that
decodes for it have a process group of their own, which Ctrl-C in a terminal
does not reach. They end when standard input ends, also while this one starts;
so nothing slow is imported at the head.
"""

import json
import os
import queue
import signal
import sys
import threading


def main() -> None:
  """Answers requests until standard input ends."""
  answers = os.fdopen(os.dup(1), 'wb', buffering=0)
  os.dup2(2, 1)  # libraries that print must not mix text into the answers
  requests: queue.SimpleQueue[dict] = queue.SimpleQueue()
  threading.Thread(target=_listen, args=(requests,), daemon=True).start()

  def answer(**content: object) -> None:
    try:
      answers.write(json.dumps(content).encode() + b'\n')
    except BrokenPipeError:
      _end()

  from avjax.errors import AvjaxError
  from avjax.features import measuring
  from avjax.settings import FeaturesConfig, section

  given = requests.get()
  try:
    measured_by = measuring.measure(section(FeaturesConfig, given))
  except AvjaxError as error:
    answer(refused=str(error))
  else:
    answer(ready=True)
  while True:
    answer(**measuring.measure_clip(measured_by, **requests.get()))


def _listen(requests: queue.SimpleQueue) -> None:
  """Hands over the requests, and ends the process when they end."""
  for line in sys.stdin.buffer:
    requests.put(json.loads(line))
  _end()


def _end() -> None:
  """Kills this process and its group, which it leads."""
  os.killpg(0, signal.SIGKILL)
