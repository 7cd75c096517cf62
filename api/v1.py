"""KServe's V1 protocol, for clients that speak it: `:predict` on a list of rows.

Source: KServe's documentation, "Data Plane (V1)". A row is checked as strictly as by `/predict`.
"""

from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.answers import body, current, named, predict, respond, values
from api.problems import UNPROCESSABLE, Problem
from api.schema import UNFIT, load
from api.slot import Slot


def add_v1(app: FastAPI, slot: Slot) -> None:
    """Add KServe's V1 routes."""

    @app.get("/v1/models", summary="V1: the models that serve", tags=["V1"])
    async def models() -> dict[str, list[str]]:
        return {"models": [current(slot).pointer.model]}

    @app.get("/v1/models/{name}", summary="V1: whether a model is ready", tags=["V1"])
    async def ready(name: str) -> Response:
        return respond(named(slot, name), {"name": name, "ready": True})

    @app.post("/v1/models/{name}:predict", summary="V1: predict rows", tags=["V1"])
    async def predict_rows(name: str, request: Request) -> Response:
        served = named(slot, name)
        document = load(await body(request))
        if not isinstance(document, dict) or document.keys() != {"instances"}:
            raise Problem(UNPROCESSABLE, UNFIT, 'the body must be {"instances": [...]}, and nothing else')
        rows = served.schema.rows(document["instances"], "instances")
        return respond(served, {"predictions": values(served, predict(served, rows))}, rows)
