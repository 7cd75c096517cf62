"""How a candidate in shadow mode differs from the champion: counted as metrics, and read back.

The metrics read back are those that all workers have counted, as `/metrics` shows them.
"""

import math
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import Metric

from registry.package import ModelPackage
from registry.shadow import ClassDifferences, NumberDifferences, ShadowEvidence

PREFIX = "tunegate_shadow"
LABELS = ("model", "version", "candidate")
LARGEST = 1e100  # a difference above counts as a failure, so that no sum can overflow
Floats = NDArray[np.float64]


class ShadowCounts:
    """The metrics of all pairs of champion and candidate, in one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, meaning: str) -> Counter:
            return Counter(f"{PREFIX}_{name}", meaning, LABELS, registry=registry)

        self.rows = counter("rows", "Rows that the candidate has answered as well, compared.")
        self.dropped = counter("rows_dropped", "Rows not compared, as too many were waiting.")
        self.failed = counter(
            "rows_failed", "Rows for which the candidate had no answer that can be compared."
        )
        self.absolute = counter(
            "absolute_difference", "Sum over rows; of class shares, the mean over classes."
        )
        self.squared = counter(
            "squared_difference", "Sum over rows of the squared difference; regression."
        )
        self.outside = counter(
            "rows_outside_interval", "Candidate's predictions outside the champion's interval."
        )
        self.disagreeing = counter(
            "rows_disagreeing", "Rows whose likeliest class is another; classification."
        )
        self.difference = Gauge(
            f"{PREFIX}_difference_sum",
            "Sum over rows of the candidate's prediction minus the champion's; regression.",
            LABELS,
            registry=registry,
            multiprocess_mode="sum",
        )
        self.largest = Gauge(
            f"{PREFIX}_largest_difference",
            "Of any row, absolute.",
            LABELS,
            registry=registry,
            multiprocess_mode="max",
        )
        self._pairs: dict[tuple[str, str], PairCounts] = {}

    def pair(self, champion: ModelPackage, candidate: ModelPackage) -> "PairCounts":
        """Return the counters of a pair."""
        key = (champion.digest, candidate.digest)
        if (found := self._pairs.get(key)) is None:
            found = self._pairs.setdefault(key, PairCounts(self, champion.manifest.name, *key))
        return found


class PairCounts:
    """The metrics' children for one champion and one candidate, looked up once."""

    def __init__(self, counts: ShadowCounts, *labels: str) -> None:
        self.counts = counts
        self.labels = labels
        self.dropped = counts.dropped.labels(*labels)
        self.failed = counts.failed.labels(*labels)
        self.rows = counts.rows.labels(*labels)
        self.absolute = counts.absolute.labels(*labels)
        self.largest = counts.largest.labels(*labels)
        self._top = 0.0

    def add(self, champion: ModelPackage, predicted: Floats, answered: Floats) -> None:
        """Compare rows and count the differences.

        `rows` is counted last, so that a reader who sees a row counted sees all of it counted.

        Args:
            champion: the package that served.
            predicted: float64 (n, n_outputs), its answers.
            answered: float64 (n, n_outputs), the candidate's.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            difference = answered - predicted
            sound = (np.abs(difference) < LARGEST).all(axis=1)  # False for NaN too
        if not sound.all():
            self.failed.inc(int((~sound).sum()))
            predicted = predicted[sound]
            answered = answered[sound]
            difference = difference[sound]
        if not len(difference):
            return
        absolute = np.abs(difference).mean(axis=1)
        if champion.manifest.classes:
            self._count_classes(predicted, answered)
        else:
            self._count_numbers(champion, predicted, answered, difference)
        self._top = max(self._top, float(absolute.max()))
        self.largest.set(self._top)
        self.absolute.inc(float(absolute.sum()))
        self.rows.inc(len(difference))

    def _count_classes(self, predicted: Floats, answered: Floats) -> None:
        other = predicted.argmax(axis=1) != answered.argmax(axis=1)
        self.counts.disagreeing.labels(*self.labels).inc(int(other.sum()))

    def _count_numbers(
        self, champion: ModelPackage, predicted: Floats, answered: Floats, difference: Floats
    ) -> None:
        self.counts.difference.labels(*self.labels).inc(float(difference.sum()))
        self.counts.squared.labels(*self.labels).inc(float((difference**2).sum()))
        if (ends := champion.interval(predicted)) is not None:
            outside = (answered < ends[:, :1]) | (answered > ends[:, 1:])
            self.counts.outside.labels(*self.labels).inc(int(outside.sum()))


def read_evidence(
    families: Iterable[Metric], champion: ModelPackage, candidate: ModelPackage
) -> ShadowEvidence:
    """Read back what was counted of a pair."""
    labels = dict(
        zip(LABELS, (champion.manifest.name, champion.digest, candidate.digest), strict=True)
    )
    # Workers' files are read one by one while they count: a metric may still be missing.
    found: dict[str, float] = defaultdict(float)
    found |= {
        sample.name.removeprefix(f"{PREFIX}_").removesuffix("_total"): sample.value
        for family in families
        if family.name.startswith(PREFIX)
        for sample in family.samples
        if sample.labels == labels
    }
    rows = int(found["rows"])
    numbers = None
    classes = None
    if rows and champion.manifest.classes:
        classes = _class_differences(found, rows)
    elif rows:
        has_interval = champion.manifest.interval is not None
        numbers = _number_differences(found, rows, has_interval=has_interval)
    return ShadowEvidence(
        champion=champion.digest,
        candidate=candidate.digest,
        rows=rows,
        dropped=int(found["rows_dropped"]),
        failed=int(found["rows_failed"]),
        numbers=numbers,
        classes=classes,
    )


def _number_differences(
    found: dict[str, float], rows: int, *, has_interval: bool
) -> NumberDifferences:
    return NumberDifferences(
        mean=found["difference_sum"] / rows,
        mean_absolute=found["absolute_difference"] / rows,
        root_mean_square=math.sqrt(found["squared_difference"] / rows),
        largest=found["largest_difference"],
        outside=_share_of(found["rows_outside_interval"], rows) if has_interval else None,
    )


def _class_differences(found: dict[str, float], rows: int) -> ClassDifferences:
    return ClassDifferences(
        disagreeing=_share_of(found["rows_disagreeing"], rows),
        mean_absolute=found["absolute_difference"] / rows,
        largest=found["largest_difference"],
    )


def _share_of(part: float, rows: int) -> float:
    # Rows are counted last: while they are counted, a part may be ahead of them.
    return min(1.0, part / rows)
