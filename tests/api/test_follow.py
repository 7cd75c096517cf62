"""Following the pointer, one look at a time: what is loaded, and what becomes of the old model."""

import gc
import threading
import weakref

from support.servers import put

from api import Follower, Slot
from registry import ModelStore
from registry.package import ModelPackage


def served(slot: Slot) -> str | None:
    return slot.served.package.digest if slot.served else None


def test_nothing_is_served_before_anything_was_promoted(follower: Follower, slot: Slot) -> None:
    follower.look()
    assert (served(slot), slot.refused, slot.swaps) == (None, "", 0)


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
    assert (served(slot), slot.swaps) == (toys[1].digest, 2)
    assert slot.served
    assert slot.served.pointer.number == 2


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
    assert served(slot) is None
    put(store, toys[0])
    follower.look()
    assert served(slot) == toys[0].digest


def test_a_volume_that_goes_away_is_no_crash(
    follower: Follower, slot: Slot, store: ModelStore, toys: list[ModelPackage]
) -> None:
    put(store, toys[0])
    follower.look()
    store.root.rename(store.root.with_name("gone"))
    follower.look()
    assert served(slot) is None
    store.root.with_name("gone").rename(store.root)
    follower.look()
    assert served(slot) == toys[0].digest


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


def test_a_stopped_follower_leaves_what_is_served(store: ModelStore, slot: Slot, toys: list[ModelPackage]) -> None:
    put(store, toys[0])
    follower = Follower(store, "toy", slot, interval=0.01)
    before = threading.active_count()
    follower.start()
    assert threading.active_count() == before + 1
    follower.stop()
    assert threading.active_count() == before
    put(store, toys[1], number=2)
    assert served(slot) == toys[0].digest
