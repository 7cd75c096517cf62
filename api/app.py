"""The FastAPI application.

Every answer of a model carries `X-Model-Version`, the sha256 of the package that gave it. Errors are problem details.
"""

import gc
import hashlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from typing import Any

from anyio.to_thread import run_sync
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from api.answers import Slots, current, version_headers
from api.follow import Follower
from api.limits import Limits
from api.metrics import Metrics
from api.openapi import document
from api.page import add_page
from api.predict import add_predict
from api.problems import INTERNAL, Problem, refusal
from api.shadow import Shadowing, add_shadow, shadowings
from api.slot import Slot
from api.v1 import add_v1
from api.v2.routes import add_v2
from registry.package import KERNEL
from registry.store import ModelStore

logger = logging.getLogger("tunegate.api")
DESCRIPTION = "Predictions of the model in production. Try `POST /predict` with the example."
EXPOSITION = "text/plain; version=1.0.0; charset=utf-8"


def store_id(store: ModelStore) -> str:
    """Return what tells this store from others without telling where it is."""
    return hashlib.sha256(str(store.root.resolve()).encode()).hexdigest()[:16]


@asynccontextmanager
async def nothing(_: Slots) -> AsyncIterator[None]:
    """Run nothing beside the application."""
    yield


def create_app(
    store: ModelStore,
    model: str,
    also: Sequence[str] = (),
    *,
    limits: Limits | None = None,
    beside: Callable[[Slots], AbstractAsyncContextManager[None]] = nothing,
) -> FastAPI:
    """Make the application that serves models from a store; it follows their pointers while it runs.

    Args:
        store: where packages and pointers are.
        model: whose rows `/predict` takes.
        also: other models, served under their names.
        limits: what it takes on.
        beside: what else runs on the same models while it does.
    """
    slots = {name: Slot() for name in (model, *also)}
    metrics = Metrics(slots)
    for slot in slots.values():
        slot.listeners.append(metrics)
    shadows = shadowings(slots, metrics)
    followers = [Follower(store, name, slot, shadows[name]) for name, slot in slots.items()]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        for follower in followers:
            follower.start()
        gc.collect()
        gc.freeze()  # what is here stays: no collection needs to look at it again
        async with beside(slots):
            yield
        gc.unfreeze()
        for follower in followers:
            follower.stop()

    app = FastAPI(title=f"tunegate: {model}", version=version("tunegate"), description=DESCRIPTION, lifespan=lifespan)
    app.state.slot, app.state.slots, app.state.limits = slots[model], slots, limits or Limits()
    app.state.metrics, app.state.shadows = metrics, shadows
    _add_errors(app)
    _add_routes(app, slots, store, model)
    app.openapi = lambda: document(app, slots, model)  # type: ignore[method-assign] # the model, and so the schema, changes
    return app


def _add_routes(app: FastAPI, slots: Slots, store: ModelStore, model: str) -> None:
    add_predict(app, slots[model])
    _add_probes(app, slots)
    _add_version(app, slots[model], app.state.shadows[model], {"model": model, "store": store_id(store)})
    add_v1(app, slots)
    add_v2(app, slots)
    add_page(app, slots)
    add_shadow(app, slots, app.state.shadows, app.state.metrics)


def _add_probes(app: FastAPI, slots: Slots) -> None:
    @app.get("/healthz", summary="The process is alive")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", summary="A verified model is loaded")
    async def readyz() -> Response:
        served, *_ = [current(slot) for slot in slots.values()]
        return JSONResponse(
            {"status": "ready", "model_version": served.package.digest}, headers=version_headers(served)
        )

    @app.get("/metrics", summary="Requests and predictions, for Prometheus")
    async def metrics() -> Response:
        app.state.metrics.catch_up()
        return Response(await run_sync(app.state.metrics.text), media_type=EXPOSITION)


def _add_version(app: FastAPI, slot: Slot, shadowing: Shadowing, names: dict[str, str]) -> None:
    about = {"service": "tunegate", "tunegate": app.version, "kernel": KERNEL, **names}

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
            "shadow": shadowing.candidate.package.digest if shadowing.candidate else None,
            "shadow_refused": shadowing.refused or None,
        }
        return JSONResponse(content, headers=version_headers(served) if served else {})


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
        return refusal(request.url.path, Problem(INTERNAL, "Internal error", "the server's log says more"))
