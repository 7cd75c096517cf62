"""Every request counted, timed, logged and given an id; plain ASGI, because a framework's middleware costs three times
as much as an answer.

A request's own id (`X-Request-ID`) is kept where it is sane, and one is made where there is none; it comes back in the
answer. A trace context (W3C, https://www.w3.org/TR/trace-context/) is logged, so that a line finds its trace.

While a request is answered it is only noted; notes are counted and put into words some at a time, which takes less than
half of what it takes one by one.
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

from api.middleware.access_log import AccessLog, Line, line
from api.problems import internal
from api.serving.metrics import Metrics

logger = logging.getLogger("tunegate.api")
SANE = re.compile(rb"[\x21-\x7e]{1,128}")
TRACE = re.compile(
    rb"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-[\x21-\x7e]*)?"
)
LEFT = 499  # the client had gone before there was an answer, as nginx calls it
EVERY = 0.05  # seconds until notes are written down
MOST = 64  # notes written down at once, so that no request waits for long
BEGAN = "tunegate.began"  # in the scope of a request that was begun before it came here: when, by `perf_counter`


class Route(NamedTuple):
    """What the metrics call a path, as a route of the framework does."""

    path: str


# Method, route, status, begun and ended by `perf_counter`, path, client, request's id, model, traceparent. A plain
# tuple: to make a named one, or to keep the scope, would cost more than all else here.
Note = tuple[str, str, int, float, float, str, tuple[str, int] | None, bytes, str, bytes]


class Identities:
    """Names requests, and reads what a caller says of their trace."""

    def __init__(self) -> None:
        self._prefix = os.urandom(6).hex().encode()
        self._numbers = count(1)

    def of(self, headers: Mapping[bytes, bytes]) -> tuple[bytes, bytes]:
        """Return a request's id, and its traceparent or nothing."""
        name = headers.get(b"x-request-id")
        trace = headers.get(b"traceparent", b"")
        if name is None or not SANE.fullmatch(name):
            name = b"%b-%x" % (self._prefix, next(self._numbers))
        return name, trace if trace and TRACE.fullmatch(trace) else b""


class Notes:
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
        metrics.catch_up = self.flush

    def add(self, note: Note) -> None:
        """Note a request."""
        self._notes.append(note)
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(EVERY, self._flush_when_due)
        elif len(self._notes) >= MOST:
            self.flush()

    def flush(self) -> None:
        """Count and log what was noted."""
        notes = self._notes
        self._notes = []
        found: dict[tuple[str, str, int], list[float]] = defaultdict(list)
        for note in notes:
            found[note[:3]].append(note[4] - note[3])
        for key, seconds in found.items():
            self.metrics.requests(*key, seconds)
        self.metrics.flush()
        if self.log and notes:
            self.log.write(_lines(notes))

    def _flush_when_due(self) -> None:
        self._due = False
        self.flush()


def _lines(notes: list[Note]) -> list[Line]:
    now = time() - perf_counter()  # of a clock that began when the other did
    return [
        line(now + ended, ended - began, (method, path, client), (status, name, model, trace))
        for method, _, status, began, ended, path, client, name, model, trace in notes
    ]


class Observed:
    """ASGI middleware around everything that has not been noted already."""

    def __init__(self, app: ASGIApp, notes: Notes, identities: Identities) -> None:
        self.app = app
        self.notes = notes
        self.identities = identities

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = scope.get(BEGAN) or perf_counter()
        status = LEFT
        model = b""
        name, trace = self.identities.of(dict(scope["headers"]))

        def watch(
            message: Message,
        ) -> Awaitable[None]:  # no coroutine of its own: this runs twice a request
            nonlocal status, model
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"]
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
                await internal().response()(scope, receive, watch)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            said = (name, model.decode("latin-1"), trace)
            asked = (scope["path"], scope.get("client"))
            self.notes.add((scope["method"], route, status, began, perf_counter(), *asked, *said))
