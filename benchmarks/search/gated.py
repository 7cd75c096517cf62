"""What becomes of winners at the gate, where scikit-learn's default is in production.

The gate's deciding key (`promote`): out-of-fold losses of three times five folds that no search has seen, a paired
bootstrap of the rows, and P(better) of at least 0.9. These folds are not those of `fresh`, which say what the model
that stays in production is worth.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from benchmarks.search.grid import DEPTH, SPLIT, Cell
from benchmarks.search.tables import Table, divide
from promote.evidence import compare
from promote.policy import GatePolicy
from registry.package.losses import row_losses

SEEDS = (7001, 7002, 7003)  # of the folds and of the models
METRIC = {"regression": "mse", "classification": "log_loss"}


def in_production(table: Table, cell: Sequence[int]) -> Cell:
    """Return the cell that is in production when the gate has judged a winner."""
    winner, default, policy = _cell(cell), table.default_cell, GatePolicy()
    found = compare(losses(table, default), losses(table, winner), resamples=policy.resamples, seed=policy.seed)
    return winner if found.p_better >= policy.p_recipe else default


@cache
def losses(table: Table, cell: Cell) -> NDArray[np.float64]:
    """Return each row's loss when left out, mean over the repetitions: float64 (n,)."""
    data, regression = table.data, table.data.task == "regression"
    depth, split = DEPTH[cell[4]], SPLIT[cell[5]]
    settings = {**table.grid.settings((cell[0], cell[1], cell[2], cell[3])), "n_estimators": data.trees}
    total = np.zeros(len(data.y))
    for seed in SEEDS:
        for training, test in divide(data, seed=seed):
            kind = RandomForestRegressor if regression else RandomForestClassifier
            forest = kind(**settings, max_depth=depth, min_samples_split=split, random_state=seed)
            y = data.y if regression else data.y.astype(int)
            forest.fit(data.x[training], y[training])
            said = forest.predict(data.x[test])[:, None] if regression else forest.predict_proba(data.x[test])
            total[test] += row_losses(data.task, METRIC[data.task], data.y[test], said)
    return total / len(SEEDS)


def _cell(places: Sequence[int]) -> Cell:
    a, b, c, d, e, f = places
    return a, b, c, d, e, f
