"""Which rows are training, which are holdout, and how rows and data sets are recognised again.

A row's hash depends on its content alone, so a row that was trained on last month is known this month, wherever it
stands in the file.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainer.errors import DataError
from trainer.spec import DataSetSpec, Split

Hashes = NDArray[np.uint64]


def row_hashes(frame: pd.DataFrame, by: Sequence[str] = ()) -> Hashes:
    """Hash each row's content.

    Args:
        frame: the table.
        by: columns to hash; all where empty. Their order does not count.

    Returns:
        uint64 (n_rows,), the first 8 bytes of BLAKE2b over the row's values.
    """
    names = sorted(by or map(str, frame.columns))
    lanes = np.stack([_lane(frame[name]) for name in names], axis=1)
    digests = b"".join(hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in lanes)
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64)


def holdout_mask(frame: pd.DataFrame, spec: Split) -> NDArray[np.bool_]:
    """Return bool (n_rows,), True where the row belongs to the holdout."""
    if spec.method == "seeded":
        return _seeded_mask(len(frame), spec)
    key = spec.seed.to_bytes(8, "big")
    hashes = row_hashes(frame, spec.by)
    sides = [hashlib.blake2b(int(h).to_bytes(8, "big"), digest_size=8, key=key).digest() for h in hashes]
    share = np.frombuffer(b"".join(sides), dtype=">u8").astype(np.float64) / 2**64
    return share < spec.holdout


def fingerprint(spec: DataSetSpec, columns: Sequence[str], rows: Hashes) -> str:
    """Return the sha256 of what was learned from: rows, columns, target, metric and split."""
    document = {
        "target": spec.target,
        "task": spec.task,
        "metric": spec.metric,
        "columns": list(columns),
        "types": {name: column.type for name, column in sorted(spec.columns.items())},
        "split": spec.split.model_dump(),
        "rows": digest(rows),
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def digest(rows: Hashes) -> str:
    """Return the sha256 of row hashes in the order given."""
    return hashlib.sha256(rows.astype(">u8").tobytes()).hexdigest()


def refuse_twins(training: Hashes, holdout: Hashes) -> None:
    """Refuse a split that puts equal rows on both sides: the holdout would have been seen.

    Raises:
        DataError: naming how many.
    """
    if twins := len(np.intersect1d(training, holdout)):
        hint = 'remove the duplicates, or use method = "hash", which keeps equal rows together'
        raise DataError(f"{twins} row(s) stand in both the training part and the holdout", hint=hint)


def _seeded_mask(n: int, spec: Split) -> NDArray[np.bool_]:
    from sklearn.model_selection import train_test_split  # noqa: PLC0415 - the hash split does without scikit-learn

    mask = np.zeros(n, dtype=bool)
    _, held = train_test_split(np.arange(n), test_size=spec.holdout, random_state=spec.seed)
    mask[held] = True
    return mask


def _lane(column: "pd.Series[Any]") -> Hashes:
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan) + 0.0  # -0.0 becomes 0.0
        numbers[np.isnan(numbers)] = np.nan  # one bit pattern for all NaN
        return numbers.view(np.uint64)
    texts = ["" if pd.isna(value) else f"={value}" for value in column]
    codes = {text: hashlib.blake2b(text.encode(), digest_size=8).digest() for text in set(texts)}
    return np.frombuffer(b"".join(codes[text] for text in texts), dtype=np.uint64)
