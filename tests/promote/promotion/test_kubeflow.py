"""The promotion protocol on a real Model Registry: raced for, cut off, too slow, and killed.

As a program, `python test_promotion_kubeflow.py ROOT URL ENVIRONMENT [STEP]`, it is a promoter like
`support.promotion.promoter_process`: a JSON list [package, champion's package or null] a line,
answered with how that ended.
"""

import json
import random
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from support.promotion.crashes import environment
from support.promotion.faults import crashing_promoter, kill
from support.promotion.promotions import PromotionSite, promoting_verdict
from support.serving.proxy import Proxy, running_proxy

pytest.importorskip("mr_openapi")
from support.patience import patience

from promote import PromoteError
from registry import Conflict, InFlight, RegistryError, Unreachable
from registry.kubeflow import KubeflowLedger, RegistryClient, Timeouts
from registry.package import ModelPackage, load_package

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("quick")]
LEASE_OVER = 601
PROMOTERS = 8
KINDS = ("opening", "closing", "showing")  # the writes of a promotion whose objects exist


class RegistrySite(PromotionSite):
    """A store below a folder, and a ledger on the registry, as seen at `url`."""

    def __init__(
        self, root: Path, url: str, name: str = "", timeouts: Timeouts | None = None
    ) -> None:
        super().__init__(root)
        self.url = url
        self.name = name or f"test-{uuid.uuid4().hex[:12]}"
        self.ledger: KubeflowLedger = KubeflowLedger(  # type: ignore[assignment]
            RegistryClient(url, timeouts=timeouts),
            store_uri="pvc://tunegate-models",
            environment=self.name,
        )

    def seen_at(self, url: str, timeouts: Timeouts | None = None) -> "RegistrySite":
        """Return the same site at the same time of day, its registry reached at another address."""
        found = RegistrySite(self.root, url, self.name, timeouts)
        found.clock = self.clock
        return found

    def numbers(self) -> list[int]:
        return [entry.promotion.number for entry in self.ledger.history(self.model)]

    def champion_of(self, *packages: ModelPackage) -> ModelPackage:
        """Return the one of these that is in production."""
        return next(package for package in packages if package.digest == self.champion_digest())


def served(root: Path, url: str, package: ModelPackage) -> RegistrySite:
    """Return a site with this package in production."""
    site = RegistrySite(root, url)
    site.promoter().promote(package, promoting_verdict(package, None))
    return site


def assert_settles(
    site: RegistrySite, old: ModelPackage, new: ModelPackage, then: ModelPackage
) -> None:
    """Assert that repair settles a promotion of `new` over `old`, and that another can follow."""
    assert site.pointed_digest() in {old.digest, new.digest}
    assert site.states().count("in flight") <= 1
    site.clock.forward(LEASE_OVER)
    site.promoter().repair("toy")
    current = site.champion_of(old, new)
    site.assert_settled(current)
    site.promoter().promote(then, promoting_verdict(then, current))
    site.assert_settled(then)
    assert site.numbers() == list(range(1, len(site.states()) + 1))


# Many at once.


