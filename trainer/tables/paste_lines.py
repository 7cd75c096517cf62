"""Writes the lines of TOML that people paste into a spec; each stands above all its [tables]."""

import json
import re
from collections.abc import Iterable

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def drop_line(dropped: Iterable[str], column: str) -> str:
    """Return the line that drops a column, with those dropped already."""
    return f"drop = {toml_value([*dropped, column])}"


def type_line(column: str, kind: str) -> str:
    """Return the line that states a column's kind."""
    return f"columns.{toml_key(column)}.type = {toml_value(kind)}"


def missing_line(column: str, texts: Iterable[str]) -> str:
    """Return the line that lets texts of one column mean missing."""
    return f"columns.{toml_key(column)}.missing = {toml_value(list(texts))}"


def date_format_line(column: str, form: str) -> str:
    """Return the line that states how a column's dates are written."""
    return f"columns.{toml_key(column)}.date_format = {toml_value(form)}"


def toml_key(name: str) -> str:
    """Return a name as a key, quoted where it has to be."""
    if _BARE_KEY.fullmatch(name):
        return name
    return toml_value(name)


def toml_value(value: object) -> str:
    """Return a text, number, boolean or list as TOML: JSON's are TOML's too, except for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
