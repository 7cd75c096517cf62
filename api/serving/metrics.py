"""The server's Prometheus metrics: requests by route, predictions by model, and what serves.

Names follow Prometheus' conventions, so that dashboards for HTTP services fit. With several
workers each one writes its own files below PROMETHEUS_MULTIPROC_DIR, and the worker that answers
`/metrics` adds them up.
"""

import collections
import os
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib.metadata import version
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from api.serving.drift import RequestDrift
from api.serving.served import Served, Slots, likeliest
from registry.package import KERNEL

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
# Of a prediction, where 0 is the lowest target seen in training and 1 the highest.
PLACES = tuple(round(0.1 * i, 1) for i in range(-2, 13))
# Predictions that wait to be counted. Where nothing scrapes `/metrics`, the oldest are dropped.
MAX_PENDING = 10_000
# Rows of one request whose predictions are observed: counting a batch must not cost more than
# answering it.
SAMPLED_ROWS = 32


class Metrics:
    """The metrics of one process; a `Listener` to predictions.

    Attributes:
        registry: counters and histograms; with several workers, this worker's share of them.
        state: what is looked up at each scrape.
        drift: compares requests with the rows that the models were trained on.
        catch_up: counts what was noted, before a scrape. Code that notes requests puts its own
            function here, which then calls `flush`.
    """

    def __init__(self, slots: Slots) -> None:
        self.registry = CollectorRegistry()
        self.seconds = Tally(
            "http_request_duration_seconds",
            "From a request's arrival to the end of its answer.",
            ("method", "route", "status"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.rows_total = Counter(
            "tunegate_rows", "Rows predicted.", ("model", "version"), registry=self.registry
        )
        self.places = Tally(
            "tunegate_prediction_place",
            "Predictions, 0 at the lowest and 1 at the highest target seen in training;"
            " a sample of large requests.",
            ("model", "version"),
            buckets=PLACES,
            registry=self.registry,
        )
        self.classes = Counter(
            "tunegate_predicted_class",
            "Predictions by likeliest class; a sample of large requests.",
            ("model", "version", "predicted"),
            registry=self.registry,
        )
        self.state = CollectorRegistry()
        self.state.register(_SlotCollector(slots))
        self.drift = RequestDrift(self.registry, slots, self.families)
        self.state.register(self.drift)
        if not _has_workers():
            ProcessCollector(registry=self.state)
        self.catch_up: Callable[[], None] = self.flush
        self._requests: dict[tuple[str, str, int], Any] = {}
        self._predictions: dict[str, _PredictionCounts] = {}
        self._single: deque[tuple[Served, Sequence[float]]] = deque(maxlen=MAX_PENDING)
        self._many: deque[tuple[Served, int, Sequence[Sequence[float]]]] = deque(maxlen=MAX_PENDING)

    def text(self) -> bytes:
        """Return the exposition in Prometheus' text format; call `catch_up` before."""
        return generate_latest(self._all_workers()) + generate_latest(self.state)

    def families(self) -> Iterable[Metric]:
        """Return what all workers have counted."""
        return self._all_workers().collect()

    def requests(self, method: str, route: str, status: int, seconds: Sequence[float]) -> None:
        """Count requests that took this long."""
        key = (method, route, status)
        if (child := self._requests.get(key)) is None:
            child = self._requests[key] = self.seconds.labels(method, route, str(status))
        child.observe_all(seconds)

    def row(self, served: Served, packed: bytes, shares: Sequence[float]) -> None:
        """Note a prediction; `flush` counts it."""
        self._single.append((served, shares))
        self.drift.row(served, packed)

    def rows(self, served: Served, x: NDArray[np.float32], predicted: NDArray[np.float64]) -> None:
        """Note the number of predictions and a sample of them; `flush` counts them."""
        self.drift.many(served, x)
        sample = predicted[:: -(-len(predicted) // SAMPLED_ROWS) or 1].tolist()
        self._many.append((served, len(predicted), sample))

    def flush(self) -> None:
        """Count what was noted."""
        single = [self._single.popleft() for _ in range(len(self._single))]
        for served, group in groupby(single, key=itemgetter(0)):
            rows = [shares for _, shares in group]
            self._counts_of(served).add(len(rows), rows)
        for _ in range(len(self._many)):
            served, n, sample = self._many.popleft()
            self._counts_of(served).add(n, sample)
        self.drift.flush()

    def _all_workers(self) -> CollectorRegistry:
        if not _has_workers():
            return self.registry
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # it has no types
        return registry

    def _counts_of(self, served: Served) -> "_PredictionCounts":
        digest = served.package.digest
        if (found := self._predictions.get(digest)) is None:
            found = self._predictions[digest] = _PredictionCounts(self, served)
        return found


class Tally(Histogram):
    """A histogram that takes many observations at once, much cheaper than one by one."""

    def observe_all(self, amounts: Sequence[float]) -> None:
        """Observe each amount."""
        places = collections.Counter(map(partial(bisect_left, self._upper_bounds), amounts))
        for i, times in places.items():
            self._buckets[i].inc(times)
        self._sum.inc(sum(amounts))


class _PredictionCounts:
    """The metrics' children for one package, looked up once."""

    def __init__(self, metrics: Metrics, served: Served) -> None:
        manifest = served.package.manifest
        labels = (manifest.name, served.package.digest)
        self.count = metrics.rows_total.labels(*labels)
        self.place = metrics.places.labels(*labels)
        self.classes = [metrics.classes.labels(*labels, str(name)) for name in manifest.classes]
        self.low, high = manifest.target_range
        self.span = (high - self.low) or 1.0

    def add(self, n: int, sample: Iterable[Sequence[float]]) -> None:
        self.count.inc(n)
        if self.classes:
            for i, times in collections.Counter(map(likeliest, sample)).items():
                self.classes[i].inc(times)
        else:
            self.place.observe_all([(shares[0] - self.low) / self.span for shares in sample])


class _SlotCollector(Collector):
    """What each slot serves, looked up at each scrape."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots

    def collect(self) -> Iterable[Metric]:
        """Return the state of every slot."""
        build = InfoMetricFamily("tunegate_build", "The server.")
        build.add_metric((), {"version": version("tunegate"), "kernel": KERNEL})
        info = InfoMetricFamily("tunegate_model", "The model that answers.", labels=("model",))
        promotion = model_gauge("tunegate_model_promotion", "Number of its promotion; 0 for none.")
        loaded = model_gauge("tunegate_model_loaded_timestamp_seconds", "Since when.")
        swaps = model_gauge("tunegate_model_swaps", "Changes since the start.")
        refused = model_gauge("tunegate_model_refused", "1 where a package was refused.")
        for name, slot in self.slots.items():
            served = slot.served
            promotion.add_metric((name,), served.pointer.number if served else 0)
            swaps.add_metric((name,), slot.swaps)
            refused.add_metric((name,), bool(slot.refused))
            if served:
                info.add_metric((name,), {"version": served.package.digest})
                loaded.add_metric((name,), served.loaded_at.timestamp())
        return build, info, promotion, loaded, swaps, refused


def model_gauge(name: str, meaning: str, *labels: str) -> GaugeMetricFamily:
    """Return a gauge whose first label is the model's name."""
    return GaugeMetricFamily(name, meaning, labels=("model", *labels))


def _has_workers() -> bool:
    return "PROMETHEUS_MULTIPROC_DIR" in os.environ
