"""Our own protocol: `/predict` takes a flat object of features, or a list of them."""

from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.answers import Reply, answered, body, current, limits, many, one, respond, tried
from api.encoding import Rows
from api.limits import Limits
from api.schema import load
from api.slot import Served, Slot


def add_predict(app: FastAPI, slot: Slot) -> None:
    """Add the route; its documentation is made by `api.openapi`, as the model and so the schema changes."""

    @app.post("/predict", summary="Predict one row, or a list of rows")
    async def predict(request: Request, *, interval: bool = False) -> Response:
        served, text, allowed = current(slot), await body(request), limits(request)
        if not tried(request) and (reply := await answered(len(text), quick_answer, served, text, allowed, interval)):
            return respond(served, reply)
        return respond(served, await answered(len(text), answer, served, text, allowed, interval))


def quick_answer(served: Served, text: bytes, allowed: Limits, interval: bool = False) -> Reply | None:  # noqa: FBT001, FBT002
    """Answer what is surely right; None where `answer` must look.

    Raises:
        Problem: 413.
    """
    if not (reader := served.reader):
        return None
    allowed.check_text(text)
    if text[:1] == b"{":
        cells = reader.row(text)
        return one(served, cells, interval=interval) if cells else None
    rows = reader.rows(text)
    if rows is None:
        return None
    if isinstance(rows, Rows):
        allowed.check_rows(len(rows.x), served.package.manifest.n_outputs)
    return many(served, rows if isinstance(rows, Rows) else served.encoder.rows([rows]), interval=interval)


def answer(served: Served, text: bytes, allowed: Limits, interval: bool) -> Reply:  # noqa: FBT001 - called by place
    """Answer a body.

    Raises:
        Problem: 413 or 422.
    """
    allowed.check_text(text)
    document = load(text)
    if not isinstance(document, list):
        return one(served, served.schema.row(document), interval=interval)
    allowed.check_rows(len(document), served.package.manifest.n_outputs)
    return many(served, served.encoder.rows(served.schema.rows(document, "")), interval=interval)
