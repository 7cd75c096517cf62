"""The gate: is the candidate better than the champion, and safe to serve?

All checks run and all findings are reported together. Two keys must turn: (a) the candidate's recipe beats the
champion's under cross-validation with folds that the search never used, and (b) the fitted candidate does not look
worse on the holdout. Where the data have changed since the champion was trained, the keys change places. Both models
are scored now, on the same rows; stored numbers decide nothing.

Source of the two keys and their thresholds: simulations described in docs/decisions/0006-gate.md; equal challengers
are promoted in 7 % of cases (a plain "lower error wins": 51 %), those 10 % better in 81 %.
"""

from collections.abc import Iterator

from promote.checks import Questions
from promote.gate_input import Contest
from promote.guards import shadow_guard
from promote.policy import GatePolicy
from promote.verdict import Check, Side, Verdict, decide
from registry.errors import PackageError
from registry.package import ModelPackage


def judge(contest: Contest, policy: GatePolicy) -> Verdict:
    """Run every check that can be run and return the verdict."""
    candidate = contest.candidate
    champion = contest.champion
    integrity = list(_integrity(contest))
    if isinstance(candidate, PackageError) or isinstance(champion, PackageError):
        return _verdict(contest, policy, integrity)
    questions = Questions(candidate, champion, contest.data, policy)
    blocking = [*integrity, *questions.comparable()]
    if any(
        not check.passed for check in blocking
    ):  # nothing can be scored, or it would mean nothing
        return _verdict(contest, policy, blocking)
    scored = [*questions.scored(), *(shadow_guard(contest.shadow, policy) if champion else ())]
    verdict = _verdict(contest, policy, [*blocking, *scored])
    return verdict.replace(
        recipe=questions.recipe, holdout=questions.holdout, excluded=questions.excluded
    )


def _verdict(contest: Contest, policy: GatePolicy, checks: list[Check]) -> Verdict:
    first = contest.champion is None
    if isinstance(contest.candidate, ModelPackage):
        manifest = contest.candidate.manifest
    else:
        manifest = None
    decision = decide(tuple(checks))
    if decision == "promote" and policy.approval == "manual":
        checks = [
            *checks,
            Check(
                name="approval",
                passed=False,
                detail="waits for `tunegate approve`",
                otherwise="hold",
            ),
        ]
        decision = "hold"
    failed = tuple(f"{check.name}: {check.detail}" for check in checks if not check.passed)
    if first:
        winning = "first model: nothing was in production"
    else:
        winning = "better than the champion by both keys"
    if not first and policy.mode == "strict-lower":
        winning = "lower holdout loss than the champion (strict-lower)"
    return Verdict(
        verdict=decision,
        kind="first" if first else "promotion",
        model=manifest.name if manifest else "",
        metric=manifest.metric if manifest else "",
        mode=policy.mode,
        reasons=failed or (winning,),
        checks=tuple(checks),
        candidate=_side(contest.candidate),
        champion=_side(contest.champion),
        fingerprint=contest.data.fingerprint,
        holdout_digest=contest.data.holdout_digest,
        policy=policy,
        shadow=contest.shadow,
        finalists=contest.finalists,
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
            yield Check(
                name=f"{name} integrity",
                passed=True,
                detail=f"package {package.digest[:12]} verified",
            )
