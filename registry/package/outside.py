"""The evidence of a model that is served elsewhere: predictions, in a package without a model.

Such a package has a file `evidence.json` and, in the model's place, one leaf that nobody asks. Its
format is 3, which releases before 0.3 refuse, so that none of them serves that leaf.
"""

from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from registry.errors import PackageError
from registry.record import Count, Positive, Record

RowHash = Annotated[int, Meta(ge=0)]
Numbers = tuple[float, ...]
TOLERANCE = 1e-6  # of the sum of class shares
EVIDENCE_FORMAT = 3


class OutsideEvidence(Record, frozen=True, kw_only=True):
    """Predictions of a model that only its own program can run.

    Attributes:
        version: which model it is, as its program names it: an image's digest, a commit.
        served_at: where it answers, for people; may be empty.
        n_folds: folds of each repetition.
        seeds: of the repetitions' folds.
        rows: hashes of the training part's rows.
        out_of_fold: for each repetition, for each of `rows`, the prediction by a model that has not
            seen it: one number, or the classes' shares; None where the folds test it never.
        holdout_rows: hashes of the holdout's rows.
        holdout: the final model's prediction for each of them.
    """

    version: str
    served_at: str = ""
    n_folds: Positive
    seeds: tuple[Count, ...]
    rows: tuple[RowHash, ...]
    out_of_fold: tuple[tuple[Numbers | None, ...], ...]
    holdout_rows: tuple[RowHash, ...]
    holdout: tuple[Numbers, ...]

    def check(self, n_outputs: int, *, shares: bool) -> None:
        """Check shapes and numbers.

        Args:
            n_outputs: numbers of a prediction.
            shares: whether they are class shares.

        Raises:
            PackageError: naming what is wrong.
        """
        lengths = {len(self.rows), *(len(each) for each in self.out_of_fold)}
        same = len(lengths) == 1 and len(self.out_of_fold) == len(self.seeds)
        if not same or len(self.holdout) != len(self.holdout_rows):
            raise PackageError("evidence: rows and predictions are not of the same number")
        if not (self.seeds and self.rows and self.holdout):
            raise PackageError("evidence: a part has no rows")
        predicted = [
            each for repetition in self.out_of_fold for each in repetition if each is not None
        ]
        for numbers in (*predicted, *self.holdout):
            if len(numbers) != n_outputs:
                raise PackageError(
                    f"evidence: a prediction of {len(numbers)} numbers, {n_outputs} are needed"
                )
            if shares and (min(numbers) < 0 or abs(sum(numbers) - 1) > TOLERANCE):
                raise PackageError(f"evidence: class shares {list(numbers)} do not add up to 1")

    def covers(self, seeds: list[int], folds: int) -> bool:
        """Whether it has predictions for these repetitions of a cross-validation."""
        return folds == self.n_folds and set(seeds) <= set(self.seeds)

    def predict_holdout(self, rows: NDArray[np.uint64]) -> NDArray[np.float64]:
        """Return float64 (n, n_outputs) for holdout rows, given by their hashes, uint64 (n,).

        Raises:
            ValueError: when there is no prediction for a row.
        """
        return _looked_up(rows, self.holdout_rows, np.array(self.holdout, dtype=np.float64))

    def predict_left_out(self, seed: int, rows: NDArray[np.uint64]) -> NDArray[np.float64]:
        """Return float64 (n, n_outputs) of one repetition, nan where the folds test a row never.

        Raises:
            ValueError: when there is no prediction for a row.
        """
        empty = (float("nan"),) * len(self.holdout[0])
        left_out = self.out_of_fold[self.seeds.index(seed)]
        found = [empty if each is None else each for each in left_out]
        return _looked_up(rows, self.rows, np.array(found, dtype=np.float64))


def _looked_up(
    rows: NDArray[np.uint64], known: tuple[int, ...], predicted: NDArray[np.float64]
) -> NDArray[np.float64]:
    place = {row: number for number, row in reversed(list(enumerate(known)))}
    missing = [row for row in rows.tolist() if row not in place]
    if missing:
        raise ValueError(f"its evidence has no prediction for {len(missing)} of the rows")
    return predicted[[place[row] for row in rows.tolist()]]
