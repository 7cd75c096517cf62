"""The registry's client against a server that misbehaves in every way; no cluster."""

import gc
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.ledgers import promotion
from support.proxy import Proxy, running

pytest.importorskip("mr_openapi")
import mr_openapi as mr

from registry import Conflict, LedgerError, Unreachable
from registry.kubeflow import Client, KubeflowLedger, Timeouts, session

SHORT = Timeouts(connect=0.2, read=0.2)
SECRET = "s3cr3t-t0ken"  # noqa: S105 - a test's
ABSENT = 404, b'{"code":"","message":"not found"}'
UNROUTED = 404, b"404 page not found"
PASSING = [(status, b'{"code":"","message":"trouble"}') for status in (429, 500, 502, 503)]
BROKEN = ConnectionError("the connection breaks")
Answer = tuple[int, bytes] | Exception


def listing(*items: object, **changes: object) -> tuple[int, bytes]:
    return 200, json.dumps({"items": items, "nextPageToken": "", "pageSize": 1, "size": 1, **changes}).encode()


MODEL = 201, b'{"id":"1","name":"houses"}'
FOREIGN = {
    "HTML": b"<html><body>Sign in</body></html>",
    "nothing": b"",
    "broken JSON": b'{"items": [',
    "bytes": b"\xff\xfe\x00",
    "null": b"null",
    "a list": b"[]",
    "a number": b"3",
    "another object": b'{"hello": "world"}',
    "items that are none": b'{"items": 3, "nextPageToken": "", "pageSize": 1, "size": 0}',
    "items of another shape": b'{"items": [7, null, "x"], "nextPageToken": "", "pageSize": 1, "size": 3}',
    "an error in place of an answer": b'{"code": "", "message": "no"}',
}


