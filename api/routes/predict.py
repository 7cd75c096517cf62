"""Our own protocol: `/predict` takes a flat object of features, or a list of them."""

from functools import partial
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from api.codecs.json_body import load
from api.codecs.rows import Rows
from api.limits import Limits
from api.routes.replies import Reply, current, many, one, reply
from api.serving.served import Served, Slot

if TYPE_CHECKING:  # brings the framework
    from fastapi import FastAPI


def add_predict(app: "FastAPI", slot: Slot) -> None:
    """Add the route; its documentation is made by `api.routes.openapi`, as the model and so the schema changes."""

    @app.post("/predict", summary="Predict one row, or a list of rows")
    async def predict(request: Request, *, interval: bool = False) -> Response:
        return await reply_to(request, current(slot), interval=interval)


async def reply_to(request: Request, served: Served, *, interval: bool) -> Response:
    """Answer a request for rows of this model."""
    return await reply(
        request,
        served,
        partial(quick_answer, interval=interval),
        partial(answer, interval=interval),
    )


def quick_answer(
    served: Served, text: bytes, allowed: Limits, *, interval: bool = False
) -> Reply | None:
    """Answer what is surely right; None where `answer` must look.

    Raises:
        Problem: 413.
    """
    if not (reader := served.reader):
        return None
    allowed.check_text(text)
    if text[:1] == b"{":
        cells = reader.row(text)
        if cells:
            return one(served, cells, interval=interval)
        return None
    found = reader.rows(text)
    if found is None:
        return None
    if not isinstance(found, Rows):
        return many(served, served.encoder.rows([found]), interval=interval)
    allowed.check_rows(len(found.x), served.package.manifest.n_outputs)
    return many(served, found, interval=interval)


def answer(served: Served, text: bytes, allowed: Limits, *, interval: bool) -> Reply:
    """Answer a body.

    Raises:
        Problem: 413 or 422.
    """
    from api.routes.row_schema import schema_of  # noqa: PLC0415 - brings pydantic, which most servers need for nothing

    allowed.check_text(text)
    document = load(text)
    schema = schema_of(served)
    if not isinstance(document, list):
        return one(served, schema.row(document), interval=interval)
    allowed.check_rows(len(document), served.package.manifest.n_outputs)
    return many(served, served.encoder.rows(schema.rows(document, "")), interval=interval)
