"""Hot swap under load: no request fails, every answer is right, whatever happens on the volume."""

from support.registry.package_variants import damaged
from support.serving.load import hammered, needs_proc, right_answers, thread_count
from support.serving.servers import Running, await_true, put

from registry import ModelStore, Pointer
from registry.package import ModelPackage


def test_swaps_under_load_lose_no_request_and_give_only_right_answers(
    server: Running, store: ModelStore, toys: list[ModelPackage]
) -> None:
    a, b, c = toys
    corrupt = damaged(c, store.model(c.digest))
    with hammered(server) as seen:
        for number in range(2, 12):
            package = (a, b)[number % 2]
            put(store, package, number=number)
            server.await_version(promotion=number, model_version=package.digest, refused=None)
            if number % 4 == 0:
                store.point(Pointer(model="toy", number=99, sha256=c.digest))
            if number % 4 == 2:
                store.pointer_path("toy").write_bytes(b'{"model": "toy", "num')
            if number % 2 == 0:
                await_true(lambda: server.version()["refused"], "the refusal")
                assert server.version()["model_version"] == package.digest
            seen.await_more()
    assert seen.errors == []
    assert seen.answers == right_answers(a, b)
    assert seen.requests > 300
    assert server.version()["swaps"] == 11
    assert corrupt.exists()
    assert "refused, the old model keeps serving" in server.log_text()


def test_the_clients_would_notice_a_wrong_answer(server: Running, toys: list[ModelPackage]) -> None:
    with hammered(server) as seen:
        seen.await_more()
    assert seen.answers == right_answers(toys[0])
    assert seen.answers != right_answers(toys[1])


def test_a_pointer_that_is_removed_gives_503_and_one_that_comes_back_serves_again(
    server: Running, store: ModelStore, toys: list[ModelPackage]
) -> None:
    with hammered(server) as seen:
        seen.await_more()
        store.unpoint("toy")
        server.await_version(model_version=None)
        assert server.client.get("/healthz").status_code == 200
        assert server.client.get("/readyz").status_code == 503
        seen.await_more()
        put(store, toys[1], number=2)
        server.await_version(model_version=toys[1].digest)
        assert server.client.get("/readyz").status_code == 200
        seen.await_more()
    assert seen.errors == []
    assert seen.answers == right_answers(toys[0], toys[1]) | {(503, "", "", 0.0)}


def test_a_refusal_is_shown_while_it_lasts_and_the_server_stays_ready(
    server: Running, store: ModelStore, toys: list[ModelPackage]
) -> None:
    damaged(toys[1], store.model(toys[1].digest))
    store.point(Pointer(model="toy", number=2, sha256=toys[1].digest))
    await_true(lambda: server.version()["refused"], "the refusal")
    about = server.version()
    assert "sha256" in about["refused"]
    assert (about["promotion"], about["model_version"]) == (1, toys[0].digest)
    assert server.client.get("/readyz").status_code == 200
    put(store, toys[1], number=2)  # adding it again repairs it
    server.await_version(promotion=2, refused=None)


@needs_proc
def test_many_swaps_leave_no_threads_behind(
    server: Running, store: ModelStore, toys: list[ModelPackage]
) -> None:
    put(store, toys[1], number=2)
    server.await_version(promotion=2)
    before = thread_count(server)
    for number in range(3, 13):
        put(store, toys[number % 3], number=number)
        server.await_version(promotion=number)
    assert thread_count(server) == before
