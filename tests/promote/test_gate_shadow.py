"""What a shadow has shown is kept in the verdict; it decides only where the policy asks for it."""

from typing import Any

import pytest
from support.promotion.gate_cases import GateCase, check_detail, failed_checks

from promote import GatePolicy
from promote.gate import judge
from promote.gate_input import GateInput
from promote.verdict import Verdict
from registry.shadow import NumberDifferences, ShadowEvidence


def seen(homes: GateCase, **counts: int) -> ShadowEvidence:
    """Return what a server might have seen; `counts` are its numbers of rows."""
    numbers = NumberDifferences(
        mean=-0.1, mean_absolute=1.5, root_mean_square=2.0, largest=9.0, outside=0.05
    )
    fields: dict[str, Any] = {"rows": 500, "dropped": 3, "failed": 0, **counts}
    return ShadowEvidence(
        champion=homes.poor.digest, candidate=homes.good.digest, numbers=numbers, **fields
    )


def judged(homes: GateCase, shadow: ShadowEvidence | None, **policy: Any) -> Verdict:  # noqa: ANN401 - a policy's fields
    return judge(GateInput(homes.good, homes.poor, homes.view, shadow), GatePolicy(**policy))


def test_a_verdict_without_a_shadow_says_nothing_of_shadows(homes: GateCase) -> None:
    """Verdicts keep the digests, which ledgers hold, that they had before there were shadows."""
    verdict = judged(homes, None)
    assert b"shadow" not in verdict.canonical()
    assert "shadow" not in verdict.to_dict()
    assert Verdict.parse(verdict.canonical()).digest() == verdict.digest()


def test_evidence_is_kept_and_decides_nothing(homes: GateCase) -> None:
    shadow = seen(homes, failed=7, rows=1)
    verdict = judged(homes, shadow)
    without = judged(homes, None)
    assert verdict.shadow == shadow
    assert verdict.verdict == "promote"
    assert verdict.replace(shadow=None) == without
    assert verdict.digest() != without.digest()
    assert Verdict.parse(verdict.canonical()) == verdict


@pytest.mark.parametrize(
    ("counts", "decision"),
    [
        ({"rows": 500}, "promote"),
        ({"rows": 499}, "hold"),
        ({"rows": 500, "failed": 1}, "hold"),
        (None, "hold"),
    ],
)
def test_a_policy_may_ask_for_rows_without_a_failure(
    homes: GateCase, counts: dict[str, int] | None, decision: str
) -> None:
    shadow = None if counts is None else seen(homes, **counts)
    verdict = judged(homes, shadow, shadow_rows=500)
    assert verdict.verdict == decision
    assert failed_checks(verdict) == (set() if decision == "promote" else {"shadow"})
    assert Verdict.parse(verdict.canonical()).policy.shadow_rows == 500
    rows, failed = (counts or {}).get("rows", 0), (counts or {}).get("failed", 0)
    detail = f"{rows} rows compared on real requests, at least 500; {failed} failed, none may"
    assert check_detail(verdict, "shadow") == detail


def test_a_first_model_has_nobody_to_stand_beside(homes: GateCase) -> None:
    verdicts = [
        judge(GateInput(homes.good, None, homes.view), GatePolicy(shadow_rows=rows))
        for rows in (0, 500)
    ]
    assert verdicts[0].checks == verdicts[1].checks
