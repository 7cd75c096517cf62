"""Have the requests moved away from the rows that the model was trained on? Sampled and counted.

About one request in sixteen leaves a row in a queue of limited length; some at a time they are
counted by where their values fall, between the deciles of the training rows. Nothing else of a row
is kept, and no value is logged. The counts forget: at `KEPT` rows they are halved. Workers add
theirs up.

From the counts follow, a column each and for Prometheus: the population stability index, Kolmogorov
and Smirnov's distance at the deciles where there is an order, and the p of a chi-squared test,
adjusted for the number of columns (Benjamini and Hochberg 1995), so that many columns raise no more
alarms than one. A server has no scipy; the tests compare with it.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from random import randrange
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.serving.served import Served, Slots
from registry.package import ColumnReference, count_rows, row_matrix, stability_index

BETWEEN = 31  # rows not taken, at most; on average half of that
WAITING = 256  # rows, or requests of several, in the queue
MOST_BYTES = 1 << 13  # of a row: wider models have no sample, so that the queue is 8 MiB at most
AT_ONCE = 128  # counted together, which costs about as much as one
OF_REQUEST = 4  # rows of one request, evenly taken
KEPT = 5_000  # rows, of each worker
LEAST_ROWS = 100  # below which nothing is reported
LEAST_EXPECTED = 5.0  # rows of a bin, for the chi-squared test
NAME = "tunegate_feature_rows"
Counts = NDArray[np.float64]


class Moved(NamedTuple):
    """How far a column's requests are from its training rows; `distance` is None without order."""

    psi: float
    distance: float | None
    p: float


