"""Says in plain English what is wrong with a spec's fields."""

import difflib
from collections.abc import Mapping

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

_LIKE = 0.6  # how alike two names are that may be mistaken for each other


def describe_spec_errors(error: ValidationError, model: type[BaseModel]) -> str:
    """Return one sentence a wrong field, joined by "; ".

    Args:
        error: pydantic's.
        model: what was validated; its fields are offered for unknown ones.
    """
    return "; ".join(_describe(details, _all_fields(model)) for details in error.errors())


def _describe(details: ErrorDetails, fields: Mapping[str, str]) -> str:
    where = ".".join(map(str, details["loc"]))
    kind = details["type"]
    context = details.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{where}: there is no such field{_suggestion(str(details['loc'][-1]), fields)}"
    if kind == "missing":
        return f"{where}: is missing"
    if kind == "value_error":
        return f"{where}: {context['error']}".removeprefix(": ")
    if kind == "literal_error":
        return f"{where}: {details['input']!r} is not {context['expected']}"
    if kind == "string_pattern_mismatch":
        return (
            f"{where}: {details['input']!r} is not made of lower-case letters, digits, - and _, "
            "at most 63, with a letter or digit first"
        )
    message = details["msg"].removeprefix("Input ").replace("valid ", "")
    return f"{where}: {details['input']!r} {message}"


def _suggestion(name: str, fields: Mapping[str, str]) -> str:
    """Return the field that was probably meant, with the table that it stands in."""
    close = difflib.get_close_matches(name, fields, n=1, cutoff=_LIKE)
    if not close:
        return ""
    return f"; did you mean {fields[close[0]]}?"


def _all_fields(model: type[BaseModel], table: str = "") -> dict[str, str]:
    """Return field name -> how a spec writes it, such as read.separator; outer ones win."""
    own = {name: f"{table}{name}" for name in model.model_fields}
    inner: dict[str, str] = {}
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            inner |= _all_fields(field.annotation, f"{table}{name}.")
    return inner | own
