"""The open loop counts from when a request was due.

A server that is too slow must show its queue, not its own pace.
"""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.serving.openloop import Attack

ANSWER = 0.02  # seconds, one at a time: 50 a second
REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


class _Slow(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    status = 200
    one_at_a_time = threading.Lock()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        with self.one_at_a_time:
            time.sleep(ANSWER)  # the server's own slowness
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    request_queue_size = 200


class _Failing(_Slow):
    status = 503


@pytest.fixture
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    with _Server(("127.0.0.1", 0), request.param) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("port", [_Slow], indirect=True)
def test_latency_counts_from_the_time_a_request_was_due(port: int) -> None:
    outcome = Attack(port, [REQUEST], rate=200, n=100).run("slow")
    assert outcome.answered == 100
    assert outcome.failed == 0
    # The last of 100 requests is due after 0.5 s and answered after 100 * 20 ms at the earliest.
    assert outcome.p99 >= (100 * ANSWER - 0.5) * 1e3 * 0.95
    assert outcome.achieved <= 1 / ANSWER


@pytest.mark.parametrize("port", [_Failing], indirect=True)
def test_an_error_is_no_answer(port: int) -> None:
    outcome = Attack(port, [REQUEST], rate=20, n=10).run("failing")
    assert outcome.failed == 10
    assert outcome.achieved == 0
