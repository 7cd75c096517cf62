"""The head of a request is bounded in size, in time and in number, before anybody looks at it."""

import json
import resource
import socket
from collections.abc import Iterator

import pytest
from support.registry.package_variants import tiny
from support.serving.load import connect_to
from support.serving.servers import Running, await_true, put, running

from api.limits import Limits
from api.server.http_protocol import RESERVED_DESCRIPTORS, connection_limit
from registry import ModelStore

HEAD = 64 << 10
START = b"POST /predict HTTP/1.1\r\nHost: x\r\n"
BODY = b'{"x": 0.25}'
WHOLE = START + b"Content-Length: 11\r\n\r\n" + BODY


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    store = ModelStore(tmp_path_factory.mktemp("heads") / "store")
    put(store, tiny(tmp_path_factory.mktemp("toy") / "toy"))
    with running(store, "toy", limits={"head_seconds": 1.0, "connections": 24}) as found:
        yield found


def exchange(server: Running, *pieces: bytes) -> bytes:
    """Send pieces and return all that comes until the server closes or answers."""
    with connect_to(server) as client:
        for piece in pieces:
            try:
                client.sendall(piece)
            except OSError:  # refused and closed while we were still sending
                break
        return receive(client)


def receive(client: socket.socket) -> bytes:
    text = b""
    try:
        while data := client.recv(1 << 16):
            text += data
            if b"\r\n\r\n" in text and b"connection: close" not in text:
                break
    except ConnectionResetError:
        pass
    return text


def padded_head(size: int) -> bytes:
    """Return a request whose head has just this many bytes."""
    frame = START + b"Content-Length: 11\r\nX: \r\n\r\n"
    return frame.replace(b"X: ", b"X: " + b"a" * (size - len(frame))) + BODY


@pytest.mark.parametrize("size", [1000, (16 << 10) + 1, HEAD - 1])
def test_a_head_within_the_limit_is_read_whatever_its_pieces(server: Running, size: int) -> None:
    request = padded_head(size)
    assert exchange(server, request).startswith(b"HTTP/1.1 200")
    pieces = [request[i : i + 999] for i in range(0, len(request), 999)]
    assert exchange(server, *pieces).startswith(b"HTTP/1.1 200")


LARGE = {
    "one header": padded_head(HEAD + 1),
    "many headers": START + b"".join(b"X-%d: 1\r\n" % i for i in range(10_000)) + b"\r\n",
    "the path": b"GET /" + b"a" * HEAD + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a header's name": START + b"a" * HEAD + b": 1\r\n\r\n",
    "line breaks before the head": b"\r\n" * HEAD + WHOLE,
    "trailers": START
    + b"Transfer-Encoding: chunked\r\n\r\nb\r\n"
    + BODY
    + b"\r\n0\r\n"
    + b"".join(b"X-%d: 1\r\n" % i for i in range(10_000))
    + b"\r\n",
}


@pytest.mark.parametrize("request_text", LARGE.values(), ids=LARGE)
def test_a_head_above_the_limit_is_refused_and_the_connection_closed(
    server: Running, request_text: bytes
) -> None:
    answer = exchange(server, *(request_text[i : i + 4000] for i in range(0, 1 << 18, 4000)))
    assert answer == b"" or answer.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400"))
    in_one = exchange(server, request_text)
    assert in_one == b"" or in_one.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400"))


def test_the_refusal_is_a_problem_that_says_the_limit(server: Running) -> None:
    with connect_to(server) as client:
        client.sendall(padded_head(HEAD + 1)[:HEAD])
        answer = receive(client)
    head, body = answer.split(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head
    assert json.loads(body)["detail"].startswith("at most 65536 bytes")


def test_who_sends_on_after_a_refusal_can_read_it(server: Running) -> None:
    with connect_to(server) as client:
        client.sendall(padded_head(32 << 20))  # far more than the buffers between us hold
        assert receive(client).startswith(b"HTTP/1.1 431")


def test_a_body_of_many_small_chunks_is_no_head(server: Running) -> None:
    spaces = b"".join(b"1\r\n \r\n" for _ in range(40_000))
    request = START + b"Transfer-Encoding: chunked\r\n\r\n" + spaces + b"b\r\n" + BODY
    assert exchange(server, request + b"\r\n0\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_requests_sent_at_once_may_have_more_than_one_heads_limit_together(
    server: Running,
) -> None:
    with connect_to(server) as client:
        client.sendall(padded_head(10_000) * 20)
        text = b""
        while text.count(b"predicted_y") < 20:
            text += client.recv(1 << 16)


@pytest.mark.parametrize(
    "start", [b"", b"P", b"POST /predict HTTP/1.1\r\nHost: x\r\nX", b"\r\n", START]
)
def test_a_head_that_does_not_arrive_is_not_waited_for(server: Running, start: bytes) -> None:
    assert exchange(server, start) == b""  # closed; otherwise this would time out


@pytest.mark.parametrize(("first", "then"), [(WHOLE, START), (WHOLE + START, b"")])
def test_the_next_head_on_a_connection_is_not_waited_for_either(
    server: Running, first: bytes, then: bytes
) -> None:
    with connect_to(server) as client:
        client.sendall(first)
        assert receive(client).startswith(b"HTTP/1.1 200")
        client.sendall(then)
        assert receive(client) == b""


def test_an_answer_that_is_being_made_comes_before_the_refusal_of_the_next_head(
    server: Running,
) -> None:
    answer = exchange(server, WHOLE + START + b"X: " + b"a" * HEAD * 2)
    assert answer.startswith(b"HTTP/1.1 200")


AMBIGUOUS = {
    "no host": (b"GET /version HTTP/1.1\r\n\r\n", b"400"),
    "two hosts": (b"GET /version HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", b"400"),
    "another coding": (START + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", b"501"),
    "an unknown coding": (START + b"Transfer-Encoding: x, chunked\r\n\r\n0\r\n\r\n", b"501"),
}


@pytest.mark.parametrize(("text", "status"), AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_a_head_that_a_proxy_may_read_otherwise_is_refused(
    server: Running, text: bytes, status: bytes
) -> None:
    answer = exchange(server, text)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"problem+json" in answer


def test_a_request_of_http_1_0_needs_no_host(server: Running) -> None:
    assert exchange(server, b"GET /version HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_a_connection_too_many_is_refused_and_others_are_served(server: Running) -> None:
    held = [connect_to(server) for _ in range(23)]
    await_true(lambda: refused_at_once(server), "a refusal")
    held[0].sendall(WHOLE)
    assert receive(held[0]).startswith(b"HTTP/1.1 200")
    for each in held:
        each.close()
    await_true(lambda: server.client.post("/predict", content=BODY).is_success, "a place again")


def refused_at_once(server: Running) -> bool:
    """Whether one of two more connections is refused before it has sent anything."""
    with connect_to(server) as one, connect_to(server) as other:
        one.settimeout(0.2)
        other.settimeout(0.2)
        answers = []
        for client in (one, other):
            try:
                answers.append(client.recv(1 << 12))
            except TimeoutError:
                answers.append(b"")
        return any(answer.startswith(b"HTTP/1.1 503") for answer in answers)


def test_connections_are_fewer_than_descriptors() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert connection_limit(Limits(connections=10**9)) == soft - RESERVED_DESCRIPTORS
    assert connection_limit(Limits(connections=7)) == 7


@pytest.mark.parametrize("path", ["/", "/version", "/nowhere"])
def test_no_answer_is_taken_for_something_else_than_its_type_says(
    server: Running, path: str
) -> None:
    assert server.client.get(path).headers["x-content-type-options"] == "nosniff"
