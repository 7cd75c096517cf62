"""The gate's questions about a candidate, and the evidence that answering them leaves."""

from collections.abc import Iterator

import numpy as np

from promote.evidence import Floats, compare
from promote.gate_input import Evaluation
from promote.guards import Losses, guards
from promote.policy import GatePolicy
from promote.verdict import Check, Comparison
from registry.package import Manifest, ModelPackage, row_losses

SEARCH_SEEDS = 1000  # trials draw their folds from seeds below this; the gate's own start here
TRIVIAL_P = 0.95


class Questions:
    """One candidate against one champion (or none); remembers the evidence that the checks gather."""

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

    def comparable(self) -> Iterator[Check]:
        """Check that scoring both makes sense at all."""
        mine = self.candidate.manifest
        data = self.data
        yield Check(
            name="data",
            passed=mine.fingerprint == data.fingerprint,
            detail=f"candidate trained on {mine.fingerprint[:12]}, the gate reads {data.fingerprint[:12]}",
        )
        leaked = int(np.isin(data.rows, self.candidate.rows).sum())
        yield Check(
            name="leak",
            passed=not leaked,
            detail=f"{leaked} holdout row(s) in the candidate's training rows",
        )
        left = int(self.fresh.sum())
        detail = f"{left} holdout rows to judge by, {self.excluded} left out: the champion was trained on them"
        yield Check(
            name="holdout", passed=left >= self.policy.min_holdout, detail=detail, otherwise="hold"
        )
        yield self._scorable("candidate", self.candidate)
        if self.champion is not None:
            yield self._scorable("champion", self.champion)
            yield from self._like_champion(self.champion)

    def _scorable(self, name: str, package: ModelPackage) -> Check:
        """A column may be gone, or hold something else than the package was made for."""
        try:
            package.predict(self.data.table)
        except (KeyError, ValueError, TypeError) as error:
            detail = f"cannot read the data as they are now: {error!r}"
            return Check(name=f"{name} scorable", passed=False, detail=detail)
        return Check(name=f"{name} scorable", passed=True, detail="reads the data as they are now")

    def _like_champion(self, champion: ModelPackage) -> Iterator[Check]:
        mine = self.candidate.manifest
        theirs = champion.manifest
        fields = ("name", "task", "target", "metric", "classes")
        differing = [field for field in fields if getattr(mine, field) != getattr(theirs, field)]
        if differing:
            detail = f"differs from the champion in {', '.join(differing)}"
        else:
            detail = "the champion's task"
        yield Check(name="task", passed=not differing, detail=detail)
        same = [(c.name, c.kind) for c in mine.columns] == [
            (c.name, c.kind) for c in theirs.columns
        ]
        if same:
            detail = "the champion's columns"
        else:
            detail = "columns differ from the champion's: --allow-schema-change"
        yield Check(name="schema", passed=same or self.policy.allow_schema_change, detail=detail)
        same = mine.fingerprint == theirs.fingerprint
        detail = f"champion trained on {theirs.fingerprint[:12]}" + (
            "" if same else ": --allow-new-data to compare now"
        )
        yield Check(name="fingerprint", passed=same or self.policy.allow_new_data, detail=detail)
        different = self.candidate.digest != champion.digest
        if different:
            detail = "another package than the champion's"
        else:
            detail = "the candidate is the champion's own package"
        yield Check(name="novelty", passed=different, detail=detail, otherwise="keep")

    def scored(self) -> Iterator[Check]:
        """Score, and check what the scores say."""
        mine = self._losses(self.candidate)
        theirs = self._losses(self.champion) if self.champion else None
        yield from self._absolute(mine)
        if self.champion is None or theirs is None:
            yield self._against_default()
        elif self.policy.mode == "strict-lower":
            yield self._strictly_lower(mine, theirs)
        else:
            yield from self._two_keys(mine, theirs, self.champion)
        yield from guards(self.candidate, self.data, self.fresh, Losses(mine, theirs), self.policy)

    def _absolute(self, mine: Floats) -> Iterator[Check]:
        trivial = np.repeat(self.data.trivial, len(mine), axis=0)
        manifest = self.candidate.manifest
        baseline = row_losses(manifest.task, manifest.metric, self.data.y[self.fresh], trivial)
        found = self._compare(baseline, mine)
        detail = f"loss {found.candidate:.4g}, without inputs {found.champion:.4g}, P(better) {found.p_better:.3f}"
        yield Check(name="trivial baseline", passed=found.p_better >= TRIVIAL_P, detail=detail)
        if self.champion is None:
            self.holdout = found
        ceiling = self.policy.ceiling
        if ceiling is not None:
            detail = f"loss {mine.mean():.4g}, at most {ceiling:.4g} allowed"
            yield Check(name="ceiling", passed=bool(mine.mean() <= ceiling), detail=detail)

    def _against_default(self) -> Check:
        """A first model has no champion; it must at least not look worse than the library's defaults."""
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
        """Whether a recipe may not be objected to; one against itself is better in no resample, and no worse either."""
        return found.p_better >= self.policy.p_holdout or found.gain >= 0

    def _two_keys(self, mine: Floats, theirs: Floats, champion: ModelPackage) -> Iterator[Check]:
        self.recipe = self._cross_validate(champion.manifest)
        self.holdout = self._compare(theirs, mine)
        # Two recipes on the same new data say nothing of the data; the packages, each with its own, do.
        new_data = self.candidate.manifest.fingerprint != champion.manifest.fingerprint
        deciding = self.policy.p_recipe
        veto = self.policy.p_holdout
        for name, found, least in (
            ("key 1, recipes on fresh folds", self.recipe, veto if new_data else deciding),
            ("key 2, packages on the holdout", self.holdout, deciding if new_data else veto),
        ):
            passed = found.p_better >= least or (
                new_data and found is self.recipe and self._no_worse(found)
            )
            detail = (
                f"P(better) {found.p_better:.3f}, at least {least:.2f}; "
                f"{found.candidate:.4g} against {found.champion:.4g}"
            )
            yield Check(name=name, passed=passed, detail=detail, otherwise="keep")

    def _strictly_lower(self, mine: Floats, theirs: Floats) -> Check:
        self.holdout = self._compare(theirs, mine)
        detail = f"{self.holdout.candidate:.6g} against {self.holdout.champion:.6g}; equal models win half of the time"
        return Check(
            name="strict-lower", passed=self.holdout.gain > 0, detail=detail, otherwise="keep"
        )

    def _losses(self, package: ModelPackage) -> Floats:
        manifest = self.candidate.manifest
        predicted = package.predict(self.data.table)
        return row_losses(manifest.task, manifest.metric, self.data.y, predicted)[self.fresh]

    def _compare(self, champion: Floats, candidate: Floats) -> Comparison:
        return compare(champion, candidate, resamples=self.policy.resamples, seed=self.policy.seed)

    def _cross_validate(self, other: Manifest) -> Comparison:
        policy = self.policy
        seeds = policy.seeds(SEARCH_SEEDS)
        mine = self.data.out_of_fold(self.candidate.manifest, seeds, policy.folds)
        return self._compare(self.data.out_of_fold(other, seeds, policy.folds), mine)
