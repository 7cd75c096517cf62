"""What becomes of a search's best at the gate, where scikit-learn's default is in production.

Of the finalists the one with the least loss on folds of their own is the candidate
(`promote.finalists`). The gate's deciding key is asked as `promote` asks it: out-of-fold losses of
three times five folds that no search has seen, a paired bootstrap of the rows, and P(better) of at
least 0.9. All these folds are others than those of `fresh`, which say what the model that stays in
production is worth.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.search.fresh import fresh_loss
from benchmarks.search.grid import DEPTH, SPLIT
from benchmarks.search.tables import Table, split_folds
from promote.evidence import compare_losses
from promote.policy import GatePolicy
from registry.package import row_losses
from trainer.recipe import Recipe

SEEDS = (7001, 7002, 7003)  # of the folds and of the models
FINALIST_SEEDS = (8001, 8002, 8003)  # likewise, of those
METRIC = {"regression": "mse", "classification": "log_loss"}


def choose_candidate(
    table: Table, ranked: Sequence[Sequence[int]], finalists: int
) -> Sequence[int]:
    """Return the cell that is judged: one of the best; the default is in production already."""
    others = [cell for cell in ranked if cell != table.default_cell][:finalists]
    return min(
        others or [table.default_cell], key=lambda cell: fresh_loss(table, cell, FINALIST_SEEDS)
    )


def in_production(table: Table, cell: Sequence[int]) -> Sequence[int]:
    """Return the cell that is in production when the gate has judged a winner."""
    default = table.default_cell
    policy = GatePolicy()
    found = compare_losses(
        gate_losses(table, default),
        gate_losses(table, tuple(cell)),
        resamples=policy.resamples,
        seed=policy.seed,
    )
    if found.p_better >= policy.p_recipe:
        return cell
    return default


@cache
def gate_losses(table: Table, cell: tuple[int, ...]) -> NDArray[np.float64]:
    """Return each row's loss when left out, mean over the repetitions: float64 (n,)."""
    data = table.data
    total = np.zeros(len(table.data.y))
    criterion, features, leaf, sampling, depth, split = cell
    point = {
        **table.grid.settings((criterion, features, leaf, sampling)),
        "max_depth": DEPTH[depth],
        "min_samples_split": SPLIT[split],
        "n_estimators": data.trees,
    }
    for seed in SEEDS:
        recipe = Recipe.make("random_forest", data.task, point, seed)
        for fold in split_folds(data, seed=seed):
            said = recipe.fold_predictions(data.x, data.y, fold)
            y = data.y[fold[1]]
            total[fold[1]] += row_losses(data.task, METRIC[data.task], y, said)
    return total / len(SEEDS)
