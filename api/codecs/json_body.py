"""A request's body as JSON, and the words for one that fits no model."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from api.problems import UNPROCESSABLE, Problem

MAX_ERRORS = 100  # named in one answer
UNFIT = "The request does not fit the model"


def load(body: bytes) -> Any:  # noqa: ANN401 - JSON
    """Read a body as JSON; a field may be there once.

    Raises:
        Problem: 422.
    """
    try:
        return json.loads(
            body.decode(), object_pairs_hook=_once
        )  # given bytes, it would guess at other encodings
    except (ValueError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(UNPROCESSABLE, "The body is not JSON", str(error)) from error


def _once(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    fields = dict(pairs)
    "".join(
        fields
    ).encode()  # a lone surrogate is not text: it could neither be compared nor answered
    if len(fields) < len(pairs):
        times = Counter(name for name, _ in pairs)
        twice = sorted(name for name, n in times.items() if n > 1)
        errors = [{"field": name, "problem": "is there twice"} for name in twice[:MAX_ERRORS]]
        raise Problem(UNPROCESSABLE, UNFIT, errors=errors)
    return fields
