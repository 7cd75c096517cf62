"""Score a search's best trials once more, before one of them becomes the candidate.

The best of many noisy scores promises more than it keeps (Cawley and Talbot 2010, JMLR 11, on
overfitting in model selection), so the second or the fifth is often the better recipe. All are
fitted on the same folds, which neither the search nor the gate uses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from promote.gate_input import Evaluation
from promote.policy import GatePolicy
from promote.verdict import Finalist
from registry.package import Manifest, ModelPackage

FINALIST_SEEDS = 1 << 31  # trials draw their folds from seeds below 1000, the gate up to here


@dataclass(frozen=True, slots=True)
class Contender:
    """A verified package without its forest, because all contenders' forests would fill memory."""

    path: Path
    digest: str
    manifest: Manifest

    @classmethod
    def of(cls, package: ModelPackage) -> Self:
        """Keep where a package is, and which it is."""
        return cls(package.path, package.digest, package.manifest)


def score_finalists(
    contenders: Sequence[Contender], data: Evaluation, policy: GatePolicy
) -> tuple[Finalist, ...]:
    """Cross-validate each recipe as the gate does: `policy.repeats` x `policy.folds` fits each.

    Args:
        contenders: in the search's order, best first.
        data: as the gate will read them.
        policy: says how many folds, how often, and from which seed.
    """
    return tuple(_score_finalist(each, data, policy) for each in contenders)


def _score_finalist(contender: Contender, data: Evaluation, policy: GatePolicy) -> Finalist:
    manifest = contender.manifest
    losses = data.out_of_fold(manifest, policy.seeds(FINALIST_SEEDS), policy.folds)
    tested = ~np.isnan(losses)
    weight = data.training.weight
    return Finalist(
        trial=manifest.provenance.trial,
        sha256=contender.digest,
        search_score=manifest.cross_validation.score,
        loss=float(np.average(losses[tested], weights=None if weight is None else weight[tested])),
    )
