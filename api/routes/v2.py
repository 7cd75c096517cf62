"""The Open Inference Protocol (V2) over REST, with tensors as JSON or, by Triton's extension, as bytes.

Source: https://github.com/kserve/open-inference-protocol. A row is checked as strictly as by `/predict`.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from fastapi import FastAPI
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from api.codecs.rows import Rows
from api.limits import Limits
from api.routes.open_inference import SERVER, Asked, metadata, rows, select, versioned, weight
from api.routes.replies import answered, body, headers, limits, tried
from api.routes.v2_fast_row import head, read_row
from api.routes.v2_json import read, write
from api.serving.served import Served, Slots

BINARY = "binary_tensor_data"
LENGTH_HEADER = "Inference-Header-Content-Length"
JSON = "application/json"
BYTES = "application/octet-stream"


def add_v2(app: FastAPI, slots: Slots) -> None:
    """Add the Open Inference Protocol's routes."""

    @app.get("/v2", summary="V2: the server", tags=["V2"])
    async def server() -> dict[str, Any]:
        return {"name": SERVER, "version": app.version, "extensions": [BINARY]}

    _add_models(app, slots)
    _add_versions(app, slots)


def _add_models(app: FastAPI, slots: Slots) -> None:
    @app.get("/v2/models/{name}", summary="V2: the model's tensors", tags=["V2"])
    async def describe(name: str) -> Response:
        served = versioned(slots, name)
        return _json(served, metadata(served))

    @app.get("/v2/models/{name}/ready", summary="V2: whether a model is ready", tags=["V2"])
    async def ready(name: str) -> Response:
        return _json(versioned(slots, name), {"name": name, "ready": True})

    @app.post("/v2/models/{name}/infer", summary="V2: predict rows", tags=["V2"])
    async def infer(name: str, request: Request) -> Response:
        return await _infer(versioned(slots, name), request)


def _add_versions(app: FastAPI, slots: Slots) -> None:
    """Add the same for one version: the package's digest, or the number of its promotion."""

    @app.get("/v2/models/{name}/versions/{version}", summary="V2: a version's tensors", tags=["V2"])
    async def describe(name: str, version: str) -> Response:
        served = versioned(slots, name, version)
        return _json(served, metadata(served))

    @app.get(
        "/v2/models/{name}/versions/{version}/ready",
        summary="V2: whether a version is ready",
        tags=["V2"],
    )
    async def ready(name: str, version: str) -> Response:
        return _json(versioned(slots, name, version), {"name": name, "ready": True})

    @app.post(
        "/v2/models/{name}/versions/{version}/infer",
        summary="V2: predict rows by a version",
        tags=["V2"],
    )
    async def infer(name: str, version: str, request: Request) -> Response:
        return await _infer(versioned(slots, name, version), request)


async def _infer(served: Served, request: Request) -> Response:
    content = await body(request)
    length = request.headers.get(LENGTH_HEADER)
    allowed = limits(request)
    if length is None and not tried(request) and (row := read_row(served, content)):
        asked, cells = row
        predicted = np.array([served.predict_row(cells)])
        return _respond(served, asked, predicted, served.encoder.warnings(cells))
    asked, found = await answered(len(content), _read, served, content, length, allowed)
    return await answered(weight(len(content), found.x), _answer, served, asked, found)


def _read(
    served: Served, content: bytes, length: str | None, allowed: Limits
) -> tuple[Asked, Rows]:
    if length is None:
        allowed.check_text(content)
    asked = read(content, length)
    return asked, rows(served, asked, allowed)


def _answer(served: Served, asked: Asked, found: Rows) -> Response:
    return _respond(served, asked, served.predict(found.x), found.warnings)


def _respond(
    served: Served, asked: Asked, predicted: NDArray[np.float64], warnings: Sequence[str]
) -> Response:
    tensors = select(served, asked, predicted)
    binary = [
        wanted.binary if wanted.binary is not None else asked.binary for wanted in asked.outputs
    ]
    content, length = write(head(served, asked), tensors, binary or [asked.binary] * len(tensors))
    about = headers(served, warnings)
    if length is not None:
        about[LENGTH_HEADER] = str(length)
    return Response(content, headers=about, media_type=JSON if length is None else BYTES)


def _json(served: Served, content: Any) -> Response:  # noqa: ANN401 - JSON
    return Response(msgspec.json.encode(content), headers=headers(served, ()), media_type=JSON)
