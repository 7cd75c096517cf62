"""The names and the reading of the ledger's records, whatever else is listed."""

from datetime import timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.registry.ledgers import NOON, challenge, outcome, promotion

pytest.importorskip("mr_openapi")
import mr_openapi as mr

from registry import Entry, LedgerError
from registry.kubeflow.objects import _string_properties
from registry.kubeflow.records import (
    ATTEMPTS,
    ServeRecord,
    current_records,
    ledger_entries,
    stored_challenges,
)

FOREIGN = [
    *(
        "",
        "promotion",
        "promotion-1",
        "promotion-001",
        "promotion-00001",
        "promotion-0000",
        "promotion-0001 ",
    ),
    *(
        "promotion-0001.live",
        "promotion-0001.outcome.",
        "promotion-0001.retry",
        "promotion-0001.retry1",
    ),
    *(
        "promotion-0001.retry02",
        "promotion-0001.retry2.outcome",
        "Promotion-0001",
        "xpromotion-0001",
    ),
    *(
        "promotion-000\u0661",
        "promotion-0001\n",
        "promotion-0001.retry10",
        "promotion-" + "9" * 5000,
        "canary",
    ),
]


def serve_model(name: str, **properties: str) -> mr.ServeModel:
    return mr.ServeModel(
        name=name, model_version_id="1", custom_properties=_string_properties(properties)
    )


def opening(number: int, attempt: int) -> mr.ServeModel:
    """The record of a promotion; its actor says which attempt it is."""
    record = ServeRecord.opening(promotion(number, actor=str(attempt)), "1")
    return serve_model(list(record.names())[attempt - 1], **record.properties)


def closing(number: int, attempt: int) -> mr.ServeModel:
    record = ServeRecord.closing(number, outcome(note=str(attempt)), "1")
    return serve_model(list(record.names())[attempt - 1], **record.properties)


NUMBERS = st.one_of(st.integers(1, 12), st.sampled_from([9999, 10_000, 123_456]))
TRIED = st.dictionaries(NUMBERS, st.sets(st.integers(1, ATTEMPTS), min_size=1), max_size=6)


@given(
    opened=TRIED,
    closed=TRIED,
    foreign=st.lists(st.sampled_from(FOREIGN) | st.text(max_size=30)),
    data=st.data(),
)
def test_of_any_mixture_the_highest_attempts_count_in_the_order_of_their_numbers(
    opened: dict[int, set[int]],
    closed: dict[int, set[int]],
    foreign: list[str],
    data: st.DataObject,
) -> None:
    items = [
        opening(number, attempt) for number, attempts in opened.items() for attempt in attempts
    ]
    items += [
        closing(number, attempt) for number, attempts in closed.items() for attempt in attempts
    ]
    ours = {item.name for item in items}
    items += [serve_model(name, document="{}") for name in foreign if name not in ours]
    found = ledger_entries(current_records(data.draw(st.permutations(items))))
    assert found == [
        Entry(
            promotion=promotion(number, actor=str(max(opened[number]))),
            outcome=outcome(note=str(max(closed[number]))) if number in closed else None,
        )
        for number in sorted(opened)
    ]


@pytest.mark.parametrize("name", FOREIGN)
def test_a_name_that_is_none_of_ours_is_left_out(name: str) -> None:
    assert current_records([serve_model(name)]) == {}


@given(number=st.integers(1, 999_999_999), attempt=st.integers(1, ATTEMPTS), closes=st.booleans())
def test_each_name_that_is_written_is_found_again(number: int, attempt: int, closes: bool) -> None:  # noqa: FBT001
    item = (closing if closes else opening)(number, attempt)
    assert current_records([item]) == {(number, ".outcome" if closes else ""): item}


def test_a_name_has_a_few_others_in_its_place() -> None:
    names = list(islice(ServeRecord.opening(promotion(2), "1").names(), 100))
    assert names == ["promotion-0002", *(f"promotion-0002.retry{n}" for n in range(2, 10))]


@pytest.mark.parametrize(
    "document",
    [None, "", "{}", "null", "{", promotion(2).to_json().decode(), outcome().to_json().decode()],
)
def test_a_record_under_a_name_of_ours_that_cannot_be_read_is_an_error(
    document: str | None,
) -> None:
    item = serve_model("promotion-0001", **({"document": document} if document is not None else {}))
    with pytest.raises(LedgerError) as refused:
        ledger_entries(current_records([item]))
    assert type(refused.value) is LedgerError
    assert refused.value.hint


def test_a_document_of_another_type_is_an_error() -> None:
    number = mr.MetadataValue(mr.MetadataIntValue(int_value="1", metadata_type="MetadataIntValue"))
    item = mr.ServeModel(
        name="promotion-0001", model_version_id="1", custom_properties={"document": number}
    )
    with pytest.raises(LedgerError):
        ledger_entries(current_records([item]))


def test_what_is_shown_of_a_record_does_not_change_what_it_says() -> None:
    item = opening(1, 1)
    item.custom_properties |= _string_properties({"kind": "rollback", "sha256": "x"})
    item.last_known_state = mr.ExecutionState.FAILED
    item.create_time_since_epoch = str(int((NOON + timedelta(days=1)).timestamp()))
    assert ledger_entries(current_records([item])) == [Entry(promotion=promotion(1, actor="1"))]


def judging(number: int, attempt: int = 1) -> mr.ServeModel:
    record = ServeRecord.judging(challenge(number, actor=str(attempt)), "1", f"digest {number}")
    return serve_model(list(record.names())[attempt - 1], **record.properties)


def test_challenges_and_promotions_do_not_see_each_other() -> None:
    items = [judging(2), opening(1, 1), judging(1), judging(1, 3), closing(1, 1), judging(1, 2)]
    items += [serve_model(name) for name in ("challenge-1", "challenge-0000", "challenge-0001.x")]
    found = stored_challenges(items)
    assert [each.challenge for each in found] == [challenge(1, actor="3"), challenge(2, actor="1")]
    assert [each.digest for each in found] == ["digest 1", "digest 2"]
    assert [e.promotion.number for e in ledger_entries(current_records(items))] == [1]


@pytest.mark.parametrize("document", ["", "{}", promotion(1).to_json().decode()])
def test_a_challenge_that_cannot_be_read_is_an_error(document: str) -> None:
    with pytest.raises(LedgerError, match="cannot be read"):
        stored_challenges([serve_model("challenge-0001", document=document)])
