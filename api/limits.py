"""What a server accepts: a request's size, the time for it to arrive, and how many run at once."""

import asyncio
from dataclasses import dataclass

from starlette.types import Receive

from api.codecs.rows import MAX_FEATURES
from api.large_bodies import LARGE, take_place
from api.problems import BAD_REQUEST, TIMEOUT, TOO_LARGE, UNAVAILABLE, Problem

FRAME = 100  # brackets around and between the rows
CHEAP = 1 << 18  # bytes of a body that may be anything
MAX_PARSED = 160 << 20  # bytes of a parsed body, by `_parsed_size`
FIELD_SIZE = 72  # bytes, in addition to the comma: a place in a dictionary, and a number
VALUE_SIZE = 32  # bytes: a place in a list, and a number
TEXT_SIZE = 64  # bytes, in addition to its letters
FIELDS = 64  # of an object, on average
MAX_FIELDS = 1 << 17  # and so many more: of an object that a model could have


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one process.

    Attributes:
        body: bytes of a request's body; 413 above.
        rows: rows of a request, a class's share counting as a row; 413 above.
        requests: requests in flight; 503 with `Retry-After` above. Probes and metrics are always
            answered.
        seconds: for a body to arrive whole; 408 after.
        head: bytes of request line and headers, and of trailers; 431 above.
        head_seconds: for a head to arrive whole; closed after.
        connections: open at once; 503 above. Where the process may have fewer descriptors, fewer.
    """

    body: int = 16 << 20
    rows: int = 100_000
    requests: int = 512
    seconds: float = 30.0
    head: int = 64 << 10
    head_seconds: float = 10.0
    connections: int = 10_000

    def check_rows(self, n: int, outputs: int = 1, width: int = 1) -> None:
        """Refuse too many rows.

        Args:
            n: the number of rows.
            outputs: the numbers answered for each row; a class's share counts as a row.
            width: the encoded features of a row.

        Raises:
            Problem: 413.
        """
        if n * outputs > self.rows:
            most = self.rows // outputs
            detail = f"{n} rows; at most {most} in one request to this model"
            raise Problem(TOO_LARGE, "Too many rows", detail)
        if n * width > MAX_FEATURES:
            detail = f"{n} rows; at most {MAX_FEATURES // width} in one request to this model"
            raise Problem(TOO_LARGE, "Too many rows", detail)

    def check_text(self, text: bytes) -> None:
        """Refuse JSON that holds too much before it is parsed: parsing blocks everybody.

        Each value of a list costs a comma, each field of an object a colon as well, so counting
        bounds the memory.

        Raises:
            Problem: 413.
        """
        most = self.rows + FRAME
        if len(text) > most and max(text.count(b"{"), text.count(b"[")) > most:
            raise Problem(TOO_LARGE, "Too many rows", f"at most {self.rows} in one request")
        if len(text) <= CHEAP:
            return
        if text.count(b":") > MAX_FIELDS + FIELDS * text.count(b"{"):
            raise Problem(TOO_LARGE, "Too many fields", "more than any model has")
        if _parsed_size(text) > MAX_PARSED:
            detail = f"parsed, the body would take more than {MAX_PARSED >> 20} MiB"
            raise Problem(TOO_LARGE, "Too many values", detail)


def _parsed_size(text: bytes) -> int:
    """Return about how many bytes a document takes when it is parsed."""
    # A single letter beyond the first 65,536 of Unicode makes the whole text four times as large.
    size = len(text)
    if not text.isascii():
        size *= 4
    fields = text.count(b":")
    texts = max(0, text.count(b'"') // 2 - fields)  # those that are no names of fields
    return size + FIELD_SIZE * fields + VALUE_SIZE * text.count(b",") + TEXT_SIZE * texts


class InFlight:
    """Counts requests in flight. Not a context manager: that would add 5 % to a request."""

    def __init__(self, limits: Limits) -> None:
        self.most = limits.requests
        self.running = 0

    @property
    def full(self) -> bool:
        """Whether as many requests run as the limits allow."""
        return self.running >= self.most

    def enter(self) -> None:
        """Count a request; `leave` ends it.

        Raises:
            Problem: 503 when as many run as the limits allow.
        """
        if self.full:
            detail = f"{self.running} requests are being answered, at most {self.most} are at once"
            raise Problem(UNAVAILABLE, "Too busy", detail)
        self.running += 1

    def leave(self) -> None:
        """End a request that was counted."""
        self.running -= 1


async def read_body(receive: Receive, limits: Limits) -> bytes:
    """Read a request's body.

    Raises:
        Problem: 413 where it is too large, 408 where it does not arrive in time, 400 where the
            client has left.
    """
    # `asyncio.timeout` does the same, and would take a tenth of a whole answer.
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - inside a coroutine
    expired = False

    def expire() -> None:
        nonlocal expired
        expired = True
        task.cancel()

    timer = asyncio.get_running_loop().call_later(limits.seconds, expire)
    pieces: list[bytes] = []
    size = 0
    try:
        while True:
            message = await receive()
            if message["type"] != "http.request":
                # The client has left: nobody reads this answer, and it is no error to log.
                raise Problem(BAD_REQUEST, "The client has left")
            piece: bytes = message.get("body", b"")
            size += len(piece)
            if size > limits.body:
                raise Problem(TOO_LARGE, "The body is too large", f"at most {limits.body} bytes")
            if size > LARGE:
                await take_place(task, limits.seconds)
            if not (message.get("more_body") or pieces):
                return piece
            pieces.append(piece)
            if not message.get("more_body"):
                return b"".join(pieces)
    except asyncio.CancelledError as error:
        if not expired or task.uncancel():
            raise
        detail = f"waited for {limits.seconds:g} s"
        raise Problem(TIMEOUT, "The body did not arrive", detail) from error
    finally:
        timer.cancel()
