"""Which columns name a row instead of describing it; a forest would learn them by heart.

A name alone drops nothing, nor does the fact that all values differ: a size measured to the
millimetre is different in each row, and a `store_id` says which store.
"""

import re

import numpy as np

from trainer.profile.column_facts import ColumnFacts

LEAST_ROWS = 20  # with fewer, that all values differ may be chance
DENSE_ROWS = 50  # from here on, an identifier may have gaps: rows were deleted
DENSE_SHARE = 0.5
MANY_TEXTS = 100
MOSTLY_DIFFERENT = 0.5
ALMOST_ALL_DIFFERENT = 0.9
CODE_DIGITS = 5
YEARS = (1500, 2200)
ID_NAMES = re.compile(
    r"""(?ix) ^(?: (?:unnamed:?\s*\d+) | index | idx | identifier | row
    | row[\s_]?(?:nr|no|num(?:ber)?) | [pugcso]?id | uuid | guid | key )$
    | [\W_](?:id|uuid|guid|key|identifier)$ | ^(?:id|uuid)[\W_]
    | (?-i:[a-z](?:ID|Id|UUID|Uuid|Key)$)"""
)
CODE_NAMES = re.compile(r"(?i)(?:number|num|nr|no|code|#)\.?$")
TIME_NAMES = re.compile(
    r"(?i)(?:^|[\W_])(?:year|quarter|month|week|day|hour|minute|second|date|time|timestamp|epoch"
    r"|jahr|monat|tag|yr|age|period|step)s?(?:$|[\W_])|(?-i:[a-z](?:Year|Month|Day|Date|Time)$)"
)


def identifier_problem(column: ColumnFacts) -> str:
    """Return why the column names rows, or nothing where it describes them."""
    if column.present < LEAST_ROWS:
        return ""
    if column.is_numeric:
        return _number_problem(column)
    if column.kind in {"boolean", "datetime"} or column.looks_like_numbers:
        return ""
    return _text_problem(column)


def _number_problem(column: ColumnFacts) -> str:
    if column.missing or not column.is_whole or column.distinct < column.rows:
        return ""
    low = int(column.cells.min())
    high = int(column.cells.max())
    span = high - low + 1
    named = ID_NAMES.search(column.name) is not None
    if span == column.rows and (named or not _may_be_time(column.name, low, high)):
        return f"counts the rows from {low} to {high}"
    dense = column.rows >= DENSE_ROWS and column.rows >= DENSE_SHARE * span
    if dense and (named or not _may_be_time(column.name, low, high)):
        return f"numbers the rows from {low} to {high}, with gaps"
    if named:
        return "is another number in each row, and is named like an id"
    widths = {len(str(abs(low))), len(str(abs(high)))}
    if CODE_NAMES.search(column.name) and len(widths) == 1 and min(widths) >= CODE_DIGITS:
        return f"is another number of {min(widths)} digits in each row, and is named like a code"
    return ""


def _may_be_time(name: str, low: int, high: int) -> bool:
    """Whether a count may be the time at which a row was measured, which can be learned from."""
    return TIME_NAMES.search(name) is not None or (YEARS[0] <= low and high <= YEARS[1])


def _text_problem(column: ColumnFacts) -> str:
    share = column.distinct / column.present
    if column.distinct == column.present:
        return "has another text in each row"
    if share >= ALMOST_ALL_DIFFERENT or (share > MOSTLY_DIFFERENT and column.distinct > MANY_TEXTS):
        return f"has {column.distinct:,} different texts in {column.present:,} rows"
    return ""


def names_things(column: ColumnFacts) -> bool:
    """Whether numbers are probably names of things, such as of stores: their order says nothing."""
    repeated = 1 < column.distinct <= np.sqrt(column.rows) * 5
    return column.is_whole and repeated and ID_NAMES.search(column.name) is not None
