"""The FastAPI application.

Every answer of a model carries `X-Model-Version`, the sha256 of the package that gave it. Errors are problem details.
"""

import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from api.answers import body, current, respond, values, version_headers
from api.answers import predict as predict_rows
from api.follow import Follower
from api.problems import INTERNAL, Problem
from api.schema import Row, answer_model, example, load
from api.slot import Served, Slot
from api.v1 import add_v1
from api.v2 import add_v2, v2_error
from registry.store import ModelStore

logger = logging.getLogger("tunegate.api")
DESCRIPTION = "Predictions of the model in production. Try `POST /predict` with the example."


def store_id(store: ModelStore) -> str:
    """Return what tells this store from others without telling where it is."""
    return hashlib.sha256(str(store.root.resolve()).encode()).hexdigest()[:16]


def create_app(store: ModelStore, model: str) -> FastAPI:
    """Make the application that serves `model` from `store`; it follows the pointer while it runs."""
    slot = Slot()
    follower = Follower(store, model, slot)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        follower.start()
        yield
        follower.stop()

    app = FastAPI(title=f"tunegate: {model}", version=version("tunegate"), description=DESCRIPTION, lifespan=lifespan)
    app.state.slot = slot
    _add_errors(app)
    _add_routes(app, slot, store, model)
    add_v1(app, slot)
    add_v2(app, slot)
    app.openapi = lambda: _openapi(app, slot)  # type: ignore[method-assign] # the model, and so the schema, changes
    return app


def _add_routes(app: FastAPI, slot: Slot, store: ModelStore, model: str) -> None:
    about = {
        "service": "tunegate",
        "tunegate": app.version,
        "model": model,
        "store": store_id(store),
        "kernel": "numpy",
    }

    @app.post("/predict", summary="Predict one row, or a list of rows")
    async def predict(request: Request) -> Response:
        served = current(slot)
        document = load(await body(request))
        if isinstance(document, list):
            rows = served.schema.rows(document, "")
            return respond(served, _answer(served, rows), rows)
        row = served.schema.row(document)
        return respond(served, _answer(served, [row])[0], [row])

    @app.get("/healthz", summary="The process is alive")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", summary="A verified model is loaded")
    async def readyz() -> Response:
        served = current(slot)
        return JSONResponse(
            {"status": "ready", "model_version": served.package.digest}, headers=version_headers(served)
        )

    @app.get("/version", summary="What serves, since when, and what was refused")
    async def versions() -> Response:
        served = slot.served
        content: dict[str, Any] = {
            **about,
            "refused": slot.refused or None,
            "swaps": slot.swaps,
            "model_version": served.package.digest if served else None,
            "promotion": served.pointer.number if served else None,
            "loaded_at": served.loaded_at.isoformat() if served else None,
        }
        return JSONResponse(content, headers=version_headers(served) if served else {})


def _answer(served: Served, rows: list[Row]) -> list[dict[str, Any]]:
    predicted, manifest = predict_rows(served, rows), served.package.manifest
    found = []
    for value, shares in zip(values(served, predicted), predicted, strict=True):
        content: dict[str, Any] = {manifest.prediction: value, "model_version": served.package.digest}
        if manifest.classes:
            content["probabilities"] = dict(zip(map(str, manifest.classes), map(float, shares), strict=True))
        found.append(content)
    return found


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(Problem)
    async def problem(request: Request, error: Problem) -> JSONResponse:
        return v2_error(error) if request.url.path.startswith("/v2") else error.response()

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        response = Problem(error.status_code, str(error.detail)).response()
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(Exception)
    async def unexpected(_: Request, error: Exception) -> JSONResponse:
        logger.error("unexpected error", exc_info=error)
        return Problem(INTERNAL, "Internal error", "the server's log says more").response()


def _openapi(app: FastAPI, slot: Slot) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    served = slot.served
    row: dict[str, Any] = {"type": "object"}
    answer: dict[str, Any] = {"type": "object"}
    if served:
        row = served.schema.model.model_json_schema(by_alias=True)
        answer = answer_model(served.package.manifest).model_json_schema()
    content = {"schema": row} | ({"example": example(served.package.manifest)} if served else {})
    operation = document["paths"]["/predict"]["post"]
    operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    operation["responses"] = {
        "200": {"description": "The prediction", "content": {"application/json": {"schema": answer}}},
        "413": _problem_response("The body is too large"),
        "422": _problem_response("The request does not fit the model; `errors` names the fields"),
        "503": _problem_response("No model is loaded"),
    }
    document["paths"]["/readyz"]["get"]["responses"]["503"] = _problem_response("No model is loaded")
    return document


def _problem_response(description: str) -> dict[str, Any]:
    schema = {"type": "object", "required": ["title", "status"], "properties": {"errors": {"type": "array"}}}
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}