@contextmanager
def promoter(
    site: RegistrySite, url: str = "", step: str = ""
) -> Iterator["subprocess.Popen[str]"]:
    """Run a promoter's process; it is ready when it says so."""
    command = [sys.executable, __file__, str(site.root), url or site.url, site.name, step]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=environment(), stdin=pipe, stdout=pipe, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def hear(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def tell(process: "subprocess.Popen[str]", package: ModelPackage, over: ModelPackage) -> None:
    assert process.stdin
    process.stdin.write(json.dumps([str(package.path), str(over.path)]) + "\n")
    process.stdin.flush()


def test_of_eight_processes_that_promote_at_once_one_wins_each_number(
    server: str, tmp_path: Path, toys: list[ModelPackage]
) -> None:
    site = served(tmp_path, server, toys[0])
    with ExitStack() as stack:
        racers = [stack.enter_context(promoter(site)) for _ in range(PROMOTERS)]
        assert [hear(racer) for racer in racers] == ["ready"] * PROMOTERS
        current = toys[0]
        for number in range(2, 5):
            others = [package for package in toys if package is not current]
            for place, racer in enumerate(racers):
                tell(racer, others[place % 2], current)
            ends = [hear(racer) for racer in racers]
            assert ends.count("live") == 1
            assert set(ends) <= {"live", "Conflict", "InFlight"}
            current = others[ends.index("live") % 2]
            site.assert_settled(current)
            assert site.states() == ["live"] * number


# The registry goes away.


class Down(Proxy):
    """Answers nothing from a request on: `before` or `after` the server has carried it out."""

    def __init__(self, upstream: str, request: int, when: str) -> None:
        super().__init__(upstream)
        self.request = request
        self.when = when

    def before(self, method: str, path: str, body: bytes) -> tuple[int, bytes] | str:
        self._cut("before")
        return path

    def after(self, method: str, path: str, status: int) -> None:
        self._cut("after")

    def _cut(self, when: str) -> None:
        if len(self.seen) > self.request or (len(self.seen) == self.request and when == self.when):
            raise ConnectionError


def test_a_registry_that_goes_down_at_any_request_leaves_a_promotion_that_can_be_settled(
    server: str, tmp_path: Path, toys: list[ModelPackage]
) -> None:
    site = served(tmp_path, server, toys[0])
    current = toys[0]
    request = 1
    when = "before"
    ended = False
    while not ended:
        new = toys[toys.index(current) - 1]
        with running_proxy(Down(server, request, when)) as proxy:
            ended = promoted(site.seen_at(proxy.url), new, current)
            method = proxy.seen[min(request, len(proxy.seen)) - 1][0]
        assert site.pointed_digest() in {current.digest, new.digest}
        site.clock.forward(LEASE_OVER)
        site.promoter().repair("toy")
        current = site.champion_of(current, new)
        site.assert_settled(current)
        after_too = when == "before" and method != "GET"  # a reading that is not heard was not done
        request, when = (request, "after") if after_too else (request + 1, "before")
    assert request > len(KINDS)
    assert current is new
    assert site.numbers() == list(range(1, len(site.states()) + 1))


def promoted(site: RegistrySite, package: ModelPackage, over: ModelPackage) -> bool:
    """Whether a promotion comes through; where it does not, because the registry is unreachable."""
    try:
        return site.promoter().promote(package, promoting_verdict(package, over)).state == "live"
    except Unreachable as error:
        assert error.hint  # noqa: PT017 - it may come through as well
        return False


class Flaky(Proxy):
    """Loses some requests on their way, and some answers."""

    def __init__(self, upstream: str, seed: int) -> None:
        super().__init__(upstream)
        self.random = random.Random(seed)  # noqa: S311 - no secret
        self.lock = threading.Lock()

    def before(self, method: str, path: str, body: bytes) -> tuple[int, bytes] | str:
        self._lose()
        return path

    def after(self, method: str, path: str, status: int) -> None:
        self._lose()

    def _lose(self) -> None:
        with self.lock:
            if self.random.random() < 0.1:
                raise ConnectionError


@pytest.mark.parametrize("seed", range(2))
def test_who_tries_again_and_again_gets_through_a_flaky_registry(
    server: str, tmp_path: Path, toys: list[ModelPackage], seed: int
) -> None:
    a, b, c = toys
    site = served(tmp_path, server, a)
    with running_proxy(Flaky(server, seed)) as proxy:
        flaky = site.seen_at(proxy.url)
        for new, old in ((b, a), (c, b), (a, c)):
            while site.champion_digest() != new.digest:
                site.clock.forward(LEASE_OVER)
                try:
                    flaky.promoter().promote(new, promoting_verdict(new, old))
                except (Conflict, InFlight, Unreachable):
                    assert site.pointed_digest() in {old.digest, new.digest}
    site.clock.forward(LEASE_OVER)
    site.promoter().repair("toy")
    site.assert_settled(a)
    assert site.numbers() == list(range(1, len(site.states()) + 1))


# The registry is slow.


def kind(method: str, path: str, body: bytes) -> str:
    """Return which write of a promotion a request is; "" for others."""
    if method == "POST" and path.endswith("/serves"):
        return "closing" if b".outcome" in body else "opening"
    return "showing" if method == "PATCH" else ""


class Acting(Proxy):
    """Does something `before` or `after` the server does one kind of write."""

    def __init__(self, upstream: str, what: str, when: str, act: Callable[[], object]) -> None:
        super().__init__(upstream)
        self.what = what
        self.when = when
        self.act = act
        self.now = threading.local()

    def before(self, method: str, path: str, body: bytes) -> tuple[int, bytes] | str:
        self.now.what = kind(method, path, body)
        if (self.now.what, self.when) == (self.what, "before"):
            self.act()
        return path

    def after(self, method: str, path: str, status: int) -> None:
        if (self.now.what, self.when) == (self.what, "after"):
            self.act()


@pytest.mark.parametrize("what", KINDS)
def test_a_registry_slower_than_is_waited_for_leaves_a_promotion_that_can_be_settled(
    server: str, tmp_path: Path, toys: list[ModelPackage], what: str
) -> None:
    a, b, c = toys
    site = served(tmp_path, server, a)
    enough = threading.Event()
    with running_proxy(Acting(server, what, "after", enough.wait)) as proxy:
        slow = site.seen_at(proxy.url, Timeouts(connect=3, read=3))
        assert promoted(slow, b, a) == (what == "showing")
        enough.set()
    assert site.states() == ["live", "in flight" if what == "opening" else "live"]
    assert site.pointed_digest() == (a if what == "opening" else b).digest
    assert_settles(site, a, b, c)


# The promoter is killed.


@pytest.mark.parametrize("step", ["add", "create", "point", "smoke", "close"])
def test_a_promoter_that_is_killed_leaves_nothing_that_repair_cannot_settle_at_once(
    server: str, tmp_path: Path, toys: list[ModelPackage], step: str
) -> None:
    a, b, c = toys
    site = served(tmp_path, server, a)
    with promoter(site, step=step) as process:
        assert hear(process) == "ready"
        tell(process, b, a)
        assert process.wait(patience(60)) == -signal.SIGKILL
    site.promoter().repair("toy")  # no lease to wait for: the owner is dead
    site.assert_settled(b if step in {"point", "smoke", "close"} else a)
    assert_settles(site, a, b, c)


@pytest.mark.parametrize("what", ["opening", "closing"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_promoter_that_is_killed_while_it_writes_is_settled_too(
    server: str, tmp_path: Path, toys: list[ModelPackage], what: str, when: str
) -> None:
    a, b, c = toys
    site = served(tmp_path, server, a)
    with ExitStack() as stack:
        acting = Acting(server, what, when, list)
        proxy = stack.enter_context(running_proxy(acting))
        process = stack.enter_context(promoter(site, url=proxy.url))
        acting.act = process.kill
        assert hear(process) == "ready"
        tell(process, b, a)
        assert process.wait(patience(60)) == -signal.SIGKILL
        assert_settled_by_anybody(site, b if what != "opening" else a)
    assert_settles(site, a, b, c)


def assert_settled_by_anybody(site: RegistrySite, package: ModelPackage) -> None:
    """Assert what repair makes of it, while a dead writer's request may still be under way."""
    site.promoter().repair("toy")
    assert site.champion_digest() == site.pointed_digest() == package.digest


def main(root: str, url: str, name: str, step: str) -> None:
    """Promote as told, one line at a time."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    site = RegistrySite(Path(root), url, name)
    for line in sys.stdin:
        package, over = (load_package(Path(path)) for path in json.loads(line))
        try:
            ended = (
                crashing_promoter(site, step, by=kill)
                .promote(package, promoting_verdict(package, over))
                .state
            )
        except (RegistryError, PromoteError) as error:
            ended = type(error).__name__
        sys.stdout.write(ended + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
