"""Shadow mode: a candidate answers a share of real requests too; only the differences are kept.

A request puts its encoded rows and its answer into a queue of limited length and does not wait; a
thread lets the candidate answer many of them at once, and compares. So a slow or failing candidate
neither delays a request nor makes it fail: rows that do not fit into the queue are dropped and
counted.
"""

import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from api.serving.metrics import Metrics, model_gauge
from api.serving.served import Served, Slots
from api.serving.shadow_metrics import ShadowCounts, read_evidence
from registry.package import ModelPackage, predict_encoded, row_matrix
from registry.shadow import ShadowStatus, comparison_obstacle

logger = logging.getLogger("tunegate.api")
EVERY = 0.05  # seconds between two comparisons
WAITING = 1024  # requests in the queue; more are dropped
ROWS = 32  # of one request, evenly taken: a large request must not crowd out many small ones
AT_ONCE = 256  # requests in one comparison


class Candidate:
    """A verified package in shadow mode, and for what share of the requests it is asked."""

    def __init__(self, package: ModelPackage, share: float) -> None:
        self.package = package
        self.share = share
        self._known = ("", "")  # a champion's digest, and the obstacle to comparing with it

    def obstacle(self, champion: ModelPackage) -> str:
        """Return why it cannot be compared with this champion; "" if it can."""
        digest, found = self._known
        if digest != champion.digest:
            if champion.digest == self.package.digest:
                found = "the candidate is in production"
            else:
                found = comparison_obstacle(champion.manifest, self.package.manifest)
            self._known = champion.digest, found
            if found:
                logger.warning("shadow %s is not compared: %s", self.package.digest[:12], found)
        return found


class AnsweredRows(NamedTuple):
    """A request's encoded rows, and the champion's answers to them.

    Attributes:
        served: the champion.
        candidate: what to compare with it.
        x: float32 (n, width), or one packed row.
        predicted: float64 (n, n_outputs), or the answer to the one row.
    """

    served: Served
    candidate: Candidate
    x: NDArray[np.float32] | bytes
    predicted: NDArray[np.float64] | Sequence[float]


class Shadowing:
    """A listener to predictions that lets a candidate answer some of them; one for each model.

    Args:
        counts: counts the differences.
        chance: returns a random number in [0, 1), once a request.

    Attributes:
        candidate: the package in shadow mode; None if there is none.
        refused: why the last candidate was refused; empty if it was not.
    """

    def __init__(self, counts: ShadowCounts, chance: Callable[[], float] = random.random) -> None:
        self.counts = counts
        self.chance = chance
        self.candidate: Candidate | None = None
        self.refused = ""
        self._waiting: deque[AnsweredRows] = deque()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def run(self, package: ModelPackage, share: float) -> None:
        """Compare this package from now on, for a share of the requests."""
        self.candidate = Candidate(package, share)
        self.refused = ""
        if self._thread is None:
            self._ended.clear()
            self._thread = threading.Thread(
                target=self._compare_waiting, name="shadow", daemon=True
            )
            self._thread.start()

    def end(self, reason: str = "") -> None:
        """Compare nothing any more, and remember why."""
        self.candidate = None
        self.refused = reason
        if self._thread is not None:
            self._ended.set()
            self._thread.join()
            self._thread = None
        self._waiting.clear()

    def row(self, served: Served, packed: bytes, shares: Sequence[float]) -> None:
        """Queue a row, if chance takes this request."""
        candidate = self.candidate
        if candidate is not None and self.chance() < candidate.share:
            self._enqueue(AnsweredRows(served, candidate, packed, shares), 1)

    def rows(self, served: Served, x: NDArray[np.float32], predicted: NDArray[np.float64]) -> None:
        """Queue a request's rows, or `ROWS` of many, if chance takes this request."""
        candidate = self.candidate
        if candidate is not None and self.chance() < candidate.share:
            step = -(-len(x) // ROWS) or 1
            x = x[::step].copy()  # a view would keep the whole request in memory
            self._enqueue(AnsweredRows(served, candidate, x, predicted[::step].copy()), len(x))

    def status(self, served: Served, families: Iterable[Metric]) -> ShadowStatus:
        """Describe the candidate and what was counted of it.

        Args:
            served: the champion.
            families: the metrics that all workers have counted.
        """
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
            seen=read_evidence(families, champion, candidate.package),
        )

    def _enqueue(self, answered: AnsweredRows, rows: int) -> None:
        champion = answered.served.package
        if answered.candidate.obstacle(champion):
            return
        if len(self._waiting) < WAITING:
            self._waiting.append(answered)
        else:
            self.counts.pair(champion, answered.candidate.package).dropped.inc(rows)

    def _compare_waiting(self) -> None:
        while not self._ended.wait(EVERY):
            while self._waiting and not self._ended.is_set():
                batch = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
                pair = attrgetter("served", "candidate")
                for (served, candidate), group in groupby(batch, key=pair):
                    self._compare(served.package, candidate.package, list(group))

    def _compare(
        self, champion: ModelPackage, candidate: ModelPackage, group: Sequence[AnsweredRows]
    ) -> None:
        x = np.concatenate([_as_matrix(answered.x) for answered in group])
        pair = self.counts.pair(champion, candidate)
        try:
            candidates = predict_encoded(candidate.predictor, candidate.manifest.output, x)
            champions = [np.atleast_2d(np.asarray(answered.predicted)) for answered in group]
            pair.add(champion, np.concatenate(champions), candidates)
        except Exception:  # the thread must outlive whatever a package can provoke
            logger.exception("shadow %s failed", candidate.digest[:12])
            pair.failed.inc(len(x))


def add_shadowings(slots: Slots, metrics: Metrics) -> Mapping[str, Shadowing]:
    """Add a `Shadowing` to each slot's listeners, and their counts and states to the metrics.

    Returns:
        The shadowings by the model's name.
    """
    counts = ShadowCounts(metrics.registry)
    shadowings = {name: Shadowing(counts) for name in slots}
    for name, slot in slots.items():
        slot.listeners.append(shadowings[name])
    metrics.state.register(_ShadowCollector(shadowings))
    return shadowings


class _ShadowCollector(Collector):
    """Which candidates run in shadow mode, looked up at each scrape."""

    def __init__(self, shadows: Mapping[str, Shadowing]) -> None:
        self.shadows = shadows

    def collect(self) -> Iterable[Metric]:
        """Return the state of every model's shadow."""
        share = model_gauge(
            "tunegate_shadow_share", "Share of requests it is asked for.", "candidate"
        )
        refused = model_gauge("tunegate_shadow_refused", "1 where it was refused.")
        for name, shadowing in self.shadows.items():
            refused.add_metric((name,), bool(shadowing.refused))
            if (candidate := shadowing.candidate) is not None:
                share.add_metric((name, candidate.package.digest), candidate.share)
        return share, refused


def _as_matrix(x: NDArray[np.float32] | bytes) -> NDArray[np.float32]:
    return row_matrix(x) if isinstance(x, bytes) else x
