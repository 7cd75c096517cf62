"""Score cells again on folds and model seeds that no search has used, three times five folds.

Forests are fitted anew for a place of the grid; the truncations of these are as good as direct fits
(see `truncation`) and serve all winners that differ only in depth and split size. Kept below
`.cache/search/fresh`.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.search.tables import CACHE, Table, fitted_losses, split_folds

SEEDS = (9001, 9002, 9003)  # of the folds and of the models


def fresh_loss(table: Table, cell: Sequence[int], seeds: Sequence[int] = SEEDS) -> float:
    """Return the mean loss of a cell on the folds of these seeds."""
    found = _fresh_scores(table, cell, seeds)[cell[4], cell[5]]
    return float(found.astype(np.float64).mean())


def _fresh_scores(table: Table, cell: Sequence[int], seeds: Sequence[int]) -> NDArray[np.float32]:
    """All truncations of a place: float32 (depths, splits, 15)."""
    fit = (cell[0], cell[1], cell[2], cell[3])
    path = (
        CACHE
        / "fresh"
        / f"{table.name}-{table.key}"
        / f"{'-'.join(map(str, fit))}@{'-'.join(map(str, seeds))}.npy"
    )
    if not path.exists():
        scores = [
            fitted_losses(table.data, fit, split_folds(table.data, seed=seed), seed=seed)
            for seed in seeds
        ]
        _save_scores(path, np.concatenate(scores, axis=-1))
    found: NDArray[np.float32] = np.load(path)
    return found


def _save_scores(path: Path, scores: NDArray[np.float32]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npy")
    np.save(part, scores)
    part.replace(path)
