"""Every request counted, timed, logged and given an id; plain ASGI, because a framework's middleware costs three times
as much as an answer.

A request's own id (`X-Request-ID`) is kept where it is sane, and one is made where there is none; it comes back in the
answer. A trace context (W3C, https://www.w3.org/TR/trace-context/) is logged, so that a line finds its trace.

While a request is answered it is only noted; notes are counted and put into words some at a time, which takes half of
what it takes one by one, as by then code and counters are in the processor's cache.
"""

import asyncio
import logging
import os
import re
from collections.abc import Awaitable
from itertools import count
from time import perf_counter, time
from typing import NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.accesslog import AccessLog, line
from api.metrics import Metrics
from api.problems import INTERNAL, Problem

logger = logging.getLogger("tunegate.api")
SANE = re.compile(rb"[\x21-\x7e]{1,128}")
TRACE = re.compile(rb"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-[\x21-\x7e]*)?")
LEFT = 499  # the client had gone before there was an answer, as nginx calls it
EVERY = 0.05  # seconds until notes are written down
MOST = 64  # notes written down at once, so that no request waits for long


class Note(NamedTuple):
    """A request that is over."""

    scope: Scope
    time: float
    status: int
    seconds: float
    identity: tuple[bytes, bytes, bytes]


class Notes:
    """Requests noted, then counted and logged some at a time.

    Args:
        metrics: where requests are counted.
        log: where they are written; None for nowhere.
    """

    def __init__(self, metrics: Metrics, log: AccessLog | None) -> None:
        self.metrics, self.log = metrics, log
        self._notes: list[Note] = []
        metrics.catch_up = self.flush

    def add(self, note: Note) -> None:
        """Note a request."""
        self._notes.append(note)
        if len(self._notes) == 1:
            asyncio.get_running_loop().call_later(EVERY, self.flush)
        elif len(self._notes) >= MOST:
            self.flush()

    def flush(self) -> None:
        """Count and log what was noted."""
        notes, self._notes = self._notes, []
        for note in notes:
            path = getattr(note.scope.get("route"), "path", "unmatched")
            self.metrics.request(note.scope["method"], path, note.status, note.seconds)
        self.metrics.flush()
        if self.log:
            self.log.write([line(*note) for note in notes])


class Observed:
    """ASGI middleware around everything."""

    def __init__(self, app: ASGIApp, notes: Notes) -> None:
        self.app, self.notes = app, notes
        self._prefix, self._numbers = os.urandom(6).hex().encode(), count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status, model = perf_counter(), LEFT, b""
        name, trace = self._identify(scope)

        def watch(message: Message) -> Awaitable[None]:  # no coroutine of its own: this runs twice a request
            nonlocal status, model
            if message["type"] == "http.response.start":
                status, headers = message["status"], message["headers"]
                for key, value in headers:
                    if key == b"x-model-version":
                        model = value
                message["headers"] = [*headers, (b"x-request-id", name)]
            return send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception:  # the application's last handler has logged and answered what it has seen
            if status == LEFT:
                logger.exception("unexpected error")
                await Problem(INTERNAL, "Internal error", "the server's log says more").response()(
                    scope, receive, watch
                )
        finally:
            self.notes.add(Note(scope, time(), status, perf_counter() - start, (name, model, trace)))

    def _identify(self, scope: Scope) -> tuple[bytes, bytes]:
        name = trace = b""
        for key, value in scope["headers"]:
            if key == b"x-request-id" and SANE.fullmatch(value):
                name = value
            elif key == b"traceparent" and TRACE.fullmatch(value):
                trace = value
        return name or b"%b-%x" % (self._prefix, next(self._numbers)), trace
