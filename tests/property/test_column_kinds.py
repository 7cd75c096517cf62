"""Dates and hashed words: equal to Python's calendar and to scikit-learn's HashingVectorizer."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.utils.murmurhash import murmurhash3_32

from registry.package import COLUMN_KINDS, Column
from registry.package.column_kinds.dates import NOT_ISO, PARTS, parse_instant
from registry.package.column_kinds.texts import murmurhash3
from registry.package.manifest import TextRules

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WHEN = Column(name="when", kind="datetime", parts=tuple(PARTS))
zones = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda m: timezone(timedelta(minutes=m)))
moments = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=zones)  # noqa: DTZ001 - `zones` adds them


@settings(max_examples=500)
@given(moments, st.sampled_from("T t"))
def test_the_parts_of_a_moment_are_those_of_its_utc_calendar(
    moment: datetime, separator: str
) -> None:
    utc = moment.astimezone(UTC)
    days = (utc - EPOCH) // timedelta(microseconds=1) / 86_400e6
    calendar = [utc.month, utc.day, utc.weekday(), utc.timetuple().tm_yday, utc.hour, utc.minute]
    wanted = np.array([[days, *calendar]], dtype=np.float32)
    assert WHEN.encode([moment.isoformat(separator)]).tobytes() == wanted.tobytes()
    instants = np.array([utc.replace(tzinfo=None)], dtype="M8[us]")
    assert WHEN.encode(instants).tobytes() == wanted.tobytes()


@given(moments)
def test_a_moment_as_json_is_the_same_moment(moment: datetime) -> None:
    instants = np.array([moment.astimezone(UTC).replace(tzinfo=None)], dtype="M8[us]")
    text = COLUMN_KINDS["datetime"].json_cell(WHEN, instants[0])
    assert isinstance(text, str)
    assert parse_instant(text) == instants.astype(np.int64)[0]


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "2026", "2026-11", "30.11.2026", "11/30/2026", "2026-02-30", "2026-13-01"),
        *("2026-11-30T", "2026-11-30T24:00", "2026-11-30T10:60", "2026-11-30T10:00:60"),
        *("2026-11-30T10:00+24:00", "2026-11-30 10:00 Z", "26-11-30", " 2026-11-30", "٢٠٢٦-11-30"),
        *("2026-W49-1", "2026-11-30x10:00", "2026-11-30T10:00:00.", "1796057100"),
    ],
)
def test_a_text_that_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an ISO 8601 date or time"):
        parse_instant(text)


@given(st.text())
@example("2026-11-30")
def test_a_text_is_a_date_or_a_value_error(text: str) -> None:
    problem = ""
    try:
        parse_instant(text)
    except ValueError as error:
        problem = str(error)
    assert problem in {"", NOT_ISO}


@settings(max_examples=500)
@given(st.binary())
@example(b"")
@example(b"tests" * 99)
def test_the_hash_is_murmurhash3(content: bytes) -> None:
    assert murmurhash3(content) == murmurhash3_32(content, seed=0, positive=False)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=5), st.integers(1, 1024))
@example(["İSTANBUL Straße ǅ", "a ab ab ab_1 2026", ""], 16)
def test_words_are_hashed_as_scikit_learn_hashes_them(texts: list[str], buckets: int) -> None:
    vectorizer = HashingVectorizer(n_features=buckets, alternate_sign=False, norm=None)
    wanted = vectorizer.transform(texts).toarray()
    found = Column(name="notes", kind="text", buckets=buckets).encode(texts)
    assert found.dtype == np.float32
    assert found.tolist() == wanted.tolist()


@given(
    st.lists(st.text(st.sampled_from(" \t\n\x0b\x1c\x1f\x85\xa0\u2003\u2028\u3000\u200b\ufeffa")))
)
def test_spaces_are_those_that_reading_a_table_takes_off(texts: list[str]) -> None:
    trimmed = pc.utf8_trim_whitespace(pa.array(texts, pa.string())).to_pylist()
    assert list(map(TextRules(strip=True).clean, texts)) == trimmed
