"""Where a key is set, predictions are for those who carry it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.patience import patience
from support.serving.servers import await_true, in_process, put, running

from api import create_app
from promote.smoke import smoke_test
from registry import ModelStore
from registry.package import ModelPackage

ROW = {"x": 0.25}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("first\n")
    return path


@pytest.fixture
def client(store: ModelStore, toys: list[ModelPackage], file: Path) -> Iterator[httpx.Client]:
    put(store, toys[0])
    with in_process(create_app(store, toys[0].manifest.name, api_key=file)) as found:
        yield found


def code(client: httpx.Client, **headers: str) -> int:
    return client.post("/predict", json=ROW, headers=headers).status_code


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X-API-Key": "first"}, 200),
        ({"Authorization": "Bearer first"}, 200),
        ({}, 401),
        ({"X-API-Key": ""}, 401),
        ({"X-API-Key": "firs"}, 401),
        ({"X-API-Key": "first2"}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": "bearer first"}, 200),
        ({"Authorization": "Basic first"}, 401),
        ({"Authorization": "first"}, 401),
    ],
)
def test_a_prediction_is_for_those_who_carry_the_key(
    client: httpx.Client, headers: dict[str, str], expected: int
) -> None:
    assert code(client, **headers) == expected


def test_a_refusal_is_a_problem_and_tells_nothing_of_the_key(client: httpx.Client) -> None:
    answer = client.post("/predict", json=ROW, headers={"X-API-Key": "wrong"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "first" not in answer.text


@pytest.mark.parametrize("given", [b"\xff\xfe", b"\xed\xa0\x80", "é".encode("latin-1")])
def test_bytes_that_are_no_text_are_another_key(client: httpx.Client, given: bytes) -> None:
    assert client.post("/predict", json=ROW, headers=[(b"X-API-Key", given)]).status_code == 401


def test_a_key_is_compared_by_its_bytes(client: httpx.Client, file: Path) -> None:
    file.write_bytes("clé".encode())
    assert (
        client.post("/predict", json=ROW, headers=[(b"X-API-Key", "clé".encode())]).status_code
        == 200
    )


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/version"])
def test_probes_need_no_key(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/openapi.json", "/nowhere", "/predict/", "//healthz"])
def test_everything_else_does(client: httpx.Client, path: str) -> None:
    url = str(client.base_url).rstrip(
        "/"
    )  # joined by hand: httpx takes what follows two slashes for a host
    assert client.get(url + path).status_code == 401


def test_the_short_way_asks_for_it_too(
    store: ModelStore, toys: list[ModelPackage], file: Path
) -> None:
    """A whole server, of which `/predict` passes no layers where the key is right."""
    put(store, toys[0])
    with running(store, toys[0].manifest.name, api_key=str(file)) as server:
        for headers in ({"X-API-Key": "first"}, {"Authorization": "Bearer first"}):
            assert code(server.client, **headers) == 200
        assert (code(server.client), code(server.client, **{"X-API-Key": "second"})) == (401, 401)
        file.write_text("second and longer")
        await_true(
            lambda: code(server.client, **{"X-API-Key": "second and longer"}) == 200, "the new key"
        )
        assert code(server.client, **{"X-API-Key": "first"}) == 401


def test_a_changed_file_counts_at_once(client: httpx.Client, file: Path) -> None:
    fresh = file.with_name("fresh")
    fresh.write_text("second")
    fresh.replace(file)
    assert (code(client, **{"X-API-Key": "first"}), code(client, **{"X-API-Key": "second"})) == (
        401,
        200,
    )


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_without_a_readable_key_nobody_gets_in(
    client: httpx.Client, file: Path, content: str | None
) -> None:
    file.unlink()
    if content is not None:
        file.write_text(content)
    assert code(client, **{"X-API-Key": ""}) == 503


def test_the_smoke_test_carries_it(client: httpx.Client, toys: list[ModelPackage]) -> None:
    url = str(client.base_url)
    assert smoke_test(
        url, toys[0], timeout=patience(5), max_latency=patience(5), key="first"
    ).passed
    assert not smoke_test(
        url, toys[0], timeout=patience(5), max_latency=patience(5), key="wrong"
    ).passed
