"""What every route does: take the model that answers now, read the body, predict, say which model it was."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from fastapi import Request
from fastapi.responses import Response
from numpy.typing import NDArray
from starlette.requests import ClientDisconnect

from api.problems import BAD_REQUEST, NOT_FOUND, TOO_LARGE, UNAVAILABLE, Problem
from api.schema import Row
from api.slot import Served, Slot

VERSION_HEADER = "X-Model-Version"
WARNING_HEADER = "X-Model-Warning"
MAX_BODY = 1 << 20
MAX_WARNINGS = 20  # named in one header


def current(slot: Slot) -> Served:
    """Return what serves; a request keeps it to its end.

    Raises:
        Problem: 503 where nothing does.
    """
    if slot.served is None:
        detail = slot.refused or "nothing has been promoted yet"
        raise Problem(UNAVAILABLE, "No model is loaded", detail)
    return slot.served


def named(slot: Slot, name: str) -> Served:
    """Return what serves under this name.

    Raises:
        Problem: 404 where another model does, 503 where none does.
    """
    served = current(slot)
    if name != served.pointer.model:
        raise Problem(NOT_FOUND, "No such model", f"here serves {served.pointer.model}")
    return served


async def body(request: Request) -> bytes:
    """Read the body, up to `MAX_BODY` bytes."""
    chunks, size = [], 0
    try:
        async for chunk in request.stream():
            chunks.append(chunk)
            size += len(chunk)
            if size > MAX_BODY:
                raise Problem(TOO_LARGE, "The body is too large", f"at most {MAX_BODY} bytes")
    except ClientDisconnect as error:  # nobody reads the answer; it is no fault of ours, to be logged as one
        raise Problem(BAD_REQUEST, "The client has left") from error
    return b"".join(chunks)


def predict(served: Served, rows: Sequence[Row]) -> NDArray[np.float64]:
    """Predict rows in one pass: float64 (n, 1), or (n, n_classes) shares in the order of the manifest's classes."""
    table = {column.name: [row[column.name] for row in rows] for column in served.package.manifest.columns}
    return served.package.predict(table)


def values(served: Served, predicted: NDArray[np.float64]) -> list[Any]:
    """Return a number a row, or the likeliest class."""
    classes = served.package.manifest.classes
    if not classes:
        return [float(value) for value in predicted[:, 0]]
    return [classes[int(i)] for i in predicted.argmax(axis=1)]


def respond(served: Served, content: Any, rows: Sequence[Row] = ()) -> Response:  # noqa: ANN401 - JSON
    """Answer with JSON; the headers name the model, and values outside of what it has seen."""
    headers = version_headers(served)
    warnings = [warning for row in rows for warning in served.schema.warnings(row)]
    if warnings:
        headers[WARNING_HEADER] = _header_text("; ".join(warnings[:MAX_WARNINGS]))
    return Response(json.dumps(content), media_type="application/json", headers=headers)


def version_headers(served: Served) -> dict[str, str]:
    """Return the header that names the model."""
    return {VERSION_HEADER: served.package.digest}


def _header_text(text: str) -> str:
    """A column's name may hold anything, a line break too; a header may not."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text)