class RequestDrift(Collector):
    """Counts sampled rows, and says at each scrape what follows; for all models of a process.

    Args:
        registry: gets the counts.
        slots: what is served.
        families: returns the metrics that all workers have counted.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        slots: Slots,
        families: Callable[[], Iterable[Metric]],
    ) -> None:
        self.slots = slots
        self.families = families
        self.rows = Gauge(
            NAME,
            "Sampled rows by bin: the deciles of the training rows, or the category; the last is "
            "missing or unknown.",
            ("model", "column", "bin"),
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._left = 0
        self._waiting: deque[tuple[Served, bytes | NDArray[np.float32]]] = deque(maxlen=WAITING)
        self._counts: dict[str, _ModelCounts] = {}
        self._lock = threading.Lock()

    def row(self, served: Served, packed: bytes) -> None:
        """Take a packed row now and then."""
        self._left -= 1
        if self._left < 0:
            self._left = randrange(BETWEEN + 1)  # noqa: S311 - a sample
            if served.package.manifest.reference and len(packed) <= MOST_BYTES:
                self._waiting.append((served, packed))

    def many(self, served: Served, x: NDArray[np.float32]) -> None:
        """Take some rows of a request of several."""
        if served.package.manifest.reference and x.nbytes <= MOST_BYTES * len(x):
            step = -(-len(x) // OF_REQUEST) or 1
            self._waiting.append((served, x[::step].copy()))

    def flush(self, *, all_of_them: bool = False) -> None:
        """Count what waits, if there is enough of it."""
        if len(self._waiting) < AT_ONCE and not all_of_them:
            return
        with self._lock:
            taken: dict[str, tuple[Served, list[NDArray[np.float32]]]] = {}
            for _ in range(len(self._waiting)):
                served, row = self._waiting.popleft()
                x = row_matrix(row) if isinstance(row, bytes) else row
                taken.setdefault(served.package.digest, (served, []))[1].append(x)
            for served, rows in taken.values():
                self._add(served, np.concatenate(rows))

    def collect(self) -> Iterable[Metric]:
        """Return what the counts of all workers say."""
        self.flush(all_of_them=True)
        labels = ("model", "column")
        psi = GaugeMetricFamily(
            "tunegate_feature_psi", "Population stability index of sampled requests.", labels=labels
        )
        distance = GaugeMetricFamily(
            "tunegate_feature_ks",
            "Kolmogorov and Smirnov's distance of sampled requests at the deciles.",
            labels=labels,
        )
        p = GaugeMetricFamily(
            "tunegate_feature_drift_p",
            "P of a chi-squared test of sampled requests, adjusted for the number of columns.",
            labels=labels,
        )
        for model, slot in self.slots.items():
            served = slot.served
            references = served.package.manifest.reference if served else ()
            seen = self._seen(model, references)
            if seen is None:
                continue
            for reference, found in zip(references, measure(references, seen), strict=True):
                key = (model, reference.column)
                psi.add_metric(key, found.psi)
                p.add_metric(key, found.p)
                if found.distance is not None:
                    distance.add_metric(key, found.distance)
        return psi, distance, p

    def _add(self, served: Served, x: NDArray[np.float32]) -> None:
        model = served.package.manifest.name
        found = self._counts.get(model)
        if found is None or found.served is not served:
            current = self.slots[model].served
            if served is not current:  # of the model before, whose requests were still waiting
                return
            if found:
                found.clear()
            found = self._counts[model] = _ModelCounts(self.rows, served)
        found.add(x)

    def _seen(self, model: str, references: Sequence[ColumnReference]) -> list[Counts] | None:
        """Return the rows of all workers, a list of bins for each reference; None if too few."""
        seen = {each.column: np.zeros(len(each.counts)) for each in references}
        for family in self.families():
            if family.name != NAME:
                continue
            for sample in family.samples:
                column = sample.labels["column"]
                place = int(sample.labels["bin"])
                if sample.labels["model"] == model and place < len(seen.get(column, ())):
                    seen[column][place] = sample.value
        found = [seen[each.column] for each in references]
        if not found or min(each.sum() for each in found) < LEAST_ROWS:
            return None
        return found


class _ModelCounts:
    """The counts of one model in this process."""

    def __init__(self, gauge: Gauge, served: Served) -> None:
        manifest = served.package.manifest
        self.served = served
        self.columns = manifest.columns
        self.references = manifest.reference
        self.counts = [np.zeros(len(each.counts)) for each in self.references]
        self.bins = [
            [gauge.labels(manifest.name, each.column, str(i)) for i in range(len(each.counts))]
            for each in self.references
        ]

    def add(self, x: NDArray[np.float32]) -> None:
        more = count_rows(self.columns, self.references, x)
        for i, new in enumerate(more):
            self.counts[i] += new
            if self.counts[i].sum() > KEPT:
                self.counts[i] /= 2
        self._show()

    def clear(self) -> None:
        for counts in self.counts:
            counts[:] = 0
        self._show()

    def _show(self) -> None:
        for bins, counts in zip(self.bins, self.counts, strict=True):
            for child, value in zip(bins, counts.tolist(), strict=True):
                child.set(value)


def measure(references: Sequence[ColumnReference], seen: Sequence[Counts]) -> list[Moved]:
    """Compare rows with the references.

    Args:
        references: of the training rows.
        seen: float64 (bins,) each, how many sampled rows fell where.
    """
    found = [_compare(each, counts) for each, counts in zip(references, seen, strict=True)]
    adjusted = adjust_p([each.p for each in found])
    return [each._replace(p=p) for each, p in zip(found, adjusted, strict=True)]


def _compare(reference: ColumnReference, seen: Counts) -> Moved:
    known = np.array(reference.counts, dtype=np.float64)
    p = known / known.sum()
    q = seen / seen.sum()
    distance = None
    if reference.edges and known[:-1].sum() and seen[:-1].sum():
        steps = known[:-1] / known[:-1].sum() - seen[:-1] / seen[:-1].sum()
        distance = float(np.abs(steps.cumsum()).max())
    return Moved(stability_index(p, q), distance, two_sample_p(known, seen))


def two_sample_p(known: Counts, seen: Counts) -> float:
    """Return P of a chi-squared test that both were drawn alike; rare bins count as one."""
    table = np.stack([known, seen])
    total = table.sum(axis=0)
    rows = table.sum(axis=1)
    rare = total * rows.min() / rows.sum() < LEAST_EXPECTED
    table = np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)])
    table = table[:, table.sum(axis=0) > 0]
    freedom = table.shape[1] - 1
    if freedom < 1:
        return 1.0
    expected = np.outer(rows, table.sum(axis=0)) / rows.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    return chi_squared_p(statistic, freedom)


def chi_squared_p(statistic: float, freedom: int) -> float:
    """Return the upper tail by Wilson and Hilferty's cube root (1931), off by less than 0.003."""
    part = 2 / (9 * freedom)
    place = ((statistic / freedom) ** (1 / 3) - (1 - part)) / part**0.5
    return 1 - NormalDist().cdf(place)


def adjust_p(values: Sequence[float]) -> list[float]:
    """Return p values adjusted for how many they are, in their order (Benjamini, Hochberg 1995)."""
    p = np.array(values)
    order = np.argsort(-p, kind="stable")
    scaled = p[order] * len(p) / np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum.accumulate(scaled)
    found: list[float] = np.minimum(adjusted, 1.0).tolist()
    return found
