"""Records for a ledger, as short as a test needs them."""

from datetime import UTC, datetime
from typing import Any

from registry import Challenge, Outcome, Promotion

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def promotion(number: int = 1, **changes: Any) -> Promotion:  # noqa: ANN401 - a promotion's fields
    fields = {"model": "houses", "number": number, "sha256": f"{number:064x}", "created_at": NOON}
    return Promotion.checked({**fields, **changes})


def outcome(result: str = "live", **changes: Any) -> Outcome:  # noqa: ANN401 - an outcome's fields
    return Outcome.checked({"result": result, "closed_at": NOON, **changes})


def challenge(number: int = 1, **changes: Any) -> Challenge:  # noqa: ANN401 - a challenge's fields
    fields = {
        "model": "houses",
        "number": number,
        "decision": "keep",
        "verdict": f"{number:064x}",
        "decided_at": NOON,
    }
    return Challenge.checked({**fields, **changes})
