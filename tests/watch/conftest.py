"""A webhook for the tests of messages."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from patience import HANGS


@pytest.fixture
def server():
    """A webhook that answers with one status after the other, the last for ever; 0 hangs."""

    class Hook(BaseHTTPRequestHandler):
        answers, got, free, asked = [200], [], threading.Event(), threading.Event()

        def do_POST(self):
            status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.asked.set()
            if status == 0:
                self.free.wait(HANGS)
                return
            if status == 200:
                self.got.append(json.loads(body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    served = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield served
    Hook.free.set()
    served.shutdown()
    served.server_close()
    thread.join()
