"""Small data sets with a known truth, and packages of real forests fitted on them."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from registry.package import ModelPackage, load_package
from trainer.dataset import Dataset, load_dataset
from trainer.recipe import Recipe
from trainer.trial import cross_validate, write_trial

REGIONS = ("east", "north", "south")
PRICES = {"east": 0.0, "north": 4.0, "south": 9.0}
GOOD: dict[str, Any] = {"n_estimators": 12, "min_samples_leaf": 2}
POOR: dict[str, Any] = {"n_estimators": 12, "min_samples_leaf": 40}
CAREFUL: dict[str, Any] = {
    "n_estimators": 25,
    "min_samples_leaf": 10,
}  # for `flowers`, whose kinds overlap
COARSE: dict[str, Any] = {"n_estimators": 25, "min_samples_leaf": 45}


def homes(rows: int = 240, *, seed: int = 0, noise: float = 1.0) -> pd.DataFrame:
    """Make a table of homes: the price depends on size, age, region and garden, and on chance."""
    rng = np.random.default_rng(seed)
    size = rng.uniform(20, 200, rows).round(2)
    age = rng.uniform(0, 90, rows).round(1)
    region = rng.choice(REGIONS, rows)
    garden = rng.random(rows) < 0.5
    price = 0.1 * size - 0.05 * age + 2 * garden + np.array([PRICES[name] for name in region])
    frame = pd.DataFrame(
        {"size": size, "age": age, "region": region, "garden": garden, "note": np.arange(rows)}
    )
    frame.loc[rng.random(rows) < 0.1, "age"] = np.nan
    return frame.assign(price=(price + rng.normal(0, noise, rows)).round(3))


def flowers(rows: int = 240, *, seed: int = 0, noise: float = 0.9) -> pd.DataFrame:
    """Make a table of three kinds of flowers that overlap a little."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, rows)
    width = (kind + rng.normal(0, noise, rows)).round(3)
    length = (2 * (kind == 1) + rng.normal(0, noise, rows)).round(3)
    return pd.DataFrame({"width": width, "length": length, "kind": np.array(["a", "b", "c"])[kind]})


def dataset(
    folder: Path,
    frame: pd.DataFrame,
    *,
    name: str = "homes",
    metric: str = "",
    drop: tuple[str, ...] = ("note",),
    split: str = "",
) -> Dataset:
    """Write the table and its spec to `folder` and load it; `split` is TOML."""
    target, task = ("price", "regression") if "price" in frame else ("kind", "classification")
    fields = {"name": name, "source": "table.csv", "target": target, "task": task}
    fields |= {"metric": metric} if metric else {}
    lines = [f'{key} = "{value}"' for key, value in fields.items()]
    lines += [f"drop = {[each for each in drop if each in frame]}", "[split]", split]
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_csv(folder / "table.csv", index=False)
    (folder / "spec.toml").write_text("\n".join(lines))
    return load_dataset(str(folder / "spec.toml"))


def package(
    data: Dataset,
    target: Path,
    parameters: dict[str, Any],
    *,
    seed: int = 0,
    y: NDArray[np.float64] | None = None,
) -> ModelPackage:
    """Fit a forest, to `y` if given, and write its package to `target`, named as the trial."""
    taught = data if y is None else replace(data, training=replace(data.training, y=y))
    recipe = Recipe.make("random_forest", data.spec.task, parameters, seed)
    score = cross_validate(recipe, taught, folds=2, seed=0)[0]
    with patch.dict(os.environ, {"KATIB_TRIAL_NAME": target.name}):
        write_trial(target, recipe, taught, score, fold_seed=0)
    return load_package(target)
