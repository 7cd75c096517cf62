"""Key 1: the candidate's recipe against the champion's, on folds that no search has used.

Where the data have changed since the champion was trained, the question is what is gained by a
model of today's data. So in each fold the champion's recipe learns only from the rows that the
champion knows, the candidate's from all; both predict the same rows. Rows that are new to the
champion are also compared alone, and may turn the key alone: after a change the old rows mislead.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from promote.evidence import Floats, compare_losses, weigh_losses
from promote.gate_input import Evaluation, Mask
from promote.policy import GatePolicy
from promote.verdict import Comparison
from registry.package import Manifest, ModelPackage, row_losses

SEARCH_SEEDS = 1000  # trials draw their folds from seeds below this; the gate's own start here
MOST_ROWS = 0.9  # of the champion's: with fewer of them its recipe would not be what it was
MIN_NEW_ROWS = 20
STOP_FROM = 0.99  # P(better) after one repetition
STOP_BELOW = 0.5
STOP_DISTANCE = 0.4  # below the threshold, for those who have set a low one
Positions = NDArray[np.int64]
Stand = Literal["recipe", "known rows", "package"]


@dataclass(frozen=True, slots=True)
class RecipeEvidence:
    """What key 1 has found.

    Attributes:
        comparison: over all rows.
        new_rows: over the rows that are new to the champion alone; None where the data are the same
            or too few rows are new.
        repetitions: of the cross-validation that were made.
        stand: what stood for the champion: its recipe on all rows, its recipe on the rows that it
            knows, or its package as it is, on rows that are new to it.
        known: how many of the training rows the champion knows.
        rows: int64 (n,), the positions in the training part of the losses below.
        champion: float64 (n,), its losses, each times the row's weight where there are weights.
        candidate: float64 (n,), the candidate's, in the same way.
    """

    comparison: Comparison
    new_rows: Comparison | None
    repetitions: int
    stand: Stand
    known: int
    rows: Positions
    champion: Floats
    candidate: Floats


@dataclass(frozen=True, slots=True)
class _Opponent:
    losses: Callable[[Sequence[int]], Floats]
    stand: Stand = "recipe"
    known: Mask | None = None


def compare_with_champion(
    candidate: ModelPackage, champion: ModelPackage, data: Evaluation, policy: GatePolicy
) -> RecipeEvidence:
    """Compare with the champion; stop after one repetition where more would change nothing."""
    opponent = _opponent(champion, data, policy)
    seeds = policy.seeds(SEARCH_SEEDS)
    found = _compare(candidate, opponent, seeds[:1], data, policy)
    if _is_decided(found.comparison.p_better, policy):
        return found
    return _compare(candidate, opponent, seeds, data, policy)


def compare_with_recipe(
    candidate: ModelPackage, other: Manifest, data: Evaluation, policy: GatePolicy
) -> RecipeEvidence:
    """Compare two recipes on all rows and all repetitions."""
    opponent = _Opponent(lambda seeds: data.out_of_fold(other, list(seeds), policy.folds))
    return _compare(candidate, opponent, policy.seeds(SEARCH_SEEDS), data, policy)


def _is_decided(p_better: float, policy: GatePolicy) -> bool:
    if p_better >= max(STOP_FROM, policy.p_recipe):
        return True
    return p_better < min(STOP_BELOW, policy.p_recipe - STOP_DISTANCE)


def _opponent(champion: ModelPackage, data: Evaluation, policy: GatePolicy) -> _Opponent:
    manifest = champion.manifest
    if manifest.fingerprint == data.fingerprint:
        return _Opponent(lambda seeds: _left_out_losses(champion, seeds, data, policy))
    known = champion.knows(data.training.rows, data.training.rounded)
    gone = known.sum() < MOST_ROWS * len(champion.rows)
    if gone and (~known).sum() >= MIN_NEW_ROWS:
        losses = _package_losses(champion, data, ~known)
        return _Opponent(lambda _: losses, "package", known)
    return _Opponent(
        lambda seeds: data.out_of_fold(manifest, list(seeds), policy.folds, known=known),
        "known rows",
        known,
    )


def _left_out_losses(
    package: ModelPackage, seeds: Sequence[int], data: Evaluation, policy: GatePolicy
) -> Floats:
    """Return float64 (n,): each training row's loss when left out, nan where it never is.

    The recipe is fitted again; of a model that is served elsewhere its evidence tells.
    """
    manifest = package.manifest
    if not package.outside:
        return data.out_of_fold(manifest, list(seeds), policy.folds)
    y = data.training.y
    total = np.zeros(len(y))
    times = np.zeros(len(y))
    for seed in seeds:
        predicted = package.outside.predict_left_out(seed, data.training.rows)
        tested = ~np.isnan(predicted).any(axis=1)
        total[tested] += row_losses(manifest.task, manifest.metric, y[tested], predicted[tested])
        times += tested
    mean: Floats = np.full(len(y), np.nan)
    np.divide(total, times, out=mean, where=times > 0)
    return mean


def _package_losses(champion: ModelPackage, data: Evaluation, unknown: Mask) -> Floats:
    """Return float64 (n,): the package's losses on rows that are new to it, nan on others."""
    training = data.training
    manifest = champion.manifest
    predicted = champion.predict(training.table)
    losses = row_losses(manifest.task, manifest.metric, training.y, predicted)
    return np.where(unknown, losses, np.nan)


def _compare(
    candidate: ModelPackage,
    opponent: _Opponent,
    seeds: Sequence[int],
    data: Evaluation,
    policy: GatePolicy,
) -> RecipeEvidence:
    mine = _left_out_losses(candidate, seeds, data, policy)
    theirs = opponent.losses(seeds)
    rows = np.flatnonzero(~np.isnan(mine) & ~np.isnan(theirs))

    def weigh(losses: Floats, chosen: Positions) -> Floats:
        weight = data.training.weight
        return weigh_losses(losses[chosen], None if weight is None else weight[chosen])

    def compare(chosen: Positions) -> Comparison:
        group = data.training.group
        return compare_losses(
            weigh(theirs, chosen),
            weigh(mine, chosen),
            resamples=policy.resamples,
            seed=policy.seed,
            group=None if group is None else group[chosen],
        )

    known = opponent.known
    new_rows = None
    if known is not None:
        new = rows[~known[rows]]
        if len(new) >= MIN_NEW_ROWS:
            new_rows = compare(new)
    return RecipeEvidence(
        comparison=compare(rows),
        new_rows=new_rows,
        repetitions=len(seeds),
        stand=opponent.stand,
        known=len(rows) if known is None else int(known.sum()),
        rows=rows,
        champion=weigh(theirs, rows),
        candidate=weigh(mine, rows),
    )
