"""The JSON that the page at `/` is made from; its files are in `api.routes.static_files`.

What they show comes from `GET /v1/models/{name}/card` and from the routes that everybody uses. Nothing is loaded from
elsewhere, no script stands in the document, and what a model's owner or a request wrote is only ever put into text
nodes.
"""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from api.routes.openapi import documented
from api.routes.predict import reply_to
from api.routes.replies import named, version_headers
from api.routes.static_files import tag, unchanged_or
from api.serving.card import Card, card_of
from api.serving.served import Slots

ROW = {
    "type": "object"
}  # of the model's own columns; `/predict` documents those of the first model
ROWS = {
    "required": True,
    "content": {"application/json": {"schema": {"oneOf": [ROW, {"type": "array", "items": ROW}]}}},
}


def add_page(app: FastAPI, slots: Slots) -> None:
    """Add the page's JSON."""

    @app.get(
        "/v1/models/{name}/card",
        summary="What is known of a model",
        tags=["Page"],
        responses=documented(Card),
    )
    def card(name: str, request: Request) -> Response:
        served = named(slots, name)
        content = card_of(served).to_json()
        return unchanged_or(
            request, content, "application/json", version_headers(served) | {"ETag": tag(content)}
        )

    summary = "Predict as `/predict` does, with a model by name"

    @app.post(
        "/v1/models/{name}/predict",
        summary=summary,
        tags=["Page"],
        openapi_extra={"requestBody": ROWS},
    )
    async def predict_named(name: str, request: Request, *, interval: bool = False) -> Response:
        return await reply_to(request, named(slots, name), interval=interval)
