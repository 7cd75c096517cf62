"""The Kubeflow adapter on a real Model Registry: lost and late answers, names that are taken and listed nowhere."""

import json
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from typing import Any

import httpx
import pytest
from support.ledgers import outcome, promotion
from support.proxy import Proxy, running

pytest.importorskip("mr_openapi")
from registry import Conflict, Entry, InFlight, LedgerError, Promotion, Unreachable, champion
from registry.kubeflow import Client, KubeflowLedger, Timeouts, ledger
from registry.kubeflow.records import ATTEMPTS, Record

pytestmark = pytest.mark.cluster
STORE = "pvc://tunegate-models"
API = "/api/model_registry/v1alpha3"
TAKEN = 409, b'{"code":"","message":"AlreadyExists"}'
A, B = "a" * 64, "b" * 64


@pytest.fixture(autouse=True)
def _quick(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "POLL", 0)


class Case:
    """A model of its own on the real server; `direct` reaches its ledger, `through` does so by a proxy."""

    def __init__(self, url: str) -> None:
        self.url, self.name = url, f"test-{uuid.uuid4().hex[:12]}"
        self.direct = self.ledger(url)

    def ledger(self, url: str, timeouts: Timeouts | None = None, **options: Any) -> KubeflowLedger:  # noqa: ANN401
        return KubeflowLedger(Client(url, timeouts=timeouts), store_uri=STORE, environment=self.name, **options)

    def promotion(self, number: int = 1, **changes: Any) -> Promotion:  # noqa: ANN401
        return promotion(number, model=self.name, **changes)

    def history(self) -> Sequence[Entry]:
        return self.direct.history(self.name)

    def advance(self, *packages: str) -> None:
        """Promote these packages, each until it is live."""
        for package in packages:
            number = len(self.history()) + 1
            self.direct.create(self.promotion(number, sha256=package))
            self.direct.close(self.name, number, outcome())

    def get(self, path: str, **query: str) -> Any:  # noqa: ANN401 - JSON
        answer = httpx.get(self.url + API + path, params=query)
        answer.raise_for_status()
        return answer.json()

    def service(self) -> Any:  # noqa: ANN401
        environment = self.get("/serving_environment", name=self.name)
        return self.get("/inference_service", name=self.name, parentResourceId=environment["id"])

    def names(self) -> list[str]:
        """Return the names of all ServeModels."""
        items = self.get(f"/inference_services/{self.service()['id']}/serves", pageSize="100")["items"]
        return sorted(item["name"] for item in items)

    def versions(self) -> Any:  # noqa: ANN401
        model = self.get("/registered_model", name=self.name)
        return self.get(f"/registered_models/{model['id']}/versions")["items"]

    def write(self, name: str, record: Record) -> None:
        """Write a record under any name, as one does whose request has long been under way."""
        post(self.url, self.service(), name, {key: _string(value) for key, value in record.properties.items()})


def post(url: str, service: Any, name: str, properties: dict[str, Any]) -> None:  # noqa: ANN401
    body = {"name": name, "modelVersionId": service["modelVersionId"], "customProperties": properties}
    httpx.post(f"{url}{API}/inference_services/{service['id']}/serves", json=body).raise_for_status()


def _string(value: str) -> dict[str, str]:
    return {"metadataType": "MetadataStringValue", "string_value": value}


@pytest.fixture
def case(server: str) -> Case:
    return Case(server)


@pytest.fixture
def start() -> Iterator[Callable[[Proxy], str]]:
    """Return what runs a proxy until the test's end, and says where."""
    with ExitStack() as stack:
        yield lambda proxy: stack.enter_context(running(proxy)).url


Start = Callable[[Proxy], str]


# The answer to a write gets lost.


