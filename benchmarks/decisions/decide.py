"""One decision: what the gate and simple rules have to go by, as a few numbers."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from benchmarks.decisions.models import Case
from benchmarks.decisions.populations import Draw, Floats
from promote.evidence import compare_losses
from promote.gate import judge
from promote.gate_input import GateInput
from promote.policy import GatePolicy
from promote.recipes import compare_with_champion
from promote.verdict import Finalist
from registry.package import ModelPackage, predict_encoded, row_losses

POLICY = GatePolicy(allow_new_data=True)
WINNER = Finalist(trial="winner", sha256="0" * 64, search_score=0.0, loss=0.0)


class Decision(NamedTuple):
    """What a rule may look at.

    Attributes:
        promoted: whether the gate promotes, all of its checks included.
        recipe: P(better) of key 1.
        new_rows: the same on new rows alone; -1 without new rows.
        holdout: P(better) of key 2.
        pooled: P(better) over the rows of both keys in one bootstrap.
        lower: the candidate's loss on the holdout as a share of the champion's.
        stored: the same, where the champion's was measured on another holdout.
        ratio: the candidate's true loss as a share of the champion's, as fitted.
    """

    promoted: bool
    recipe: float
    new_rows: float
    holdout: float
    pooled: float
    lower: float
    stored: float
    ratio: float


RULES: Mapping[str, Callable[[Decision], bool]] = {
    "the gate": lambda found: found.promoted,
    "key 1 >= .90, key 2 >= .20": lambda found: found.recipe >= 0.9 and found.holdout >= 0.2,
    "key 1 >= .95, key 2 >= .20": lambda found: found.recipe >= 0.95 and found.holdout >= 0.2,
    "key 1 >= .975, key 2 >= .20": lambda found: found.recipe >= 0.975 and found.holdout >= 0.2,
    "both pooled >= .95": lambda found: found.pooled >= 0.95,
    "all rows >= .90 or new rows >= .95, key 2 >= .20": lambda found: (
        (found.recipe >= 0.9 or (found.new_rows >= 0.95 and found.recipe >= 0.5))
        and found.holdout >= 0.2
    ),
    "new rows >= .90, key 2 >= .20": lambda found: found.new_rows >= 0.9 and found.holdout >= 0.2,
    "lower": lambda found: found.lower < 1,
    ">= on the current test set": lambda found: found.lower <= 1,
    "lower by 5 %": lambda found: found.lower <= 0.95,
    "lower than the stored number": lambda found: found.stored < 1,
    "hold-out bootstrap >= .95": lambda found: found.holdout >= 0.95,
    "always": lambda _: True,
}


def decide(
    case: Case,
    candidate: ModelPackage,
    champion: ModelPackage,
    *,
    stored: float,
    ratio: float,
    searched: bool = False,
) -> Decision:
    """Ask the gate, and gather what the other rules need.

    Args:
        case: the data as they are now.
        candidate: trained on them.
        champion: trained on them, or on what there was before.
        stored: the champion's loss on another holdout.
        ratio: the candidate's true loss as a share of the champion's.
        searched: whether a search has chosen the candidate.
    """
    finalists = (WINNER,) if searched else ()
    verdict = judge(GateInput(candidate, champion, case.view, finalists=finalists), POLICY)
    mine = _holdout_losses(case, candidate)
    theirs = _holdout_losses(case, champion)
    if verdict.recipe is None or verdict.holdout is None:  # no comparison was possible
        return Decision(
            promoted=False,
            recipe=0.0,
            new_rows=-1.0,
            holdout=0.0,
            pooled=0.0,
            lower=_share(mine, theirs),
            stored=float(mine.mean() / stored),
            ratio=ratio,
        )
    recipe = compare_with_champion(candidate, champion, case.view, POLICY)
    pooled = compare_losses(
        np.concatenate([recipe.champion, theirs]),
        np.concatenate([recipe.candidate, mine]),
        resamples=POLICY.resamples,
        seed=POLICY.seed,
    )
    new_rows = -1.0
    if verdict.new_rows:
        new_rows = verdict.new_rows.p_better
    return Decision(
        promoted=verdict.verdict == "promote",
        recipe=verdict.recipe.p_better,
        new_rows=new_rows,
        holdout=verdict.holdout.p_better,
        pooled=pooled.p_better,
        lower=_share(mine, theirs),
        stored=float(mine.mean() / stored),
        ratio=ratio,
    )


def observed_loss(case: Case, package: ModelPackage, rows: Draw) -> float:
    """Return the loss that a package has on rows as they were observed."""
    predicted = predict_encoded(package.predictor, package.manifest.output, rows.x)
    spec = case.dataset.spec
    return float(row_losses(spec.task, spec.metric, rows.y, predicted).mean())


def _holdout_losses(case: Case, package: ModelPackage) -> Floats:
    spec = case.dataset.spec
    predicted = package.predict(case.view.table)
    return row_losses(spec.task, spec.metric, case.view.y, predicted)


def _share(mine: Floats, theirs: Floats) -> float:
    return float(mine.mean() / theirs.mean())
