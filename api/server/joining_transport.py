"""A transport that writes an answer's head and a small body with one system call.

uvloop would make two, and wake the client for half an answer.
"""

import asyncio
from typing import Any

# Bytes of a piece that may wait for the next one. A larger piece is written at once, so that the
# transport's flow control sees it.
SMALL = 1 << 14


class JoiningTransport(asyncio.Transport):
    """A transport that joins the writes of one turn of the event loop."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.transport = transport
        self.loop = loop
        # These three are called for each request: no method of ours is called in between.
        self.is_closing = transport.is_closing  # type: ignore[method-assign]
        self.pause_reading = transport.pause_reading  # type: ignore[method-assign]
        self.resume_reading = transport.resume_reading  # type: ignore[method-assign]
        self._waiting: list[bytes] = []

    def write(self, data: Any) -> None:  # noqa: ANN401 - as `WriteTransport` has it
        """Write now, or at the end of this turn."""
        if not self._waiting:
            self.loop.call_soon(self._flush)
        self._waiting.append(data)
        if len(data) > SMALL:
            self._flush()

    def close(self) -> None:
        """Write what waits, and close."""
        self._flush()
        self.transport.close()

    def can_write_eof(self) -> bool:
        """Whether this direction alone can be closed; not with TLS."""
        return self.transport.can_write_eof()

    def write_eof(self) -> None:
        """Write what waits, and close this direction."""
        self._flush()
        self.transport.write_eof()

    def abort(self) -> None:
        """Close at once."""
        self.transport.abort()

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - as `write`
        """Return what is known of the connection."""
        return self.transport.get_extra_info(name, default)

    def _flush(self) -> None:
        if self._waiting:
            data = b"".join(self._waiting)
            self._waiting.clear()
            self.transport.write(data)
