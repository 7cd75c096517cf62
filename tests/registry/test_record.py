"""Records: what is written is read back the same; anything else is refused, naming the field."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.record import Aware, InvalidRecord, Positive, Record


class Inner(Record, frozen=True, kw_only=True):
    number: float


class Outer(Record, frozen=True, kw_only=True):
    text: str
    count: Positive = 1
    known: float | None = None
    inside: tuple[Inner, ...] = ()
    when: Aware | None = None
    anything: dict[str, bool | int | float | str | None] = {}  # noqa: RUF012 - msgspec makes a new one each time


finite = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | finite | st.text()
zones = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
outers = st.builds(
    Outer,
    text=st.text(),
    count=st.integers(1, 2**63 - 1),
    known=st.none() | finite,
    inside=st.lists(st.builds(Inner, number=finite), max_size=3).map(tuple),
    when=st.none()
    | st.builds(
        datetime, st.integers(2, 9998), st.just(3), st.just(31), st.integers(0, 23), tzinfo=zones
    ),
    anything=st.dictionaries(st.text(), scalars, max_size=4),
)


@given(outers)
def test_what_is_written_is_read_as_it_was(record: Outer) -> None:
    text = record.to_json()
    assert Outer.parse(text) == record
    assert Outer.parse(record.to_json(indent=1)) == record
    assert Outer.parse(text).to_json() == text
    assert Outer.checked(record.to_dict()) == record


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    "make",
    [
        lambda n: {"known": n},
        lambda n: {"anything": {"a": n}},
        lambda n: {"inside": [{"number": n}]},
    ],
)
def test_a_number_that_is_not_finite_is_neither_taken_nor_written(
    make: Callable[[float], dict[str, Any]], number: float
) -> None:
    with pytest.raises(InvalidRecord):
        Outer.checked({"text": "", **make(number)})
    with pytest.raises(InvalidRecord):
        Outer(text="", known=number).to_json()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "truncated"),
        ("", "truncated"),
        (b"\xff", "JSON"),
        ("[]", "Expected `object`"),
        ("{}", "required field `text`"),
        ('{"text": 1}', "^text: Expected `str`"),
        ('{"text": "", "more": 1}', "unknown field `more`"),
        ('{"text": "", "count": 0}', "^count: Expected `int` >= 1"),
        ('{"text": "", "count": "1"}', "^count: "),
        ('{"text": "", "known": 1e999}', "^known: "),
        ('{"text": "", "known": NaN}', "JSON"),
        ('{"text": "", "inside": [{"number": 1}, {"number": null}]}', r"^inside\[1\]\.number: "),
        ('{"text": "", "when": "2026-01-01T00:00:00"}', "^when: .*timezone"),
        ('{"text": "\ud800"}', "surrogate"),
        ('{"text": "", "anything": ' + '{"a": ' * 100_000 + "}" * 100_000 + "}", "^anything"),
    ],
)
def test_what_is_no_record_is_refused_with_the_field(text: str | bytes, message: str) -> None:
    with pytest.raises(InvalidRecord, match=message):
        Outer.parse(text)


def test_what_json_has_no_word_for_is_refused() -> None:
    """Such as numpy's numbers, which are floats to everybody else."""
    with pytest.raises(InvalidRecord, match="float64"):
        Outer(text="", known=np.float64(1.5)).to_json()


def test_other_values_can_be_put_into_a_copy() -> None:
    record = Outer(text="a", when=datetime(2026, 1, 1, tzinfo=UTC))
    assert record.replace(text="b") == Outer(text="b", when=record.when)
    assert record.text == "a"
