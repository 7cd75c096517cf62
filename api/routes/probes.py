"""Health, readiness, version and metrics endpoints."""

import asyncio
from hashlib import sha256
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from api.routes.dependencies import ServerState, require_served
from api.routes.openapi import problem_responses
from api.routes.replies import model_headers
from api.serving.served import Served
from api.serving.state import State
from registry.package import KERNEL
from registry.store import ModelStore

EXPOSITION = "text/plain; version=1.0.0; charset=utf-8"
router = APIRouter()


class Health(BaseModel):
    """The process is alive."""

    status: str = "ok"


class Readiness(BaseModel):
    """Verified models are loaded; the digest is of the model of `/predict`."""

    status: str
    model_version: str


class V2Live(BaseModel):
    """The process is alive."""

    live: bool = True


class V2Ready(BaseModel):
    """Verified models are loaded."""

    ready: bool = True


def store_id(store: ModelStore) -> str:
    """Return what distinguishes this store from others without telling where it is."""
    return sha256(str(store.root.resolve()).encode()).hexdigest()[:16]


@router.get("/healthz", summary="The process is alive")
async def health() -> Health:
    """Say that the process is alive."""
    return Health()


@router.get(
    "/readyz",
    summary="A verified model is loaded",
    response_model=Readiness,
    responses=problem_responses(503),
)
async def readiness(state: ServerState) -> Response:
    """Say whether every model is loaded."""
    served = _require_all(state)
    content = {"status": "ready", "model_version": served.package.digest}
    return JSONResponse(content, headers=model_headers(served))


@router.get("/version", summary="What serves, since when, and what was refused")
async def server_version(state: ServerState) -> Response:
    """Describe the server and the model of `/predict`."""
    served = state.slot.served
    headers = model_headers(served) if served else {}
    return JSONResponse(_describe_server(state) | _describe_model(state), headers=headers)


class MetricsText(Response):
    """Prometheus' text format."""

    media_type = EXPOSITION


@router.get(
    "/metrics",
    summary="Requests and predictions, for Prometheus",
    response_class=MetricsText,
)
async def metrics(state: ServerState) -> Response:
    """Return the metrics in Prometheus' text format."""
    state.metrics.catch_up()
    return MetricsText(await asyncio.to_thread(state.metrics.text))


@router.get("/v2/health/live", summary="V2: the process is alive", tags=["V2"])
async def v2_live() -> V2Live:
    """Say that the process is alive."""
    return V2Live()


@router.get(
    "/v2/health/ready",
    summary="V2: verified models are loaded",
    tags=["V2"],
    response_model=V2Ready,
    responses=problem_responses(503, v2=True),
)
async def v2_ready(state: ServerState) -> Response:
    """Say whether every model is loaded."""
    return JSONResponse({"ready": True}, headers=model_headers(_require_all(state)))


def _require_all(state: State) -> Served:
    """Return the model of `/predict`; raises `Problem` where any model is missing."""
    served, *_others = [require_served(slot) for slot in state.slots.values()]
    return served


def _describe_server(state: State) -> dict[str, Any]:
    return {
        "service": "tunegate",
        "tunegate": version("tunegate"),
        "kernel": KERNEL,
        "model": state.model,
        "store": store_id(state.store),
    }


def _describe_model(state: State) -> dict[str, Any]:
    slot = state.slot
    shadowing = state.shadows[state.model]
    served = slot.served
    return {
        "refused": slot.refused or None,
        "removed": slot.removed or None,
        "swaps": slot.swaps,
        "model_version": served.package.digest if served else None,
        "promotion": served.pointer.number if served else None,
        "loaded_at": served.loaded_at.isoformat() if served else None,
        "shadow": shadowing.candidate.package.digest if shadowing.candidate else None,
        "shadow_refused": shadowing.refused or None,
    }
