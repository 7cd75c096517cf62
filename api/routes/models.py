"""All models of the store, for the page and for programs.

`POST /v2/repository/index` is the index of Triton's model repository extension to the Open
Inference Protocol, which MLServer answers too:
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_model_repository.md.
Loading and unloading are the pointers' business, so the extension as a whole is not announced.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from api.codecs.json_body import load_json
from api.problems import UNFIT, UNPROCESSABLE, Problem
from api.routes.dependencies import ServerState
from api.routes.openapi import POSTED, problem_responses, record_response
from api.routes.replies import JSON
from api.routes.request_body import DocumentedAs, body_bytes, body_route
from api.routes.static_files import content_tag, unless_unchanged
from api.serving.model_list import ListedModel, ModelList, make_model_list


class IndexRequest(BaseModel):
    """Which models to list; `ready` leaves out those that do not answer here."""

    model_config = ConfigDict(extra="forbid", strict=True)

    ready: bool = False


class IndexEntry(BaseModel):
    """One model; the version is the package's digest."""

    name: str
    version: str | None = None
    state: Literal["READY", "UNAVAILABLE"]
    reason: str = ""


async def read_index_request(request: Request) -> IndexRequest:
    """Read the body; an empty one asks for all models."""
    body = await body_bytes(request)
    try:
        return IndexRequest.model_validate(load_json(body) if body else {})
    except ValidationError as error:
        raise Problem(UNPROCESSABLE, UNFIT, 'the body may be {"ready": true}') from error


router = APIRouter(tags=["Page"])
index_router = APIRouter(tags=["V2"], route_class=body_route(read_index_request))


@router.get(
    "/models.json",
    summary="All models of the store",
    responses=record_response(ModelList),
)
def get_models(request: Request, state: ServerState) -> Response:
    """Return each model's version, age, score and history."""
    content = make_model_list(state).to_json()
    return unless_unchanged(request, content, JSON, {"ETag": content_tag(content)})


@index_router.post(
    "/v2/repository/index",
    summary="V2: all models of the store",
    responses=problem_responses(*POSTED, v2=True),
)
def repository_index(
    state: ServerState,
    wanted: Annotated[
        IndexRequest, DocumentedAs(lambda: TypeAdapter(IndexRequest)), Body()
    ] = IndexRequest(),  # noqa: B008 - documents that the body may be left out
) -> list[IndexEntry]:
    """List the models as Triton and MLServer do."""
    return [
        _index_entry(each)
        for each in make_model_list(state).models
        if each.state == "ready" or not wanted.ready
    ]


def _index_entry(model: ListedModel) -> IndexEntry:
    return IndexEntry(
        name=model.name,
        version=model.model_version,
        state="READY" if model.state == "ready" else "UNAVAILABLE",
        reason=model.reason,
    )
