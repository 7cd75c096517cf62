"""KServe's V1 protocol, for clients that speak it: `:predict` on a list of rows.

Source: KServe's documentation, "Data Plane (V1)". A row is checked as strictly as by `/predict`.
"""

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.codecs.json_body import UNFIT, load
from api.codecs.rows import Rows
from api.limits import Limits
from api.problems import UNPROCESSABLE, Problem
from api.routes.replies import Reply, instances, named, reply, version_headers
from api.serving.served import Served, Slots

if TYPE_CHECKING:  # brings the framework
    from fastapi import FastAPI


def add_v1(app: "FastAPI", slots: Slots) -> None:
    """Add KServe's V1 routes."""

    @app.get("/v1/models", summary="V1: the models that serve", tags=["V1"])
    async def models() -> dict[str, list[str]]:
        return {"models": [name for name, slot in slots.items() if slot.served]}

    @app.get("/v1/models/{name}", summary="V1: whether a model is ready", tags=["V1"])
    async def ready(name: str) -> Response:
        return JSONResponse(
            {"name": name, "ready": True}, headers=version_headers(named(slots, name))
        )

    @app.post("/v1/models/{name}:predict", summary="V1: predict rows", tags=["V1"])
    async def predict(name: str, request: Request) -> Response:
        return await reply(request, named(slots, name), quick_answer, answer)


def quick_answer(served: Served, text: bytes, allowed: Limits) -> Reply | None:
    """Answer what is surely right; None where `answer` must look.

    Raises:
        Problem: 413.
    """
    allowed.check_text(text)
    rows = served.reader.instances(text) if served.reader else None
    if rows is None:
        return None
    if isinstance(rows, Rows):
        allowed.check_rows(len(rows.x), served.package.manifest.n_outputs)
    return instances(served, rows)


def answer(served: Served, text: bytes, allowed: Limits) -> Reply:
    """Answer a body of V1.

    Raises:
        Problem: 413 or 422.
    """
    from api.routes.row_schema import schema_of  # noqa: PLC0415 - brings pydantic, which most servers need for nothing

    allowed.check_text(text)
    document = load(text)
    if not isinstance(document, dict) or document.keys() != {"instances"}:
        raise Problem(
            UNPROCESSABLE, UNFIT, 'the body must be {"instances": [...]}, and nothing else'
        )
    rows = document["instances"]
    if isinstance(rows, list):
        allowed.check_rows(len(rows), served.package.manifest.n_outputs)
    return instances(served, served.encoder.rows(schema_of(served).rows(rows, "instances")))