class Losing(Proxy):
    """Breaks the connection at one write: `before` the server has it, or `after`, when it has done it."""

    def __init__(self, upstream: str, write: int, when: str) -> None:
        super().__init__(upstream)
        self.write, self.when, self.writes = write, when, 0

    def before(self, method: str, path: str, body: bytes) -> tuple[int, bytes] | str:
        self.writes += method != "GET"
        self._lose(method, "before")
        return path

    def after(self, method: str, path: str, status: int) -> None:
        self._lose(method, "after")

    def _lose(self, method: str, when: str) -> None:
        if method != "GET" and (self.writes, when) == (self.write, self.when):
            raise ConnectionError


CREATING = 6  # writes: RegisteredModel, ModelVersion, artifact, ServingEnvironment, InferenceService, the record


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", range(1, CREATING + 1))
def test_a_creation_cut_at_any_write_is_unreachable_and_done_or_not(
    case: Case, start: Start, write: int, when: str
) -> None:
    first, second = case.promotion(sha256=A, actor="first"), case.promotion(sha256=B, actor="second")
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


def test_the_same_creation_after_any_cut_leaves_one_of_each_object(case: Case, start: Start) -> None:
    for write in range(1, CREATING + 1):  # each gets one write further, having found what those before it left
        with pytest.raises(Unreachable):
            case.ledger(start(Losing(case.url, 1, "after"))).create(case.promotion(sha256=A))
        assert len(case.history()) == (write == CREATING)
    version = case.versions()
    assert len(version) == 1
    assert case.get(f"/model_versions/{version[0]['id']}/artifacts")["size"] == 1


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("again", ["live", "reverted"])
def test_a_closing_that_is_cut_is_unreachable_and_done_or_not(case: Case, start: Start, when: str, again: str) -> None:
    case.direct.create(case.promotion())
    with pytest.raises(Unreachable):
        case.ledger(start(Losing(case.url, 1, when))).close(case.name, 1, outcome("live", note="first"))
    if when == "after":
        with pytest.raises(Conflict):
            case.direct.close(case.name, 1, outcome(again, note="second"))
        assert case.history()[0].outcome == outcome("live", note="first")
    else:
        case.direct.close(case.name, 1, outcome(again, note="second"))
        assert case.history()[0].outcome == outcome(again, note="second")
    assert case.names() == ["promotion-0001", "promotion-0001.outcome"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_people_see_may_fail_and_the_promotion_is_closed_all_the_same(case: Case, start: Start, when: str) -> None:
    case.advance(A)
    case.direct.create(case.promotion(2, sha256=B))
    case.ledger(start(proxy := Losing(case.url, 2, when))).close(case.name, 2, outcome())
    assert proxy.seen[-1][0] == "PATCH"
    assert [entry.state for entry in case.history()] == ["live", "live"]
    case.advance(A)  # the next one shows itself again
    assert case.service()["modelVersionId"] == next(v["id"] for v in case.versions() if v["name"] == A[:12])


def test_of_writers_at_once_whose_answers_get_lost_at_most_one_writes(case: Case, start: Start) -> None:
    writers = [case.ledger(start(Losing(case.url, number, "after"))) for number in range(1, CREATING + 3)]
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
    assert [ends.index(end) for end in ends if end == "done"] in ([], [int(e.promotion.actor) for e in history])
    assert len(case.names() if history else []) == len(history)


# The answer comes late.


class Late(Proxy):
    """Keeps the answers to these methods until the test has seen enough."""

    def __init__(self, upstream: str, method: str) -> None:
        super().__init__(upstream)
        self.method, self.enough = method, threading.Event()

    def after(self, method: str, path: str, status: int) -> None:
        if method == self.method and path.endswith("/serves"):
            self.enough.wait()
            raise ConnectionError


def test_a_write_that_is_answered_too_late_is_unreachable_though_it_took_place(case: Case, start: Start) -> None:
    case.advance(A)
    url = start(proxy := Late(case.url, "POST"))
    with pytest.raises(Unreachable):
        case.ledger(url, Timeouts(1, 1)).create(case.promotion(2))
    with pytest.raises(InFlight):
        case.direct.create(case.promotion(3))
    proxy.enough.set()
    assert [entry.state for entry in case.history()] == ["live", "in flight"]


def test_a_reading_that_is_answered_too_late_is_unreachable(case: Case, start: Start) -> None:
    case.advance(A)
    proxy = Late(case.url, "GET")
    proxy.after = lambda *_: proxy.enough.wait()  # type: ignore[assignment, method-assign, return-value]
    slow = case.ledger(start(proxy), Timeouts(0.2, 0.2))
    for act in (
        lambda: slow.history(case.name),
        lambda: slow.create(case.promotion(2)),
        lambda: slow.close(case.name, 1, outcome()),
    ):
        with pytest.raises(Unreachable):
            act()
    proxy.enough.set()
    assert len(case.history()) == 1


# A name is taken, and listed nowhere.


class Orphans(Proxy):
    """Says that these names are taken; a look at the list may make something happen."""

    def __init__(self, upstream: str, *taken: str, looked: Callable[[], None] = lambda: None) -> None:
        super().__init__(upstream)
        self.taken, self.looked, self.posted = taken, looked, list[str]()

    def before(self, method: str, path: str, body: bytes) -> tuple[int, bytes] | str:
        if method == "POST" and path.endswith("/serves"):
            self.posted.append(json.loads(body)["name"])
            if self.posted[-1] in self.taken:
                return TAKEN
        elif "/serves" in path and self.posted:
            self.looked()
        return path


def steps(seconds: float) -> Callable[[], float]:
    """Return a clock that goes on by so much whenever it is looked at; the grace is 30 s."""
    return map(float, count(0, int(seconds))).__next__


def test_a_name_that_is_taken_and_listed_nowhere_is_given_up_and_the_next_one_is_used(case: Case, start: Start) -> None:
    case.advance(A)
    mine, late = case.promotion(2, actor="mine"), case.promotion(2, actor="late")
    proxy = Orphans(case.url, "promotion-0002")
    case.ledger(start(proxy), clock=steps(10)).create(mine)
    assert proxy.posted == ["promotion-0002", "promotion-0002.retry2"]
    assert [entry.promotion for entry in case.history()[1:]] == [mine]
    case.write("promotion-0002", Record.opening(late, ""))  # the orphan surfaces after all
    assert [entry.promotion for entry in case.history()[1:]] == [mine]
    case.direct.close(case.name, 2, outcome())
    current = champion(case.history())
    assert current
    assert current.promotion == mine


def test_the_name_is_waited_for_as_long_as_its_writer_may_wait(case: Case, start: Start) -> None:
    case.advance(A)
    looks = count(1)
    theirs = case.promotion(2, actor="theirs")

    def looked() -> None:
        if next(looks) == 3:
            case.write("promotion-0002", Record.opening(theirs, ""))

    proxy = Orphans(case.url, "promotion-0002", looked=looked)
    with pytest.raises(Conflict):
        case.ledger(start(proxy), clock=steps(10)).create(case.promotion(2, actor="mine"))
    assert proxy.posted == ["promotion-0002"]
    assert [entry.promotion for entry in case.history()[1:]] == [theirs]


def test_a_writer_whose_record_surfaces_late_learns_that_it_lost(case: Case, start: Start) -> None:
    case.advance(A)
    others = case.ledger(start(Orphans(case.url, "promotion-0002")), clock=steps(10))
    mine, theirs = case.promotion(2, actor="mine"), case.promotion(2, actor="theirs")

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
    case: Case, start: Start
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
    assert case.names() == ["promotion-0001", "promotion-0001.outcome", "promotion-0001.outcome.retry2"]
    assert case.history()[0].outcome == outcome("reverted", note="theirs")
    assert case.service()["desiredState"] == "UNDEPLOYED"


def test_two_that_give_a_name_up_agree_on_one_of_them(case: Case, start: Start) -> None:
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


def test_a_registry_that_says_taken_to_every_name_is_given_up(case: Case, start: Start) -> None:
    case.advance(A)
    names = list(Record.opening(case.promotion(2), "").names())
    with pytest.raises(LedgerError, match="promotion-0002") as refused:
        case.ledger(start(proxy := Orphans(case.url, *names)), clock=steps(40)).create(case.promotion(2))
    assert type(refused.value) is LedgerError
    assert refused.value.hint
    assert len(proxy.posted) == ATTEMPTS
    assert len(case.history()) == 1


# What people see.


def test_people_find_one_of_each_object_and_the_champion_deployed(case: Case) -> None:
    case.direct.create(case.promotion(sha256=A, experiment="houses-1", trial="houses-1-x", metric="mse", score=0.5))
    assert case.service()["desiredState"] == "UNDEPLOYED"
    case.direct.close(case.name, 1, outcome())
    (version,) = case.versions()
    assert version["name"] == A[:12]
    assert version["customProperties"]["sha256"]["string_value"] == A
    (artifact,) = case.get(f"/model_versions/{version['id']}/artifacts")["items"]
    assert artifact["uri"] == f"{STORE}/models/{A}"
    assert artifact["modelSourceName"] == "houses-1-x"
    service = case.service()
    assert (service["modelVersionId"], service["desiredState"]) == (version["id"], "DEPLOYED")
    model = case.get("/registered_model", name=case.name)
    assert service["registeredModelId"] == model["id"]


def test_a_reverted_promotion_does_not_show_and_a_rollback_shows_the_older_version(case: Case) -> None:
    case.advance(A)
    case.direct.create(case.promotion(2, sha256=B))
    case.direct.close(case.name, 2, outcome("reverted"))
    versions = {version["name"]: version["id"] for version in case.versions()}
    assert case.service()["modelVersionId"] == versions[A[:12]]
    case.advance(B)
    assert case.service()["modelVersionId"] == versions[B[:12]]
    case.direct.create(case.promotion(4, sha256=A, kind="rollback", previous=3))
    case.direct.close(case.name, 4, outcome())
    assert (case.service()["modelVersionId"], case.service()["desiredState"]) == (versions[A[:12]], "DEPLOYED")
    assert len(case.versions()) == 2


def test_a_package_that_is_promoted_again_has_one_version_and_one_artifact(case: Case) -> None:
    case.advance(A, B, A)
    versions = case.versions()
    assert sorted(version["name"] for version in versions) == [A[:12], B[:12]]
    for version in versions:
        assert case.get(f"/model_versions/{version['id']}/artifacts")["size"] == 1


def test_what_others_put_beside_the_records_is_left_alone(case: Case) -> None:
    case.advance(A)
    before = case.history()
    for name in ("canary", "promotion-1", "promotion-0001.live", "promotion-00002", "promotion-0002.retry1"):
        post(case.url, case.service(), name, {"document": _string("{}")})
    assert case.history() == before
    case.advance(B)
    assert [entry.promotion.number for entry in case.history()] == [1, 2]


def test_a_long_ledger_is_read_to_its_end(case: Case, start: Start) -> None:
    case.advance(A)
    service, numbers = case.service(), range(2, 302)
    records = [Record.opening(case.promotion(number), "") for number in numbers]
    records += [Record.closing(number, outcome(), "") for number in numbers]
    with httpx.Client(base_url=case.url + API) as client, ThreadPoolExecutor(6) as pool:

        def write(record: Record) -> int:
            properties = {key: _string(value) for key, value in record.properties.items()}
            body = {"name": record.name, "modelVersionId": service["modelVersionId"], "customProperties": properties}
            return client.post(f"/inference_services/{service['id']}/serves", json=body).status_code

        assert set(pool.map(write, records)) == {201}
    history = case.ledger(start(proxy := Proxy(case.url))).history(case.name)
    assert [entry.promotion.number for entry in history] == list(range(1, 302))
    assert {entry.state for entry in history} == {"live"}
    assert sum("/serves" in path for _, path in proxy.seen) > 1
    case.advance(B)
    assert len(case.history()) == 302
