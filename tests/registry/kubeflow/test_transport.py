"""The registry's client and its connections: time-outs, and reading retried, writing never."""

import gc
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.registry.registries import (
    BROKEN,
    MODEL,
    PASSING,
    Answer,
    Raw,
    Serve,
    http_answer,
    listing,
)

pytest.importorskip("mr_openapi")
from support.patience import patience
from support.registry.registry_clients import SHORT, create_model, list_models, update_model

from registry import Conflict, LedgerError, Unreachable
from registry.kubeflow import RegistryClient, Timeouts

pytestmark = pytest.mark.usefixtures("no_pauses")


# A server that does not answer.


def test_a_refused_connection_is_unreachable() -> None:
    with socket.socket() as bound:  # bound and not listening: nobody else gets this port meanwhile
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable) as refused:
            list_models(RegistryClient(f"http://127.0.0.1:{bound.getsockname()[1]}"))
    assert refused.value.hint


@pytest.mark.parametrize(
    "url", ["http://registry.invalid:8080", "registry:8080", "http://", "not an address"]
)
def test_an_address_that_leads_nowhere_is_unreachable(url: str) -> None:
    with pytest.raises(Unreachable):
        list_models(RegistryClient(url, timeouts=Timeouts(2, 2)))


@pytest.mark.timeout(patience(20))
@pytest.mark.parametrize("act", [list_models, create_model])
def test_a_server_that_accepts_and_never_answers_is_unreachable(
    act: Callable[[RegistryClient], None],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Unreachable) as refused:
        act(RegistryClient(f"http://127.0.0.1:{silent.getsockname()[1]}", timeouts=SHORT))
    assert str(refused.value).split(": ", 1)[1]


@pytest.mark.timeout(patience(20))
def test_an_answer_that_drips_for_ever_is_given_up(raw: Raw) -> None:
    url = raw(http_answer(b"", "Content-Length: 1000000"), endless=True)
    with pytest.raises(Unreachable):
        list_models(RegistryClient(url, timeouts=SHORT))


# Reading is repeated, writing is not.


@pytest.mark.parametrize("fault", [*PASSING, BROKEN], ids=str)
def test_reading_is_repeated_until_a_passing_fault_has_passed(serve: Serve, fault: Answer) -> None:
    server = serve(fault, fault, listing(), fault, listing())
    assert list_models(RegistryClient(server.url)).items == []
    assert server.asked("GET") == 5


@pytest.mark.parametrize("fault", [*PASSING, BROKEN], ids=str)
def test_a_fault_that_stays_is_unreachable_after_three_attempts(
    serve: Serve, fault: Answer
) -> None:
    server = serve(fault)
    with pytest.raises(Unreachable) as refused:
        list_models(RegistryClient(server.url))
    assert server.asked("GET") == (
        3 if isinstance(fault, tuple) else 6
    )  # the HTTP library has a second go of its own
    if isinstance(fault, tuple):
        assert f"{fault[0]} " in str(refused.value)
        assert "trouble" in str(refused.value)


def test_an_answer_that_breaks_off_is_asked_for_again(raw: Raw) -> None:
    whole = listing()[1]
    url = raw(http_answer(whole[:20], f"Content-Length: {len(whole)}"), http_answer(whole))
    assert list_models(RegistryClient(url)).items == []


@pytest.mark.parametrize("act", [create_model, update_model])
@pytest.mark.parametrize("fault", [*PASSING, BROKEN], ids=str)
def test_writing_is_never_repeated(
    serve: Serve, act: Callable[[RegistryClient], None], fault: Answer
) -> None:
    server = serve(writes=(fault, MODEL))
    with pytest.raises(Unreachable):
        act(RegistryClient(server.url))
    assert server.asked("POST") + server.asked("PATCH") == 1


def test_a_refusal_is_not_repeated(serve: Serve) -> None:
    server = serve((400, b'{"code":"","message":"bad"}'))
    with pytest.raises(LedgerError, match="bad") as refused:
        list_models(RegistryClient(server.url))
    assert type(refused.value) is LedgerError
    assert server.asked("GET") == 1


def test_what_exists_already_is_a_conflict(serve: Serve) -> None:
    server = serve(writes=((409, b'{"code":"","message":"exists"}'),))
    with pytest.raises(Conflict, match="exists"):
        create_model(RegistryClient(server.url))


# Nothing is left behind.


def test_one_client_serves_many_threads(serve: Serve) -> None:
    client = RegistryClient(serve().url)
    with ThreadPoolExecutor(8) as pool:
        assert all(
            answer.items == [] for answer in pool.map(lambda _: list_models(client), range(16))
        )


def test_no_session_or_loop_stays_open(serve: Serve) -> None:
    client = RegistryClient(serve(listing(), listing(), BROKEN).url)
    list_models(client)
    with pytest.raises(Unreachable):
        list_models(client)
    gc.collect()  # what is open would warn now, and warnings are errors
