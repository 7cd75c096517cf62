"""Divides rows into training part and holdout, and identifies rows and data sets by hashes.

A row's hash depends on its content alone, so a row that was trained on last month is recognised
this month, wherever it is in the file.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from registry.package.kernel import hash_pieces
from trainer.errors import DataError
from trainer.spec import DataSetSpec, SplitSpec

Hashes = NDArray[np.uint64]
Positions = NDArray[np.int64]
# Hashed for a missing value, whatever the column's type: an empty column may get texts later.
MISSING = b""
CHUNK = 1 << 16  # rows that are hashed at once
MAX_STRATA = 10  # quantiles of a number to stratify by
MIN_STRATUM = 5  # rows, or groups, of each


@dataclass(frozen=True, slots=True, eq=False)
class SplitTarget:
    """What a stratified split keeps the shares of.

    Attributes:
        y: float64 (n_rows,), the target's value, or the index of its class.
        classes: whether it is a class.
    """

    y: NDArray[np.float64]
    classes: bool


def row_hashes(frame: pd.DataFrame, by: Sequence[str] = (), *, rounded: bool = False) -> Hashes:
    """Hash each row's content.

    Args:
        frame: the table.
        by: columns to hash; all where empty. Their order does not count.
        rounded: whether fractions are rounded to float32 first, so that a table that was written
            again with other digits has the same hashes. Whole numbers, such as long identifiers,
            stay as they are.

    Returns:
        uint64 (n_rows,), the first 8 bytes of BLAKE2b over the row's values.
    """
    columns = [frame[name] for name in sorted(by or map(str, frame.columns))]
    chunks = [
        _hash_chunk([column.iloc[start : start + CHUNK] for column in columns], rounded=rounded)
        for start in range(0, len(frame), CHUNK)
    ]
    return np.concatenate([np.empty(0, dtype=np.uint64), *chunks])


def split_rows(
    frame: pd.DataFrame,
    rows: Hashes,
    spec: SplitSpec,
    target: SplitTarget | None = None,
    time: Positions | None = None,
) -> tuple[Positions, Positions]:
    """Return the positions of the training part and of the holdout, in the order to learn from.

    Equal rows are on one side, whatever the method, except for "seeded".

    Args:
        frame: the table.
        rows: the hash of each of its rows.
        spec: how to split.
        target: what the stratified split keeps the shares of; the others do not look at it.
        time: int64 (n_rows,), from `read_times`, for the split by time.

    Raises:
        DataError: when the rows are too few to split.
    """
    if spec.method == "seeded":
        return _seeded_split(len(frame), spec)
    # In the order of the hashes: equal content gives equal models, whatever the file's order.
    order = np.argsort(rows, kind="stable")
    if time is not None:
        order = order[np.argsort(time[order], kind="stable")]
        held = _latest_rows(time, spec)[order]
    elif spec.method == "stratified" and target is not None:
        held = _stratified_holdout(_side_shares(frame, rows, spec), spec, target)[order]
    else:
        held = (_side_shares(frame, rows, spec) < spec.holdout)[order]
    return order[~held], order[held]


def fingerprint(spec: DataSetSpec, columns: Sequence[str], rows: Hashes) -> str:
    """Return the sha256 of what was learned from: rows, columns, target, metric and split."""
    document = {
        "target": spec.target,
        "task": spec.task,
        "metric": spec.metric,
        "columns": list(columns),
        "types": {n: column.type for n, column in sorted(spec.columns.items()) if column.type},
        "split": _split_document(spec.split),
        "rows": rows_digest(rows),
        **_later_fields(spec),
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _later_fields(spec: DataSetSpec) -> dict[str, object]:
    """Return what decides what is learned, if it is stated: old digests stay."""
    names = ("weight", "class_weight", "target_transform")
    defaults = {name: DataSetSpec.model_fields[name].default for name in names}
    return {name: getattr(spec, name) for name in names if getattr(spec, name) != defaults[name]}


def _split_document(split: SplitSpec) -> dict[str, object]:
    """Return the split's fields; a later one is left out at its default: old digests stay."""
    document = split.model_dump()
    if not split.time:
        del document["time"]
    return document


def rows_digest(rows: Hashes) -> str:
    """Return the sha256 of row hashes in the order given."""
    return hashlib.sha256(rows.astype(">u8").tobytes()).hexdigest()


def refuse_duplicates(training: Hashes, holdout: Hashes) -> None:
    """Refuse a split that puts equal rows on both sides: training would have seen the holdout.

    Raises:
        DataError: naming how many.
    """
    if twins := len(np.intersect1d(training, holdout)):
        hint = 'remove the duplicates, or use method = "hash", which keeps equal rows together'
        raise DataError(f"{twins} row(s) are in both the training part and the holdout", hint=hint)


def _seeded_split(n: int, spec: SplitSpec) -> tuple[Positions, Positions]:
    # The hash split does without scikit-learn.
    from sklearn.model_selection import train_test_split  # noqa: PLC0415

    try:
        # Left shuffled: a forest's bootstrap goes by position, so a published number depends on it.
        training, held = train_test_split(
            np.arange(n), test_size=spec.holdout, random_state=spec.seed
        )
    except ValueError as error:
        raise DataError(f"too few rows: {n}, with [split] holdout = {spec.holdout}") from error
    return training, held


