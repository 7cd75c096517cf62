"""Reads the tables that scikit-learn ships."""

import inspect

import pandas as pd

from trainer.errors import DataError
from trainer.tables.parsed import Parsed
from trainer.tables.result import NumberedRows


def read_shipped(name: str, target: str) -> Parsed:
    """Read one of scikit-learn's tables; its target gets the spec's name.

    Raises:
        DataError: when there is none of this name.
    """
    from sklearn import datasets  # noqa: PLC0415 - 0.3 s that a CSV does not need

    loader = getattr(datasets, f"load_{name}", None)
    if loader is None or "as_frame" not in inspect.signature(loader).parameters:
        raise DataError(
            f"sklearn:{name}: scikit-learn ships no such table", hint="try diabetes, iris, wine"
        )
    frame: pd.DataFrame = loader(as_frame=True).frame
    if target not in frame:
        frame = frame.rename(columns={"target": target})
    return Parsed(frame, NumberedRows())
