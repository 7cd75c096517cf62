"""The FastAPI application.

Every answer of a model carries `X-Model-Version`, the sha256 of the package that gave it. Errors are problem details.
"""

import hashlib
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api.follow import Follower
from api.problems import BAD_REQUEST, INTERNAL, TOO_LARGE, UNAVAILABLE, Problem
from api.schema import answer_model, example
from api.slot import Served, Slot
from registry.store import ModelStore

logger = logging.getLogger("tunegate.api")
VERSION_HEADER = "X-Model-Version"
WARNING_HEADER = "X-Model-Warning"
MAX_BODY = 1 << 20
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

    @app.post("/predict", summary="Predict one row")
    async def predict(request: Request) -> Response:
        served = _current(slot)
        row = served.schema.parse(await _body(request))
        return _answer(served, row)

    @app.get("/healthz", summary="The process is alive")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", summary="A verified model is loaded")
    async def readyz() -> Response:
        served = _current(slot)
        return JSONResponse({"status": "ready", "model_version": served.package.digest}, headers=_headers(served))

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
        return JSONResponse(content, headers=_headers(served) if served else {})


def _current(slot: Slot) -> Served:
    if slot.served is None:
        detail = slot.refused or "nothing has been promoted yet"
        raise Problem(UNAVAILABLE, "No model is loaded", detail)
    return slot.served


async def _body(request: Request) -> bytes:
    chunks, size = [], 0
    try:
        async for chunk in request.stream():
            chunks.append(chunk)
            size += len(chunk)
            if size > MAX_BODY:
                raise Problem(TOO_LARGE, "The body is too large", f"at most {MAX_BODY} bytes")
    except ClientDisconnect as error:  # nobody reads the answer; it is no fault of ours, to be logged as one
        raise Problem(BAD_REQUEST, "The client has left") from error
    return b"".join(chunks)


def _answer(served: Served, row: dict[str, Any]) -> Response:
    package = served.package
    predicted = package.predict({name: [value] for name, value in row.items()})[0]
    manifest = package.manifest
    content: dict[str, Any] = {manifest.prediction: float(predicted[0]), "model_version": package.digest}
    if manifest.classes:
        shares = dict(zip(map(str, manifest.classes), map(float, predicted), strict=True))
        content |= {manifest.prediction: manifest.classes[int(predicted.argmax())], "probabilities": shares}
    headers = _headers(served)
    if warnings := served.schema.warnings(row):
        headers[WARNING_HEADER] = _header_text("; ".join(warnings))
    return Response(json.dumps(content), media_type="application/json", headers=headers)


def _header_text(text: str) -> str:
    """A column's name may hold anything, a line break too; a header may not."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text)


def _headers(served: Served) -> dict[str, str]:
    return {VERSION_HEADER: served.package.digest}


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(Problem)
    async def problem(_: Request, error: Problem) -> JSONResponse:
        return error.response()

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
