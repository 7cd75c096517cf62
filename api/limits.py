"""What a server takes on: how large a request may be, how long it may take to arrive, how many may run at once."""

import asyncio
from collections.abc import Generator
from dataclasses import dataclass
from types import coroutine
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import BAD_REQUEST, TIMEOUT, TOO_LARGE, UNAVAILABLE, Problem, refusal

FRAME = 100  # brackets around and beside the rows
ALWAYS = frozenset(
    {"/healthz", "/readyz", "/version", "/metrics", "/v2/health/live", "/v2/health/ready"}
)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one process.

    Attributes:
        body: bytes of a request's body; 413 above.
        rows: rows of a request, a class's share counting as a row; 413 above.
        requests: requests in flight at once; 503 with `Retry-After` above. Probes and metrics are always answered.
        seconds: for a body to arrive whole; 408 after.
    """

    body: int = 16 << 20
    rows: int = 100_000
    requests: int = 512
    seconds: float = 30.0

    def check_rows(self, n: int, outputs: int = 1) -> None:
        """Refuse too many rows.

        Args:
            n: how many there are.
            outputs: what is answered for each; a class's share counts as a row.

        Raises:
            Problem: 413.
        """
        if n * outputs > self.rows:
            most = self.rows // outputs
            raise Problem(
                TOO_LARGE, "Too many rows", f"{n} rows; at most {most} in one request to this model"
            )

    def check_text(self, text: bytes) -> None:
        """Refuse JSON that must hold too many rows before it is parsed, for parsing would hold up everybody.

        Raises:
            Problem: 413.
        """
        most = self.rows + FRAME
        if len(text) > most and max(text.count(b"{"), text.count(b"[")) > most:
            raise Problem(TOO_LARGE, "Too many rows", f"at most {self.rows} in one request")


class Room:
    """Counts what is being answered; no context manager, which would cost a twentieth of an answer."""

    def __init__(self, limits: Limits) -> None:
        self.most = limits.requests
        self.running = 0

    @property
    def full(self) -> bool:
        """Whether there is no place."""
        return self.running >= self.most

    def enter(self) -> None:
        """Take a place; `leave` gives it back.

        Raises:
            Problem: 503 where there is none.
        """
        if self.full:
            detail = f"{self.running} requests are being answered, at most {self.most} are at once"
            raise Problem(UNAVAILABLE, "Too busy", detail)
        self.running += 1

    def leave(self) -> None:
        """Give the place back."""
        self.running -= 1


class Limited:
    """ASGI middleware: refuses what comes in above `Limits.requests`."""

    def __init__(self, app: ASGIApp, room: Room) -> None:
        self.app = app
        self.room = room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, or say that there is too much to do."""
        if scope["type"] != "http" or scope["path"] in ALWAYS:
            await self.app(scope, receive, send)
            return
        try:
            self.room.enter()
        except Problem as problem:
            await refusal(scope["path"], problem)(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        finally:
            self.room.leave()


async def read(receive: Receive, limits: Limits) -> bytes:
    """Read a request's body, which mostly comes in one piece.

    Raises:
        Problem: 413 where it is too large, 408 where it does not arrive in time, 400 where the client has left.
    """
    first = receive()
    try:
        awaited = first.send(None)  # type: ignore[attr-defined] # a coroutine, as all servers' are
    except (
        StopIteration
    ) as end:  # it was there already: no timer needs to be set, which would cost half an answer
        message: Message = end.value
    else:
        return await _late(first, awaited, receive, limits)
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) > limits.body:
            raise _too_large(limits)
        return body
    return await _late(None, message, receive, limits)


async def _late(first: Any, message: Any, receive: Receive, limits: Limits) -> bytes:  # noqa: ANN401 - coroutines
    """Read what is not there yet: `message` is what `first` waits for, or the first piece."""
    try:
        async with asyncio.timeout(limits.seconds):
            return await _pieces(
                await _resumed(first, message) if first else message, receive, limits
            )
    except TimeoutError as error:
        raise Problem(
            TIMEOUT, "The body did not arrive", f"waited for {limits.seconds:g} s"
        ) from error


@coroutine
def _resumed(begun: Any, awaited: Any) -> Generator[Any, Any, Message]:  # noqa: ANN401 - a coroutine, and futures
    """Go on with a coroutine that was begun and waits."""
    try:
        while True:
            try:
                value = yield awaited
            except BaseException as error:  # noqa: BLE001 - handed on, cancellation too
                awaited = begun.throw(error)
            else:
                awaited = begun.send(value)
    except StopIteration as end:
        message: Message = end.value
        return message


async def _pieces(message: Message, receive: Receive, limits: Limits) -> bytes:
    whole = bytearray()
    while message["type"] == "http.request":
        whole += message.get("body", b"")
        if len(whole) > limits.body:
            raise _too_large(limits)
        if not message.get("more_body"):
            return bytes(whole)
        message = await receive()
    raise Problem(
        BAD_REQUEST, "The client has left"
    )  # nobody reads this answer; it is no fault of ours to be logged


def _too_large(limits: Limits) -> Problem:
    return Problem(TOO_LARGE, "The body is too large", f"at most {limits.body} bytes")
