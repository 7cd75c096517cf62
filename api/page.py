"""The JSON that the page at `/` is made from; its files are in `api.files`.

What they show comes from `GET /v1/models/{name}/card` and from the routes that everybody uses. Nothing is loaded from
elsewhere, no script stands in the document, and what a model's owner or a request wrote is only ever put into text
nodes.
"""

import logging
from datetime import datetime
from pathlib import Path
from typing import Literal

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from api.answers import Slots, named, version_headers
from api.files import tag, unchanged_or
from api.predict import reply_to
from api.slot import Served
from registry.errors import StoreError
from registry.history import Past
from registry.package import Column, CrossValidation, Provenance
from registry.package.manifest import Interval, Scalar
from registry.package.package import CARD
from registry.store import ModelStore

logger = logging.getLogger("tunegate.api")
ROW = {"type": "object"}  # of the model's own columns; `/predict` documents those of the first model
ROWS = {
    "required": True,
    "content": {"application/json": {"schema": {"oneOf": [ROW, {"type": "array", "items": ROW}]}}},
}


class Card(BaseModel):
    """What there is to know about the model that answers.

    Attributes:
        model_version: sha256 of the package.
        promotion: its number in the ledger.
        text: the card as its trainer wrote it, Markdown.
        interval: what is stated of prediction intervals; null where the model gives none.
        residuals: some training rows' (predicted, observed) out of fold; for a classification (predicted class,
            observed class, predicted one's share), classes as indices. Null where the package has none.
        history: oldest promotion first; null where the store was never told.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    model_version: str
    promotion: int
    loaded_at: datetime
    task: Literal["regression", "classification"]
    target: str
    prediction: str
    classes: tuple[bool | int | str, ...]
    columns: tuple[Column, ...]
    ignored: tuple[str, ...]
    target_range: tuple[float, float]
    metric: str
    cross_validation: CrossValidation
    algorithm: str
    parameters: dict[str, Scalar]
    seed: int
    training_rows: int
    fingerprint: str
    versions: dict[str, str]
    provenance: Provenance
    size: int = Field(description="bytes")
    text: str
    interval: Interval | None
    residuals: list[list[float]] | None
    history: tuple[Past, ...] | None


def add_page(app: FastAPI, slots: Slots) -> None:
    """Add the page's JSON."""

    @app.get("/v1/models/{name}/card", summary="What is known of a model", tags=["Page"], response_model=Card)
    def card(name: str, request: Request) -> Response:
        served = named(slots, name)
        content = _card(served).model_dump_json().encode()
        return unchanged_or(request, content, "application/json", version_headers(served) | {"ETag": tag(content)})

    summary = "Predict as `/predict` does, with a model by name"

    @app.post("/v1/models/{name}/predict", summary=summary, tags=["Page"], openapi_extra={"requestBody": ROWS})
    async def predict_named(name: str, request: Request, *, interval: bool = False) -> Response:
        return await reply_to(request, named(slots, name), interval=interval)


def _card(served: Served) -> Card:
    package, pointer = served.package, served.pointer
    manifest = package.manifest
    return Card.model_validate(
        {
            **manifest.model_dump(include=set(Card.model_fields)),
            "model_version": package.digest,
            "promotion": pointer.number,
            "loaded_at": served.loaded_at,
            "size": package.size,
            "residuals": None if package.residuals is None else package.residuals.tolist(),
            "text": _text(package.path / CARD),
            "history": _history(served),
        }
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as error:  # it was there when the package was verified; the volume is gone
        logger.warning("%s: %s", path, error)
        return ""


def _history(served: Served) -> tuple[Past, ...] | None:
    store = ModelStore(served.package.path.parents[1])
    try:
        found = store.history(served.pointer.model)
    except StoreError as error:
        logger.warning("%s", error)
        return None
    return found.entries if found else None
