"""Repair: the pointer follows the ledger; an entry in flight belongs to its living owner."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from support.promotion.faults import Crash, crashing_promoter, dead_process
from support.promotion.promotions import PromotionSite, promoting_verdict
from support.registry.package_variants import flip_bit

from promote.errors import PromoteError
from promote.lease import is_abandoned, process_owner
from registry import InFlight, ModelStore, PackageError, Pointer
from registry.package import ModelPackage

HERE = socket.gethostname()
MACHINE = process_owner().split(":")[2:]  # boot and namespace of processes
pytestmark = pytest.mark.skipif(not MACHINE, reason="no process can be known to be gone here")


def holder(pid: int) -> str:
    """Return the lease holder that another process of this machine is."""
    return ":".join([HERE, str(pid), *MACHINE])


@pytest.fixture
def served(site: PromotionSite, toys: list[ModelPackage]) -> PromotionSite:
    site.promoter().promote(toys[0], promoting_verdict(toys[0], None))
    return site


def in_flight_by(site: PromotionSite, toys: list[ModelPackage], holder: str) -> None:
    """Leave promotion 2, of b, in flight with the pointer swapped."""
    first = site.ledger.history("toy")[0].promotion
    changes = {
        "number": 2,
        "previous": 1,
        "sha256": toys[1].digest,
        "owner": holder,
        "created_at": site.clock.now,
    }
    site.store.add(toys[1])
    site.ledger.create(first.replace(**changes))
    site.store.point(Pointer(model="toy", number=2, sha256=toys[1].digest))


def test_where_all_is_well_repair_does_nothing_and_says_nothing(
    served: PromotionSite, toys: list[ModelPackage]
) -> None:
    before = served.store.pointer_path("toy").stat()
    assert served.promoter().repair("toy") == []
    after = served.store.pointer_path("toy").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    served.assert_settled(toys[0])


def test_an_unknown_model_needs_no_repair(site: PromotionSite) -> None:
    assert site.promoter().repair("nobody") == []


def remove(site: PromotionSite) -> None:
    site.store.pointer_path("toy").unlink()


def write(content: bytes) -> Callable[[PromotionSite], None]:
    return lambda site: (site.store.pointer_path("toy").write_bytes(content), None)[1]


def name(number: int, sha256: str) -> Callable[[PromotionSite], None]:
    return lambda site: site.store.point(Pointer(model="toy", number=number, sha256=sha256))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (remove, "it was missing"),
        (write(b""), "not a readable pointer"),
        (write(b'{"model": "toy", "num'), "not a readable pointer"),
        (write(b'{"model": "toy", "number": 1, "sha256": "short"}'), "not a readable pointer"),
        (write(b"\xff\xfe\x00"), "not a readable pointer"),
        (name(1, "7" * 64), "it named promotion 1"),
    ],
    ids=["missing", "empty", "half", "invalid", "binary", "other package"],
)
def test_a_pointer_that_does_not_say_what_the_ledger_says_is_mended(
    served: PromotionSite,
    toys: list[ModelPackage],
    damage: Callable[[PromotionSite], None],
    said: str,
) -> None:
    damage(served)
    (sentence,) = served.promoter().repair("toy")
    assert "follows the ledger again" in sentence
    assert said in sentence
    served.assert_settled(toys[0])


def test_a_damaged_pointer_without_a_champion_is_removed(site: PromotionSite) -> None:
    site.store.pointer_path("toy").parent.mkdir(parents=True)
    write(b"rubbish")(site)
    assert len(site.promoter().repair("toy")) == 1
    site.assert_settled(None)


def test_a_pointer_that_the_ledger_knows_nothing_of_is_left_alone(site: PromotionSite) -> None:
    """Store and ledger do not belong together then; a server may well follow the pointer."""
    site.store.pointer_path("toy").parent.mkdir(parents=True)
    name(1, "7" * 64)(site)
    before = site.store.pointer_path("toy").read_bytes()
    with pytest.raises(PromoteError, match="the ledger has no entry of that model") as error:
        site.promoter().repair("toy")
    assert "--store" in error.value.hint
    assert site.store.pointer_path("toy").read_bytes() == before


@pytest.mark.parametrize(
    "damage", [remove, write(b"half"), name(1, "9" * 64)], ids=["missing", "half", "unknown"]
)
def test_the_next_promotion_mends_the_pointer_first(
    served: PromotionSite, toys: list[ModelPackage], damage: Callable[[PromotionSite], None]
) -> None:
    damage(served)
    served.smoke.passes = False
    told: list[str] = []
    with pytest.raises(Exception, match="reverted"):
        served.promoter(notify=told.append).promote(toys[1], promoting_verdict(toys[1], toys[0]))
    assert "follows the ledger again" in told[0]
    served.assert_settled(toys[0])


def test_a_promotion_records_the_process_that_carries_it_out(served: PromotionSite) -> None:
    assert process_owner() == holder(os.getpid())
    assert served.ledger.history("toy")[0].promotion.owner == process_owner()


def test_what_a_dead_process_left_is_taken_over_at_once(
    served: PromotionSite, toys: list[ModelPackage]
) -> None:
    in_flight_by(served, toys, holder(dead_process()))
    (sentence,) = served.promoter().repair("toy")
    assert sentence == "promotion 2 of toy was left in flight: now live"
    served.assert_settled(toys[1])


def test_what_a_live_process_holds_is_left_alone_within_its_lease(
    served: PromotionSite, toys: list[ModelPackage]
) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        in_flight_by(served, toys, holder(process.pid))
        with pytest.raises(InFlight, match=f"by {HERE}:{process.pid}"):
            served.promoter().repair("toy")
        assert served.states() == ["live", "in flight"]
        served.clock.forward(600)
        served.promoter().repair("toy")
        process.communicate(b"\n")
    served.assert_settled(toys[1])


@pytest.mark.parametrize(
    "holder",
    [
        *("elsewhere:1", "", "nonsense", f"{HERE}:", f"{HERE}:x"),
        f"{HERE}:{2**22}",
        f"{HERE}:{2**22}:{MACHINE[0]}:1",
        f"{HERE}:{2**22}:another-boot:{MACHINE[1]}",
        f"{HERE}:{2**70}:{':'.join(MACHINE)}",
        process_owner(),
    ],
    ids=[
        *("elsewhere", "nobody", "nonsense", "no pid", "not a pid"),
        "a release that knew no more",
        "another container",
        "another boot",
        "no possible pid",
        "this process",
    ],
)
def test_what_cannot_be_known_to_be_dead_waits_for_its_lease(
    served: PromotionSite, toys: list[ModelPackage], holder: str
) -> None:
    in_flight_by(served, toys, holder)
    entry = served.ledger.history("toy")[-1]
    assert not is_abandoned(entry, served.clock.now)
    with pytest.raises(InFlight):
        served.promoter().repair("toy")
    served.clock.forward(600)
    assert is_abandoned(entry, served.clock.now)
    served.promoter().repair("toy")
    served.assert_settled(toys[1])


def test_a_process_of_another_host_is_not_looked_for_here(
    served: PromotionSite, toys: list[ModelPackage]
) -> None:
    in_flight_by(served, toys, holder(dead_process()).replace(HERE, "elsewhere"))
    with pytest.raises(InFlight):
        served.promoter().repair("toy")


def test_another_users_process_counts_as_alive(
    served: PromotionSite, toys: list[ModelPackage], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    in_flight_by(served, toys, holder(1))
    monkeypatch.setattr(os, "kill", refuse)
    assert not is_abandoned(served.ledger.history("toy")[-1], served.clock.now)


@pytest.mark.parametrize("hours", [-30, -2, 2, 30])
def test_a_clock_that_is_hours_off_takes_nothing_over(
    served: PromotionSite, toys: list[ModelPackage], hours: int
) -> None:
    in_flight_by(served, toys, "elsewhere:1")
    wrong = served.clock.now + timedelta(hours=hours)
    with pytest.raises(InFlight, match=f"differs from the store's by .*{abs(hours) % 24}:00:00"):
        served.promoter(clock=lambda: wrong).repair("toy")
    assert served.states() == ["live", "in flight"]


def test_an_entry_of_a_clock_that_was_hours_ahead_is_said_to_be_so(
    served: PromotionSite, toys: list[ModelPackage]
) -> None:
    served.clock.forward(86_400)
    in_flight_by(served, toys, "elsewhere:1")
    served.clock.forward(-86_400)
    with pytest.raises(InFlight, match="was 1 day, 0:00:00 ahead of this one's"):
        served.promoter().repair("toy")


def test_a_pointer_ahead_of_the_ledger_is_left_alone(
    served: PromotionSite, toys: list[ModelPackage], tmp_path: Path
) -> None:
    """The ledger was restored from an older backup: its next number would be given twice."""
    older = shutil.copy(served.ledger.path, tmp_path / "backup.db")
    served.promoter().promote(toys[1], promoting_verdict(toys[1], toys[0]))
    shutil.copy(older, served.ledger.path)
    for act in (
        lambda: served.promoter().repair("toy"),
        lambda: served.promoter().promote(toys[2], promoting_verdict(toys[2], toys[0])),
    ):
        with pytest.raises(PromoteError, match="names promotion 2, but the ledger ends at 1") as at:
            act()
        assert "restore a newer one" in at.value.hint
        assert served.pointed_digest() == toys[1].digest
    (sentence,) = served.promoter().repair("toy", force=True)
    assert "it named promotion 2" in sentence
    served.assert_settled(toys[0])


def test_a_store_without_the_champion_gets_no_pointer(
    served: PromotionSite, toys: list[ModelPackage], tmp_path: Path
) -> None:
    """A mistyped path is such a store."""
    empty = ModelStore(tmp_path / "mistyped")
    for act in (
        lambda: served.promoter(store=empty).repair("toy"),
        lambda: served.promoter(store=empty).promote(toys[1], promoting_verdict(toys[1], toys[0])),
    ):
        with pytest.raises(PackageError, match="its package is not in the store") as refused:
            act()
        assert "is --store the right one" in refused.value.hint
        assert empty.pointer("toy") is None
    assert served.states() == ["live"]


def test_damaged_packages_are_found(served: PromotionSite, toys: list[ModelPackage]) -> None:
    served.promoter().promote(toys[1], promoting_verdict(toys[1], toys[0]))
    assert served.promoter().check("toy", all_live=True) == []
    flip_bit(served.store.model(toys[0].digest))
    assert served.promoter().check("toy", all_live=False) == []
    (sentence,) = served.promoter().check("toy", all_live=True)
    assert "the package of promotion 1 is damaged" in sentence


def test_a_rollback_from_a_damaged_package_is_possible(
    served: PromotionSite, toys: list[ModelPackage]
) -> None:
    served.promoter().promote(toys[1], promoting_verdict(toys[1], toys[0]))
    flip_bit(served.store.model(toys[1].digest))
    remove(served)
    with pytest.raises(PackageError, match="its package is not in the store"):
        served.promoter().repair("toy")
    served.promoter().rollback("toy")
    served.assert_settled(toys[0])


def test_unfinished_copies_of_killed_runs_are_removed(
    served: PromotionSite, toys: list[ModelPackage]
) -> None:
    left = served.store.root / "models" / f".{toys[1].digest}.abcd"
    (left / "new").mkdir(parents=True)
    assert served.promoter().repair("toy") == []  # it may still be written
    served.clock.forward(3700)
    (sentence,) = served.promoter().repair("toy")
    assert "1 unfinished copies" in sentence
    assert not left.exists()
    served.assert_settled(toys[0])


def test_force_does_not_wait_for_the_lease(served: PromotionSite, toys: list[ModelPackage]) -> None:
    in_flight_by(served, toys, "elsewhere:1")
    served.promoter().repair("toy", force=True)
    served.assert_settled(toys[1])


def test_a_promotion_in_flight_whose_package_is_damaged_is_undone(
    served: PromotionSite, toys: list[ModelPackage]
) -> None:
    in_flight_by(served, toys, "")
    flip_bit(served.store.model(toys[1].digest))
    told: list[str] = []
    served.promoter(notify=told.append).repair("toy", force=True)
    assert "sha256" in told[0]
    assert served.states() == ["live", "reverted"]
    served.assert_settled(toys[0])


def test_a_promotion_in_flight_whose_pointer_is_damaged_is_undone(
    served: PromotionSite, toys: list[ModelPackage]
) -> None:
    in_flight_by(served, toys, "")
    served.store.pointer_path("toy").write_bytes(b"half")
    served.promoter().repair("toy", force=True)
    assert served.states() == ["live", "reverted"]
    served.assert_settled(toys[0])


def test_a_repair_that_crashes_is_repaired(served: PromotionSite, toys: list[ModelPackage]) -> None:
    in_flight_by(served, toys, "")
    served.smoke.passes = False
    for step in ("smoke", "point"):
        with pytest.raises(Crash):
            crashing_promoter(served, step).repair("toy", force=True)
        assert served.states() == ["live", "in flight"]
    served.promoter().repair("toy", force=True)
    assert served.states() == ["live", "reverted"]
    served.assert_settled(toys[0])


@pytest.mark.parametrize(("heir", "finished"), [("job:7", True), ("job:8", False), ("", False)])
def test_an_owner_that_is_never_there_twice_takes_over_its_own_at_once(
    served: PromotionSite, toys: list[ModelPackage], heir: str, *, finished: bool
) -> None:
    """A Job's next pod has another host's name, and need not wait for the killed one's lease."""
    in_flight_by(served, toys, "job:7")
    if finished:
        assert served.promoter(owner=heir).repair("toy") == [
            "promotion 2 of toy was left in flight: now live"
        ]
        served.assert_settled(toys[1])
    else:
        with pytest.raises(InFlight):
            served.promoter(owner=heir).repair("toy")


def test_a_named_owner_is_recorded(site: PromotionSite, toys: list[ModelPackage]) -> None:
    site.promoter(owner="job:7").promote(toys[0], promoting_verdict(toys[0], None))
    assert site.ledger.history("toy")[0].promotion.owner == "job:7"
