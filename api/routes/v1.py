"""KServe's V1 protocol: `:predict` on a list of rows.

Source: KServe's documentation, "Data Plane (V1)". A row is checked as strictly as by `/predict`.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from api.codecs.json_body import load_json
from api.codecs.rows import Cells, Rows
from api.large_bodies import run_inline_or_threaded
from api.limits import Limits
from api.problems import UNFIT, UNPROCESSABLE, Problem
from api.routes.dependencies import NamedModel, ServerState, get_state, require_model
from api.routes.openapi import POSTED, problem_responses
from api.routes.predict import RowsRequest
from api.routes.replies import (
    Reply,
    encode_json,
    json_response,
    predicted_value,
    predicted_values,
    reply_response,
)
from api.routes.request_body import DocumentedAs, body_bytes, body_route
from api.routes.row_schema import schema_of
from api.serving.served import Served


class V1Request(BaseModel):
    """Rows, each an object of features or a list of values in the columns' order."""

    model_config = ConfigDict(extra="forbid")

    instances: Annotated[list[dict[str, Any] | list[Any]], Field(min_length=1)]


class V1Response(BaseModel):
    """A number or a class for each row."""

    predictions: list[Any]


class V1Models(BaseModel):
    """The names of the models that serve."""

    models: list[str]


class V1Ready(BaseModel):
    """Whether a model is ready."""

    name: str
    ready: bool


async def read_instances(request: Request) -> RowsRequest:
    """Read a body of V1 for the model that the path names."""
    state = get_state(request)
    served = require_model(state.slots, request.path_params["name"])
    text = await body_bytes(request)
    rows = await run_inline_or_threaded(len(text), parse_instances, served, text, state.limits)
    return RowsRequest(served, rows, len(text))


router = APIRouter(tags=["V1"], route_class=body_route(read_instances))


@router.get("/v1/models", summary="V1: the models that serve")
async def list_models(state: ServerState) -> V1Models:
    """List the models that serve."""
    return V1Models(models=[name for name, slot in state.slots.items() if slot.served])


@router.get(
    "/v1/models/{name}",
    summary="V1: whether a model is ready",
    response_model=V1Ready,
    responses=problem_responses(404, 503),
)
async def v1_model_ready(name: str, served: NamedModel) -> Response:
    """Say that a model is ready."""
    return json_response(served, {"name": name, "ready": True})


@router.post(
    "/v1/models/{name}:predict",
    summary="V1: predict rows",
    response_model=V1Response,
    response_description="The predictions",
    responses=problem_responses(404, *POSTED),
)
async def predict(
    name: str,  # noqa: ARG001 - documents the path, which the body's reader reads
    rows: Annotated[RowsRequest, DocumentedAs(lambda: TypeAdapter(V1Request)), Body()],
) -> Response:
    """Predict rows."""
    reply = await run_inline_or_threaded(rows.size, v1_reply, rows.served, rows.rows)
    return reply_response(rows.served, reply)


def parse_instances(served: Served, text: bytes, limits: Limits) -> Rows:
    """Read a body of V1.

    Raises:
        Problem: 413 or 422.
    """
    limits.check_text(text)
    document = load_json(text)
    if not isinstance(document, dict) or document.keys() != {"instances"}:
        detail = 'the body must be {"instances": [...]}, and nothing else'
        raise Problem(UNPROCESSABLE, UNFIT, detail)
    rows = document["instances"]
    if isinstance(rows, list):
        manifest = served.package.manifest
        limits.check_rows(len(rows), manifest.n_outputs, manifest.width)
    return served.encoder.rows(schema_of(served).rows(rows, "instances"))


def v1_reply(served: Served, rows: Rows | Cells) -> Reply:
    """Answer one row or several as KServe's V1 does."""
    if isinstance(rows, Rows):
        predictions = predicted_values(served, served.predict(rows.x))
        warnings = rows.warnings
    else:
        predictions = [predicted_value(served, served.predict_row(rows))]
        warnings = served.encoder.warnings(rows)
    return Reply(encode_json({"predictions": predictions}), warnings)
