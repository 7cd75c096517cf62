"""Random ordinary tables: no rule may drop a column of them, or accuse it."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.profile import profile_table

NAMES = (
    *("size", "age", "paid", "valid", "grid", "width", "monkey", "node", "kind", "price_code"),
    *("Fluid", "Hybrid", "indexed", "number_of_rooms", "no_of_doors", "unit", "guide", "rapid"),
)
KINDS = ("normal", "rounded", "skewed", "count", "large", "category", "many", "flag", "rare", "day")
SHAPES = st.lists(st.sampled_from(KINDS), min_size=1, max_size=12)
GAPS = st.sampled_from([0.0, 0.0, 0.1, 0.6])


def ordinary_column(kind: str, rows: int, rng: np.random.Generator) -> pd.Series:
    """Return a column that describes the rows; its values are drawn by chance."""
    first = pd.Timestamp("1990-01-01") + pd.Timedelta(days=int(rng.integers(10_000)))
    days = pd.date_range(first, periods=rows)
    makers = {
        "normal": lambda: rng.normal(size=rows),
        "rounded": lambda: rng.normal(50, 20, rows).round(1),
        "skewed": lambda: rng.lognormal(3, 1.5, rows),
        "count": lambda: rng.poisson(4, rows),
        "large": lambda: rng.integers(0, 10**9, rows),
        "category": lambda: rng.choice(list("abcd"), rows),
        "many": lambda: rng.choice([f"town {i}" for i in range(30)], rows),
        "flag": lambda: rng.random(rows) < 0.5,
        "rare": lambda: rng.random(rows) < 0.05,
        "day": lambda: days.strftime("%Y-%m-%d"),
    }
    return pd.Series(makers[kind]())


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    rows=st.integers(60, 2000),
    kinds=SHAPES,
    share=GAPS,
    classes=st.sampled_from([0, 0, 2, 3]),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_column_of_an_ordinary_table_is_dropped_or_reported(
    rows: int, kinds: list[str], share: float, classes: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    names = rng.permutation(NAMES)[: len(kinds)]
    columns = {
        name: ordinary_column(kind, rows, rng).where(rng.random(rows) >= share)
        for name, kind in zip(names, kinds, strict=True)
    }
    frame = pd.DataFrame({"x": rng.normal(size=rows), **columns})
    score = frame["x"] + rng.normal(0, 0.5, rows)
    if classes:
        frame["target"] = pd.qcut(score, classes, labels=list("uvw")[:classes]).astype(str)
    else:
        frame["target"] = score
    found = profile_table(frame, target="target")
    constant = {name for name in columns if frame[name].nunique() < 2 and share == 0}
    assert {column.name for column in found.dropped} <= constant
    assert not [column.name for column in found.kept if column.reason]
