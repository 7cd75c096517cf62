"""What each rival does around its fit: read, predict, time one row. Needs pandas alone.

RIVAL.py TRAINING.csv FRESH.csv TARGET TASK SECONDS FOLDER
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pandas as pd

ONE_ROW_CALLS = 20


@dataclass(frozen=True)
class Job:
    """What is to be learned, and where the model goes."""

    training: str
    fresh: str
    target: str
    task: str
    seconds: float
    folder: str


class Fitted(Protocol):
    """A model as scikit-learn has them; AutoGluon's and FLAML's are the same."""

    def predict(self, frame: pd.DataFrame) -> object:
        """Return a prediction a row."""

    def predict_proba(self, frame: pd.DataFrame) -> object:
        """Return a probability a class and row."""


def main(fit: Callable[[Job, pd.DataFrame], Fitted]) -> None:
    """Fit, write predictions for the fresh rows, print the times as JSON."""
    words = sys.argv[1:]
    job = Job(*words[:4], float(words[4]), words[5])
    began = time.monotonic()
    model = fit(job, pd.read_csv(job.training))
    fresh = pd.read_csv(job.fresh).drop(columns=job.target)
    predict = model.predict if job.task == "regression" else model.predict_proba
    predict(fresh.head(1))
    first = time.monotonic() - began
    predicted = pd.DataFrame(predict(fresh))
    if job.task == "classification":
        classes = getattr(model, "classes_", predicted.columns)
        predicted.columns = [str(label) for label in classes]
    predicted.to_csv(Path(job.folder, "predicted.csv"), index=False)
    print(json.dumps({"first": first, "one_row": time_one_row(predict, fresh)}))


def time_one_row(predict: Callable[[pd.DataFrame], object], fresh: pd.DataFrame) -> float:
    """Return the median seconds of a prediction for one row, in process."""
    times = []
    for position in range(ONE_ROW_CALLS):
        row = fresh.iloc[[position]]
        began = time.perf_counter()
        predict(row)
        times.append(time.perf_counter() - began)
    return statistics.median(times)
