"""Permutation importances: how much worse the metric gets when one column's values are shuffled.

They are measured on rows that the model has not seen (Breiman 2001, "Random forests", section 10,
with folds in place of out-of-bag rows). Of two columns that say the same, each may look
unimportant: the other one stands in for it.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from registry.package import METRICS, Column, Importance
from registry.package.losses import Floats
from trainer.dataset import Dataset
from trainer.folds import Fold
from trainer.learners import Estimator
from trainer.recipe import Recipe
from trainer.scoring.metrics import metric_value

MAX_ROWS = 2000  # of a fold
MIN_ROWS = 100  # of a fold, if it has as many
MAX_PREDICTIONS = 100_000  # for a fold; many columns get fewer rows
SHUFFLES = 3
FEW_COLUMNS = 100  # more of them are shuffled once a fold
BATCH_CELLS = 8_000_000  # 32 MB of float32 at once


class ImportanceMeter:
    """Measures the importances of a data set's columns, one fold's model after the other."""

    def __init__(self, dataset: Dataset, recipe: Recipe) -> None:
        self.dataset = dataset
        self.recipe = recipe
        self._losses: list[Floats] = []

    def measure_fold(
        self, estimator: Estimator, fold: Fold, x: NDArray[np.float32], predicted: Floats
    ) -> None:
        """Shuffle each column among a fold's test rows, or a sample of them.

        Args:
            estimator: fitted on the fold's training rows.
            fold: its rows.
            x: float32 (n_training_part, n_features), the whole encoded training part.
            predicted: the estimator's predictions for the fold's test rows.
        """
        columns = self.dataset.columns
        shuffles = SHUFFLES if len(columns) <= FEW_COLUMNS else 1
        rng = np.random.default_rng([self.recipe.seed, len(self._losses)])
        chosen = self._sample(fold, shuffles)
        rows = fold.test[chosen]
        before = self._metric(rows, predicted[chosen])
        after = [
            self._metric(rows, each)
            for each in self._shuffled_predictions(estimator, x[rows], shuffles, rng)
        ]
        worse = np.array(after).reshape(len(columns), shuffles) - before
        sign = -1.0 if METRICS[self.recipe.task][self.dataset.spec.metric].higher_is_better else 1.0
        self._losses.append(sign * worse)

    def importances(self) -> tuple[Importance, ...]:
        """Return the columns' importances, the most important first.

        Folds whose metric is undefined do not count; without any other there are no importances.
        """
        if not self._losses:
            return ()
        values = np.hstack(self._losses)  # (n_columns, n_folds * shuffles)
        values = values[:, np.isfinite(values).all(axis=0)]
        if not values.size:
            return ()
        low, high = np.quantile(values, [0.05, 0.95], axis=1)
        found = [
            Importance(column=column.name, mean=float(mean), low=float(least), high=float(most))
            for column, mean, least, most in zip(
                self.dataset.columns, values.mean(axis=1), low, high, strict=True
            )
        ]
        return tuple(sorted(found, key=lambda each: -each.mean))

    def _sample(self, fold: Fold, shuffles: int) -> NDArray[np.int64]:
        """Return which of the test rows to use: those with the smallest hashes, in file's order.

        Hashes are as good as random, and do not depend on the order of the file.
        """
        most = max(MIN_ROWS, MAX_PREDICTIONS // (len(self.dataset.columns) * shuffles))
        hashes = self.dataset.training.rows[fold.test]
        return np.sort(np.argsort(hashes, kind="stable")[: min(MAX_ROWS, most)])

    def _metric(self, rows: NDArray[np.int64], predicted: Floats) -> float:
        part = self.dataset.training
        weight = None if part.weight is None else part.weight[rows]
        spec = self.dataset.spec
        return metric_value(spec.task, spec.metric, part.y[rows], predicted, weight)

    def _shuffled_predictions(
        self,
        estimator: Estimator,
        x: NDArray[np.float32],
        shuffles: int,
        rng: np.random.Generator,
    ) -> Iterator[Floats]:
        """Yield the predictions for each column's shuffles, column by column, in batches."""
        orders = [rng.permutation(len(x)) for _ in range(shuffles)]
        blocks = [block for block in _feature_blocks(self.dataset.columns) for _ in orders]
        copies = max(1, BATCH_CELLS // x.size)
        for start in range(0, len(blocks), copies):
            batch = np.repeat(x[None], len(blocks[start : start + copies]), axis=0)
            for copy, block in enumerate(blocks[start : start + copies]):
                batch[copy][:, block] = x[orders[(start + copy) % shuffles]][:, block]
            predicted = self.recipe.predict(
                estimator,
                batch.reshape(-1, x.shape[1]),
                n_classes=len(self.dataset.classes),
            )
            yield from np.split(predicted, len(batch))


def _feature_blocks(columns: Sequence[Column]) -> list[slice]:
    """Return where each column's encoded features are."""
    ends = np.cumsum([column.width for column in columns]).tolist()
    return [slice(end - column.width, end) for column, end in zip(columns, ends, strict=True)]
