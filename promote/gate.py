"""The gate: is the candidate better than the champion, and safe to serve?

All checks run and all findings are reported together. Two keys must turn: (a) the candidate's recipe beats the
champion's under cross-validation with folds that the search never used, and (b) the fitted candidate does not look
worse on the holdout. Both models are scored now, on the same rows; stored numbers decide nothing.

Source of the two keys and their thresholds: simulations described in docs/decisions/0006-gate.md; equal challengers
are promoted in 7 % of cases (a plain "lower error wins": 51 %), those 10 % better in 81 %.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from promote.evidence import Floats, Slice, compare, worst_slice
from promote.policy import GatePolicy
from promote.verdict import Check, Comparison, Side, Verdict, decide
from registry.errors import PackageError
from registry.package import Manifest, ModelPackage, row_losses

MIN_SLICE = 20
SEARCH_SEEDS = 1000  # trials draw their folds from seeds below this; the gate's own start here
TRIVIAL_P = 0.95
RANGE_MARGIN = 0.5  # of the target's range in training


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The data that the gate judges on, and a way to try a recipe on the training part.

    Attributes:
        fingerprint: of the data set as it is now.
        holdout_digest: sha256 of the holdout's row hashes.
        table: the holdout's raw columns.
        y: float64 (n,), its target or class index.
        rows: uint64 (n,), its row hashes.
        trivial: float64 (1, n_outputs), what a model without inputs would answer: the training mean, or class shares.
        out_of_fold: (manifest, seeds, folds) -> float64 (n_training,), each training row's loss when left out, mean
            over one cross-validation for each seed.
        default_recipe: a manifest's stand-in with the library's default parameters, for a first model.
    """

    fingerprint: str
    holdout_digest: str
    table: Mapping[str, NDArray[Any]]
    y: Floats
    rows: NDArray[np.uint64]
    trivial: Floats
    out_of_fold: Callable[[Manifest, list[int], int], Floats]
    default_recipe: Callable[[Manifest], Manifest]


@dataclass(frozen=True, slots=True)
class Contest:
    """Who stands against whom; an error in a model's place means that its package cannot be trusted."""

    candidate: ModelPackage | PackageError
    champion: ModelPackage | PackageError | None
    data: Evaluation


def judge(contest: Contest, policy: GatePolicy) -> Verdict:
    """Run every check that can be run and return the verdict."""
    candidate, champion = contest.candidate, contest.champion
    integrity = list(_integrity(contest))
    if isinstance(candidate, PackageError) or isinstance(champion, PackageError):
        model = candidate.manifest.name if isinstance(candidate, ModelPackage) else ""
        return _verdict(contest, policy, integrity, model=model, metric="")
    trial = _Trial(candidate, champion, contest.data, policy)
    blocking = [*integrity, *trial.comparable()]
    if any(not check.passed for check in blocking):  # nothing can be scored, or it would mean nothing
        return _verdict(contest, policy, blocking, model=candidate.manifest.name, metric=candidate.manifest.metric)
    scored = list(trial.scored())
    verdict = _verdict(
        contest, policy, [*blocking, *scored], model=candidate.manifest.name, metric=candidate.manifest.metric
    )
    evidence = {"recipe": trial.recipe, "holdout": trial.holdout, "excluded": trial.excluded}
    return verdict.model_copy(update=evidence)


def _verdict(contest: Contest, policy: GatePolicy, checks: list[Check], *, model: str, metric: str) -> Verdict:
    first = contest.champion is None
    decision = decide(tuple(checks))
    if decision == "promote" and policy.approval == "manual":
        checks = [
            *checks,
            Check(name="approval", passed=False, detail="waits for `tunegate approve`", otherwise="hold"),
        ]
        decision = "hold"
    failed = tuple(f"{check.name}: {check.detail}" for check in checks if not check.passed)
    winning = "first model: nothing was in production" if first else "better than the champion by both keys"
    if not first and policy.mode == "strict-lower":
        winning = "lower holdout loss than the champion (strict-lower)"
    return Verdict(
        verdict=decision,
        kind="first" if first else "promotion",
        model=model,
        metric=metric,
        mode=policy.mode,
        reasons=failed or (winning,),
        checks=tuple(checks),
        candidate=_side(contest.candidate),
        champion=_side(contest.champion),
        fingerprint=contest.data.fingerprint,
        holdout_digest=contest.data.holdout_digest,
        policy=policy,
    )


