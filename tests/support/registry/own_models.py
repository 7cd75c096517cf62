"""A table with numbers, gaps and categories, for fitted models of one's own."""

from pathlib import Path

import numpy as np
import pandas as pd

from trainer.dataset import Dataset


def write_houses(folder: Path, *, missing_zones: bool = False, more_zones: bool = False) -> str:
    """Write 300 houses and their spec; return its path.

    Args:
        folder: where to.
        missing_zones: whether some zones are missing.
        more_zones: whether there is a second column of categories, `ward`.
    """
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "area": rng.normal(100, 20, 300).astype(np.float32).astype(float),
            "age": np.where(rng.random(300) < 0.1, np.nan, rng.integers(0, 90, 300)),
            "zone": rng.choice(["a", "b", "c"], 300),
        }
    )
    price = frame["area"] * 3 - frame["age"].fillna(40) + (frame["zone"] == "b") * 50
    if missing_zones:
        frame.loc[rng.random(300) < 0.2, "zone"] = None
    if more_zones:
        frame["ward"] = rng.choice(["north", "south", "east", "west"], 300)
    frame.assign(price=price + rng.normal(size=300)).to_csv(folder / "h.csv", index=False)
    spec = folder / "h.toml"
    spec.write_text(
        'name = "houses"\nsource = "h.csv"\ntarget = "price"\ntask = "regression"\n'
        'prediction = "price_predicted"\n'
    )
    return str(spec)


def raw_table(data: Dataset, names: list[str] | None = None) -> pd.DataFrame:
    """Return the training part's columns as they were read, in the data set's order."""
    own = [column.name for column in data.columns]
    return pd.DataFrame({name: data.training.table[name] for name in own})[names or own]


def write_flowers(folder: Path, table: pd.DataFrame) -> str:
    """Write flowers of some kinds and their spec; return its path."""
    table.to_csv(folder / "f.csv", index=False)
    spec = folder / "f.toml"
    spec.write_text(
        'name = "flowers"\nsource = "f.csv"\ntarget = "kind"\ntask = "classification"\n'
        'prediction = "kind_predicted"\n'
    )
    return str(spec)
