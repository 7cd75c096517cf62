"""Following the pointer, one look at a time: what is loaded, and what becomes of the old model."""

import gc
import threading
import weakref

import pytest
from support.clocks import Seconds
from support.registry.ledgers import outcome, promotion
from support.serving.servers import await_true, in_process, put

from api import Follower, Slot, create_app
from api.limits import Limits
from api.serving.state import State
from registry import Entry, ModelStore
from registry.history import History
from registry.package import ModelPackage


def served_digest(slot: Slot) -> str | None:
    return slot.served.package.digest if slot.served else None


def test_nothing_is_served_before_anything_was_promoted(follower: Follower, slot: Slot) -> None:
    follower.look()
    assert (served_digest(slot), slot.refused, slot.swaps) == (None, "", 0)


def test_a_new_pointer_is_followed_and_an_old_one_is_not_loaded_again(
    follower: Follower, slot: Slot, store: ModelStore, toys: list[ModelPackage]
) -> None:
    put(store, toys[0])
    follower.look()
    first = slot.served
    follower.look()
    assert slot.served is first
    put(store, toys[1], number=2)
    follower.look()
    assert (served_digest(slot), slot.swaps) == (toys[1].digest, 2)
    assert slot.served
    assert slot.served.pointer.number == 2


def write_history(store: ModelStore, digest: str, state: str) -> None:
    first = promotion(1, model="toy", sha256=digest)
    result = None if state == "in flight" else outcome(state)
    store.write_history(History.of("toy", [Entry(promotion=first, outcome=result)]))


@pytest.mark.parametrize("state", ["live", "in flight"])
def test_a_pointer_that_the_history_knows_is_followed(
    follower: Follower, slot: Slot, store: ModelStore, toys: list[ModelPackage], state: str
) -> None:
    write_history(store, toys[0].digest, state)
    put(store, toys[0])
    follower.look()
    assert served_digest(slot) == toys[0].digest


@pytest.mark.parametrize(("known", "state"), [(0, "reverted"), (2, "live"), (2, "in flight")])
def test_a_pointer_that_the_history_contradicts_is_refused(
    follower: Follower,
    slot: Slot,
    store: ModelStore,
    toys: list[ModelPackage],
    known: int,
    state: str,
) -> None:
    write_history(store, toys[known].digest, state)
    put(store, toys[0])
    follower.look()
    assert served_digest(slot) is None
    said = f"but the history next to it says: package {toys[known].digest[:12]}, {state}"
    assert said in slot.refused


def test_a_pointer_to_what_no_gate_has_seen_is_refused_and_the_old_model_serves(
    follower: Follower, slot: Slot, store: ModelStore, toys: list[ModelPackage]
) -> None:
    write_history(store, toys[0].digest, "live")
    put(store, toys[0])
    follower.look()
    put(store, toys[1], number=99)
    follower.look()
    assert served_digest(slot) == toys[0].digest
    assert "the history next to it does not have it" in slot.refused


def test_a_history_that_is_damaged_decides_nothing(
    follower: Follower, slot: Slot, store: ModelStore, toys: list[ModelPackage]
) -> None:
    put(store, toys[0])
    store.history_path("toy").write_bytes(b"half")
    follower.look()
    assert served_digest(slot) == toys[0].digest


def test_a_pointer_written_again_with_the_same_content_swaps_nothing(
    follower: Follower, slot: Slot, store: ModelStore, toys: list[ModelPackage]
) -> None:
    for _ in range(2):
        put(store, toys[0])
        follower.look()
    assert slot.swaps == 1


def test_a_pointer_that_is_removed_ends_the_serving_and_one_that_comes_back_resumes_it(
    follower: Follower, slot: Slot, store: ModelStore, toys: list[ModelPackage]
) -> None:
    put(store, toys[0])
    follower.look()
    store.unpoint("toy")
    follower.look()
    assert served_digest(slot) is None
    put(store, toys[0])
    follower.look()
    assert served_digest(slot) == toys[0].digest


@pytest.mark.parametrize("moved", ["", "pointers"])
def test_a_volume_that_goes_away_takes_no_good_model_out(
    follower: Follower,
    slot: Slot,
    store: ModelStore,
    toys: list[ModelPackage],
    clock: Seconds,
    moved: str,
) -> None:
    put(store, toys[0])
    follower.look()
    folder = store.root / moved
    folder.rename(folder.with_name("gone"))
    for _ in range(2):
        follower.look()
        assert served_digest(slot) == toys[0].digest
        assert "the store's folder of pointers is missing" in slot.refused
        clock.now += 2.0
    folder.with_name("gone").rename(folder)
    follower.look()
    assert (served_digest(slot), slot.refused, slot.swaps) == (toys[0].digest, "", 1)


def test_a_removed_pointer_is_told_from_one_that_never_was(
    store: ModelStore, toys: list[ModelPackage]
) -> None:
    put(store, toys[0])
    with in_process(create_app(store, "toy")) as client:
        store.unpoint("toy")
        await_true(lambda: client.get("/readyz").status_code == 503, "the model to go")
        assert client.get("/readyz").json()["detail"] == "the pointer of toy is gone"
        about = client.get("/version").json()
        assert (about["refused"], about["removed"]) == (None, "the pointer of toy is gone")
        put(store, toys[1], number=2)
        await_true(lambda: client.get("/readyz").is_success, "a model to come back")
        assert client.get("/version").json()["removed"] is None


def test_a_removed_pointer_and_then_a_volume_that_goes_away_change_nothing_more(
    follower: Follower, slot: Slot, store: ModelStore, toys: list[ModelPackage], clock: Seconds
) -> None:
    put(store, toys[0])
    follower.look()
    store.unpoint("toy")
    follower.look()
    store.root.rename(store.root.with_name("gone"))
    clock.now += 2.0
    follower.look()
    assert (served_digest(slot), slot.refused, slot.removed) == (
        None,
        "",
        "the pointer of toy is gone",
    )


def test_waiting_for_a_first_model_is_said_once(
    follower: Follower,
    store: ModelStore,
    toys: list[ModelPackage],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "tunegate.api")
    follower.interval = 0.001
    follower.start()
    try:
        put(store, toys[0])
        await_true(lambda: follower.slot.served, "the first model")
    finally:
        follower.stop()
    assert [text for text in caplog.messages if "waiting" in text] == [
        "nothing of toy is in production yet: waiting"
    ]


def test_the_old_models_memory_is_freed_after_the_swap(
    follower: Follower, slot: Slot, store: ModelStore, toys: list[ModelPackage]
) -> None:
    put(store, toys[0])
    follower.look()
    assert slot.served
    old = weakref.ref(slot.served.package.forest.value)
    holder = slot.served  # a request in flight
    put(store, toys[1], number=2)
    follower.look()
    gc.collect()
    assert old() is not None
    del holder
    gc.collect()
    assert old() is None


def test_a_stopped_follower_leaves_what_is_served(
    store: ModelStore, slot: Slot, toys: list[ModelPackage]
) -> None:
    put(store, toys[0])
    follower = Follower(store, "toy", slot, interval=0.01)
    before = threading.active_count()
    follower.start()
    assert threading.active_count() == before + 1
    follower.stop()
    assert threading.active_count() == before
    put(store, toys[1], number=2)
    assert served_digest(slot) == toys[0].digest


def test_all_followers_of_a_server_look_at_its_interval(store: ModelStore) -> None:
    state = State.make(store, "toy", ["other"], Limits(), poll=1.5)
    assert [follower.interval for follower in state.followers] == [1.5, 1.5]
