"""Shadow mode: a candidate answers a share of real requests too; only the differences are kept.

A request puts its encoded rows and its answer into a queue of limited length and goes on; a thread lets the candidate
answer them, many at once, and compares. So a request neither waits for the candidate nor fails with it, and a candidate
that is too slow is asked less, which is counted.
"""

import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.serving.metrics import Metrics
from api.serving.served import Served, Slots
from api.serving.shadow_metrics import Counts, evidence
from registry.package import ModelPackage, finish
from registry.shadow import ShadowStatus, obstacle

logger = logging.getLogger("tunegate.api")
EVERY = 0.05  # seconds between two comparisons
WAITING = 1024  # requests in the queue; more are dropped
ROWS = 32  # of one request, evenly taken: a large request is not to push out many small ones
AT_ONCE = 256  # requests in one comparison


class Candidate:
    """A verified package in shadow mode, and for what share of the requests it is asked."""

    def __init__(self, package: ModelPackage, share: float) -> None:
        self.package = package
        self.share = share
        self._known = ("", "")  # a champion's digest, and what is in the way there

    def obstacle(self, champion: ModelPackage) -> str:
        """Say why it cannot be compared with this champion; "" where it can."""
        digest, found = self._known
        if digest != champion.digest:
            same = champion.digest == self.package.digest
            if same:
                found = "the candidate is in production"
            else:
                found = obstacle(champion.manifest, self.package.manifest)
            self._known = champion.digest, found
            if found:
                logger.warning("shadow %s is not compared: %s", self.package.digest[:12], found)
        return found


class Noted(NamedTuple):
    """What a request leaves: encoded rows, float32 (n, width) or packed, and the champion's answers to them."""

    served: Served
    candidate: Candidate
    x: NDArray[np.float32] | bytes
    predicted: NDArray[np.float64] | Sequence[float]


class Shadowing:
    """A listener to predictions that lets a candidate answer some of them; one for each model.

    Args:
        counts: where differences are counted.
        chance: gives numbers in [0, 1), one for each request.
    """

    def __init__(self, counts: Counts, chance: Callable[[], float] = random.random) -> None:
        self.counts = counts
        self.chance = chance
        self.candidate: Candidate | None = None
        self.refused = ""
        self._waiting: deque[Noted] = deque()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def run(self, package: ModelPackage, share: float) -> None:
        """Ask this package from now on."""
        self.candidate = Candidate(package, share)
        self.refused = ""
        if self._thread is None:
            self._ended.clear()
            self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
            self._thread.start()

    def end(self, reason: str = "") -> None:
        """Ask nobody any more, and remember why."""
        self.candidate = None
        self.refused = reason
        if self._thread is not None:
            self._ended.set()
            self._thread.join()
            self._thread = None
        self._waiting.clear()

    def row(self, served: Served, packed: bytes, shares: Sequence[float]) -> None:
        """Note a row, perhaps."""
        candidate = self.candidate
        if candidate is not None and self.chance() < candidate.share:
            self._note(Noted(served, candidate, packed, shares), 1)

    def rows(self, served: Served, x: NDArray[np.float32], predicted: NDArray[np.float64]) -> None:
        """Note a request's rows, or some of many, perhaps."""
        candidate = self.candidate
        if candidate is not None and self.chance() < candidate.share:
            step = -(-len(x) // ROWS) or 1
            x = x[::step].copy()  # a view would keep the whole request in memory
            self._note(Noted(served, candidate, x, predicted[::step].copy()), len(x))

    def status(self, served: Served, families: Iterable[Metric]) -> ShadowStatus:
        """Say what runs beside what serves, and what was counted."""
        champion = served.package
        candidate = self.candidate
        if candidate is None:
            return ShadowStatus(
                model=champion.manifest.name, champion=champion.digest, refused=self.refused or None
            )
        return ShadowStatus(
            model=champion.manifest.name,
            champion=champion.digest,
            candidate=candidate.package.digest,
            share=candidate.share,
            refused=candidate.obstacle(champion) or None,
            seen=evidence(families, champion, candidate.package),
        )

    def _note(self, noted: Noted, rows: int) -> None:
        if noted.candidate.obstacle(noted.served.package):
            return
        if len(self._waiting) < WAITING:
            self._waiting.append(noted)
        else:
            self.counts.of(noted.served.package, noted.candidate.package).dropped.inc(rows)

    def _run(self) -> None:
        while not self._ended.wait(EVERY):
            while self._waiting and not self._ended.is_set():
                batch = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
                for (served, candidate), group in groupby(batch, key=lambda noted: noted[:2]):
                    self._compare(served.package, candidate.package, list(group))

    def _compare(
        self, champion: ModelPackage, candidate: ModelPackage, group: Sequence[Noted]
    ) -> None:
        x = np.concatenate([_matrix(noted.x) for noted in group])
        pair = self.counts.of(champion, candidate)
        try:
            answered = finish(candidate.forest, candidate.manifest.output, x)
            predicted = np.concatenate(
                [np.atleast_2d(np.asarray(noted.predicted)) for noted in group]
            )
            pair.add(champion, predicted, answered)
        except Exception:  # the thread must outlive whatever a package can provoke
            logger.exception("shadow %s failed", candidate.digest[:12])
            pair.failed.inc(len(x))


def shadowings(slots: Slots, metrics: Metrics) -> Mapping[str, Shadowing]:
    """Let a `Shadowing` listen at each slot; their counts and states go to the metrics."""
    counts = Counts(metrics.registry)
    found = {name: Shadowing(counts) for name in slots}
    for name, slot in slots.items():
        slot.listeners.append(found[name])
    metrics.state.register(_States(found))
    return found


class _States(Collector):
    """Which candidates are asked, looked up when asked."""

    def __init__(self, shadows: Mapping[str, Shadowing]) -> None:
        self.shadows = shadows

    def collect(self) -> Iterable[Metric]:
        """Yield the state of every model's shadow."""
        labels = ("model", "candidate")
        share = GaugeMetricFamily(
            "tunegate_shadow_share", "Share of requests it is asked for.", labels=labels
        )
        refused = GaugeMetricFamily(
            "tunegate_shadow_refused", "1 where it was refused.", labels=("model",)
        )
        for name, shadowing in self.shadows.items():
            refused.add_metric((name,), bool(shadowing.refused))
            if (candidate := shadowing.candidate) is not None:
                share.add_metric((name, candidate.package.digest), candidate.share)
        return share, refused


def _matrix(x: NDArray[np.float32] | bytes) -> NDArray[np.float32]:
    if isinstance(x, bytes):
        return np.frombuffer(x, np.float32)[None]
    return x