def read_times(frame: pd.DataFrame, spec: SplitSpec, place_of: Callable[[int], str]) -> Positions:
    """Return int64 (n_rows,): each row's place among the different times, the earliest first.

    Raises:
        DataError: naming the place of a cell that is missing, or neither a number nor a time.
    """
    if spec.time not in frame.columns:
        names = ", ".join(map(str, frame.columns))
        raise DataError(f"[split] time: no column {spec.time}", hint=f"columns: {names}")
    column = frame[spec.time]
    if pd.api.types.is_numeric_dtype(column):
        times = column
    else:
        times = pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601")
    wrong = np.flatnonzero(times.isna())
    if wrong.size:
        cell = column.iloc[wrong[0]]
        problem = f"{str(cell)!r} is not a time" if pd.notna(cell) else "no time"
        raise DataError(
            f"column {spec.time}, {place_of(int(wrong[0]))}: {problem} ({wrong.size} in all)",
            hint="write times as 2026-11-30 or 2026-11-30T16:45, or as numbers that grow",
        )
    places: Positions = np.unique(times.to_numpy(), return_inverse=True)[1]
    return places


def _latest_rows(time: Positions, spec: SplitSpec) -> NDArray[np.bool_]:
    """Return a mask of the latest rows, as near to the holdout's share as equal times allow."""
    counts = np.bincount(time)
    held = counts[::-1].cumsum()[::-1]  # if the holdout began with this time
    if len(held) == 1:
        raise DataError(
            f"[split] time: every row has the same {spec.time}",
            hint="name another column, or leave [split] time out",
        )
    start = 1 + np.abs(held[1:] - spec.holdout * len(time)).argmin()
    mask: NDArray[np.bool_] = time >= start
    return mask


@dataclass(frozen=True, slots=True, eq=False)
class _SplitUnits:
    """What is held out as a whole: single rows, equal rows, or groups; in the order of their hash.

    Attributes:
        unit: int64 (n_rows,), each row's unit.
        rows: int64 (n_units,), how many rows.
        y: float64 (n_units,), the mean target, or the most frequent class.
    """

    unit: Positions
    rows: Positions
    y: NDArray[np.float64]


def _stratified_holdout(
    shares: NDArray[np.float64], spec: SplitSpec, target: SplitTarget
) -> NDArray[np.bool_]:
    """Return a mask of the rows whose hashes come first in their stratum.

    Without groups and equal rows, a stratum's share is exact to less than one row.
    """
    units = _make_units(shares, target)
    stratum = _number_strata(units.y, classes=target.classes)
    held = np.zeros(len(units.rows), dtype=bool)
    missed = 0.0  # what rounding left out so far: many small strata must not all round down
    for number in range(int(stratum.max()) + 1):
        members = np.flatnonzero(stratum == number)
        sums = np.concatenate([[0], units.rows[members].cumsum()])
        wanted = spec.holdout * sums[-1] + missed
        count = int(np.abs(sums - wanted).argmin())
        held[members[:count]] = True
        missed = wanted - sums[count]
    return held[units.unit]


def _make_units(shares: NDArray[np.float64], target: SplitTarget) -> _SplitUnits:
    _, unit = np.unique(shares, return_inverse=True)
    rows = np.bincount(unit)
    if target.classes:
        labels = target.y.astype(np.int64)
        pairs, counts = np.unique(unit * (labels.max() + 1) + labels, return_counts=True)
        most = np.lexsort([-counts, pairs // (labels.max() + 1)])
        first = np.unique((pairs // (labels.max() + 1))[most], return_index=True)[1]
        y = (pairs % (labels.max() + 1))[most][first].astype(np.float64)
    else:
        y = np.bincount(unit, weights=target.y) / rows
    return _SplitUnits(unit, rows, y)


def _number_strata(y: NDArray[np.float64], *, classes: bool) -> Positions:
    """Return int64 (n_units,): the number of the class, or of one of up to ten quantiles."""
    edges = y
    if not classes:
        count = min(MAX_STRATA, max(1, len(y) // MIN_STRATUM))
        edges = np.quantile(y, np.linspace(0, 1, count + 1)[1:-1])
    stratum: Positions = np.searchsorted(np.unique(edges), y)
    return np.unique(stratum, return_inverse=True)[1]


def _side_shares(frame: pd.DataFrame, rows: Hashes, spec: SplitSpec) -> NDArray[np.float64]:
    """Return float64 (n_rows,) from 0 to 1, as good as random: a keyed hash of each row's hash."""
    hashes = row_hashes(frame, spec.by) if spec.by else rows
    sides = hash_pieces(hashes.astype(">u8").tobytes(), size=8, key=spec.seed.to_bytes(8, "big"))
    return sides.astype(np.float64) / 2**64


def _hash_chunk(columns: Sequence[pd.Series], *, rounded: bool) -> Hashes:
    codes = np.stack([_column_codes(column, rounded=rounded) for column in columns], axis=1)
    return hash_pieces(codes.tobytes(), size=codes.itemsize * codes.shape[1])


def _column_codes(column: pd.Series, *, rounded: bool) -> Hashes:
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan) + 0.0  # -0.0 becomes 0.0
        if rounded:
            numbers = _round_fractions(numbers)
        return np.where(np.isnan(numbers), _hash_code(MISSING), numbers.view(np.uint64))
    if not pd.api.types.is_object_dtype(column):  # equal cells are one text, too
        number, different = pd.factorize(column)
        known = [_hash_code(f"={value}".encode()) for value in different]
        return np.array([*known, _hash_code(MISSING)], dtype=np.uint64)[number]  # -1 is missing
    texts = [MISSING if pd.isna(value) else f"={value}".encode() for value in column]
    codes = {text: _hash_code(text) for text in set(texts)}
    return np.array([codes[text] for text in texts], dtype=np.uint64)


def _round_fractions(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        single = numbers.astype(np.float32).astype(np.float64)
    return np.where(numbers == np.floor(numbers), numbers, single) + 0.0


def _hash_code(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), sys.byteorder))
