"""The emotions of a stream in a browser, served on loopback alone.

Nothing but this process is asked for anything: page, style and script are one
file, and a Content-Security-Policy refuses everything else.
"""

import http.server
import json
import threading
from collections.abc import Mapping
from typing import Any

_POLICY = (
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline';"
  " connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"
)
_JOIN_S = 2.0

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>avjax live</title>
<link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width">
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem;
  margin: 2rem auto; padding: 0 1rem; background: #fff; color: #1a1a1a }
div.row { display: grid; grid-template-columns: 7rem 1fr 4rem; gap: .5rem }
div.bar { background: #2a6f97; height: 1rem; margin-top: .25rem; width: 0 }
span.share { text-align: right; font-variant-numeric: tabular-nums }
@media (prefers-color-scheme: dark) {
  body { background: #15181b; color: #eee } div.bar { background: #61a5c2 } }
</style>
<h1>Recognised so far</h1>
<p id="state" role="status">waiting for the first frames</p>
<div id="rows"></div>
<script>
const rows = document.getElementById('rows'), bars = {};
const source = new EventSource('/events');
source.onmessage = event => {
  const found = JSON.parse(event.data);
  for (const [name, share] of Object.entries(found.probabilities)) {
    if (!(name in bars)) {
      const row = document.createElement('div'); row.className = 'row';
      const label = document.createElement('span'); label.textContent = name;
      const box = document.createElement('div');
      const bar = document.createElement('div'); bar.className = 'bar';
      const text = document.createElement('span'); text.className = 'share';
      box.append(bar); row.append(label, box, text); rows.append(row);
      bars[name] = [bar, text];
    }
    bars[name][0].style.width = 100 * share + '%';
    bars[name][1].textContent = (100 * share).toFixed(1) + ' %';
  }
  const ended = found.ended ? '; the stream has ended' : '';
  document.getElementById('state').textContent =
    'after ' + found.seconds.toFixed(1) + ' s' + ended;
  if (found.ended) source.close();
};
</script>
</html>
"""


class LivePage:
  """A page that shows the newest state of a stream; a context manager.

  Args:
    port: on 127.0.0.1; 0 for any that is free.

  Attributes:
    address: of the page.
  """

  def __init__(self, port: int = 0):
    self._changed = threading.Condition()
    self._state, self._number = '', 0
    self._watchers: list[threading.Thread] = []
    self._ended = False
    page = self

    class Handler(_Handler):
      live = page

    self._server = http.server.ThreadingHTTPServer(('127.0.0.1', port), Handler)
    self._server.daemon_threads = True
    self.address = f'http://127.0.0.1:{self._server.server_port}/'

  def __enter__(self) -> 'LivePage':
    threading.Thread(target=self._server.serve_forever, daemon=True).start()
    return self

  def __exit__(self, *error: object) -> None:
    with self._changed:
      self._ended = True
      self._changed.notify_all()
    for thread in self._watchers:
      thread.join(_JOIN_S)
    self._server.shutdown()
    self._server.server_close()

  def show(
    self, seconds: float, probabilities: Mapping[str, float], ended: bool
  ) -> None:
    """Sends a state to every browser.

    Args:
      seconds: of the stream that count.
      probabilities: emotion -> probability.
      ended: whether it is the last state.
    """
    state: dict[str, Any] = {
      'seconds': seconds,
      'probabilities': dict(probabilities),
      'ended': ended,
    }
    with self._changed:
      self._state, self._number = json.dumps(state), self._number + 1
      self._changed.notify_all()

  def watch(self, send) -> None:
    """Sends each new state until the page ends; `send` takes its text."""
    self._watchers.append(threading.current_thread())
    seen = 0
    while True:
      with self._changed:
        while not self._ended and self._number == seen:
          self._changed.wait()
        state, number, ended = self._state, self._number, self._ended
      if number > seen:
        seen = number
        send(state)
      elif ended:
        return


class _Handler(http.server.BaseHTTPRequestHandler):
  """Answers with the page, or with the states as they come."""

  live: LivePage

  def do_GET(self) -> None:
    # A page elsewhere whose name leads here has another name in Host.
    host = self.headers.get('Host', '')
    if host.rpartition(':')[0] not in ('127.0.0.1', 'localhost'):
      self.send_error(403)
    elif self.path == '/':
      body = _PAGE.encode()
      self._head('text/html; charset=utf-8', len(body))
      self.wfile.write(body)
    elif self.path == '/events':
      self._head('text/event-stream')
      try:
        self.live.watch(self._send)
      except OSError:
        return  # the browser has left
    else:
      self.send_error(404)

  def _send(self, state: str) -> None:
    self.wfile.write(f'data: {state}\n\n'.encode())
    self.wfile.flush()

  def _head(self, kind: str, length: int | None = None) -> None:
    self.send_response(200)
    self.send_header('Content-Type', kind)
    self.send_header('Content-Security-Policy', _POLICY)
    self.send_header('Cache-Control', 'no-store')
    self.send_header('X-Content-Type-Options', 'nosniff')
    if length is not None:
      self.send_header('Content-Length', str(length))
    self.end_headers()

  def log_message(self, format: str, *args: Any) -> None:
    """Says nothing of requests."""