class Server(Proxy):
    """Answers reading with the next of `reads`, and with its last for ever; `writes` likewise."""

    def __init__(self, reads: list[Answer], writes: list[Answer]) -> None:
        super().__init__("http://nowhere.invalid")
        self.reads, self.writes = reads, writes
        self.headers: list[dict[str, str]] = []

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        self.headers.append({name.lower(): value for name, value in headers.items()})
        return super().answer(method, path, headers, body)

    def before(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        answers = self.reads if method == "GET" else self.writes
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(found, Exception):
            raise found
        return found

    def asked(self, method: str) -> int:
        return sum(seen == method for seen, _ in self.seen)


Serve = Callable[..., Server]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PAUSES", (0, 0))


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:

        def start(*reads: Answer, writes: tuple[Answer, ...] = (MODEL,), content_type: str = "") -> Server:
            server = Server(list(reads) or [listing()], list(writes))
            server.content_type = content_type or server.content_type
            stack.enter_context(running(server))
            return server

        yield start


@pytest.fixture
def raw() -> Iterator[Callable[..., str]]:
    """Return what starts a server that says these bytes, one list element a connection, the last for ever."""
    done = threading.Event()
    with ExitStack() as stack:

        def start(*answers: bytes, endless: bool = False) -> str:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            stack.callback(listener.shutdown, socket.SHUT_RDWR)  # ends the thread's accept
            threading.Thread(target=_say, args=(listener, list(answers), done, endless), daemon=True).start()
            return f"http://127.0.0.1:{listener.getsockname()[1]}"

        yield start
        done.set()


def _say(listener: socket.socket, answers: list[bytes], done: threading.Event, endless: bool) -> None:  # noqa: FBT001
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.recv(65536)
            connection.sendall(answers.pop(0) if len(answers) > 1 else answers[0])
            try:
                while endless and not done.wait(0.05):  # the pace of the drops
                    connection.sendall(b" ")
            except OSError:  # the client has gone
                pass


def answered(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", "Connection: close", *headers]
    if not any(line.startswith("Content-Length") for line in headers):
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def read(client: Client) -> Any:  # noqa: ANN401 - the client's
    return client.run(lambda api: api.get_registered_models())


def write(client: Client) -> Any:  # noqa: ANN401
    return client.run(lambda api: api.create_registered_model(mr.RegisteredModelCreate(name="houses")))


def patch(client: Client) -> Any:  # noqa: ANN401
    return client.run(lambda api: api.update_registered_model("1", mr.RegisteredModelUpdate(description="x")))


def ledger(url: str) -> KubeflowLedger:
    return KubeflowLedger(Client(url, timeouts=SHORT), store_uri="file:///nowhere")


# A server that does not answer.


def test_a_refused_connection_is_unreachable() -> None:
    with socket.socket() as bound:  # bound and not listening: nobody else gets this port meanwhile
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable) as refused:
            read(Client(f"http://127.0.0.1:{bound.getsockname()[1]}"))
    assert refused.value.hint


@pytest.mark.parametrize("url", ["http://registry.invalid:8080", "registry:8080", "http://", "not an address"])
def test_an_address_that_leads_nowhere_is_unreachable(url: str) -> None:
    with pytest.raises(Unreachable):
        read(Client(url, timeouts=Timeouts(2, 2)))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("act", [read, write])
def test_a_server_that_accepts_and_never_answers_is_unreachable(act: Callable[[Client], None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Unreachable) as refused:
        act(Client(f"http://127.0.0.1:{silent.getsockname()[1]}", timeouts=SHORT))
    assert str(refused.value).split(": ", 1)[1]


@pytest.mark.timeout(20)
def test_an_answer_that_drips_for_ever_is_given_up(raw: Callable[..., str]) -> None:
    url = raw(answered(b"", "Content-Length: 1000000"), endless=True)
    with pytest.raises(Unreachable):
        read(Client(url, timeouts=SHORT))


# Reading is repeated, writing is not.


@pytest.mark.parametrize("fault", [*PASSING, BROKEN], ids=str)
def test_reading_is_repeated_until_a_passing_fault_has_passed(serve: Serve, fault: Answer) -> None:
    server = serve(fault, fault, listing(), fault, listing())
    assert read(Client(server.url)).items == []
    assert server.asked("GET") == 5


@pytest.mark.parametrize("fault", [*PASSING, BROKEN], ids=str)
def test_a_fault_that_stays_is_unreachable_after_three_attempts(serve: Serve, fault: Answer) -> None:
    server = serve(fault)
    with pytest.raises(Unreachable) as refused:
        read(Client(server.url))
    assert server.asked("GET") == (3 if isinstance(fault, tuple) else 6)  # the HTTP library has a second go of its own
    if isinstance(fault, tuple):
        assert f"{fault[0]} " in str(refused.value)
        assert "trouble" in str(refused.value)


def test_an_answer_that_breaks_off_is_asked_for_again(raw: Callable[..., str]) -> None:
    whole = listing()[1]
    url = raw(answered(whole[:20], f"Content-Length: {len(whole)}"), answered(whole))
    assert read(Client(url)).items == []


@pytest.mark.parametrize("act", [write, patch])
@pytest.mark.parametrize("fault", [*PASSING, BROKEN], ids=str)
def test_writing_is_never_repeated(serve: Serve, act: Callable[[Client], None], fault: Answer) -> None:
    server = serve(writes=(fault, MODEL))
    with pytest.raises(Unreachable):
        act(Client(server.url))
    assert server.asked("POST") + server.asked("PATCH") == 1


def test_a_refusal_is_not_repeated(serve: Serve) -> None:
    server = serve((400, b'{"code":"","message":"bad"}'))
    with pytest.raises(LedgerError, match="bad") as refused:
        read(Client(server.url))
    assert type(refused.value) is LedgerError
    assert server.asked("GET") == 1


def test_what_exists_already_is_a_conflict(serve: Serve) -> None:
    server = serve(writes=((409, b'{"code":"","message":"exists"}'),))
    with pytest.raises(Conflict, match="exists"):
        write(Client(server.url))


# A server that is none of ours.


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("act", [read, write])
def test_who_is_denied_is_sent_to_the_token(serve: Serve, status: int, act: Callable[[Client], None]) -> None:
    denied = (status, b'{"message":"denied"}')
    server = serve(denied if act is read else listing(), writes=(denied,))
    with pytest.raises(LedgerError, match=f"{status} .*denied") as refused:
        act(Client(server.url))
    assert type(refused.value) is LedgerError
    assert "token" in refused.value.hint


def test_a_server_without_our_prefixes_is_told_them(serve: Serve) -> None:
    with pytest.raises(LedgerError, match="v1alpha3, v1") as refused:
        read(Client(serve(UNROUTED).url))
    assert type(refused.value) is LedgerError
    assert refused.value.hint


def assert_foreign(act: Callable[[], object]) -> None:
    with pytest.raises(LedgerError) as refused:
        act()
    assert type(refused.value) is LedgerError
    assert len(str(refused.value)) < 500
    assert "\n" not in str(refused.value)
    assert refused.value.hint


@pytest.mark.parametrize("content_type", ["application/json", "text/html; charset=utf-8", "application/octet-stream"])
@pytest.mark.parametrize("body", FOREIGN.values(), ids=FOREIGN)
def test_an_answer_of_another_kind_is_refused(serve: Serve, body: bytes, content_type: str) -> None:
    assert_foreign(lambda: read(Client(serve((200, body), content_type=content_type).url)))


@pytest.mark.parametrize("body", FOREIGN.values(), ids=FOREIGN)
def test_an_answer_of_another_kind_to_a_write_is_refused(serve: Serve, body: bytes) -> None:
    if body == FOREIGN["an error in place of an answer"]:
        body = b'"done"'
    assert_foreign(lambda: write(Client(serve(writes=((201, body),)).url)))


@pytest.mark.parametrize(
    "answer",
    [
        answered(listing()[1], "Content-Type: application/json; charset=klingon"),
        answered(b"", status="204 No Content"),
        answered(b"", status="304 Not Modified"),
        answered(b"[" * 100_000),
    ],
    ids=["unknown charset", "204", "304", "depth"],
)
def test_an_odd_answer_is_refused(raw: Callable[..., str], answer: bytes) -> None:
    answer = answer.replace(b"Content-Type: application/json\r\n", b"", 1 if b"klingon" in answer else 0)
    assert_foreign(lambda: read(Client(raw(answer))))


def test_a_write_that_is_led_to_a_login_page_is_refused(raw: Callable[..., str]) -> None:
    to_login = answered(b"", "Location: /login", status="302 Found")
    page = answered(b"<html>").replace(b"application/json", b"text/html")
    assert_foreign(lambda: write(Client(raw(answered(listing()[1]), to_login, page))))


def test_what_speaks_no_http_is_unreachable(raw: Callable[..., str]) -> None:
    with pytest.raises(Unreachable):
        read(Client(raw(b"SSH-2.0-OpenSSH_9.6\r\n")))


@pytest.mark.parametrize("content_type", ["application/json", "text/plain; charset=utf-8"])
def test_a_gateway_without_a_route_is_no_empty_ledger(serve: Serve, content_type: str) -> None:
    server = serve(listing(), listing(), UNROUTED)
    client = ledger(server.url)
    read(client.client)  # learns the prefix
    server.content_type = content_type
    with pytest.raises(LedgerError, match="404"):
        client.history("houses")


def test_a_model_that_the_registry_does_not_know_has_an_empty_ledger(serve: Serve) -> None:
    assert list(ledger(serve(listing(), ABSENT).url).history("houses")) == []


def test_an_object_without_id_is_refused(serve: Serve) -> None:
    assert_foreign(lambda: ledger(serve(listing(), (200, b'{"name":"production"}')).url).history("houses"))
    assert_foreign(lambda: ledger(serve(listing(), ABSENT, writes=((201, b'{"name":"x"}'),)).url).create(promotion()))


def test_pages_that_never_end_are_refused(serve: Serve) -> None:
    found = (200, b'{"id":"1","name":"x","registeredModelId":"1","servingEnvironmentId":"1"}')
    server = serve(listing(), found, found, listing(nextPageToken="more"))
    assert_foreign(lambda: ledger(server.url).history("houses"))
    assert server.asked("GET") == 5


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["x", "metadataType"]), inner, max_size=2)
    ),
    max_leaves=6,
)
OBJECTS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(["items", "customProperties", "lastKnownState", "size"], JSON),
        **dict.fromkeys(["id", "name", "nextPageToken", "modelVersionId"], st.just("1") | JSON),
        **dict.fromkeys(["registeredModelId", "servingEnvironmentId"], st.just("1") | JSON),
    },
)
SHAPES = JSON | OBJECTS | st.builds(lambda items: json.loads(listing(*items)[1]), st.lists(OBJECTS, max_size=2))


