"""The weights of rows, in fits and in scores."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainer.cells import BadCellError, read_numbers
from trainer.errors import DataError
from trainer.findings import refuse_findings

Floats = NDArray[np.float64]
PlaceOf = Callable[[int], str]  # tells where a row is, by its position
HINT = "a weight is a number of at least 0; fix the table, or leave out the row or `weight`"


def read_weights(frame: pd.DataFrame, name: str, place_of: PlaceOf) -> Floats:
    """Return the column of weights: float64 (n_rows,), none negative, not all zero.

    Raises:
        DataError: naming the place of a weight that cannot be one.
    """
    if name not in frame.columns:
        names = ", ".join(map(str, frame.columns))
        raise DataError(f"weight: no column {name}", hint=f"columns: {names}")
    try:
        weights = read_numbers(frame[name], fix=HINT)
    except BadCellError as error:
        refuse_findings("weight", [error.finding(place_of)])
        raise
    _refuse_weights(name, np.isnan(weights), "missing", place_of)
    _refuse_weights(name, weights < 0, "negative", place_of)
    if not weights.any():
        raise DataError(f"weight {name}: every row weighs 0", hint="leave out `weight`")
    return weights


def balanced_weights(y: Floats, weight: Floats | None = None) -> Floats:
    """Return float64 (n,): the rows' weights, scaled so that each class weighs the same in total.

    Args:
        y: float64 (n,), the class index.
        weight: float64 (n,), to begin with; None for equal ones.
    """
    classes = y.astype(np.int64)
    start = np.ones(len(y)) if weight is None else weight
    totals = np.bincount(classes, weights=start)
    present = totals > 0
    factors = np.zeros(len(totals))
    factors[present] = totals.sum() / (present.sum() * totals[present])
    return start * factors[classes]


def _refuse_weights(name: str, wrong: NDArray[np.bool_], what: str, place_of: PlaceOf) -> None:
    rows = np.flatnonzero(wrong)
    if rows.size:
        place = place_of(int(rows[0]))
        raise DataError(f"weight {name}, {place}: {what} ({rows.size} in all)", hint=HINT)
