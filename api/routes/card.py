"""The JSON that the page at `/` is made from; its files are in `api.routes.static_files`.

What they show comes from `GET /v1/models/{name}/card` and from the routes that everybody uses.
Nothing is loaded from elsewhere, no script is in the document, and what a model's owner or a
request wrote is only ever put into text nodes.
"""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.routes.dependencies import NamedModel
from api.routes.openapi import problem_responses, record_response
from api.routes.replies import JSON, model_headers
from api.routes.static_files import content_tag, unless_unchanged
from api.serving.card import Card, card_of

router = APIRouter(tags=["Page"])


@router.get(
    "/v1/models/{name}/card",
    summary="What is known of a model",
    responses=record_response(Card) | problem_responses(404, 503),
)
def get_card(served: NamedModel, request: Request) -> Response:
    """Return the model's card."""
    content = card_of(served).to_json()
    headers = model_headers(served) | {"ETag": content_tag(content)}
    return unless_unchanged(request, content, JSON, headers)