def _side(package: ModelPackage | PackageError | None) -> Side | None:
    if not isinstance(package, ModelPackage):
        return None
    manifest = package.manifest
    return Side(
        sha256=package.digest,
        experiment=manifest.provenance.experiment,
        trial=manifest.provenance.trial,
        parameters=manifest.parameters,
        search_score=manifest.cross_validation.score,
    )


def _integrity(contest: Contest) -> Iterator[Check]:
    for name, package in (("candidate", contest.candidate), ("champion", contest.champion)):
        if isinstance(package, PackageError):
            yield Check(name=f"{name} integrity", passed=False, detail=str(package))
        elif package is not None:
            yield Check(name=f"{name} integrity", passed=True, detail=f"package {package.digest[:12]} verified")


class _Trial:
    """One candidate against one champion (or none); remembers the evidence that the checks gather."""

    def __init__(
        self, candidate: ModelPackage, champion: ModelPackage | None, data: Evaluation, policy: GatePolicy
    ) -> None:
        self.candidate, self.champion, self.data, self.policy = candidate, champion, data, policy
        seen = champion.rows if champion else np.empty(0, dtype=np.uint64)
        self.fresh = ~np.isin(data.rows, seen)
        self.excluded = int((~self.fresh).sum())
        self.recipe: Comparison | None = None
        self.holdout: Comparison | None = None

    def comparable(self) -> Iterator[Check]:
        """Check that scoring both makes sense at all."""
        mine, data = self.candidate.manifest, self.data
        yield Check(
            name="data",
            passed=mine.fingerprint == data.fingerprint,
            detail=f"candidate trained on {mine.fingerprint[:12]}, the gate reads {data.fingerprint[:12]}",
        )
        leaked = int(np.isin(data.rows, self.candidate.rows).sum())
        yield Check(name="leak", passed=not leaked, detail=f"{leaked} holdout row(s) in the candidate's training rows")
        left = int(self.fresh.sum())
        detail = f"{left} holdout rows to judge by, {self.excluded} left out: the champion was trained on them"
        yield Check(name="holdout", passed=left >= self.policy.min_holdout, detail=detail, otherwise="hold")
        if self.champion is not None:
            yield from self._like_champion(self.champion)

    def _like_champion(self, champion: ModelPackage) -> Iterator[Check]:
        mine, theirs = self.candidate.manifest, champion.manifest
        fields = ("name", "task", "target", "metric", "classes")
        differing = [field for field in fields if getattr(mine, field) != getattr(theirs, field)]
        detail = f"differs from the champion in {', '.join(differing)}" if differing else "the champion's task"
        yield Check(name="task", passed=not differing, detail=detail)
        same = [(c.name, c.kind) for c in mine.columns] == [(c.name, c.kind) for c in theirs.columns]
        detail = "the champion's columns" if same else "columns differ from the champion's: --allow-schema-change"
        yield Check(name="schema", passed=same or self.policy.allow_schema_change, detail=detail)
        same = mine.fingerprint == theirs.fingerprint
        detail = f"champion trained on {theirs.fingerprint[:12]}" + (
            "" if same else ": --allow-new-data to compare now"
        )
        yield Check(name="fingerprint", passed=same or self.policy.allow_new_data, detail=detail)
        different = self.candidate.digest != champion.digest
        detail = "another package than the champion's" if different else "the candidate is the champion's own package"
        yield Check(name="novelty", passed=different, detail=detail, otherwise="keep")

    def scored(self) -> Iterator[Check]:
        """Score, and check what the scores say."""
        mine = self._losses(self.candidate)
        yield from self._absolute(mine)
        if self.champion is None:
            yield self._against_default()
        elif self.policy.mode == "strict-lower":
            yield self._strictly_lower(mine, self._losses(self.champion))
        else:
            yield from self._two_keys(mine, self._losses(self.champion), self.champion)
        yield from self._guards(mine)

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
        detail = f"P(better than the library's defaults) {self.recipe.p_better:.3f}, at least {self.policy.p_holdout}"
        passed = self.recipe.p_better >= self.policy.p_holdout or self.recipe.gain >= 0
        return Check(name="default recipe", passed=passed, detail=detail)

    def _two_keys(self, mine: Floats, theirs: Floats, champion: ModelPackage) -> Iterator[Check]:
        self.recipe = self._cross_validate(champion.manifest)
        self.holdout = self._compare(theirs, mine)
        for name, found, least in (
            ("key 1, recipes on fresh folds", self.recipe, self.policy.p_recipe),
            ("key 2, packages on the holdout", self.holdout, self.policy.p_holdout),
        ):
            detail = (
                f"P(better) {found.p_better:.3f}, at least {least:.2f}; "
                f"{found.candidate:.4g} against {found.champion:.4g}"
            )
            yield Check(name=name, passed=found.p_better >= least, detail=detail, otherwise="keep")

    def _strictly_lower(self, mine: Floats, theirs: Floats) -> Check:
        self.holdout = self._compare(theirs, mine)
        detail = f"{self.holdout.candidate:.6g} against {self.holdout.champion:.6g}; equal models win half of the time"
        return Check(name="strict-lower", passed=self.holdout.gain > 0, detail=detail, otherwise="keep")

    def _guards(self, mine: Floats) -> Iterator[Check]:
        package, policy = self.candidate, self.policy
        if self.champion is not None:
            theirs = self._losses(self.champion)
            found = worst_slice(
                self._slices(),
                theirs,
                mine,
                ratio=policy.max_slice_ratio,
                resamples=policy.resamples,
                seed=policy.seed,
            )
            yield Check(
                name="worst slice", passed=not found, detail=found or "no slice clearly worse", otherwise="keep"
            )
            top, limit = float(mine.max()), policy.max_error_ratio * float(theirs.max())
            detail = f"largest row loss {top:.4g}, at most {limit:.4g}"
            yield Check(name="largest error", passed=top <= limit, detail=detail, otherwise="keep")
        yield self._range()
        work = package.forest.n_trees * package.forest.depth
        yield Check(
            name="work", passed=work <= policy.max_work, detail=f"{work} decisions a row, at most {policy.max_work}"
        )
        detail = f"{package.size} bytes, at most {policy.max_bytes}"
        yield Check(name="size", passed=package.size <= policy.max_bytes, detail=detail)

    def _range(self) -> Check:
        predicted = self.candidate.predict(self.data.table)
        low, high = self.candidate.manifest.target_range
        if self.candidate.manifest.task == "classification":
            low, high = 0.0, 1.0
        margin = RANGE_MARGIN * (high - low)
        inside = bool((predicted >= low - margin).all() and (predicted <= high + margin).all())
        detail = (
            f"predictions from {predicted.min():.4g} to {predicted.max():.4g}, training from {low:.4g} to {high:.4g}"
        )
        return Check(name="prediction range", passed=inside, detail=detail)

    def _losses(self, package: ModelPackage) -> Floats:
        manifest = self.candidate.manifest
        predicted = package.predict(self.data.table)
        return row_losses(manifest.task, manifest.metric, self.data.y, predicted)[self.fresh]

    def _compare(self, champion: Floats, candidate: Floats) -> Comparison:
        return compare(champion, candidate, resamples=self.policy.resamples, seed=self.policy.seed)

    def _cross_validate(self, other: Manifest) -> Comparison:
        policy = self.policy
        seeds = [SEARCH_SEEDS + policy.seed * policy.repeats + i for i in range(policy.repeats)]
        mine = self.data.out_of_fold(self.candidate.manifest, seeds, policy.folds)
        return self._compare(self.data.out_of_fold(other, seeds, policy.folds), mine)

    def _slices(self) -> list[Slice]:
        found = []
        for column in self.candidate.manifest.columns:
            values = self.data.table[column.name][self.fresh]
            found += (
                _numeric_slices(column.name, values) if column.kind == "numeric" else _value_slices(column.name, values)
            )
        return [each for each in found if each.rows.sum() >= MIN_SLICE]


def _numeric_slices(name: str, values: NDArray[Any]) -> list[Slice]:
    if np.isnan(values).all():
        return []
    middle = float(np.nanmedian(values))
    return [Slice(f"{name} <= {middle:.4g}", values <= middle), Slice(f"{name} > {middle:.4g}", values > middle)]


def _value_slices(name: str, values: NDArray[Any]) -> list[Slice]:
    present = sorted({str(value) for value in values if value is not None})
    return [Slice(f"{name} = {text}", np.array([str(value) == text for value in values])) for text in present]
