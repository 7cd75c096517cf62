"""What a policy takes, and what it is where nobody says anything."""

import json

import pytest

from promote import GatePolicy
from registry.record import InvalidRecord

DEFAULTS = {
    "mode": "two-key",
    "approval": "auto",
    "approval_days": 7,
    "p_recipe": 0.9,
    "p_searched": 0.95,
    "challenges_alpha": 0.0,
    "p_holdout": 0.2,
    "repeats": 3,
    "folds": 5,
    "finalists": 5,
    "resamples": 2000,
    "seed": 0,
    "ceiling": None,
    "max_slice_ratio": 2.0,
    "slices": {},
    "max_calibration_error": None,
    "min_coverage": None,
    "max_error_ratio": 2.0,
    "max_work": 1_000_000,
    "max_bytes": 256 << 20,
    "max_memory": 2 << 30,
    "max_microseconds": 20_000,
    "min_holdout": 30,
    "shadow_rows": 0,
    "allow_new_data": False,
    "allow_schema_change": False,
}


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("approval_days", 1, 365),
        ("repeats", 1, 100),
        ("folds", 2, 20),
        ("finalists", 1, 100),
        ("resamples", 100, 100_000),
        ("min_holdout", 2, None),
        ("max_work", 1, None),
        ("max_microseconds", 1, None),
        ("shadow_rows", 0, None),
        ("p_holdout", 0, 1),
        ("max_slice_ratio", 1, None),
        ("max_error_ratio", 1, None),
    ],
)
def test_a_setting_takes_what_is_within_its_bounds(name: str, least: int, most: int | None) -> None:
    for value in (least, most or 10**9):
        assert getattr(GatePolicy.checked({name: value}), name) == value
    for value in (least - 1, *([most + 1] if most else [])):
        with pytest.raises(InvalidRecord, match=name):
            GatePolicy.checked({name: value})


def test_a_policy_that_nobody_wrote_is_the_one_that_verdicts_hold() -> None:
    """Another default would change the digests of new verdicts on the same data."""
    assert json.loads(GatePolicy().to_json()) == DEFAULTS
