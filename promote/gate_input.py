"""The gate's input: candidate, champion, and the data set they are compared on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promote.evidence import Floats
from promote.verdict import Finalist
from registry.errors import PackageError
from registry.package import Manifest, ModelPackage
from registry.package.columns import CellArray
from registry.shadow import ShadowEvidence


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The data that the gate judges on, and a way to try a recipe on the training part.

    Attributes:
        fingerprint: of the data set as it is now.
        holdout_digest: sha256 of the holdout's row hashes.
        table: the holdout's raw columns.
        y: float64 (n,), its target or class index.
        rows: uint64 (n,), its row hashes.
        trivial: float64 (1, n_outputs), what a model without inputs would predict: the training
            mean, or the classes' shares.
        out_of_fold: (manifest, seeds, folds) -> float64 (n_training,), each training row's loss
            when left out, mean over one cross-validation for each seed.
        default_recipe: a manifest's stand-in with the library's default parameters, for a first
            model.
    """

    fingerprint: str
    holdout_digest: str
    table: Mapping[str, CellArray]
    y: Floats
    rows: NDArray[np.uint64]
    trivial: Floats
    out_of_fold: Callable[[Manifest, list[int], int], Floats]
    default_recipe: Callable[[Manifest], Manifest]


@dataclass(frozen=True, slots=True)
class GateInput:
    """What the gate judges; an error in a model's place means that its package is damaged.

    Attributes:
        candidate: the model to judge.
        champion: the model in production; None if there is none.
        data: the data set they are compared on.
        shadow: what a server has seen of the two on real requests, if one was asked.
        finalists: among which the candidate was chosen; empty if it was named.
    """

    candidate: ModelPackage | PackageError
    champion: ModelPackage | PackageError | None
    data: Evaluation
    shadow: ShadowEvidence | None = None
    finalists: tuple[Finalist, ...] = ()
