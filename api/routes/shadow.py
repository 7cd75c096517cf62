"""The route that tells how a candidate in shadow mode differs from the model that serves."""

from collections.abc import Mapping

from fastapi import FastAPI
from starlette.responses import Response

from api.routes.openapi import documented
from api.routes.replies import named, version_headers
from api.serving.metrics import Metrics
from api.serving.served import Slots
from api.serving.shadow import Shadowing
from registry.shadow import ShadowStatus


def add_shadow(
    app: FastAPI, slots: Slots, shadows: Mapping[str, Shadowing], metrics: Metrics
) -> None:
    """Add the route that tells how a model's candidate differs."""
    path = "/v1/models/{name}/shadow"
    summary = "How a candidate in shadow mode differs from the model that serves"

    @app.get(path, summary=summary, tags=["Shadow"], responses=documented(ShadowStatus))
    def shadow(name: str) -> Response:
        served = named(slots, name)
        content = shadows[name].status(served, metrics.families()).to_json()
        return Response(content, media_type="application/json", headers=version_headers(served))
