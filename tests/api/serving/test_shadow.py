"""A candidate in shadow mode: what may become one, and that it never harms a request."""

from pathlib import Path

from support.registry.package_variants import damaged, flip_bit, scaled, tiny, variant
from support.serving.load import hammered, needs_proc, right_answers, thread_count
from support.serving.servers import Running, await_true, put
from support.serving.shadows import (
    ROW,
    await_candidate,
    shadow_report,
    shadow_samples,
    start_shadow,
)

from registry import ModelStore, Pointer
from registry.package import ModelPackage
from registry.shadow import Shadow


def test_a_server_without_a_candidate_says_so(server: Running, toys: list[ModelPackage]) -> None:
    assert shadow_report(server.client, "toy") == {
        "model": "toy",
        "champion": toys[0].digest,
        **dict.fromkeys(("candidate", "share", "refused", "seen")),
    }
    assert server.client.get("/v1/models/nobody/shadow").status_code == 404
    about = server.version()
    assert (about["shadow"], about["shadow_refused"]) == (None, None)


def test_a_damaged_candidate_is_refused_and_asked_once_it_is_repaired(
    server: Running, store: ModelStore, toys: list[ModelPackage]
) -> None:
    folder = damaged(toys[1], store.model(toys[1].digest))
    store.set_shadow(Shadow(model="toy", sha256=toys[1].digest, share=1.0))
    await_true(lambda: server.version()["shadow_refused"], "the refusal")
    about = server.version()
    assert "sha256" in about["shadow_refused"]
    assert (about["shadow"], about["refused"]) == (None, None)
    assert about["model_version"] == toys[0].digest
    assert shadow_report(server.client, "toy")["refused"] == about["shadow_refused"]
    assert shadow_samples(server.client)["refused", "toy"] == 1
    assert "shadow refused" in server.log_text()
    assert server.client.post("/predict", json=ROW).json()["predicted_y"] == 1.0
    flip_bit(folder)  # the very same file again: it is tried once more by itself
    server.await_version(shadow=toys[1].digest, shadow_refused=None)
    assert shadow_samples(server.client)["refused", "toy"] == 0


def test_a_candidate_of_another_model_is_refused(
    server: Running, store: ModelStore, tmp_path: Path
) -> None:
    other = tiny(tmp_path / "other", name="other")
    store.add(other)
    store.set_shadow(Shadow(model="toy", sha256=other.digest, share=1.0))
    await_true(lambda: server.version()["shadow_refused"], "the refusal")
    assert "a package of other, not of toy" in server.version()["shadow_refused"]


def test_a_candidate_of_other_columns_is_not_compared(
    server: Running, store: ModelStore, tmp_path: Path
) -> None:
    """The champion may change after the shadow was set and fitted."""
    column = {"name": "z", "kind": "numeric", "minimum": 0.0, "maximum": 1.0, "typical": 0.25}
    start_shadow(store, tiny(tmp_path / "other", columns=[column]))
    await_true(lambda: server.version()["shadow"], "the candidate")
    assert server.client.post("/predict", json=ROW).json()["predicted_y"] == 1.0
    found = shadow_report(server.client, "toy")
    assert found["refused"] == "the candidate differs from the champion in columns"
    assert found["seen"]["rows"] == 0


def test_no_answer_changes_and_none_fails_whatever_happens_to_the_shadow(
    server: Running, store: ModelStore, toys: list[ModelPackage], tmp_path: Path
) -> None:
    a, b, c = toys
    wild = variant(b, tmp_path / "wild", forest=scaled(b, 1e307))
    with hammered(server) as seen:
        for _ in range(3):
            for package in (b, c, wild):
                start_shadow(store, package, share=0.5)
                await_candidate(server.client, package)
                seen.await_more()
            damaged_folder = store.model(b.digest)
            flip_bit(damaged_folder)
            store.set_shadow(Shadow(model="toy", sha256=b.digest, share=1.0))
            await_true(lambda: server.version()["shadow_refused"], "the refusal")
            seen.await_more()
            flip_bit(damaged_folder)
            store.shadow_path("toy").write_bytes(b'{"model": "toy", "sha')
            await_true(
                lambda: "not a readable" in (server.version()["shadow_refused"] or ""),
                "the broken file's refusal",
            )
            seen.await_more()
            store.clear_shadow("toy")
            server.await_version(shadow=None, shadow_refused=None)
            seen.await_more()
        start_shadow(store, b)
        put(store, b, number=2)
        server.await_version(model_version=b.digest)
        seen.await_more()
    assert seen.errors == []
    assert seen.answers == right_answers(a, b)
    assert shadow_samples(server.client)["rows_total", c.digest, "toy", a.digest] > 0


@needs_proc
def test_a_shadow_that_ends_leaves_no_thread_behind(
    server: Running, store: ModelStore, toys: list[ModelPackage]
) -> None:
    shadow_report(server.client, "toy")  # this route runs in a thread that stays
    before = thread_count(server)
    for package in (toys[1], toys[2]):
        start_shadow(store, package)
        await_candidate(server.client, package)
        store.clear_shadow("toy")
        await_candidate(server.client, None)
    assert thread_count(server) == before


def test_the_pointer_of_a_shadow_is_not_the_models(
    server: Running, store: ModelStore, toys: list[ModelPackage]
) -> None:
    start_shadow(store, toys[1])
    await_candidate(server.client, toys[1])
    assert store.pointer("toy") == Pointer(model="toy", number=1, sha256=toys[0].digest)
    assert server.version()["swaps"] == 1
