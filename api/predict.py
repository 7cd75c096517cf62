"""Our own protocol: `/predict` takes a flat object of features, or a list of them."""

from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.answers import Reply, answered, body, current, limits, many, one, respond
from api.encoding import Rows
from api.limits import Limits
from api.schema import load
from api.slot import Served, Slot


def add_predict(app: FastAPI, slot: Slot) -> None:
    """Add the route; its documentation is made by `api.openapi`, as the model and so the schema changes."""

    @app.post("/predict", summary="Predict one row, or a list of rows")
    async def predict(request: Request, *, interval: bool = False) -> Response:
        served, text = current(slot), await body(request)
        return respond(served, await answered(len(text), answer, served, text, limits(request), interval))


def quick_answer(served: Served, text: bytes, allowed: Limits, interval: bool = False) -> Reply | None:  # noqa: FBT001, FBT002
    """Answer what is surely right; None where `answer` must look."""
    if not (reader := served.reader):
        return None
    if text[:1] == b"{":
        cells = reader.row(text)
        return one(served, cells, interval=interval) if cells else None
    rows = reader.rows(text)
    if rows is None or (isinstance(rows, Rows) and len(rows.x) > allowed.rows):
        return None
    return many(served, rows if isinstance(rows, Rows) else served.encoder.rows([rows]), interval=interval)


def answer(served: Served, text: bytes, allowed: Limits, interval: bool) -> Reply:  # noqa: FBT001 - called by place
    """Answer a body.

    Raises:
        Problem: 413 or 422.
    """
    if reply := quick_answer(served, text, allowed, interval):
        return reply
    document = load(text)
    if not isinstance(document, list):
        return one(served, served.schema.row(document), interval=interval)
    allowed.check_rows(document)
    return many(served, served.encoder.rows(served.schema.rows(document, "")), interval=interval)
