"""The FastAPI application: what is not surely right, all other routes, and their description as OpenAPI.

It is imported when the first request needs it, see `api.app`.
"""

import logging
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from api.problems import Problem, internal, refusal
from api.routes.card import add_page
from api.routes.openapi import Documents
from api.routes.predict import add_predict
from api.routes.probes import Probe
from api.routes.shadow import add_shadow
from api.routes.static_files import FILES
from api.routes.v1 import add_v1
from api.routes.v2 import add_v2
from api.serving.state import State

logger = logging.getLogger("tunegate.api")
DESCRIPTION = "Predictions of the model in production. Try `POST /predict` with the example."
PROBES: Mapping[str, dict[str, Any]] = {
    "/healthz": {"summary": "The process is alive", "response_model": dict[str, str]},
    "/readyz": {"summary": "A verified model is loaded"},
    "/metrics": {"summary": "Requests and predictions, for Prometheus"},
    "/version": {"summary": "What serves, since when, and what was refused"},
    "/v2/health/live": {
        "summary": "V2: the process is alive",
        "tags": ["V2"],
        "response_model": dict[str, bool],
    },
    "/v2/health/ready": {"summary": "V2: verified models are loaded", "tags": ["V2"]},
}


def make(state: State, plain: Mapping[str, Probe]) -> FastAPI:
    """Make the application.

    Args:
        state: what it serves.
        plain: what answers probes and the page's files, by path.
    """
    title = f"tunegate: {state.model}"
    app = FastAPI(
        title=title,
        version=version("tunegate"),
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
    )
    app.state.limits = state.limits
    _add_errors(app)
    add_predict(app, state.slot)
    for path, about in PROBES.items():
        app.add_api_route(path, plain[path], **about)
    add_v1(app, state.slots)
    add_v2(app, state.slots)
    add_page(app, state.slots)
    for path in FILES:
        app.add_api_route(path, plain[path], methods=["GET", "HEAD"], include_in_schema=False)
    add_shadow(app, state.slots, state.shadows, state.metrics)
    app.openapi = Documents(app, state)  # type: ignore[method-assign] # the model, and so the schema, changes
    return app


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(Problem)
    async def problem(request: Request, error: Problem) -> JSONResponse:
        return refusal(request.url.path, error)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        response = refusal(request.url.path, Problem(error.status_code, str(error.detail)))
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        logger.error("unexpected error", exc_info=error)
        return refusal(request.url.path, internal())
