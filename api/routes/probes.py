"""What is asked to see whether and what a server serves: by probes, by Prometheus, by people.

The same functions answer on the short way and are described by the framework's OpenAPI.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.routes.replies import current, version_headers
from api.serving.served import Served
from api.serving.state import State
from registry.package import KERNEL
from registry.store import ModelStore

EXPOSITION = "text/plain; version=1.0.0; charset=utf-8"
Probe = Callable[[Request], Awaitable[Response]]


def store_id(store: ModelStore) -> str:
    """Return what tells this store from others without telling where it is."""
    return sha256(str(store.root.resolve()).encode()).hexdigest()[:16]


def probes(state: State) -> Mapping[str, Probe]:
    """Return what answers GET by path; each raises `Problem` where the answer is a refusal."""
    about = _about(state)

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        served = _ready(state)
        found = {"status": "ready", "model_version": served.package.digest}
        return JSONResponse(found, headers=version_headers(served))

    async def versions(_: Request) -> Response:
        served = state.slot.served
        return JSONResponse(about | _now(state), headers=version_headers(served) if served else {})

    async def metrics(_: Request) -> Response:
        state.metrics.catch_up()
        return Response(await asyncio.to_thread(state.metrics.text), media_type=EXPOSITION)

    async def live(_: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(_: Request) -> Response:
        served = _ready(state)
        return JSONResponse({"ready": True}, headers=version_headers(served))

    v2 = {"/v2/health/live": live, "/v2/health/ready": ready}
    return {"/healthz": healthz, "/readyz": readyz, "/version": versions, "/metrics": metrics, **v2}


def _ready(state: State) -> Served:
    """Return what serves the model of `/predict`; raises `Problem` where any model is missing."""
    served, *_others = [current(slot) for slot in state.slots.values()]
    return served


def _about(state: State) -> dict[str, Any]:
    names = {"model": state.model, "store": store_id(state.store)}
    return {"service": "tunegate", "tunegate": version("tunegate"), "kernel": KERNEL, **names}


def _now(state: State) -> dict[str, Any]:
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
