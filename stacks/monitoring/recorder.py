"""What Alertmanager tells, written down: a line of JSON for each alert, on standard output."""

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = 8080
MOST_BYTES = 2**20


class Recorder(BaseHTTPRequestHandler):
    """`POST /alerts` with Alertmanager's webhook message, version 4; `GET /healthy`."""

    timeout = 10

    def do_GET(self):
        """Whether it listens."""
        self._answer(200 if self.path == "/healthy" else 404)

    def do_POST(self):
        """What Alertmanager says; refused where it is no such message."""
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            return self._answer(411)
        if not 0 <= length <= MOST_BYTES:
            return self._answer(413)
        try:
            lines = [line(alert) for alert in json.loads(self.rfile.read(length))["alerts"]]
        except (ValueError, KeyError, TypeError, AttributeError):
            return self._answer(400)
        for each in lines:
            print(each, flush=True)  # noqa: T201 - it is what this program is for
        return self._answer(200)

    def _answer(self, code):
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Standard output is for alerts alone."""


def line(alert):
    """One alert in one line: when it was heard (seconds since 1970), and what was said of it."""
    said = {name: alert[name] for name in ("status", "labels", "annotations", "startsAt", "endsAt")}
    return json.dumps({"heard": round(time.time(), 3), **said}, sort_keys=True)


if __name__ == "__main__":
    ThreadingHTTPServer(("", PORT), Recorder).serve_forever()
