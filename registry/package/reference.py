"""Where a model's training rows fell, a few counts a column, to compare requests with.

It is of encoded rows, as the server has them: numbers and dates are counted between the deciles of
the training rows (of a date its first part, the days since 1970), categories one by one, missing
and unknown ones apart. A column of free text has no reference. No row can be read from it.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from registry.package.columns import Column
from registry.record import Count, Record

DECILES = np.linspace(0.1, 0.9, 9)
MAX_REFERENCES = 50  # columns; each costs the server a metric for each of its bins
MAX_BINS = 1000
SHARE_FLOOR = 1e-4  # an empty bin would make the index infinite


class ColumnReference(Record, frozen=True, kw_only=True):
    """How many training rows fell where.

    Attributes:
        column: its name.
        edges: deciles of a column that has an order, ascending; empty for categories.
        counts: rows up to each edge, and above the last; or of each category's feature. The last
            number is that of rows where the value is missing, or unknown.
    """

    column: str
    edges: Annotated[tuple[float, ...], Meta(max_length=9)] = ()
    counts: Annotated[tuple[Count, ...], Meta(min_length=2, max_length=MAX_BINS)]

    def fits(self, column: Column) -> bool:
        """Whether it can be a reference of this column."""
        bins = len(self.edges) + 2 if self.edges else column.width + 1
        return len(self.counts) == bins and sum(self.counts) > 0


def column_references(
    columns: Sequence[Column], x: NDArray[np.float32], *, first: Sequence[str] = ()
) -> tuple[ColumnReference, ...]:
    """Return the references of the training rows, of at most 50 columns.

    Args:
        columns: the model's.
        x: float32 (n, sum of widths), the encoded training part.
        first: names of the columns that matter most.
    """
    rank = {name: place for place, name in enumerate(first)}
    found = []
    for column, features in _features_by_column(columns, x):
        if column.buckets:
            continue
        edges: tuple[float, ...] = ()
        if not column.categories:
            present = features[~np.isnan(features[:, 0]), 0]
            edges = tuple(np.unique(np.quantile(present, DECILES)).tolist()) if len(present) else ()
            if not edges:
                continue
        bins = len(edges) + 2 if edges else column.width + 1
        counts = np.bincount(_place(features, edges), minlength=bins)
        found.append(
            ColumnReference(column=column.name, edges=edges, counts=tuple(counts.tolist()))
        )
    found = [each for each in found if len(each.counts) <= MAX_BINS]
    found.sort(key=lambda each: rank.get(each.column, len(rank)))
    return tuple(found[:MAX_REFERENCES])


def count_rows(
    columns: Sequence[Column], references: Sequence[ColumnReference], x: NDArray[np.float32]
) -> list[NDArray[np.int64]]:
    """Return for each reference how many rows of float32 (n, sum of widths) fall where."""
    known = {each.column: each for each in references}
    found = {
        column.name: np.bincount(
            _place(features, known[column.name].edges), minlength=len(known[column.name].counts)
        )
        for column, features in _features_by_column(columns, x)
        if column.name in known
    }
    return [found[each.column] for each in references]


def stability_index(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Return the population stability index of two lists of shares: the sum of (q - p) log(q/p)."""
    p, q = (np.maximum(each, SHARE_FLOOR) for each in (p, q))
    return float(((q - p) * np.log(q / p)).sum())


def _features_by_column(
    columns: Sequence[Column], x: NDArray[np.float32]
) -> Iterator[tuple[Column, NDArray[np.float32]]]:
    start = 0
    for column in columns:
        yield column, x[:, start : start + column.width]
        start += column.width


def _place(features: NDArray[np.float32], edges: Sequence[float]) -> NDArray[np.int64]:
    """Return int64 (n,), each row's bin; the last one is for missing values."""
    if edges:
        values = features[:, 0].astype(np.float64)
        placed = np.searchsorted(np.array(edges), values)
        return np.where(np.isnan(values), len(edges) + 1, placed)
    place: NDArray[np.int64] = features.argmax(axis=1)
    return np.where(features.any(axis=1), place, features.shape[1])
