"""Columns of dates and times: ISO 8601 texts in requests, `datetime64[us]` in training.

A text is a date, or a date and a time, with or without a zone, in the extended form (2026-11-30,
2026-11-30T16:45:00.5+01:00) or the basic one (20261130, 20261130T164500Z); a space may stand for
the T. A zone is converted to UTC, and a time without a zone is taken as UTC; a date alone is its
midnight. Digits beyond the microsecond are cut off.

A column is encoded as its `parts`, in UTC:

elapsed       days since 1970-01-01, with fraction. As float32 it tells times apart that differ by
              3 minutes (until the year 2059; by 6 until 2149); what is finer, `hour` and `minute`
              say.
month         1 to 12
day           of the month, 1 to 31
weekday       Monday is 0, Sunday 6
day_of_year   1 to 366
hour          0 to 23
minute        0 to 59

A part that is the same in all training rows is left out, except `elapsed`: a column of dates alone
has neither hour nor minute. A missing datetime is NaN in each part.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from registry.package.column_kinds.kind import (
    Cell,
    CellArray,
    CellType,
    ColumnFields,
    ColumnKind,
    ColumnRecord,
    ComputedFeatures,
    PydanticRules,
    RawValues,
)

Instants = NDArray[np.datetime64]  # datetime64[us], UTC, NaT for missing
NOT_ISO = "not an ISO 8601 date or time, such as 2026-11-30 or 2026-11-30T16:45:00Z"
DAY = 86_400  # seconds
MICROSECONDS = 1_000_000  # a second
# Seconds since 1970 of the years that a text can name, and a day for zones.
EARLIEST = -62_135_596_800 - DAY
LATEST = 253_402_300_800 + DAY
DATE = r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8})"
CLOCK = r"(?:[01][0-9]|2[0-3])(?::?[0-5][0-9](?::?[0-5][0-9](?:[.,][0-9]{1,18})?)?)?"
ZONE = r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)"
ISO_8601 = re.compile(rf"{DATE}(?:[Tt ]{CLOCK}{ZONE}?)?")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - in UTC, as all times here
_MICROSECOND = timedelta(microseconds=1)


class DatetimeKind(ColumnKind):
    """A date or a time; one feature a part."""

    name = "datetime"
    json_type = "string"
    tensor_datatype = "BYTES"
    tensor_datatypes = ("BYTES",)
    widget = "datetime"
    has_range = True
    has_computed_features = True
    own_fields = frozenset({"parts"})

    def check(self, column: ColumnRecord) -> None:
        """Check the parts and the range.

        Raises:
            ValueError: when a part is unknown or named twice, or no text can name a bound.
        """
        if not column.parts or len(set(column.parts)) < len(column.parts):
            raise ValueError(f"column {column.name}: each part must be named once")
        if unknown := [part for part in column.parts if part not in PARTS]:
            raise ValueError(f"column {column.name}: no part {unknown[0]!r}")
        for bound in (column.minimum, column.maximum):
            if bound is not None and not EARLIEST <= bound <= LATEST:
                raise ValueError(f"column {column.name}: {bound:g} s is no year of four digits")

    def cell_type(self, column: ColumnRecord) -> CellType:
        text_format = "date" if _is_date_only(column) else "date-time"
        text = Annotated[
            str,
            Meta(pattern=rf"^{ISO_8601.pattern}$", extra_json_schema={"format": text_format}),
            PydanticRules(strict=True),
            JsonFormat(text_format),
        ]
        return text | None if column.takes_missing else text

    def takes_any_text(self, column: ColumnRecord) -> bool:
        del column
        return True

    def read_text(self, column: ColumnRecord, text: str) -> Cell:
        del column
        parse_instant(text)
        return text

    def widget_of(self, column: ColumnRecord) -> str:
        return "date" if _is_date_only(column) else self.widget

    def is_missing(self, values: CellArray) -> NDArray[np.bool_]:
        missing: NDArray[np.bool_] = np.isnat(values)
        return missing

    def describe(self, present: CellArray) -> ColumnFields:
        instants: Instants = np.sort(present.astype("M8[us]"))
        seconds = _seconds(instants)
        parts = [
            name
            for name, part in PARTS.items()
            if name == ELAPSED or np.ptp(part(instants).astype(np.float64)) > 0
        ]
        low = float(seconds[0])
        middle = instants[(len(instants) - 1) // 2]
        return {
            "minimum": low,
            "maximum": float(seconds[-1]),
            "parts": tuple(parts),
            "typical": _iso_text(middle, date_only=_has_no_clock(parts, low)),
        }

    def json_cell(self, column: ColumnRecord, value: Any) -> Cell:  # noqa: ANN401 - a raw value
        if np.isnat(value):
            return None
        return _iso_text(value, date_only=_is_date_only(column))

    def feature_names(self, column: ColumnRecord) -> list[str]:
        return [f"{column.name} {part}" for part in column.parts]

    def cell_features(self, column: ColumnRecord) -> ComputedFeatures:
        return ComputedFeatures(self, column)

    def encode(self, column: ColumnRecord, values: RawValues) -> NDArray[np.float32]:
        instants = read_instants(values)
        encoded = np.empty((len(instants), len(column.parts)), dtype=np.float32)
        for i, part in enumerate(column.parts):
            encoded[:, i] = PARTS[part](instants)
        encoded[np.isnat(instants)] = np.nan
        return encoded

    def range_values(self, values: RawValues) -> NDArray[np.float64]:
        return _seconds(read_instants(values))

    def format_bound(self, column: ColumnRecord, value: float, *, digits: int = 6) -> str:
        del digits
        instant = np.datetime64(round(value * MICROSECONDS), "us")
        return _iso_text(instant, date_only=_is_date_only(column))

    def json_bound(self, column: ColumnRecord, value: float) -> str:
        return self.format_bound(column, value)

    def documentation(self, column: ColumnRecord) -> str:
        del column
        return "a date or a time, ISO 8601; without a zone it is UTC"


class JsonFormat:
    """The `format` of a text in a JSON schema that pydantic writes; imports no pydantic."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get_pydantic_json_schema__(
        self, schema: CellType, handler: Callable[[CellType], dict[str, object]]
    ) -> dict[str, object]:
        """Add the format; pydantic calls this."""
        return {**handler(schema), "format": self.name}


