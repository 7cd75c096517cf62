"""Our own protocol: `/predict` takes a flat object of features, or a list of them."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from api.codecs.json_body import load_json
from api.codecs.rows import Cells, Rows
from api.large_bodies import run_inline_or_threaded
from api.limits import Limits
from api.routes.dependencies import get_state, require_model, require_served
from api.routes.openapi import POSTED, problem_responses
from api.routes.replies import Reply, reply_response, row_reply, rows_reply
from api.routes.request_body import (
    DocumentedAs,
    body_bytes,
    body_route,
)
from api.routes.row_schema import Prediction, RowDocument, schema_of
from api.serving.served import Served
from api.serving.state import State


@dataclass(frozen=True, slots=True)
class RowsRequest:
    """Rows to predict, one as its cells, and the model that answers them; `size` is in bytes."""

    served: Served
    rows: Rows | Cells
    size: int


def predict_router(state: State) -> APIRouter:
    """Return the router of `/predict`; its models in OpenAPI are those of the model that serves."""

    async def read(request: Request) -> RowsRequest:
        return await read_rows(request, require_served(state.slot))

    def body_model() -> TypeAdapter[Any]:
        return schema_of(state.slot.served).body if state.slot.served else RowDocument

    def answer_model() -> TypeAdapter[Any]:
        return schema_of(state.slot.served).answer if state.slot.served else Prediction

    router = APIRouter(route_class=body_route(read))

    @router.post(
        "/predict",
        summary="Predict one row, or a list of rows",
        response_model=Annotated[Any, DocumentedAs(answer_model)],
        response_description="The prediction, or a list of them",
        responses=problem_responses(*POSTED),
    )
    async def predict(
        rows: Annotated[RowsRequest, DocumentedAs(body_model), Body()], *, interval: bool = False
    ) -> Response:
        return await rows_response(rows, interval=interval)

    return router


async def read_named_rows(request: Request) -> RowsRequest:
    """Read rows for the model that the path names."""
    state = get_state(request)
    return await read_rows(request, require_model(state.slots, request.path_params["name"]))


named_router = APIRouter(tags=["Page"], route_class=body_route(read_named_rows))


@named_router.post(
    "/v1/models/{name}/predict",
    summary="Predict as `/predict` does, with a model by name",
    response_model=Annotated[Any, DocumentedAs(lambda: Prediction)],
    responses=problem_responses(404, *POSTED),
)
async def predict_named(
    name: str,  # noqa: ARG001 - documents the path, which the body's reader reads
    rows: Annotated[RowsRequest, DocumentedAs(lambda: RowDocument), Body()],
    *,
    interval: bool = False,
) -> Response:
    """Predict with the model that the path names."""
    return await rows_response(rows, interval=interval)


async def read_rows(request: Request, served: Served) -> RowsRequest:
    """Read the rows of a body; raises as `parse_rows` and `body_bytes` do."""
    text = await body_bytes(request)
    limits = get_state(request).limits
    rows = await run_inline_or_threaded(len(text), parse_rows, served, text, limits)
    return RowsRequest(served, rows, len(text))


def parse_rows(served: Served, text: bytes, limits: Limits) -> Rows | Cells:
    """Read one row or a list of rows.

    Raises:
        Problem: 413 or 422.
    """
    limits.check_text(text)
    document = load_json(text)
    schema = schema_of(served)
    if not isinstance(document, list):
        return schema.row(document)
    manifest = served.package.manifest
    limits.check_rows(len(document), manifest.n_outputs, manifest.width)
    return served.encoder.rows(schema.rows(document, ""))


async def rows_response(request: RowsRequest, *, interval: bool) -> Response:
    """Predict the rows, in a thread where they are many."""
    reply = await run_inline_or_threaded(request.size, _reply, request, interval)
    return reply_response(request.served, reply)


def _reply(request: RowsRequest, interval: bool) -> Reply:  # noqa: FBT001 - called by position
    if isinstance(request.rows, Rows):
        return rows_reply(request.served, request.rows, interval=interval)
    return row_reply(request.served, request.rows, interval=interval)
