"""Reads dates as people write them, and writes them as ISO 8601 says.

ISO texts stay as they are. "31.12.2026" has its day first; "03/04/2026" is only read where another
text of the column proves the order. "2026-03" is the first of its month.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_TIME = r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[AaPp][Mm])?)?"
_ZONE = r"(?: ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?"
_ISO = rf"^\d{{4}}-\d{{2}}-\d{{2}}{_TIME}{_ZONE}$"
_NUMERIC = rf"^\d{{1,4}}[./-]\d{{1,2}}[./-]\d{{1,4}},?{_TIME}$"
_NAMED = (
    rf"^(?:\d{{1,2}}[. -]{{1,2}}[A-Za-z]{{3,9}}[. -]{{1,2}}\d{{2,4}}"
    rf"|[A-Za-z]{{3,9}} \d{{1,2}},? \d{{4}}),?{_TIME}$"
)
# Not "01.2026", which is a number.
_MONTH = r"^(?:\d{4}[/-]\d{1,2}|\d{1,2}[/-]\d{4}|[A-Za-z]{3,9}[ -]\d{4})$"
_NUMERIC_FORMATS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d.%m.%y"),
    *("%d/%m/%Y", "%m/%d/%Y", "%d/%m/%y", "%m/%d/%y"),
    *("%d-%m-%Y", "%m-%d-%Y", "%d-%m-%y", "%m-%d-%y"),
)
_NAMED_FORMATS = (
    *("%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y", "%d. %b %Y", "%d. %B %Y"),
    *("%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y"),
)
_MONTH_FORMATS = ("%Y-%m", "%Y/%m", "%m-%Y", "%m/%Y", "%b %Y", "%B %Y", "%b-%Y", "%B-%Y")
_TIME_FORMATS = ("", " %H:%M", " %H:%M:%S", "T%H:%M", "T%H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_TRIED = 200  # texts on which formats are tried first


@dataclass(frozen=True, slots=True)
class DateColumn:
    """What a column's distinct texts say, one entry a text.

    Attributes:
        texts: ISO 8601 texts, null for what is no date.
        format: how they were written, as strftime writes it; empty for ISO 8601.
        others: another format that reads all texts to other dates; then the order is ambiguous.
    """

    texts: pa.Array
    format: str = ""
    other: str = ""

    @property
    def is_date(self) -> NDArray[np.bool_]:
        """Bool (n,)."""
        mask: NDArray[np.bool_] = self.texts.is_valid().to_numpy(zero_copy_only=False)
        return mask


def looks_like_dates(texts: pa.Array) -> bool:
    """Tell cheaply whether reading dates is worth a try: one of the first texts has their form."""
    first = texts.slice(0, _TRIED)
    pattern = f"{_ISO}|{_NUMERIC}|{_NAMED}|{_MONTH}"
    return bool(pc.any(pc.match_substring_regex(first, pattern)).as_py())


def are_iso_dates(texts: pd.Series) -> bool:
    """Tell whether all texts are ISO 8601 dates or times; there is at least one."""
    if not looks_like_dates(pa.array(texts.head(_TRIED).to_list(), pa.string())):
        return False
    iso = _iso_texts(pa.array(texts, pa.string(), from_pandas=True))
    return int(iso.null_count) == 0


def read_date_texts(texts: pa.Array, stated: str = "") -> DateColumn:
    """Read a column's distinct texts as dates.

    Args:
        texts: distinct and stripped, string (n,); no null.
        stated: the format that the spec states, as strftime writes it.
    """
    if stated:
        return DateColumn(_to_iso(_parse(texts, stated)), stated)
    iso = _iso_texts(texts)
    if iso.null_count < len(texts) / 2:
        return DateColumn(iso)
    ranked = sorted(_count_parsed(texts.slice(0, _TRIED)), reverse=True)
    if not ranked:
        return DateColumn(iso)
    parsed = {form: _parse(texts, form) for count, form in ranked[:2] if count == ranked[0][0]}
    (best, dates), *rest = sorted(parsed.items(), key=lambda item: item[1].isna().sum())
    other = ""
    if rest and rest[0][1].isna().sum() == dates.isna().sum() and not rest[0][1].equals(dates):
        other = rest[0][0]
    return DateColumn(_to_iso(dates), best, other)


def _iso_texts(texts: pa.Array) -> pa.Array:
    """Return the texts that are valid ISO dates, null for others."""
    matching = pc.match_substring_regex(texts, _ISO)
    candidates = pc.if_else(matching, texts, pa.scalar(None, texts.type))
    dates = pd.to_datetime(candidates.to_pandas(), format="ISO8601", errors="coerce", utc=True)
    valid = pa.array(dates.notna().to_numpy())
    return pc.if_else(valid, texts, pa.scalar(None, texts.type))


def _count_parsed(texts: pa.Array) -> Iterator[tuple[int, str]]:
    """Yield how many texts each format reads, for those that read any."""
    for pattern, formats in ((_NUMERIC, _NUMERIC_FORMATS), (_NAMED, _NAMED_FORMATS)):
        if pc.any(pc.match_substring_regex(texts, pattern)).as_py():
            yield from _count_each(texts, formats, _TIME_FORMATS)
    if pc.any(pc.match_substring_regex(texts, _MONTH)).as_py():
        yield from _count_each(texts, _MONTH_FORMATS, ("",))


def _count_each(
    texts: pa.Array, formats: Sequence[str], times: Sequence[str]
) -> Iterator[tuple[int, str]]:
    for date in formats:
        for time in times:
            count = int(_parse(texts, date + time).notna().sum())
            if count:
                yield count, date + time


def _parse(texts: pa.Array, form: str) -> pd.Series:
    dates: pd.Series = pd.to_datetime(texts.to_pandas(), format=form, errors="coerce")
    return dates


def _to_iso(dates: pd.Series) -> pa.Array:
    present = dates.dropna()
    if (present == present.dt.normalize()).all():
        texts = dates.dt.strftime("%Y-%m-%d")
    else:
        texts = dates.dt.strftime("%Y-%m-%dT%H:%M:%S")
    return pa.array(texts, pa.string(), from_pandas=True)