def parse_instant(text: str) -> int:
    """Return the microseconds since 1970-01-01 UTC that a text names.

    Raises:
        ValueError: when it is not a date or time as described above.
    """
    if not ISO_8601.fullmatch(text):
        raise ValueError(NOT_ISO)
    try:
        moment = datetime.fromisoformat(text.upper().replace(",", "."))
    except ValueError as error:  # 30 February
        raise ValueError(NOT_ISO) from error
    offset = moment.utcoffset() or timedelta()
    # The difference first: in UTC, the first hours of the year 1 are before all datetimes.
    return (moment.replace(tzinfo=None) - _EPOCH - offset) // _MICROSECOND


def read_instants(values: RawValues) -> Instants:
    """Return datetime64[us] (n,) of such an array, or of ISO 8601 texts; None is NaT.

    Raises:
        ValueError: when a text is not a date or time.
        TypeError: when a value is not a text.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        return values.astype("M8[us]")
    texts = set(values) - {None}
    parsed: dict[Cell, np.datetime64] = {
        text: np.datetime64(parse_instant(text), "us") for text in texts
    }
    parsed[None] = np.datetime64("NaT", "us")
    return np.array([parsed[value] for value in values], dtype="M8[us]")


def _seconds(instants: Instants) -> NDArray[np.float64]:
    seconds = instants.astype(np.int64) / MICROSECONDS
    seconds[np.isnat(instants)] = np.nan
    return seconds


def _iso_text(instant: np.datetime64, *, date_only: bool) -> str:
    moment = instant.astype("M8[us]")
    midnight = moment == moment.astype("M8[D]")
    if date_only and midnight:
        return str(moment.astype("M8[D]"))
    whole = moment == moment.astype("M8[s]")
    return f"{moment.astype('M8[s]') if whole else moment}Z"


def _is_date_only(column: ColumnRecord) -> bool:
    return _has_no_clock(column.parts, column.minimum or 0.0)


def _has_no_clock(parts: Sequence[str], minimum: float) -> bool:
    return "hour" not in parts and "minute" not in parts and minimum % DAY == 0


def _count(instants: Instants, unit: str) -> NDArray[np.int64]:
    """Return the whole units since 1970, rounded down."""
    return instants.astype(f"M8[{unit}]").astype(np.int64)


def _days_into(instants: Instants, unit: str) -> NDArray[np.int64]:
    """Return the days since the month or the year began."""
    return _count(instants, "D") - _count(instants.astype(f"M8[{unit}]").astype("M8[us]"), "D")


ELAPSED = "elapsed"
# The days since 1970-01-01, which was a Thursday.
PARTS: Mapping[str, Callable[[Instants], NDArray[Any]]] = {
    ELAPSED: lambda instants: instants.astype(np.int64) / (DAY * MICROSECONDS),
    "month": lambda instants: _count(instants, "M") % 12 + 1,
    "day": lambda instants: _days_into(instants, "M") + 1,
    "weekday": lambda instants: (_count(instants, "D") + 3) % 7,
    "day_of_year": lambda instants: _days_into(instants, "Y") + 1,
    "hour": lambda instants: _count(instants, "h") % 24,
    "minute": lambda instants: _count(instants, "m") % 60,
}
