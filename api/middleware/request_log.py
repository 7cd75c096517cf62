"""Every request gets an id, is counted, timed and logged.

A request's own id (`X-Request-ID`) is kept where it is sane, otherwise one is made; the answer
carries it. A trace context (W3C, https://www.w3.org/TR/trace-context/) is logged, so that a line
finds its trace.

Requests are noted while they are answered; notes are counted and put into words some at a time,
which takes less than half of what it takes one by one.
"""

import asyncio
import logging
import os
import re
from collections import defaultdict
from collections.abc import Awaitable, Mapping
from itertools import count
from time import perf_counter, time
from typing import NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.middleware.access_log import AccessLog, LogLine
from api.problems import internal_error
from api.serving.metrics import Metrics

logger = logging.getLogger("tunegate.api")
SANE = re.compile(rb"[\x21-\x7e]{1,128}")
TRACE = re.compile(
    rb"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-[\x21-\x7e]*)?"
)
CLIENT_LEFT = 499  # the client had gone before there was an answer, as nginx calls it
FLUSH_AFTER = 0.05  # seconds until notes are written down
FLUSH_AT = 64  # notes written down at once, so that no request waits for long


class Note(NamedTuple):
    """A request that was answered; times are of `perf_counter`, in seconds."""

    method: str
    route: str
    status: int
    began: float
    ended: float
    path: str
    client: tuple[str, int] | None
    request_id: bytes
    model: bytes
    trace: bytes

    @classmethod
    def ended_now(
        cls, scope: Scope, began: float, status: int, model: bytes, ids: tuple[bytes, bytes]
    ) -> "Note":
        """Note a request that ends now; `ids` are its own and its traceparent."""
        route = getattr(scope.get("route"), "path", "unmatched")
        ended = perf_counter()
        client = scope.get("client")
        return cls(
            scope["method"],
            route,
            status,
            began,
            ended,
            scope["path"],
            client,
            ids[0],
            model,
            ids[1],
        )


class RequestLog:
    """Requests noted, then counted and logged some at a time.

    Args:
        metrics: where requests are counted.
        log: where they are written; None for nowhere.
    """

    def __init__(self, metrics: Metrics, log: AccessLog | None) -> None:
        self.metrics = metrics
        self.log = log
        self._notes: list[Note] = []
        self._due = False
        self._prefix = os.urandom(6).hex().encode()
        self._numbers = count(1)
        metrics.catch_up = self.flush

    def id_and_trace(self, headers: Mapping[bytes, bytes]) -> tuple[bytes, bytes]:
        """Return a request's id, its own or a new one, and its traceparent or nothing."""
        request_id = headers.get(b"x-request-id")
        if request_id is None or not SANE.fullmatch(request_id):
            request_id = b"%b-%x" % (self._prefix, next(self._numbers))
        trace = headers.get(b"traceparent", b"")
        return request_id, trace if trace and TRACE.fullmatch(trace) else b""

    def add(self, note: Note) -> None:
        """Note a request."""
        self._notes.append(note)
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(FLUSH_AFTER, self._flush_when_due)
        elif len(self._notes) >= FLUSH_AT:
            self.flush()

    def flush(self) -> None:
        """Count and log what was noted."""
        notes = self._notes
        self._notes = []
        durations: dict[tuple[str, str, int], list[float]] = defaultdict(list)
        for note in notes:
            durations[note.method, note.route, note.status].append(note.ended - note.began)
        for (method, route, status), seconds in durations.items():
            self.metrics.requests(method, route, status, seconds)
        self.metrics.flush()
        if self.log and notes:
            epoch = time() - perf_counter()  # when the notes' clock began
            self.log.write([_log_line(note, epoch) for note in notes])

    def _flush_when_due(self) -> None:
        self._due = False
        self.flush()


def _log_line(note: Note, epoch: float) -> LogLine:
    return LogLine.make(
        at=epoch + note.ended,
        seconds=note.ended - note.began,
        client=note.client[0] if note.client else None,
        method=note.method,
        path=note.path,
        status=note.status,
        request_id=note.request_id.decode(),
        model_version=note.model.decode("latin-1"),
        trace=note.trace.decode(),
    )


class LogRequests:
    """ASGI middleware around all others. It answers 500 where an error was expected by nobody.

    It is plain ASGI: a framework's middleware costs three times as much as an answer.

    Args:
        app: what answers.
        log: where requests are noted.
    """

    def __init__(self, app: ASGIApp, log: RequestLog) -> None:
        self.app = app
        self.log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = perf_counter()
        status = CLIENT_LEFT
        model = b""
        request_id, trace = self.log.id_and_trace(dict(scope["headers"]))

        # No coroutine of its own, as this runs twice a request.
        def watch(message: Message) -> Awaitable[None]:
            nonlocal status, model
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"]
                for name, value in headers:
                    if name == b"x-model-version":
                        model = value
                message["headers"] = [*headers, (b"x-request-id", request_id)]
            return send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception:
            logger.exception("unexpected error")
            if status == CLIENT_LEFT:
                await internal_error().response()(scope, receive, watch)
        finally:
            self.log.add(Note.ended_now(scope, began, status, model, (request_id, trace)))
