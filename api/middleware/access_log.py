"""The access log: a line of JSON a request on stdout.

A thread writes it, so that no answer waits for a pipe.
"""

import os
import re
import threading
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

WRITE_EVERY = 0.2  # seconds between two writes
# C1 controls (one begins a terminal's command) and Unicode's line separators, as UTF-8.
CONTROLS = re.compile(rb"\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]")
MAX_WAITING = 20_000  # lines kept while nobody reads; then new ones are dropped and counted


class LogLine(msgspec.Struct, omit_defaults=True, gc=False):
    """What is written of a request; without a trace, the ids of trace and span are left out."""

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

    @classmethod
    def make(  # noqa: PLR0913 - the line's fields
        cls,
        *,
        at: float,
        seconds: float,
        client: str | None,
        method: str,
        path: str,
        status: int,
        request_id: str,
        model_version: str,
        trace: str,
    ) -> "LogLine":
        """Make a line: `at` in seconds since the epoch, `trace` a traceparent or empty."""
        _, trace_id, span_id, *_ = trace.split("-") if trace else ("", "", "")
        return cls(
            datetime.fromtimestamp(at, UTC),
            client,
            method,
            path,
            status,
            int(seconds * 1e6) / 1e6,  # a third of what `round` costs
            request_id,
            model_version,
            trace_id,
            span_id,
        )


class AccessLog:
    """Writes lines to a file descriptor until closed.

    Args:
        descriptor: of an open file; stdout.
    """

    def __init__(self, descriptor: int = 1) -> None:
        self.descriptor = descriptor
        self._chunks: deque[tuple[int, bytes]] = deque()
        self._added = self._taken = 0  # lines; each is counted by one thread alone
        self._dropped = 0
        self._encode = msgspec.json.Encoder().encode_lines
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
        self._thread.start()

    def write(self, lines: Sequence[LogLine]) -> None:
        """Add lines; they are written within `WRITE_EVERY` seconds."""
        room = MAX_WAITING - (self._added - self._taken)
        if len(lines) > room:
            self._dropped += len(lines) - room
            lines = lines[:room]
        self._chunks.append((len(lines), self._encode(lines)))
        self._added += len(lines)

    def close(self) -> None:
        """Write what is left, and end."""
        self._closing.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._closing.wait(WRITE_EVERY):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        chunks = [self._chunks.popleft() for _ in range(len(self._chunks))]
        self._taken += sum(lines for lines, _ in chunks)
        text = b"".join(chunk for _, chunk in chunks)
        dropped = self._dropped
        self._dropped = 0
        if dropped:
            text += self._encode([{"time": datetime.now(UTC), "dropped_lines": dropped}])
        left = memoryview(_escape_controls(text))
        try:
            while left:
                left = left[os.write(self.descriptor, left) :]
        except OSError:  # nobody reads any more: a server is there to answer, not to write
            pass


def _escape_controls(text: bytes) -> bytes:
    """Escape what JSON need not, and a terminal or a log reader obeys."""
    if text.isascii():
        return text
    return CONTROLS.sub(lambda found: b"\\u%04x" % ord(found[0].decode()), text)
