"""The Kubeflow adapter on a real Model Registry when a taken name is listed nowhere."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from support.registry.ledgers import outcome
from support.serving.proxy import Proxy, Start

pytest.importorskip("mr_openapi")
from support.registry.registry_cases import A, RegistryCase

from registry import Conflict, LedgerError, champion
from registry.chain import link
from registry.kubeflow.records import ATTEMPTS, ServeRecord

pytestmark = pytest.mark.cluster
TAKEN = 409, b'{"code":"","message":"AlreadyExists"}'


class Orphans(Proxy):
    """Says that these names are taken; a look at the list may make something happen."""

    def __init__(
        self, upstream: str, *taken: str, looked: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(upstream)
        self.taken = taken
        self.looked = looked
        self.posted = list[str]()

    def before(self, method: str, path: str, body: bytes) -> tuple[int, bytes] | str:
        if method == "POST" and path.endswith("/serves"):
            self.posted.append(json.loads(body)["name"])
            if self.posted[-1] in self.taken:
                return TAKEN
        elif "/serves" in path and self.posted:
            self.looked()
        return path


def steps(seconds: float) -> Callable[[], float]:
    """Return a clock that advances by so much at each look; the grace is 30 s."""
    return map(float, count(0, int(seconds))).__next__


def test_a_name_that_is_taken_and_listed_nowhere_is_given_up_and_the_next_one_is_used(
    case: RegistryCase, start: Start
) -> None:
    case.advance(A)
    mine = case.promotion(2, actor="mine")
    late = case.promotion(2, actor="late")
    proxy = Orphans(case.url, "promotion-0002")
    case.ledger(start(proxy), clock=steps(10)).create(mine)
    assert proxy.posted == ["promotion-0002", "promotion-0002.retry2"]
    assert [entry.promotion for entry in case.history()[1:]] == [mine]
    case.write("promotion-0002", ServeRecord.opening(late, ""))  # the orphan surfaces after all
    assert [entry.promotion for entry in case.history()[1:]] == [mine]
    case.direct.close(case.name, 2, outcome())
    current = champion(case.history())
    assert current
    assert current.promotion == mine


def test_the_name_is_waited_for_as_long_as_its_writer_may_wait(
    case: RegistryCase, start: Start
) -> None:
    case.advance(A)
    looks = count(1)
    theirs = case.promotion(2, actor="theirs")
    digest = link(case.direct.chain(case.name).head, theirs)

    def looked() -> None:
        if next(looks) == 3:
            case.write("promotion-0002", ServeRecord.opening(theirs, "", digest))

    proxy = Orphans(case.url, "promotion-0002", looked=looked)
    with pytest.raises(Conflict):
        case.ledger(start(proxy), clock=steps(10)).create(case.promotion(2, actor="mine"))
    assert proxy.posted == ["promotion-0002"]
    assert [entry.promotion for entry in case.history()[1:]] == [theirs]


def test_a_writer_whose_record_surfaces_late_learns_that_it_lost(
    case: RegistryCase, start: Start
) -> None:
    case.advance(A)
    others = case.ledger(start(Orphans(case.url, "promotion-0002")), clock=steps(10))
    mine = case.promotion(2, actor="mine")
    theirs = case.promotion(2, actor="theirs")

    class Held(Proxy):
        def before(self, method: str, path: str, body: bytes) -> str:
            if method == "POST" and path.endswith("/serves"):
                others.create(theirs)  # while ours is under way
            return path

    with pytest.raises(Conflict):
        case.ledger(start(Held(case.url))).create(mine)
    assert case.names()[-2:] == ["promotion-0002", "promotion-0002.retry2"]
    assert [entry.promotion for entry in case.history()[1:]] == [theirs]


def test_an_outcome_whose_name_is_listed_nowhere_is_written_once_and_the_late_one_loses(
    case: RegistryCase, start: Start
) -> None:
    case.direct.create(case.promotion())
    others = case.ledger(start(Orphans(case.url, "promotion-0001.outcome")), clock=steps(10))

    class Held(Proxy):
        def before(self, method: str, path: str, body: bytes) -> str:
            if method == "POST":
                others.close(case.name, 1, outcome("reverted", note="theirs"))
            return path

    with pytest.raises(Conflict):
        case.ledger(start(Held(case.url))).close(case.name, 1, outcome("live", note="mine"))
    assert case.names() == [
        "promotion-0001",
        "promotion-0001.outcome",
        "promotion-0001.outcome.retry2",
    ]
    assert case.history()[0].outcome == outcome("reverted", note="theirs")
    assert case.service()["desiredState"] == "UNDEPLOYED"


def test_two_that_give_a_name_up_agree_on_one_of_them(case: RegistryCase, start: Start) -> None:
    case.advance(A)
    url = start(Orphans(case.url, "promotion-0002", "promotion-0002.retry2"))
    barrier = threading.Barrier(2)

    def create(actor: str) -> str:
        barrier.wait()
        try:
            case.ledger(url, clock=steps(10)).create(case.promotion(2, actor=actor))
        except LedgerError as error:
            return type(error).__name__
        return "done"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(create, "xy")) == ["Conflict", "done"]
    assert case.names()[-1] == "promotion-0002.retry3"
    assert len(case.history()) == 2


def test_a_registry_that_says_taken_to_every_name_is_given_up(
    case: RegistryCase, start: Start
) -> None:
    case.advance(A)
    names = list(ServeRecord.opening(case.promotion(2), "").names())
    with pytest.raises(LedgerError, match="promotion-0002") as refused:
        case.ledger(start(proxy := Orphans(case.url, *names)), clock=steps(40)).create(
            case.promotion(2)
        )
    assert type(refused.value) is LedgerError
    assert refused.value.hint
    assert len(proxy.posted) == ATTEMPTS
    assert len(case.history()) == 1
