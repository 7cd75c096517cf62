"""What the server refuses to load: the old model goes on, and what was refused is tried again."""

from pathlib import Path

import pytest
from support.clocks import Seconds
from support.registry.package_variants import damaged, flip_bit, tiny
from support.serving.servers import await_true, put

from api import Follower, Slot
from registry import ModelStore, Pointer
from registry.package import ModelPackage


def served(slot: Slot) -> str | None:
    return slot.served.package.digest if slot.served else None


def point(store: ModelStore, sha256: str, number: int = 2) -> None:
    store.point(Pointer(model="toy", number=number, sha256=sha256))


def test_a_package_that_does_not_verify_is_refused_and_the_old_one_goes_on(
    follower: Follower, slot: Slot, store: ModelStore, toys: list[ModelPackage]
) -> None:
    put(store, toys[0])
    follower.look()
    damaged(toys[1], store.model(toys[1].digest))
    point(store, toys[1].digest)
    follower.look()
    assert served(slot) == toys[0].digest
    assert "sha256" in slot.refused


@pytest.mark.parametrize(
    "content",
    [b"", b'{"model": "toy"', b"\xff\xfe", b'{"model": "toy", "number": 0, "sha256": "x"}'],
)
def test_a_damaged_pointer_is_refused_and_the_old_model_goes_on(
    follower: Follower, slot: Slot, store: ModelStore, toys: list[ModelPackage], content: bytes
) -> None:
    put(store, toys[0])
    follower.look()
    store.pointer_path("toy").write_bytes(content)
    follower.look()
    assert served(slot) == toys[0].digest
    assert "not a readable pointer" in slot.refused
    put(store, toys[1], number=2)
    follower.look()
    assert (served(slot), slot.refused) == (toys[1].digest, "")


def test_a_package_that_is_missing_is_refused_and_tried_again_after_a_while(
    follower: Follower, slot: Slot, store: ModelStore, toys: list[ModelPackage], clock: Seconds
) -> None:
    """The pointer may be seen before the package on a slow volume."""
    point(store, toys[0].digest)
    follower.look()
    assert slot.refused
    store.add(toys[0])
    follower.look()
    assert served(slot) is None  # not at each look: a package may be large
    clock.now += 2.0
    follower.look()
    assert (served(slot), slot.refused) == (toys[0].digest, "")


def test_a_refusal_says_whether_an_old_model_goes_on(
    follower: Follower,
    store: ModelStore,
    toys: list[ModelPackage],
    caplog: pytest.LogCaptureFixture,
) -> None:
    point(store, "f" * 64)
    follower.look()
    put(store, toys[0])
    follower.look()
    point(store, "e" * 64)
    follower.look()
    said = [text.split(":")[0] for text in caplog.messages if text.startswith("refused")]
    assert said == ["refused, nothing is served", "refused, the old model keeps serving"]


def test_a_package_that_stays_damaged_is_refused_again_and_mended_it_is_loaded(
    follower: Follower, slot: Slot, store: ModelStore, toys: list[ModelPackage], clock: Seconds
) -> None:
    put(store, toys[0])
    follower.look()
    folder = damaged(toys[1], store.model(toys[1].digest))
    point(store, toys[1].digest)
    for _ in range(3):
        follower.look()
        clock.now += 2.0
        assert served(slot) == toys[0].digest
    flip_bit(folder)
    follower.look()
    assert served(slot) == toys[1].digest


def test_going_back_to_what_serves_already_clears_the_refusal(
    follower: Follower, slot: Slot, store: ModelStore, toys: list[ModelPackage]
) -> None:
    put(store, toys[0])
    follower.look()
    point(store, "f" * 64)
    follower.look()
    assert slot.refused
    put(store, toys[0])
    follower.look()
    assert (served(slot), slot.refused, slot.swaps) == (toys[0].digest, "", 1)


def test_a_refused_pointer_that_is_removed_is_not_complained_about_any_more(
    follower: Follower, slot: Slot, store: ModelStore
) -> None:
    point(store, "f" * 64)
    follower.look()
    assert slot.refused
    store.unpoint("toy")
    follower.look()
    assert slot.refused == ""


def test_a_package_of_another_model_is_refused(
    follower: Follower, slot: Slot, store: ModelStore, tmp_path: Path
) -> None:
    other = tiny(tmp_path / "other", name="other")
    store.add(other)
    point(store, other.digest)
    follower.look()
    assert served(slot) is None
    assert "other" in slot.refused


def test_whatever_a_package_provokes_the_thread_goes_on(
    store: ModelStore, slot: Slot, toys: list[ModelPackage], monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(_: str) -> ModelPackage:
        raise ZeroDivisionError("in the package")

    follower = Follower(store, "toy", slot, interval=0.01)
    follower.start()
    try:
        monkeypatch.setattr(store, "open", explode)
        put(store, toys[0])
        await_true(lambda: slot.refused == "ZeroDivisionError: in the package", "the refusal")
        monkeypatch.undo()
        put(store, toys[1], number=2)
        await_true(lambda: served(slot) == toys[1].digest, "the next model")
    finally:
        follower.stop()
