"""What uvicorn writes leaves in order, and a small answer in one piece."""

import asyncio
from itertools import pairwise

import httpx
from hypothesis import given
from hypothesis import strategies as st
from support.serving.load import connect_to
from support.serving.servers import Running

from api.server.joining_transport import SMALL, JoiningTransport

HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nX-Request-ID: %d\r\nContent-Length: 11\r\n"
REQUEST = HEAD + b'\r\n{"x": 0.25}'


class RecordedTransport(asyncio.Transport):
    """Keeps what was written, a piece a write."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.pieces.append(bytes(data))

    def close(self) -> None:
        self.closed = True


def write_turns(turns: list[list[bytes]], *, close: bool = False) -> list[bytes]:
    """Write in some turns of a loop; return the pieces that left."""

    async def write() -> list[bytes]:
        wire = RecordedTransport()
        joining = JoiningTransport(wire, asyncio.get_running_loop())
        for turn in turns:
            for data in turn:
                joining.write(data)
            if not close:
                await asyncio.sleep(0)
        if close:
            joining.close()
        return wire.pieces

    return asyncio.run(write())


@given(st.lists(st.lists(st.binary(max_size=SMALL * 2), max_size=5), max_size=5), st.booleans())
def test_all_leaves_in_order(turns: list[list[bytes]], close: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    assert b"".join(write_turns(turns, close=close)) == b"".join(
        data for turn in turns for data in turn
    )


def test_a_head_and_its_small_body_leave_together_and_the_next_answer_by_itself() -> None:
    assert write_turns([[b"head", b"body"], [b"head2", b"body2"]]) == [b"headbody", b"head2body2"]


def test_a_large_piece_leaves_at_once_so_that_it_can_be_held_back() -> None:
    large = b"x" * (SMALL + 1)
    assert write_turns([[b"head", large, large]]) == [b"head" + large, large]


def test_requests_that_were_sent_at_once_are_answered_in_order(server: Running) -> None:
    with connect_to(server) as client:
        client.sendall(b"".join(REQUEST % i for i in range(20)))
        text = b""
        while text.count(b"predicted_y") < 20:
            text += client.recv(1 << 16)
    places = [text.index(b"x-request-id: %d\r\n" % i) for i in range(20)]
    assert all(before < after for before, after in pairwise(places))


def test_a_client_that_waits_to_be_asked_for_its_body_is(server: Running) -> None:
    head, body = (REQUEST % 1).split(b"\r\n\r\n")
    with connect_to(server) as client:
        client.sendall(head + b"\r\nExpect: 100-continue\r\n\r\n")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 200")


def test_an_answer_that_ends_the_connection_is_whole(server: Running) -> None:
    answer = httpx.post(f"{server.url}/predict", json={"x": 0.25}, headers={"Connection": "close"})
    assert (answer.headers["connection"], answer.json()["predicted_y"]) == ("close", 1.0)
