"""What `GET /v1/models/{name}/card` says about a model."""

import logging
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from api.serving.served import Served
from registry.errors import StoreError
from registry.history import Past
from registry.package import COLUMN_KINDS, Column, CrossValidation, Provenance
from registry.package.manifest import Interval, Scalar
from registry.package.model_package import CARD
from registry.record import Record
from registry.store import ModelStore

logger = logging.getLogger("tunegate.api")


class Card(Record, frozen=True, kw_only=True):
    """What is known of the model that answers.

    Attributes:
        model_version: sha256 of the package.
        promotion: its number in the ledger.
        text: the card as its trainer wrote it, Markdown.
        interval: coverage and width of the prediction intervals; null if the model gives none.
        residuals: (predicted, observed) of some training rows, out of fold; for a classification
            (predicted class, observed class, the predicted one's share), classes as indices. Null
            if the package has none.
        history: oldest promotion first; null if the store has no history.
    """

    name: str
    model_version: str
    promotion: int
    loaded_at: datetime
    task: Literal["regression", "classification"]
    target: str
    prediction: str
    classes: tuple[bool | int | str, ...]
    columns: tuple[Column, ...]
    widgets: tuple[str, ...]
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
    size: Annotated[int, Meta(description="bytes")]
    text: str
    interval: Interval | None
    residuals: list[list[float]] | None
    history: tuple[Past, ...] | None


def card_of(served: Served) -> Card:
    """Return the card of a served model; the history is read from the store."""
    package = served.package
    pointer = served.pointer
    return Card(
        **Card.shared_with(package.manifest),
        widgets=tuple(COLUMN_KINDS[each.kind].widget for each in package.manifest.columns),
        model_version=package.digest,
        promotion=pointer.number,
        loaded_at=served.loaded_at,
        size=package.size,
        residuals=None if package.residuals is None else package.residuals.tolist(),
        text=_read_text(package.path / CARD),
        history=_read_promotions(served),
    )


def _read_text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as error:  # the package was verified with it: the volume went away since
        logger.warning("%s: %s", path, error)
        return ""


def _read_promotions(served: Served) -> tuple[Past, ...] | None:
    store = ModelStore(served.package.path.parents[1])
    try:
        found = store.history(served.pointer.model)
    except StoreError as error:
        logger.warning("%s", error)
        return None
    return found.entries if found else None
