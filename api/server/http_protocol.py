"""HTTP as uvicorn speaks it, with two differences to what becomes of a connection.

An answer's head and a small body leave in one system call; uvloop would make one of each, and wake the client for half
an answer. A client that connects and never asks is let go like one that has asked before.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SMALL = (
    1 << 14
)  # bytes up to which a piece may wait for the next; more is written at once, so that it can be held back


class Joining(asyncio.Transport):
    """A transport that writes what comes in one turn of the loop in one piece."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.transport = transport
        self.loop = loop
        self.is_closing = transport.is_closing  # type: ignore[method-assign] # as it is, without a call in between
        self.pause_reading = transport.pause_reading  # type: ignore[method-assign] # likewise
        self.resume_reading = transport.resume_reading  # type: ignore[method-assign] # likewise
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

    def abort(self) -> None:
        """Close at once."""
        self.transport.abort()

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - as `BaseTransport` has it
        """Return what is known of the connection."""
        return self.transport.get_extra_info(name, default)

    def _flush(self) -> None:
        if self._waiting:
            data = b"".join(self._waiting)
            self._waiting.clear()
            self.transport.write(data)


class Protocol(HttpToolsProtocol):
    """A connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begin to wait for the first request, for as long as between two."""
        super().connection_made(Joining(transport, self.loop))
        wait = self.timeout_keep_alive
        end = self.timeout_keep_alive_handler
        self.timeout_keep_alive_task = self.loop.call_later(
            wait, end
        )  # the first byte ends it, as any request's does
