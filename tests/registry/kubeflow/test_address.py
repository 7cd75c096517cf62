"""Where the registry's client asks, and as whom: the token, the server's prefix and the address."""

import socket
import threading
from pathlib import Path

import pytest
from support.registry.registries import (
    BROKEN,
    PASSING,
    UNROUTED,
    Answer,
    Raw,
    Serve,
    answer_connections,
    http_answer,
    listing,
)

pytest.importorskip("mr_openapi")
from support.registry.registry_clients import create_model, list_models

from registry import LedgerError, Unreachable
from registry.kubeflow import RegistryClient

pytestmark = pytest.mark.usefixtures("no_pauses")
GONE = 410, b'{"code":"","message":"gone for ever"}'
SECRET = "s3cr3t-t0ken"  # noqa: S105 - a test's


# The token.


def test_the_token_is_sent_and_read_again_after_its_rotation(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    file = tmp_path / "token"
    client = RegistryClient(server.url, token=file)
    file.write_text(f"{SECRET}\n")
    list_models(client)
    file.write_text("another")
    create_model(client)
    assert [headers.get("authorization") for headers in server.headers] == [
        f"Bearer {SECRET}"
    ] * 2 + ["Bearer another"]


def test_without_a_token_none_is_sent(serve: Serve) -> None:
    server = serve()
    list_models(RegistryClient(server.url))
    assert all("authorization" not in headers for headers in server.headers)


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b" \n",
        b"one\ntwo " + SECRET.encode(),
        b"\xff" + SECRET.encode(),
        SECRET.encode() + b"\0",
    ],
)
def test_a_token_that_is_none_is_named_and_not_shown(
    serve: Serve, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "registry-token"
    if content is not None:
        file.write_bytes(content)
    server = serve()
    with pytest.raises(LedgerError, match="registry-token") as refused:
        list_models(RegistryClient(server.url, token=file))
    assert type(refused.value) is LedgerError
    assert "ledger_token" in refused.value.hint
    assert SECRET not in str(refused.value)
    assert server.seen == []


@pytest.mark.parametrize(
    "answer", [(401, b"{}"), (500, b""), (404, b""), (200, b"<html>"), BROKEN], ids=str
)
def test_no_error_shows_the_token(serve: Serve, tmp_path: Path, answer: Answer) -> None:
    file = tmp_path / "token"
    file.write_text(SECRET)
    with pytest.raises(LedgerError) as refused:
        list_models(RegistryClient(serve(answer).url, token=file))
    error: BaseException | None = refused.value
    while error:
        assert SECRET not in f"{error!r} {error} {getattr(error, 'hint', '')}"
        error = error.__cause__ or error.__context__


# The prefix and the address.


def test_the_prefix_is_asked_for_once(serve: Serve) -> None:
    server = serve(listing())
    client = RegistryClient(server.url)
    list_models(client)
    list_models(client)
    create_model(client)
    paths = [path for _, path in server.seen]
    assert [path.partition("?")[0] for path in paths] == [
        "/api/model_registry/v1/registered_models"
    ] * 4


@pytest.mark.parametrize("absent", [UNROUTED, GONE], ids=["404", "410"])
def test_a_server_that_knows_the_alpha_api_alone_is_spoken_to_in_that(
    serve: Serve, absent: Answer
) -> None:
    server = serve(absent, listing())
    client = RegistryClient(server.url)
    list_models(client)
    create_model(client)
    assert [path.split("/")[3] for _, path in server.seen] == ["v1", *["v1alpha3"] * 3]


def test_a_server_whose_old_api_ends_meanwhile_is_asked_for_the_new_one(serve: Serve) -> None:
    server = serve(UNROUTED, listing(), listing(), GONE, listing())
    client = RegistryClient(server.url)
    list_models(client)
    with pytest.raises(LedgerError, match="410"):
        list_models(client)
    list_models(client)
    assert server.seen[-1][1].startswith("/api/model_registry/v1/")


def test_the_day_on_which_an_api_ends_is_known_after_an_answer(raw: Raw) -> None:
    day = "Thu, 29 Apr 2027 00:00:00 GMT"
    client = RegistryClient(raw(http_answer(listing()[1], f"Sunset: {day}")))
    assert client.sunset == ""
    list_models(client)
    assert client.sunset == day


def test_a_prefix_is_not_learned_from_a_fault(serve: Serve) -> None:
    server = serve(*[PASSING[0]] * 3, UNROUTED, listing())
    client = RegistryClient(server.url)
    with pytest.raises(Unreachable):
        list_models(client)
    list_models(client)
    assert server.seen[-1][1].startswith("/api/model_registry/v1alpha3/")


@pytest.mark.parametrize("tail", ["", "/", "//", "/hub", "/hub/", "/hub/api"])
def test_an_address_may_have_a_path_and_a_slash(serve: Serve, tail: str) -> None:
    server = serve()
    list_models(RegistryClient(server.url + tail))
    path = tail.rstrip("/") + "/api/model_registry/v1/registered_models"
    assert {seen.partition("?")[0] for _, seen in server.seen} == {path}


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_an_address_may_be_of_ipv6(raw: Raw) -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError as error:
        pytest.skip(f"no IPv6 loopback: {error}")
    with listener:
        answers = [http_answer(listing()[1])]
        threading.Thread(target=answer_connections, args=(listener, answers), daemon=True).start()
        assert list_models(RegistryClient(f"http://[::1]:{listener.getsockname()[1]}")).items == []
        listener.shutdown(socket.SHUT_RDWR)
