"""The gate's checks of a candidate, and the evidence that they gather."""

from collections.abc import Iterator

import numpy as np

from promote.evidence import Floats, compare_losses
from promote.gate_input import Evaluation
from promote.guards import Losses, guard_checks
from promote.policy import GatePolicy
from promote.verdict import Check, Comparison
from registry.package import Manifest, ModelPackage, row_losses

SEARCH_SEEDS = 1000  # trials draw their folds from seeds below this; the gate's own start here
TRIVIAL_P = 0.95
SAME_TASK = ("name", "task", "target", "metric", "classes")  # fields that must equal the champion's


class CheckRunner:
    """Checks one candidate against one champion (or none), and keeps the evidence that it gathers.

    Attributes:
        fresh: bool (n_holdout,), the rows to judge by: the champion was not trained on them.
        excluded: how many others there are.
        recipe: the evidence of key one, once it was gathered.
        holdout: the evidence of key two, once it was gathered.
    """

    def __init__(
        self,
        candidate: ModelPackage,
        champion: ModelPackage | None,
        data: Evaluation,
        policy: GatePolicy,
    ) -> None:
        self.candidate = candidate
        self.champion = champion
        self.data = data
        self.policy = policy
        seen = champion.rows if champion else np.empty(0, dtype=np.uint64)
        self.fresh = ~np.isin(data.rows, seen)
        self.excluded = int((~self.fresh).sum())
        self.recipe: Comparison | None = None
        self.holdout: Comparison | None = None

    def comparability_checks(self) -> Iterator[Check]:
        """Check that scoring both makes sense at all."""
        trained_on = self.candidate.manifest.fingerprint
        now = self.data.fingerprint
        detail = f"candidate trained on {trained_on[:12]}, the gate reads {now[:12]}"
        yield Check(name="data", passed=trained_on == now, detail=detail)
        leaked = int(np.isin(self.data.rows, self.candidate.rows).sum())
        detail = f"{leaked} holdout row(s) in the candidate's training rows"
        yield Check(name="leak", passed=not leaked, detail=detail)
        left = int(self.fresh.sum())
        enough = left >= self.policy.min_holdout
        detail = (
            f"{left} holdout rows to judge by, "
            f"{self.excluded} left out: the champion was trained on them"
        )
        yield Check(name="holdout", passed=enough, detail=detail, otherwise="hold")
        yield self._check_scorable("candidate", self.candidate)
        if self.champion is not None:
            yield self._check_scorable("champion", self.champion)
            yield from self._champion_checks(self.champion)

    def score_checks(self) -> Iterator[Check]:
        """Score both, and check what the scores say."""
        mine = self._holdout_losses(self.candidate)
        theirs = self._holdout_losses(self.champion) if self.champion else None
        yield from self._absolute_checks(mine)
        if self.champion is None or theirs is None:
            yield self._check_against_defaults()
        elif self.policy.mode == "strict-lower":
            yield self._check_strictly_lower(mine, theirs)
        else:
            yield from self._two_keys(mine, theirs, self.champion)
        losses = Losses(mine, theirs)
        yield from guard_checks(self.candidate, self.data, self.fresh, losses, self.policy)

    def _check_scorable(self, role: str, package: ModelPackage) -> Check:
        """Check that every column is still there, and still holds what the package was made for."""
        name = f"{role} scorable"
        try:
            package.predict(self.data.table)
        except (KeyError, ValueError, TypeError) as error:
            detail = f"cannot read the data as they are now: {error!r}"
            return Check(name=name, passed=False, detail=detail)
        return Check(name=name, passed=True, detail="reads the data as they are now")

    def _champion_checks(self, champion: ModelPackage) -> Iterator[Check]:
        mine = self.candidate.manifest
        theirs = champion.manifest
        differing = [name for name in SAME_TASK if getattr(mine, name) != getattr(theirs, name)]
        detail = "the champion's task"
        if differing:
            detail = f"differs from the champion in {', '.join(differing)}"
        yield Check(name="task", passed=not differing, detail=detail)

        same = _columns(mine) == _columns(theirs)
        detail = "the champion's columns"
        if not same:
            detail = "columns differ from the champion's: --allow-schema-change"
        yield Check(name="schema", passed=same or self.policy.allow_schema_change, detail=detail)

        same = mine.fingerprint == theirs.fingerprint
        detail = f"champion trained on {theirs.fingerprint[:12]}"
        if not same:
            detail += ": --allow-new-data to compare now"
        yield Check(name="fingerprint", passed=same or self.policy.allow_new_data, detail=detail)

        same = self.candidate.digest == champion.digest
        detail = "another package than the champion's"
        if same:
            detail = "the candidate is the champion's own package"
        yield Check(name="novelty", passed=not same, detail=detail, otherwise="keep")

    def _absolute_checks(self, mine: Floats) -> Iterator[Check]:
        trivial = np.repeat(self.data.trivial, len(mine), axis=0)
        manifest = self.candidate.manifest
        baseline = row_losses(manifest.task, manifest.metric, self.data.y[self.fresh], trivial)
        found = self._compare(baseline, mine)
        detail = (
            f"loss {found.candidate:.4g}, without inputs {found.champion:.4g}, "
            f"P(better) {found.p_better:.3f}"
        )
        yield Check(name="trivial baseline", passed=found.p_better >= TRIVIAL_P, detail=detail)
        if self.champion is None:
            self.holdout = found
        ceiling = self.policy.ceiling
        if ceiling is not None:
            detail = f"loss {mine.mean():.4g}, at most {ceiling:.4g} allowed"
            yield Check(name="ceiling", passed=bool(mine.mean() <= ceiling), detail=detail)

    def _check_against_defaults(self) -> Check:
        """Check that a first model, which has no champion, looks no worse than library defaults."""
        default = self.data.default_recipe(self.candidate.manifest)
        self.recipe = self._cross_validate(default)
        found = self.recipe
        least = self.policy.p_holdout
        detail = (
            f"{found.candidate:.4g}, the library's defaults {found.champion:.4g}; "
            f"P(better) {found.p_better:.3f}, at least {least:.2f} unless the mean is no worse"
        )
        return Check(name="default recipe", passed=self._no_worse(found), detail=detail)

    def _no_worse(self, found: Comparison) -> bool:
        """Whether a recipe looks no worse; compared with itself, P(better) and gain are 0."""
        return found.p_better >= self.policy.p_holdout or found.gain >= 0

    def _two_keys(self, mine: Floats, theirs: Floats, champion: ModelPackage) -> Iterator[Check]:
        recipe = self._cross_validate(champion.manifest)
        holdout = self._compare(theirs, mine)
        self.recipe = recipe
        self.holdout = holdout
        least_recipe = self.policy.p_recipe
        least_holdout = self.policy.p_holdout
        may_tie = False
        # Two recipes on the same new data say nothing of the data; the packages, each trained on
        # its own data, do. So the packages decide then, and the recipes may only object.
        if self.candidate.manifest.fingerprint != champion.manifest.fingerprint:
            least_recipe = self.policy.p_holdout
            least_holdout = self.policy.p_recipe
            may_tie = self._no_worse(recipe)
        yield _key_check("key 1, recipes on fresh folds", recipe, least_recipe, may_tie=may_tie)
        yield _key_check("key 2, packages on the holdout", holdout, least_holdout)

    def _check_strictly_lower(self, mine: Floats, theirs: Floats) -> Check:
        found = self._compare(theirs, mine)
        self.holdout = found
        detail = (
            f"{found.candidate:.6g} against {found.champion:.6g}; equal models win half of the time"
        )
        return Check(name="strict-lower", passed=found.gain > 0, detail=detail, otherwise="keep")

    def _holdout_losses(self, package: ModelPackage) -> Floats:
        manifest = self.candidate.manifest
        predicted = package.predict(self.data.table)
        return row_losses(manifest.task, manifest.metric, self.data.y, predicted)[self.fresh]

    def _cross_validate(self, other: Manifest) -> Comparison:
        policy = self.policy
        seeds = policy.seeds(SEARCH_SEEDS)
        mine = self.data.out_of_fold(self.candidate.manifest, seeds, policy.folds)
        return self._compare(self.data.out_of_fold(other, seeds, policy.folds), mine)

    def _compare(self, champion: Floats, candidate: Floats) -> Comparison:
        policy = self.policy
        return compare_losses(champion, candidate, resamples=policy.resamples, seed=policy.seed)


def _columns(manifest: Manifest) -> list[tuple[str, str]]:
    return [(column.name, column.kind) for column in manifest.columns]


def _key_check(name: str, found: Comparison, least: float, *, may_tie: bool = False) -> Check:
    detail = (
        f"P(better) {found.p_better:.3f}, at least {least:.2f}; "
        f"{found.candidate:.4g} against {found.champion:.4g}"
    )
    passed = found.p_better >= least or may_tie
    return Check(name=name, passed=passed, detail=detail, otherwise="keep")
