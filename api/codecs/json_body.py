"""A request's body as JSON, strictly: UTF-8, no field twice, no half of a surrogate pair."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from api.problems import MAX_ERRORS, UNFIT, UNPROCESSABLE, Problem


def load_json(body: bytes) -> Any:  # noqa: ANN401 - JSON
    """Decode a body.

    Raises:
        Problem: 422 where it is not JSON, or a field is there twice.
    """
    try:
        # As text: given bytes, `json` would guess at other encodings than UTF-8.
        return json.loads(body.decode(), object_pairs_hook=_unique_fields)
    except (ValueError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(UNPROCESSABLE, "The body is not JSON", str(error)) from error


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
