"""The Open Inference Protocol (V2) over REST; tensors as JSON or, by Triton's extension, bytes.

Source: https://github.com/kserve/open-inference-protocol. A row is checked as strictly as by
`/predict`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import BaseModel, TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from api.codecs.rows import Cells, Rows
from api.large_bodies import run_inline_or_threaded
from api.limits import Limits
from api.routes.dependencies import NamedModel, NamedVersion, get_state, require_version
from api.routes.open_inference import (
    SERVER,
    InferRequest,
    all_outputs,
    model_metadata,
    reply_head,
    request_weight,
    requested_outputs,
    requested_rows,
    row_outputs,
)
from api.routes.openapi import POSTED, problem_responses
from api.routes.replies import JSON, Reply, encode_json, json_response, model_headers
from api.routes.request_body import DocumentedAs, body_bytes, body_route
from api.routes.v2_json import (
    InferenceRequest,
    InferenceResponse,
    format_infer_response,
    parse_infer_request,
)
from api.serving.served import Served

BINARY_EXTENSION = "binary_tensor_data"
LENGTH_HEADER = "Inference-Header-Content-Length"
BYTES = "application/octet-stream"
FOUND = problem_responses(404, 503, v2=True)
INFERRED = problem_responses(404, *POSTED, v2=True)


class V2Server(BaseModel):
    """The server's name, version and extensions of the protocol."""

    name: str
    version: str
    extensions: list[str]


class V2ModelReady(BaseModel):
    """Whether a model is ready."""

    name: str
    ready: bool


class V2Tensor(BaseModel):
    """A tensor that a model takes or returns; -1 stands for the number of rows."""

    name: str
    datatype: str
    shape: list[int]


class V2Model(BaseModel):
    """A model's tensors."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[V2Tensor]
    outputs: list[V2Tensor]


@dataclass(frozen=True, slots=True)
class Inference:
    """A request that was read, its rows, and the model that answers it; `size` is in bytes."""

    served: Served
    request: InferRequest
    rows: Rows
    size: int


InferBody = Annotated[Inference, DocumentedAs(lambda: TypeAdapter(InferenceRequest)), Body()]


async def read_inference(request: Request) -> Inference:
    """Read a body for the model, and perhaps the version, that the path names."""
    state = get_state(request)
    path = request.path_params
    served = require_version(state.slots, path["name"], path.get("version", ""))
    body = await body_bytes(request)
    header = request.headers.get(LENGTH_HEADER)
    asked, rows = await run_inline_or_threaded(
        len(body), _parse, served, body, header, state.limits
    )
    return Inference(served, asked, rows, len(body))


router = APIRouter(tags=["V2"], route_class=body_route(read_inference))


@router.get("/v2", summary="V2: the server")
async def server_metadata() -> V2Server:
    """Describe the server."""
    return V2Server(name=SERVER, version=version("tunegate"), extensions=[BINARY_EXTENSION])


@router.get(
    "/v2/models/{name}",
    summary="V2: the model's tensors",
    response_model=V2Model,
    responses=FOUND,
)
async def describe_model(served: NamedModel) -> Response:
    """Describe a model."""
    return json_response(served, model_metadata(served))


@router.get(
    "/v2/models/{name}/ready",
    summary="V2: whether a model is ready",
    response_model=V2ModelReady,
    responses=FOUND,
)
async def v2_model_ready(name: str, served: NamedModel) -> Response:
    """Say that a model is ready."""
    return json_response(served, {"name": name, "ready": True})


@router.post(
    "/v2/models/{name}/infer",
    summary="V2: predict rows",
    response_model=InferenceResponse,
    response_description="The outputs",
    responses=INFERRED,
)
async def infer(
    name: str,  # noqa: ARG001 - documents the path, which the body's reader reads
    inference: InferBody,
) -> Response:
    """Predict rows."""
    return await infer_response(inference)


# The same for one version: the package's digest, or the number of its promotion.


@router.get(
    "/v2/models/{name}/versions/{version}",
    summary="V2: a version's tensors",
    response_model=V2Model,
    responses=FOUND,
)
async def describe_version(served: NamedVersion) -> Response:
    """Describe a version."""
    return json_response(served, model_metadata(served))


@router.get(
    "/v2/models/{name}/versions/{version}/ready",
    summary="V2: whether a version is ready",
    response_model=V2ModelReady,
    responses=FOUND,
)
async def version_ready(name: str, served: NamedVersion) -> Response:
    """Say that a version is ready."""
    return json_response(served, {"name": name, "ready": True})


@router.post(
    "/v2/models/{name}/versions/{version}/infer",
    summary="V2: predict rows by a version",
    response_model=InferenceResponse,
    response_description="The outputs",
    responses=INFERRED,
)
async def infer_by_version(
    name: str,  # noqa: ARG001 - documents the path, which the body's reader reads
    version: str,  # noqa: ARG001 - as above
    inference: InferBody,
) -> Response:
    """Predict rows by a version."""
    return await infer_response(inference)


async def infer_response(inference: Inference) -> Response:
    """Predict the rows, in a thread where they are many."""
    weight = request_weight(inference.size, inference.rows.x)
    return await run_inline_or_threaded(weight, _answer, inference)


def v2_reply(served: Served, rows: Rows | Cells, request_id: str) -> Reply:
    """Answer one row or several with all outputs as JSON."""
    head = reply_head(served, request_id)
    if isinstance(rows, Rows):
        tensors = list(all_outputs(served, served.predict(rows.x)).values())
        content, _ = format_infer_response(head, tensors, [False] * len(tensors))
        return Reply(content, rows.warnings)
    outputs = row_outputs(served, served.predict_row(rows))
    return Reply(encode_json({**head, "outputs": outputs}), served.encoder.warnings(rows))


def _parse(
    served: Served, body: bytes, header: str | None, limits: Limits
) -> tuple[InferRequest, Rows]:
    if header is None:
        limits.check_text(body)
    request = parse_infer_request(body, header)
    return request, requested_rows(served, request, limits)


def _answer(inference: Inference) -> Response:
    served = inference.served
    request = inference.request
    tensors = requested_outputs(served, request, served.predict(inference.rows.x))
    head = reply_head(served, request.id)
    content, length = format_infer_response(head, tensors, _wants_bytes(request, len(tensors)))
    headers = model_headers(served, inference.rows.warnings)
    if length is not None:
        headers[LENGTH_HEADER] = str(length)
    media_type = JSON if length is None else BYTES
    return Response(content, headers=headers, media_type=media_type)


def _wants_bytes(request: InferRequest, n_outputs: int) -> Sequence[bool]:
    if not request.outputs:
        return [request.binary] * n_outputs
    return [
        request.binary if output.binary is None else output.binary for output in request.outputs
    ]
