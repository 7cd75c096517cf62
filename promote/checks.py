"""The gate's checks of a candidate, and the evidence that they gather."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from promote.evidence import Floats, Groups, compare_losses, weigh_losses
from promote.explanation import RowFinding, find_deciding_row, row_text, share_text
from promote.gate_input import Evaluation, holdout_predictions
from promote.guards import Losses, guard_checks
from promote.policy import GatePolicy
from promote.recipes import (
    SEARCH_SEEDS,
    RecipeEvidence,
    compare_with_champion,
    compare_with_recipe,
)
from promote.verdict import Check, Comparison
from registry.metric_names import readable_number
from registry.package import Manifest, ModelPackage, find_metric, row_losses
from registry.package.columns import CellArray
from registry.package.outside import OutsideEvidence

TRIVIAL_P = 0.95
FIRST_HOLDOUT = 10  # rows that are enough for a first model
SAME_TASK = ("name", "task", "target", "metric", "classes")  # fields that must equal the champion's


class CheckRunner:
    """Checks one candidate against one champion (or none), and keeps the evidence that it gathers.

    Attributes:
        fresh: bool (n_holdout,), the rows to judge by: the champion was not trained on them.
        excluded: how many others there are.
        recipe: the evidence of key one, once it was gathered.
        new_rows: the same on the rows that are new to the champion alone.
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
        self.fresh = np.ones(len(data.rows), dtype=bool)
        if champion:
            self.fresh = ~champion.knows(data.rows, data.rounded)
        self.excluded = int((~self.fresh).sum())
        self.recipe: Comparison | None = None
        self.new_rows: Comparison | None = None
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
        yield self._check_holdout_size()
        yield from _stand_in_check(self.candidate.manifest.metric)
        yield self._check_scorable("candidate", self.candidate)
        if self.champion is not None:
            yield self._check_scorable("champion", self.champion)
            yield from self._champion_checks(self.champion)

    def score_checks(self) -> Iterator[Check]:
        """Score both, and check what the scores say."""
        mine = self._holdout_losses(self.candidate)
        theirs = self._holdout_losses(self.champion) if self.champion else None
        recipe: RecipeEvidence | None = None
        if self.champion is None or theirs is None:
            default = self.data.default_recipe(self.candidate.manifest)
            recipe = compare_with_recipe(self.candidate, default, self.data, self.policy)
            compared = [self._check_against_defaults(recipe)]
        elif self.policy.mode == "strict-lower":
            compared = [self._check_strictly_lower(mine, theirs)]
        else:
            recipe = compare_with_champion(self.candidate, self.champion, self.data, self.policy)
            compared = list(self._two_keys(mine, theirs, recipe))
        yield from self._absolute_checks(mine, recipe)
        yield from compared
        losses = Losses(mine, theirs)
        yield from guard_checks(self.candidate, self.data, self.fresh, losses, self.policy)

    def _check_holdout_size(self) -> Check:
        left = int(self.fresh.sum())
        least = self.policy.min_holdout
        if self.champion is None:  # compared with a model without inputs, from which it is far away
            least = min(least, FIRST_HOLDOUT)
        detail = self._holdout_detail(left, least)
        return Check(name="holdout", passed=left >= least, detail=detail, otherwise="hold")

    def _holdout_detail(self, left: int, least: int) -> str:
        detail = f"{left} holdout rows to judge by"
        if left < least:
            detail += f", at least {least} needed: raise [split] holdout, or lower gate.min_holdout"
        if self.champion is None:
            return detail
        if not self.excluded:
            return f"{detail}; the champion was trained on none of them"
        return f"{detail}, {self.excluded} left out: the champion was trained on them"

    def _check_scorable(self, role: str, package: ModelPackage) -> Check:
        """Check that every column is still there, and still holds what the package was made for."""
        name = f"{role} scorable"
        if package.outside:
            return self._check_outside(name, package, package.outside)
        try:
            package.predict(self.data.table)
        except (KeyError, ValueError, TypeError) as error:
            detail = f"cannot read the data as they are now: {error!r}"
            return Check(name=name, passed=False, detail=detail)
        return Check(name=name, passed=True, detail="reads the data as they are now")

    def _check_outside(self, name: str, package: ModelPackage, evidence: OutsideEvidence) -> Check:
        """Check that evidence is for the rows and the folds that are compared."""
        folds = "`tunegate gate --folds` writes these"
        if package.manifest.fingerprint != self.data.fingerprint:
            detail = (
                f"its evidence is for other data: {folds}; evidence of the same model and version "
                "for them stands for it"
            )
            return Check(name=name, passed=False, detail=detail)
        if not evidence.covers(self.policy.seeds(SEARCH_SEEDS), self.policy.folds):
            detail = f"its evidence is for other folds: {folds}"
            return Check(name=name, passed=False, detail=detail)
        try:
            evidence.predict_holdout(self.data.rows)
            evidence.predict_left_out(evidence.seeds[0], self.data.training.rows)
        except ValueError as error:
            return Check(name=name, passed=False, detail=str(error))
        detail = "served elsewhere; its evidence is for these rows and folds"
        return Check(name=name, passed=True, detail=detail)

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
        if not same:
            yield self._check_known_rows(champion)

        same = self.candidate.digest == champion.digest
        detail = "another package than the champion's"
        if same:
            detail = "the candidate is the champion's own package"
        yield Check(name="novelty", passed=not same, detail=detail, otherwise="keep")

    def _check_known_rows(self, champion: ModelPackage) -> Check:
        """Say how many of the champion's rows are among today's."""
        training = self.data.training
        known = int(champion.knows(training.rows, training.rounded).sum())
        learned = len(champion.rows)
        detail = f"the champion knows {known} of {len(training.rows)} training rows"
        if not known + self.excluded:
            detail = (
                f"none of the champion's {learned} training rows is among these data; if they are "
                "the same rows, written otherwise, the champion has seen them, which favours it"
            )
        return Check(name="champion's rows", passed=True, detail=detail)

    def _absolute_checks(self, mine: Floats, recipe: RecipeEvidence | None) -> Iterator[Check]:
        yield self._check_trivial(mine, recipe)
        ceiling = self.policy.ceiling
        if ceiling is not None:
            loss = readable_number(mine.mean())
            detail = f"loss {loss}, at most {readable_number(ceiling)} allowed"
            yield Check(name="ceiling", passed=bool(mine.mean() <= ceiling), detail=detail)

    def _check_trivial(self, mine: Floats, recipe: RecipeEvidence | None) -> Check:
        """Check that the candidate is better than a model without inputs.

        A holdout with five rows of a rare class cannot tell. So the training rows count too, each
        predicted when it was left out, and the holdout alone only has to look no worse.
        """
        y = self.data.y
        theirs = self._weighted_losses(np.repeat(self.data.trivial, len(y), axis=0))
        found = self._compare_on_holdout(theirs, mine)
        if self.champion is None:
            self.holdout = found
        detail = (
            f"loss {readable_number(found.candidate)}, "
            f"without inputs {readable_number(found.champion)}, P(better) {found.p_better:.3f}"
        )
        if recipe is None:
            detail += self._holdout_row_words(theirs, mine, TRIVIAL_P)
            passed = found.p_better >= TRIVIAL_P
            return Check(name="trivial baseline", passed=passed, detail=detail)
        least = self.policy.p_holdout
        without_inputs = np.concatenate([self._trivial_left_out(recipe), theirs])
        losses = np.concatenate([recipe.candidate, mine])
        group = None
        if self.data.training.group is not None and self.data.group is not None:
            group = np.concatenate(
                [self.data.training.group[recipe.rows], self.data.group[self.fresh]]
            )
        both = self._compare(without_inputs, losses, group)
        detail += (
            f", at least {share_text(least)}; with the training rows that were left out "
            f"{both.p_better:.3f}, at least {share_text(TRIVIAL_P)}"
        )
        row = find_deciding_row(without_inputs, losses, TRIVIAL_P, self.policy, group)
        detail += self._row_words_of_both(row, recipe)
        passed = both.p_better >= TRIVIAL_P and found.p_better >= least
        return Check(name="trivial baseline", passed=passed, detail=detail)

    def _trivial_left_out(self, recipe: RecipeEvidence) -> Floats:
        """Return the losses of a model without inputs on the training rows of key one."""
        training = self.data.training
        manifest = self.candidate.manifest
        rows = recipe.rows
        trivial = np.repeat(self.data.trivial, len(rows), axis=0)
        losses = row_losses(manifest.task, manifest.metric, training.y[rows], trivial)
        return weigh_losses(losses, None if training.weight is None else training.weight[rows])

    def _check_against_defaults(self, recipe: RecipeEvidence) -> Check:
        """Check that a first model, which has no champion, looks no worse than library defaults."""
        found = recipe.comparison
        self.recipe = found
        least = self.policy.p_holdout
        detail = (
            f"{readable_number(found.candidate)}, "
            f"the library's defaults {readable_number(found.champion)}; "
            f"P(better) {found.p_better:.3f}, at least {least:.2f} unless the mean is no worse"
        )
        # Compared with itself, a recipe has P(better) 0 and gain 0.
        passed = found.p_better >= least or found.gain >= 0
        return Check(name="default recipe", passed=passed, detail=detail)

    def _two_keys(self, mine: Floats, theirs: Floats, recipe: RecipeEvidence) -> Iterator[Check]:
        policy = self.policy
        holdout = self._compare_on_holdout(theirs, mine)
        self.recipe = recipe.comparison
        self.new_rows = recipe.new_rows
        self.holdout = holdout
        key_1 = _key_check(
            "key 1, recipes on fresh folds",
            recipe.comparison,
            policy.p_recipe,
            more=_recipe_words(recipe, policy) + self._training_row_words(recipe),
        )
        yield key_1.replace(passed=key_1.passed or _new_rows_pass(recipe, policy))
        yield _key_check(
            "key 2, packages on the holdout",
            holdout,
            policy.p_holdout,
            more=self._holdout_row_words(theirs, mine, policy.p_holdout),
        )

    def _check_strictly_lower(self, mine: Floats, theirs: Floats) -> Check:
        found = self._compare_on_holdout(theirs, mine)
        self.holdout = found
        detail = (
            f"{found.candidate:.6g} against {found.champion:.6g}; equal models win half of the time"
        )
        return Check(name="strict-lower", passed=found.gain > 0, detail=detail, otherwise="keep")

    def _holdout_losses(self, package: ModelPackage) -> Floats:
        return self._weighted_losses(holdout_predictions(package, self.data))

    def _weighted_losses(self, predicted: Floats) -> Floats:
        """Return the losses of the fresh rows; their mean is the weighted mean."""
        manifest = self.candidate.manifest
        losses = row_losses(manifest.task, manifest.metric, self.data.y, predicted)[self.fresh]
        weight = self.data.weight
        return weigh_losses(losses, None if weight is None else weight[self.fresh])

    def _training_row_words(self, found: RecipeEvidence) -> str:
        """Name the training row that alone decides key 1, if there is one."""
        training = self.data.training
        group = None if training.group is None else training.group[found.rows]
        least = self.policy.p_recipe
        row = find_deciding_row(found.champion, found.candidate, least, self.policy, group)
        return self._row_words(row, found.rows, training.table, training.y)

    def _holdout_row_words(self, theirs: Floats, mine: Floats, least: float) -> str:
        """Name the holdout row that alone decides, if there is one."""
        row = find_deciding_row(theirs, mine, least, self.policy, self._fresh_group())
        return self._row_words(row, np.flatnonzero(self.fresh), self.data.table, self.data.y)

    def _row_words_of_both(self, row: RowFinding | None, recipe: RecipeEvidence) -> str:
        """Name a row of the training rows of key one, which come first, and the fresh ones."""
        training = self.data.training
        before = len(recipe.rows)
        if row is None or row.position < before:
            return self._row_words(row, recipe.rows, training.table, training.y)
        row = row._replace(position=row.position - before)
        return self._row_words(row, np.flatnonzero(self.fresh), self.data.table, self.data.y)

    def _row_words(
        self,
        row: RowFinding | None,
        rows: NDArray[np.int64],
        table: Mapping[str, CellArray],
        y: Floats,
    ) -> str:
        if row is None:
            return ""
        name = row_text(self.candidate.manifest, table, y, int(rows[row.position]))
        return f"; {row.words}: {name}"

    def _compare_on_holdout(self, champion: Floats, candidate: Floats) -> Comparison:
        return self._compare(champion, candidate, self._fresh_group())

    def _compare(self, champion: Floats, candidate: Floats, group: Groups | None) -> Comparison:
        policy = self.policy
        return compare_losses(
            champion, candidate, resamples=policy.resamples, seed=policy.seed, group=group
        )

    def _fresh_group(self) -> Groups | None:
        """Return the groups of the rows to judge by; None without groups."""
        return None if self.data.group is None else self.data.group[self.fresh]


