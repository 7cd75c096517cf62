"""The registry's client and servers that are no Model Registry: each answer is refused."""

import json
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.registry.ledgers import promotion
from support.registry.registries import (
    MODEL,
    UNROUTED,
    FakeRegistry,
    Raw,
    Serve,
    http_answer,
    listing,
)
from support.serving.proxy import running_proxy

pytest.importorskip("mr_openapi")
from support.registry.registry_clients import create_model, list_models, make_ledger

from registry import LedgerError, Unreachable
from registry.kubeflow import RegistryClient

pytestmark = pytest.mark.usefixtures("no_pauses")
ABSENT = 404, b'{"code":"","message":"not found"}'
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
    "items of another shape": (
        b'{"items": [7, null, "x"], "nextPageToken": "", "pageSize": 1, "size": 3}'
    ),
    "an error in place of an answer": b'{"code": "", "message": "no"}',
}


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("act", [list_models, create_model])
def test_who_is_denied_is_sent_to_the_token(
    serve: Serve, status: int, act: Callable[[RegistryClient], None]
) -> None:
    denied = (status, b'{"message":"denied"}')
    server = serve(denied if act is list_models else listing(), writes=(denied,))
    with pytest.raises(LedgerError, match=f"{status} .*denied") as refused:
        act(RegistryClient(server.url))
    assert type(refused.value) is LedgerError
    assert "token" in refused.value.hint


def test_a_server_without_our_prefixes_is_told_them(serve: Serve) -> None:
    with pytest.raises(LedgerError, match="v1, v1alpha3") as refused:
        list_models(RegistryClient(serve(UNROUTED).url))
    assert type(refused.value) is LedgerError
    assert refused.value.hint


def assert_foreign(act: Callable[[], object]) -> None:
    with pytest.raises(LedgerError) as refused:
        act()
    assert type(refused.value) is LedgerError
    assert len(str(refused.value)) < 500
    assert "\n" not in str(refused.value)
    assert refused.value.hint


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/html; charset=utf-8", "application/octet-stream"]
)
@pytest.mark.parametrize("body", FOREIGN.values(), ids=FOREIGN)
def test_an_answer_of_another_kind_is_refused(serve: Serve, body: bytes, content_type: str) -> None:
    assert_foreign(
        lambda: list_models(RegistryClient(serve((200, body), content_type=content_type).url))
    )


@pytest.mark.parametrize("body", FOREIGN.values(), ids=FOREIGN)
def test_an_answer_of_another_kind_to_a_write_is_refused(serve: Serve, body: bytes) -> None:
    if body == FOREIGN["an error in place of an answer"]:
        body = b'"done"'
    assert_foreign(lambda: create_model(RegistryClient(serve(writes=((201, body),)).url)))


@pytest.mark.parametrize(
    "answer",
    [
        http_answer(listing()[1], "Content-Type: application/json; charset=klingon"),
        http_answer(b"", status="204 No Content"),
        http_answer(b"", status="304 Not Modified"),
        http_answer(b"[" * 100_000),
    ],
    ids=["unknown charset", "204", "304", "depth"],
)
def test_an_odd_answer_is_refused(raw: Raw, answer: bytes) -> None:
    answer = answer.replace(
        b"Content-Type: application/json\r\n", b"", 1 if b"klingon" in answer else 0
    )
    assert_foreign(lambda: list_models(RegistryClient(raw(answer))))


def test_a_write_that_is_led_to_a_login_page_is_refused(raw: Raw) -> None:
    to_login = http_answer(b"", "Location: /login", status="302 Found")
    page = http_answer(b"<html>").replace(b"application/json", b"text/html")
    assert_foreign(
        lambda: create_model(RegistryClient(raw(http_answer(listing()[1]), to_login, page)))
    )


def test_what_speaks_no_http_is_unreachable(raw: Raw) -> None:
    with pytest.raises(Unreachable):
        list_models(RegistryClient(raw(b"SSH-2.0-OpenSSH_9.6\r\n")))


@pytest.mark.parametrize("content_type", ["application/json", "text/plain; charset=utf-8"])
def test_a_gateway_without_a_route_is_no_empty_ledger(serve: Serve, content_type: str) -> None:
    server = serve(listing(), listing(), UNROUTED)
    client = make_ledger(server.url)
    list_models(client.client)  # learns the prefix
    server.content_type = content_type
    with pytest.raises(LedgerError, match="404"):
        client.history("houses")


def test_a_model_that_the_registry_does_not_know_has_an_empty_ledger(serve: Serve) -> None:
    assert list(make_ledger(serve(listing(), ABSENT).url).history("houses")) == []


def test_an_object_without_id_is_refused(serve: Serve) -> None:
    assert_foreign(
        lambda: make_ledger(serve(listing(), (200, b'{"name":"production"}')).url).history("houses")
    )
    assert_foreign(
        lambda: make_ledger(serve(listing(), ABSENT, writes=((201, b'{"name":"x"}'),)).url).create(
            promotion()
        )
    )


def test_pages_that_never_end_are_refused(serve: Serve) -> None:
    found = (200, b'{"id":"1","name":"x","registeredModelId":"1","servingEnvironmentId":"1"}')
    server = serve(listing(), found, found, listing(nextPageToken="more"))
    assert_foreign(lambda: make_ledger(server.url).history("houses"))
    assert server.asked("GET") == 5


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["x", "metadataType"]), inner, max_size=2)
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
SHAPES = (
    JSON
    | OBJECTS
    | st.builds(lambda items: json.loads(listing(*items)[1]), st.lists(OBJECTS, max_size=2))
)


@settings(max_examples=60, deadline=None)
@given(answers=st.lists(SHAPES, min_size=1, max_size=4))
def test_no_json_makes_the_ledger_fail_in_another_way_than_its_own(answers: list[object]) -> None:
    server = FakeRegistry(
        [listing(), *((200, json.dumps(answer).encode()) for answer in answers)], [MODEL]
    )
    with running_proxy(server), suppress(LedgerError):
        make_ledger(server.url).history("houses")
