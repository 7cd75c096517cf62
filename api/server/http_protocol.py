"""uvicorn's HTTP protocol, with limits on what a client may send before anybody looks at it.

- A head (request line and headers), a chunk's line and the trailers are at most `Limits.head` bytes
  each, and a head arrives within `Limits.head_seconds`. httptools itself joins the pieces of an
  endless header again with each read, which takes quadratic time.
- There are at most `Limits.connections` connections, fewer than the process may have descriptors.
- A request has one Host (RFC 9112, section 3.2) and no other transfer coding than `chunked`
  (section 6.1), so that a proxy in front and this server see the same request.
- The first head's time begins with the connection. After a late head the connection is closed in
  silence, as nginx does: a request that was on its way would take an answer for its own.
- After a refusal the client may stop sending before the connection is closed: one that is closed
  with data unread is reset, and the client may not see the answer.
"""

import asyncio
import resource
from collections.abc import Sequence
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.limits import Limits
from api.problems import BAD_REQUEST, HEAD_TOO_LARGE, NOT_IMPLEMENTED, TIMEOUT, UNAVAILABLE, Problem
from api.server.joining_transport import JoiningTransport

PIECE = 1 << 14  # bytes of a head that the parser is given at once
RESERVED_DESCRIPTORS = 64  # for files, sockets and pipes that are no connections
LINGER = 2.0  # seconds for a client to stop sending after a refusal
DEFAULTS = Limits()
NOT_SNIFFED = [(b"x-content-type-options", b"nosniff")]
Headers = Sequence[tuple[bytes, bytes]]


def connection_limit(limits: Limits) -> int:
    """Return how many connections a process takes: fewer than it may have descriptors."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return limits.connections
    return max(1, min(limits.connections, descriptors - RESERVED_DESCRIPTORS))


class HttpProtocol(HttpToolsProtocol):
    """One connection.

    The parser is in a head wherever what comes next is not a body: before and in a request's head,
    in a chunk's line, and in the trailers.

    Args:
        limits: of the server.
        arguments: uvicorn's.
    """

    def __init__(self, *, limits: Limits = DEFAULTS, **arguments: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(**arguments)
        self.limits = limits
        self.most = connection_limit(limits)
        self._in_head = True
        self._between_requests = True
        self._got_further = False  # than the head in which the piece began
        self._head_size = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._refusal: Problem | None = None
        self._refused = False  # nothing that comes after it is read

    def connection_made(  # type: ignore[override] # as uvicorn has it
        self, transport: asyncio.Transport
    ) -> None:
        """Refuse a connection too many; wait for the first head from now on."""
        super().connection_made(JoiningTransport(transport, self.loop))
        if len(self.connections) > self.most:
            detail = f"{self.most} connections are open, as many as this server takes"
            self._refuse(Problem(UNAVAILABLE, "Too many connections", detail))
            return
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Give data to the parser, a long head in pieces that end where the limit is."""
        if self._refused:
            return
        if len(data) <= PIECE and not self._head_size:  # nearly always: a request that is whole
            self._feed(data)
            return
        at = 0
        while at < len(data) and not self._refused:
            size = PIECE
            if self._in_head:
                size = min(PIECE, self.limits.head - self._head_size)
            self._feed(data[at : at + size])
            at += size

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._between_requests = False

    def on_headers_complete(self) -> None:
        """Check the head, and start to answer.

        Raises:
            Problem: 400 or 501; the parser stops, and uvicorn calls `send_400_response`.
        """
        self._in_head = False
        self._refusal = _head_problem(self.headers, self.parser.get_http_version())
        if self._refusal is not None:
            raise self._refusal
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """Begin a chunk; the last one, which is empty, begins the trailers."""
        self._in_head = True

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._in_head = False
        self._got_further = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        super().on_message_complete()
        self._in_head = True
        self._between_requests = True
        self._got_further = True

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser did not take; uvicorn calls this."""
        self._refuse(self._refusal or Problem(BAD_REQUEST, "Not a valid HTTP request", msg))

    def _feed(self, data: bytes) -> None:
        self._got_further = False
        super().data_received(data)
        if not self._in_head or self._got_further:
            self._head_size = 0
            self._stop_head_timer()
            if not self._in_head or self._between_requests:
                return
        else:
            self._head_size += len(data)
        if self._head_size >= self.limits.head:
            detail = f"at most {self.limits.head} bytes of request line, headers and trailers"
            self._refuse(Problem(HEAD_TOO_LARGE, "The head is too large", detail))
        elif self._head_timer is None:
            self._start_head_timer()

    def _start_head_timer(self) -> None:
        seconds = self.limits.head_seconds
        self._head_timer = self.loop.call_later(seconds, self._refuse_late_head)

    def _refuse_late_head(self) -> None:
        if self.cycle is None or self.cycle.response_complete:  # no request is being read
            self._refused = True
            self.transport.close()
            return
        detail = f"waited for {self.limits.head_seconds:g} s"
        self._refuse(Problem(TIMEOUT, "The head did not arrive", detail))

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, problem: Problem) -> None:
        """Answer with a problem and close, after the answers that are still to come."""
        self._stop_head_timer()
        self._refused = True
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:  # an earlier request, whose answer comes first
                cycle.keep_alive = False
                self.flow.pause_reading()
                return
            if cycle.response_started:
                self.transport.close()
                return
        response = problem.response()
        headers = [*response.raw_headers, *NOT_SNIFFED, (b"connection", b"close")]
        head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(STATUS_LINE[problem.status] + head + b"\r\n" + bytes(response.body))
        if len(self.connections) > self.most or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self._head_timer = self.loop.call_later(LINGER, self.transport.close)


def _head_problem(headers: Headers, version: str) -> Problem | None:
    """Return what is wrong with a head that a proxy might read otherwise; None if nothing is."""
    hosts = 0
    for name, value in headers:
        if name == b"host":
            hosts += 1
        elif name == b"transfer-encoding" and value.strip().lower() != b"chunked":
            detail = "the only transfer coding here is chunked"
            return Problem(NOT_IMPLEMENTED, "Unknown transfer coding", detail)
    if hosts > 1 or (hosts == 0 and version == "1.1"):
        return Problem(BAD_REQUEST, "A request needs one Host header", f"it has {hosts}")
    return None