def _stand_in_check(metric: str) -> Iterator[Check]:
    """Say which loss is compared, where the metric is not a mean over rows or the root of one."""
    if find_metric(metric).from_loss is None:
        loss = find_metric(metric).loss
        detail = f"{metric} is not a mean over rows; the gate compares {loss} in its place"
        yield Check(name="loss", passed=True, detail=detail)


def _columns(manifest: Manifest) -> list[tuple[str, str]]:
    return [(column.name, column.kind) for column in manifest.columns]


def _key_check(name: str, found: Comparison, least: float, *, more: str = "") -> Check:
    detail = (
        f"P(better) {found.p_better:.3f}, at least {share_text(least)}; "
        f"{readable_number(found.candidate)} against {readable_number(found.champion)}{more}"
    )
    return Check(name=name, passed=found.p_better >= least, detail=detail, otherwise="keep")


def _new_rows_pass(found: RecipeEvidence, policy: GatePolicy) -> bool:
    """Whether key 1 turns by the new rows alone: where the world has changed, old ones mislead."""
    new = found.new_rows
    return new is not None and new.p_better >= policy.least_new_rows()


def _recipe_words(found: RecipeEvidence, policy: GatePolicy) -> str:
    """Return what else there is to say about key 1, as further clauses of its detail."""
    clauses = []
    if found.stand == "known rows":
        clauses.append(f"the champion's recipe learns from the {found.known} rows that it knows")
    if found.stand == "package":
        clauses.append("too few of the champion's rows are left, so its package is judged as it is")
    if found.new_rows:
        new = found.new_rows
        enough = share_text(policy.least_new_rows())
        clauses.append(
            f"P(better) {new.p_better:.3f} on the {new.rows} new rows alone, {enough} is enough"
        )
    if found.repetitions < policy.repeats:
        clauses.append(f"clear after {found.repetitions} of {policy.repeats} repetitions")
    return "".join(f"; {clause}" for clause in clauses)
