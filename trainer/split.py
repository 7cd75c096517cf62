"""Divides rows into training part and holdout, and identifies rows and data sets by hashes.

A row's hash depends on its content alone, so a row that was trained on last month is recognised
this month, wherever it is in the file.
"""

import hashlib
import json
import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainer.errors import DataError
from trainer.spec import DataSetSpec, SplitSpec

Hashes = NDArray[np.uint64]
Positions = NDArray[np.int64]
# Hashed for a missing value, whatever the column's type: an empty column may get texts later.
MISSING = b""


def row_hashes(frame: pd.DataFrame, by: Sequence[str] = ()) -> Hashes:
    """Hash each row's content.

    Args:
        frame: the table.
        by: columns to hash; all where empty. Their order does not count.

    Returns:
        uint64 (n_rows,), the first 8 bytes of BLAKE2b over the row's values.
    """
    names = sorted(by or map(str, frame.columns))
    codes = np.stack([_column_codes(frame[name]) for name in names], axis=1)
    digests = b"".join(hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in codes)
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64)


def split_rows(frame: pd.DataFrame, rows: Hashes, spec: SplitSpec) -> tuple[Positions, Positions]:
    """Return the positions of the training part and of the holdout, in the order to learn from.

    Args:
        frame: the table.
        rows: the hash of each of its rows.
        spec: how to split.

    Raises:
        DataError: when the rows are too few to split.
    """
    if spec.method == "seeded":
        return _seeded_split(len(frame), spec)
    # In the order of the hashes: equal content gives equal models, whatever the file's order.
    order = np.argsort(rows, kind="stable")
    held = _holdout_mask(frame, spec)[order]
    return order[~held], order[held]


def fingerprint(spec: DataSetSpec, columns: Sequence[str], rows: Hashes) -> str:
    """Return the sha256 of what was learned from: rows, columns, target, metric and split."""
    document = {
        "target": spec.target,
        "task": spec.task,
        "metric": spec.metric,
        "columns": list(columns),
        "types": {name: column.type for name, column in sorted(spec.columns.items())},
        "split": spec.split.model_dump(),
        "rows": rows_digest(rows),
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


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


def _holdout_mask(frame: pd.DataFrame, spec: SplitSpec) -> NDArray[np.bool_]:
    key = spec.seed.to_bytes(8, "big")
    hashes = row_hashes(frame, spec.by)
    sides = [
        hashlib.blake2b(int(h).to_bytes(8, "big"), digest_size=8, key=key).digest() for h in hashes
    ]
    share = np.frombuffer(b"".join(sides), dtype=">u8").astype(np.float64) / 2**64
    return share < spec.holdout


def _column_codes(column: pd.Series) -> Hashes:
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan) + 0.0  # -0.0 becomes 0.0
        return np.where(np.isnan(numbers), _hash_code(MISSING), numbers.view(np.uint64))
    texts = [MISSING if pd.isna(value) else f"={value}".encode() for value in column]
    codes = {text: _hash_code(text) for text in set(texts)}
    return np.array([codes[text] for text in texts], dtype=np.uint64)


def _hash_code(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), sys.byteorder))
