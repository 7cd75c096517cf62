"""The route that tells how a candidate in shadow mode differs from the model that serves."""

from fastapi import APIRouter
from starlette.responses import Response

from api.routes.dependencies import NamedModel, ServerState
from api.routes.openapi import problem_responses, record_response
from api.routes.replies import JSON, model_headers
from registry.shadow import ShadowStatus

router = APIRouter(tags=["Shadow"])


@router.get(
    "/v1/models/{name}/shadow",
    summary="How a candidate in shadow mode differs from the model that serves",
    responses=record_response(ShadowStatus) | problem_responses(404, 503),
)
def get_shadow(name: str, served: NamedModel, state: ServerState) -> Response:
    """Return how the candidate differs."""
    content = state.shadows[name].status(served, state.metrics.families()).to_json()
    return Response(content, media_type=JSON, headers=model_headers(served))