@settings(max_examples=60, deadline=None)
@given(answers=st.lists(SHAPES, min_size=1, max_size=4))
def test_no_json_makes_the_ledger_fail_in_another_way_than_its_own(answers: list[object]) -> None:
    server = Server([listing(), *((200, json.dumps(answer).encode()) for answer in answers)], [MODEL])
    with running(server), suppress(LedgerError):
        ledger(server.url).history("houses")


# The token.


def test_the_token_is_sent_and_read_again_after_its_rotation(serve: Serve, tmp_path: Path) -> None:
    server, file = serve(), tmp_path / "token"
    client = Client(server.url, token=file)
    file.write_text(f"{SECRET}\n")
    read(client)
    file.write_text("another")
    write(client)
    assert [headers.get("authorization") for headers in server.headers] == [f"Bearer {SECRET}"] * 2 + ["Bearer another"]


def test_without_a_token_none_is_sent(serve: Serve) -> None:
    server = serve()
    read(Client(server.url))
    assert all("authorization" not in headers for headers in server.headers)


@pytest.mark.parametrize(
    "content", [None, b"", b" \n", b"one\ntwo " + SECRET.encode(), b"\xff" + SECRET.encode(), SECRET.encode() + b"\0"]
)
def test_a_token_that_is_none_is_named_and_not_shown(serve: Serve, tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "registry-token"
    if content is not None:
        file.write_bytes(content)
    server = serve()
    with pytest.raises(LedgerError, match="registry-token") as refused:
        read(Client(server.url, token=file))
    assert type(refused.value) is LedgerError
    assert "ledger_token" in refused.value.hint
    assert SECRET not in str(refused.value)
    assert server.seen == []


@pytest.mark.parametrize("answer", [(401, b"{}"), (500, b""), (404, b""), (200, b"<html>"), BROKEN], ids=str)
def test_no_error_shows_the_token(serve: Serve, tmp_path: Path, answer: Answer) -> None:
    file = tmp_path / "token"
    file.write_text(SECRET)
    with pytest.raises(LedgerError) as refused:
        read(Client(serve(answer).url, token=file))
    error: BaseException | None = refused.value
    while error:
        assert SECRET not in f"{error!r} {error} {getattr(error, 'hint', '')}"
        error = error.__cause__ or error.__context__


# The prefix and the address.


def test_the_prefix_is_asked_for_once(serve: Serve) -> None:
    server = serve(listing())
    client = Client(server.url)
    read(client)
    read(client)
    write(client)
    paths = [path for _, path in server.seen]
    assert [path.partition("?")[0] for path in paths] == ["/api/model_registry/v1alpha3/registered_models"] * 4


def test_a_server_of_v1_is_spoken_to_in_v1(serve: Serve) -> None:
    server = serve(UNROUTED, listing())
    client = Client(server.url)
    read(client)
    write(client)
    assert [path.split("/")[3] for _, path in server.seen] == ["v1alpha3", "v1", "v1", "v1"]


def test_a_prefix_is_not_learned_from_a_fault(serve: Serve) -> None:
    server = serve(*[PASSING[0]] * 3, UNROUTED, listing())
    client = Client(server.url)
    with pytest.raises(Unreachable):
        read(client)
    read(client)
    assert server.seen[-1][1].startswith("/api/model_registry/v1/")


@pytest.mark.parametrize("tail", ["", "/", "//", "/hub", "/hub/", "/hub/api"])
def test_an_address_may_have_a_path_and_a_slash(serve: Serve, tail: str) -> None:
    server = serve()
    read(Client(server.url + tail))
    path = tail.rstrip("/") + "/api/model_registry/v1alpha3/registered_models"
    assert {seen.partition("?")[0] for _, seen in server.seen} == {path}


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_an_address_may_be_of_ipv6(raw: Callable[..., str]) -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError as error:
        pytest.skip(f"no IPv6 loopback: {error}")
    with listener:
        answers = [answered(listing()[1])]
        threading.Thread(target=_say, args=(listener, answers, threading.Event(), False), daemon=True).start()
        assert read(Client(f"http://[::1]:{listener.getsockname()[1]}")).items == []
        listener.shutdown(socket.SHUT_RDWR)


# Nothing is left behind.


def test_one_client_serves_many_threads(serve: Serve) -> None:
    client = Client(serve().url)
    with ThreadPoolExecutor(8) as pool:
        assert all(answer.items == [] for answer in pool.map(lambda _: read(client), range(16)))


def test_no_session_or_loop_stays_open(serve: Serve) -> None:
    client = Client(serve(listing(), listing(), BROKEN).url)
    read(client)
    with pytest.raises(Unreachable):
        read(client)
    gc.collect()  # what is open would warn now, and warnings are errors
