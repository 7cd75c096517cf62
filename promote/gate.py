"""The gate: is the candidate better than the champion, and safe to serve?

All checks run and all findings are reported together. Two keys must turn: (a) the candidate's
recipe beats the champion's under cross-validation with folds that the search never used, and (b)
the fitted candidate does not look worse on the holdout. If the data have changed since the champion
was trained, its recipe learns only from the rows that it knows. Both models are scored now, on the
same rows; stored numbers decide nothing.

The two keys and their thresholds come from the simulations of docs/decisions.md, which says how
often better, equal and worse challengers get in.
"""

from collections.abc import Iterator

from promote.checks import CheckRunner
from promote.explanation import challenge_text
from promote.gate_input import GateInput
from promote.guards import shadow_guard
from promote.policy import GatePolicy
from promote.verdict import (
    APPROVAL,
    ChallengeCount,
    Check,
    ModelSummary,
    Verdict,
    gravest_decision,
)
from registry.errors import PackageError
from registry.package import ModelPackage


def judge(given: GateInput, policy: GatePolicy) -> Verdict:
    """Run every check that can be run and return the verdict."""
    candidate = given.candidate
    champion = given.champion
    integrity = list(_integrity_checks(given))
    if isinstance(candidate, PackageError) or isinstance(champion, PackageError):
        return _make_verdict(given, policy, integrity)
    least = policy.least_recipe(searched=bool(given.finalists))
    least = policy.least_of_challenge(given.challenge, least)
    runner = CheckRunner(candidate, champion, given.data, policy.replace(p_recipe=least))
    blocking = [*integrity, *runner.comparability_checks()]
    if any(not check.passed for check in blocking):  # scores would be impossible or meaningless
        return _make_verdict(given, policy, blocking)
    count = None
    if champion and given.challenge:
        two_keys = policy.mode == "two-key"
        count = ChallengeCount(number=given.challenge, least=least if two_keys else None)
        detail = challenge_text(count, policy)
        blocking.append(Check(name="challenge", passed=True, detail=detail))
    checks = [*blocking, *runner.score_checks()]
    if champion:
        checks += shadow_guard(given.shadow, policy)
    verdict = _make_verdict(given, policy, checks)
    return verdict.replace(
        recipe=runner.recipe,
        new_rows=runner.new_rows,
        holdout=runner.holdout,
        excluded=runner.excluded,
        challenge=count,
    )


def _integrity_checks(given: GateInput) -> Iterator[Check]:
    for role, package in (("candidate", given.candidate), ("champion", given.champion)):
        name = f"{role} integrity"
        if isinstance(package, PackageError):
            yield Check(name=name, passed=False, detail=str(package))
        elif package is not None:
            yield Check(name=name, passed=True, detail=f"package {package.digest[:12]} verified")


def _make_verdict(given: GateInput, policy: GatePolicy, checks: list[Check]) -> Verdict:
    decision = gravest_decision(checks)
    approval = given.approval if decision == "promote" else None
    if approval:
        checks = [*checks, Check(name=APPROVAL, passed=True, detail=str(approval))]
    elif decision == "promote" and policy.approval == "manual":
        detail = "waits for `tunegate approve`"
        waits = Check(name=APPROVAL, passed=False, detail=detail, otherwise="hold")
        checks = [*checks, waits]
        decision = "hold"
    model = ""
    metric = ""
    if isinstance(given.candidate, ModelPackage):
        model = given.candidate.manifest.name
        metric = given.candidate.manifest.metric
    failed = tuple(f"{check.name}: {check.detail}" for check in checks if not check.passed)
    return Verdict(
        verdict=decision,
        kind="first" if given.champion is None else "promotion",
        model=model,
        metric=metric,
        mode=policy.mode,
        reasons=failed or _winning_reasons(given, policy),
        checks=tuple(checks),
        candidate=_summarize(given.candidate),
        champion=_summarize(given.champion),
        fingerprint=given.data.fingerprint,
        holdout_digest=given.data.holdout_digest,
        policy=policy,
        shadow=given.shadow,
        finalists=given.finalists,
        drift=given.drift,
        approval=approval,
    )


def _winning_reasons(given: GateInput, policy: GatePolicy) -> tuple[str, ...]:
    reason = _winning_reason(given, policy)
    return (reason, str(given.approval)) if given.approval else (reason,)


def _winning_reason(given: GateInput, policy: GatePolicy) -> str:
    if given.champion is None:
        return "first model: nothing was in production"
    if policy.mode == "strict-lower":
        return "lower holdout loss than the champion (strict-lower)"
    return "better than the champion by both keys"


def _summarize(package: ModelPackage | PackageError | None) -> ModelSummary | None:
    if isinstance(package, ModelPackage):
        return ModelSummary.of(package)
    return None
