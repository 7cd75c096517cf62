"""The Kubeflow adapter on a real Model Registry when answers get lost or late: all or nothing."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.patience import patience
from support.registry.ledgers import outcome
from support.serving.proxy import Proxy, Start

pytest.importorskip("mr_openapi")
from support.registry.registry_cases import A, B, RegistryCase

from registry import Conflict, Entry, InFlight, LedgerError, Unreachable
from registry.kubeflow import Timeouts

pytestmark = pytest.mark.cluster
# Writes: RegisteredModel, ModelVersion, artifact, ServingEnvironment, InferenceService, the record.
CREATING = 6


# The answer to a write gets lost.


class Losing(Proxy):
    """Breaks the connection at one write: `before` the server has it, or `after` it was done."""

    def __init__(self, upstream: str, write: int, when: str) -> None:
        super().__init__(upstream)
        self.write = write
        self.when = when
        self.writes = 0

    def before(self, method: str, path: str, body: bytes) -> tuple[int, bytes] | str:
        self.writes += method != "GET"
        self._lose(method, "before")
        return path

    def after(self, method: str, path: str, status: int) -> None:
        self._lose(method, "after")

    def _lose(self, method: str, when: str) -> None:
        if method != "GET" and (self.writes, when) == (self.write, self.when):
            raise ConnectionError


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", range(1, CREATING + 1))
def test_a_creation_cut_at_any_write_is_unreachable_and_done_or_not(
    case: RegistryCase, start: Start, write: int, when: str
) -> None:
    first = case.promotion(sha256=A, actor="first")
    second = case.promotion(sha256=B, actor="second")
    cut = case.ledger(start(proxy := Losing(case.url, write, when)))
    with pytest.raises(Unreachable):
        cut.create(first)
    assert proxy.writes == write
    written = (write, when) == (CREATING, "after")
    assert list(case.history()) == ([Entry(promotion=first)] if written else [])
    if written:
        with pytest.raises(Conflict):
            cut.create(first)
        with pytest.raises(InFlight):
            case.direct.create(case.promotion(2))
    else:
        case.direct.create(second)
        with pytest.raises(Conflict):
            cut.create(first)
    assert list(case.history()) == [Entry(promotion=first if written else second)]
    assert case.names() == ["promotion-0001"]


def test_the_same_creation_after_any_cut_leaves_one_of_each_object(
    case: RegistryCase, start: Start
) -> None:
    for write in range(
        1, CREATING + 1
    ):  # each gets one write further, having found what those before it left
        with pytest.raises(Unreachable):
            case.ledger(start(Losing(case.url, 1, "after"))).create(case.promotion(sha256=A))
        assert len(case.history()) == (write == CREATING)
    version = case.versions()
    assert len(version) == 1
    assert case.get(f"/model_versions/{version[0]['id']}/artifacts")["size"] == 1


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("again", ["live", "reverted"])
def test_a_closing_that_is_cut_is_unreachable_and_done_or_not(
    case: RegistryCase, start: Start, when: str, again: str
) -> None:
    case.direct.create(case.promotion())
    with pytest.raises(Unreachable):
        case.ledger(start(Losing(case.url, 1, when))).close(
            case.name, 1, outcome("live", note="first")
        )
    if when == "after":
        with pytest.raises(Conflict):
            case.direct.close(case.name, 1, outcome(again, note="second"))
        assert case.history()[0].outcome == outcome("live", note="first")
    else:
        case.direct.close(case.name, 1, outcome(again, note="second"))
        assert case.history()[0].outcome == outcome(again, note="second")
    assert case.names() == ["promotion-0001", "promotion-0001.outcome"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_people_see_may_fail_and_the_promotion_is_closed_all_the_same(
    case: RegistryCase, start: Start, when: str
) -> None:
    case.advance(A)
    case.direct.create(case.promotion(2, sha256=B))
    case.ledger(start(proxy := Losing(case.url, 2, when))).close(case.name, 2, outcome())
    assert proxy.seen[-1][0] == "PATCH"
    assert [entry.state for entry in case.history()] == ["live", "live"]
    case.advance(A)  # the next one shows itself again
    assert case.service()["modelVersionId"] == next(
        v["id"] for v in case.versions() if v["name"] == A[:12]
    )


def test_of_writers_at_once_whose_answers_get_lost_at_most_one_writes(
    case: RegistryCase, start: Start
) -> None:
    writers = [
        case.ledger(start(Losing(case.url, number, "after"))) for number in range(1, CREATING + 3)
    ]
    barrier = threading.Barrier(len(writers))

    def create(writer: int) -> str:
        barrier.wait()
        try:
            writers[writer].create(case.promotion(sha256=A, actor=str(writer)))
        except LedgerError as error:
            return type(error).__name__
        return "done"

    with ThreadPoolExecutor(len(writers)) as pool:
        ends = list(pool.map(create, range(len(writers))))
    assert set(ends) <= {"done", "Conflict", "Unreachable"}
    history = case.history()
    assert len(history) <= 1
    assert [ends.index(end) for end in ends if end == "done"] in (
        [],
        [int(e.promotion.actor) for e in history],
    )
    assert len(case.names() if history else []) == len(history)


# The answer comes late.


class Slow(Proxy):
    """Keeps every answer until the test has seen enough."""

    def __init__(self, upstream: str) -> None:
        super().__init__(upstream)
        self.enough = threading.Event()

    def after(self, method: str, path: str, status: int) -> None:
        self.enough.wait()


class SlowToWrite(Slow):
    """Keeps the answer to a record that was written, and breaks the connection then."""

    def __init__(self, upstream: str) -> None:
        super().__init__(upstream)
        self.asked = threading.Event()
        self.written = threading.Event()

    def before(self, method: str, path: str, body: bytes) -> tuple[int, bytes] | str:
        if is_record(method, path):
            self.asked.set()
        return path

    def after(self, method: str, path: str, status: int) -> None:
        if is_record(method, path):
            self.written.set()
            super().after(method, path, status)
            raise ConnectionError


def is_record(method: str, path: str) -> bool:
    """Return whether this request writes a promotion's record."""
    return method == "POST" and path.endswith("/serves")


def test_a_write_that_is_answered_too_late_is_unreachable_though_it_took_place(
    case: RegistryCase, start: Start
) -> None:
    case.advance(A)
    url = start(proxy := SlowToWrite(case.url))
    while not proxy.asked.is_set():  # on a busy machine an earlier request may be late, too
        with pytest.raises(Unreachable):
            case.ledger(url, Timeouts(1, 1)).create(case.promotion(2))
    assert proxy.written.wait(patience(60))
    with pytest.raises(InFlight):
        case.direct.create(case.promotion(3))
    proxy.enough.set()
    assert [entry.state for entry in case.history()] == ["live", "in flight"]


def test_a_reading_that_is_answered_too_late_is_unreachable(
    case: RegistryCase, start: Start
) -> None:
    case.advance(A)
    slow = case.ledger(start(proxy := Slow(case.url)), Timeouts(0.2, 0.2))
    for act in (
        lambda: slow.history(case.name),
        lambda: slow.create(case.promotion(2)),
        lambda: slow.close(case.name, 1, outcome()),
    ):
        with pytest.raises(Unreachable):
            act()
    proxy.enough.set()
    assert len(case.history()) == 1
