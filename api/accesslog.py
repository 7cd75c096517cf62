"""The access log: a line of JSON a request on stdout, written by a thread so that no answer waits for a pipe."""

import os
import threading
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec
from starlette.types import Scope

EVERY = 0.2  # seconds between two writes
MOST = 20_000  # lines kept while nobody reads; then new ones are dropped, and how many is said


class Line(msgspec.Struct, omit_defaults=True, gc=False):
    """What is written of a request; an id of a trace is there where the request had one."""

    time: datetime
    client: str | None
    method: str
    path: str
    status: int
    seconds: float
    request_id: str
    model_version: str = ""
    trace_id: str = ""
    span_id: str = ""


class AccessLog:
    """Writes lines to a file descriptor until closed.

    Args:
        descriptor: of an open file; stdout.
    """

    def __init__(self, descriptor: int = 1) -> None:
        self.descriptor = descriptor
        self._lines: deque[bytes] = deque()
        self._dropped = 0
        self._encode = msgspec.json.Encoder().encode
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
        self._thread.start()

    def write(self, lines: Iterable[Line]) -> None:
        """Add lines; they are written within `EVERY` seconds."""
        for line in lines:
            if len(self._lines) < MOST:
                self._lines.append(self._encode(line))
            else:
                self._dropped += 1

    def close(self) -> None:
        """Write what is left, and end."""
        self._closing.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._closing.wait(EVERY):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        dropped, self._dropped = self._dropped, 0
        if dropped:
            lines.append(self._encode({"time": datetime.now(UTC), "dropped_lines": dropped}))
        left = memoryview(b"".join(line + b"\n" for line in lines))
        try:
            while left:
                left = left[os.write(self.descriptor, left) :]
        except OSError:  # nobody reads any more: a server is there to answer, not to write
            self._lines.clear()


def line(scope: Scope, time: float, status: int, seconds: float, identity: tuple[bytes, bytes, bytes]) -> Line:
    """Make a line from what was noted: seconds since the epoch, and the ids of request, model and trace."""
    request, model, trace = identity
    client = scope.get("client")
    _, trace_id, span_id, *_ = trace.decode().split("-") if trace else ("", "", "")
    return Line(
        datetime.fromtimestamp(time, UTC),
        client[0] if client else None,
        scope["method"],
        scope["path"],
        status,
        round(seconds, 6),
        request.decode(),
        model.decode("latin-1"),
        trace_id,
        span_id,
    )
