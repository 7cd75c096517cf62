"""The gate's input: candidate, champion, and the data set they are compared on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from promote.evidence import Floats, Groups
from promote.verdict import Approval, ColumnDrift, Finalist
from registry.errors import PackageError
from registry.package import Manifest, ModelPackage
from registry.package.columns import CellArray
from registry.shadow import ShadowEvidence

Mask = NDArray[np.bool_]
Hashes = NDArray[np.uint64]


class RecipeTrial(Protocol):
    """Cross-validates a recipe on the training part."""

    def __call__(
        self, manifest: Manifest, seeds: list[int], folds: int, *, known: Mask | None = None
    ) -> Floats:
        """Return float64 (n,): each training row's loss when left out, mean over the seeds.

        It is nan where a row is never left out, as the earliest of a split by time are. Rows'
        weights count.

        Args:
            manifest: whose recipe.
            seeds: one cross-validation for each.
            folds: of each cross-validation.
            known: bool (n,), the rows that may be learned from; None for all. All are predicted.
        """


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """The training part, as far as the gate reads it itself.

    Attributes:
        table: raw columns.
        y: float64 (n,), the target or class index.
        rows: uint64 (n,), row hashes.
        rounded: uint64 (n,), those of the rows with fractions as float32 holds them.
        weight: float64 (n,), what the rows count; None where all count the same.
        group: uint64 (n,), equal where rows belong together; None without groups.
    """

    table: Mapping[str, CellArray]
    y: Floats
    rows: Hashes
    rounded: Hashes
    weight: Floats | None = None
    group: Groups | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The data that the gate judges on, and a way to try a recipe on the training part.

    Attributes:
        fingerprint: of the data set as it is now.
        holdout_digest: sha256 of the holdout's row hashes.
        table: the holdout's raw columns.
        y: float64 (n,), its target or class index.
        rows: uint64 (n,), its row hashes.
        rounded: uint64 (n,), those of the rows with fractions as float32 holds them.
        training: the training part.
        trivial: float64 (1, n_outputs), what a model without inputs would predict: the training
            mean, or the classes' shares.
        out_of_fold: cross-validates a recipe on the training part.
        default_recipe: a manifest's stand-in with the library's default parameters, for a first
            model.
        weight: float64 (n,), what the holdout's rows count; None where all count the same.
        group: uint64 (n,), equal where holdout rows belong together; None without groups.
    """

    fingerprint: str
    holdout_digest: str
    table: Mapping[str, CellArray]
    y: Floats
    rows: Hashes
    rounded: Hashes
    training: TrainingRows
    trivial: Floats
    out_of_fold: RecipeTrial
    default_recipe: Callable[[Manifest], Manifest]
    weight: Floats | None = None
    group: Groups | None = None


def holdout_predictions(package: ModelPackage, data: Evaluation) -> Floats:
    """Return float64 (n, n_outputs) for all holdout rows: by the model, or from its evidence.

    Raises:
        KeyError, ValueError, TypeError: when the package cannot read the data.
    """
    if package.outside:
        return package.outside.predict_holdout(data.rows)
    return package.predict(data.table)


@dataclass(frozen=True, slots=True)
class GateInput:
    """What the gate judges; an error in a model's place means that its package is damaged.

    Attributes:
        candidate: the model to judge.
        champion: the model in production; None if there is none.
        data: the data set they are compared on.
        shadow: what a server has seen of the two on real requests, if one was asked.
        finalists: among which the candidate was chosen; empty if it was named.
        drift: how far the columns have moved since the champion was trained.
        challenge: number of this challenge on these rows, from 1; 0 where nobody counts.
        approval: who consents to a promotion, and why, if somebody does.
    """

    candidate: ModelPackage | PackageError
    champion: ModelPackage | PackageError | None
    data: Evaluation
    shadow: ShadowEvidence | None = None
    finalists: tuple[Finalist, ...] = ()
    drift: tuple[ColumnDrift, ...] = ()
    challenge: int = 0
    approval: Approval | None = None
