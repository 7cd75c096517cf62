"""A request's body as JSON, strictly: UTF-8, no field twice, no half of a surrogate pair."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from api.problems import MAX_ERRORS, TOO_LARGE, UNFIT, UNPROCESSABLE, Problem

MANY = 1 << 18  # bytes of a body whose fields are counted
MAX_NAMES = 1 << 17  # different names of fields in a body, as many as a model can have columns


def load_json(body: bytes) -> Any:  # noqa: ANN401 - JSON
    """Decode a body.

    Raises:
        Problem: 422 where it is not JSON, or a field is there twice; 413 where there are too many
            different fields.
    """
    try:
        # As text: given bytes, `json` would guess at other encodings than UTF-8.
        if len(body) < MANY:
            return json.loads(body.decode(), object_pairs_hook=_unique_fields)
        return json.loads(body.decode(), object_pairs_hook=_CountedFields())
    except (ValueError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(UNPROCESSABLE, "The body is not JSON", str(error)) from error


class _CountedFields:
    """Ends the parsing where objects have more names than any model: each takes memory."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __call__(self, pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
        fields = _unique_fields(pairs)
        self.names.update(fields)
        if len(self.names) > MAX_NAMES:
            raise Problem(TOO_LARGE, "Too many fields", f"at most {MAX_NAMES} different names")
        return fields


def _unique_fields(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    fields = dict(pairs)
    # Raises for a lone surrogate, which could neither be compared nor answered.
    "".join(fields).encode()
    if len(fields) < len(pairs):
        times = Counter(name for name, _ in pairs)
        twice = sorted(name for name, n in times.items() if n > 1)
        errors = [{"field": name, "problem": "is there twice"} for name in twice[:MAX_ERRORS]]
        raise Problem(UNPROCESSABLE, UNFIT, errors=errors)
    return fields
