from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.registry.ledgers import NOON, outcome, promotion

from registry import Entry, Outcome, Promotion, champion, in_flight
from registry.ledger import next_number
from registry.record import InvalidRecord


def history_of(*results: str) -> Sequence[Entry]:
    return [
        Entry(promotion=promotion(number), outcome=outcome(result) if result else None)
        for number, result in enumerate(results, start=1)
    ]


@pytest.mark.parametrize(
    ("results", "number"),
    [
        ([], None),
        ([""], None),
        (["reverted"], None),
        (["live"], 1),
        (["live", "live"], 2),
        (["live", ""], 1),
        (["live", "reverted", ""], 1),
    ],
)
def test_the_champion_is_the_newest_that_is_live(results: list[str], number: int | None) -> None:
    current = champion(history_of(*results))
    assert (current.promotion.number if current else None) == number


@pytest.mark.parametrize(
    ("results", "number"),
    [([], None), (["live"], None), (["reverted"], None), ([""], 1), (["live", ""], 2)],
)
def test_only_the_newest_can_be_in_flight(results: list[str], number: int | None) -> None:
    entry = in_flight(history_of(*results))
    assert (entry.promotion.number if entry else None) == number


@pytest.mark.parametrize(
    ("results", "number"), [([], 1), (["live"], 2), (["live", "reverted", ""], 4)]
)
def test_the_next_number_is_one_more_than_the_newest_whatever_its_state(
    results: list[str], number: int
) -> None:
    assert next_number(history_of(*results)) == number


@pytest.mark.parametrize("result", ["live", "reverted"])
def test_an_entrys_state_is_its_outcome(result: str) -> None:
    assert Entry(promotion=promotion(), outcome=outcome(result)).state == result


def test_an_entry_without_outcome_is_in_flight() -> None:
    assert Entry(promotion=promotion()).state == "in flight"


@pytest.mark.parametrize(
    ("seconds", "expired"), [(-60, False), (59.999, False), (60, True), (3600, True)]
)
def test_a_lease_is_over_once_its_seconds_have_passed(seconds: float, expired: bool) -> None:  # noqa: FBT001 - expected
    assert promotion(lease=60).expired(NOON + timedelta(seconds=seconds)) is expired


@pytest.mark.parametrize(
    "record", [promotion(reasons=("better", "größer"), score=0.1, previous=None), outcome()]
)
def test_a_record_round_trips_through_json(record: Promotion | Outcome) -> None:
    assert type(record).parse(record.to_json()) == record


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        promotion().number = 2


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 0},
        {"sha256": "f" * 63},
        {"sha256": "../../models"},
        {"kind": "demotion"},
        {"previous": 0},
        {"score": float("nan")},
        {"created_at": datetime(2024, 5, 1)},  # noqa: DTZ001 - the zone is what is missing
        {"lease": 0},
        {"model": None},
        {"status": "live"},
    ],
    ids=str,
)
def test_a_promotion_of_another_form_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRecord):
        promotion(**changes)


@pytest.mark.parametrize(
    "changes",
    [{"result": "kept"}, {"closed_at": datetime(2024, 5, 1)}, {"number": 1}],  # noqa: DTZ001 - refused
    ids=str,
)
def test_an_outcome_of_another_form_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRecord):
        outcome(**changes)
