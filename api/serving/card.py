"""What `GET /v1/models/{name}/card` says about a model."""

import logging
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from api.serving.served import Served
from registry.errors import StoreError
from registry.history import Past
from registry.metric_names import NamedScore, metric_name, usual_scores
from registry.package import COLUMN_KINDS, HIGHER_IS_BETTER, Column, CrossValidation, Provenance
from registry.package.manifest import Importance, Interval, Scalar
from registry.record import Record
from registry.store import ModelStore

logger = logging.getLogger("tunegate.api")


class Card(Record, frozen=True, kw_only=True):
    """What is known of the model that answers.

    Attributes:
        model_version: sha256 of the package.
        promotion: its number in the ledger.
        text: the card as its trainer wrote it, Markdown.
        metric_name: what people call the objective.
        higher_is_better: the direction in which the objective improves.
        usual_scores: cross-validated scores by the task's usual metrics, as far as they are known.
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
    metric_name: str
    higher_is_better: bool
    cross_validation: CrossValidation
    scores: dict[str, float]
    usual_scores: tuple[NamedScore, ...]
    importances: tuple[Importance, ...]
    out_of_bag: float | None
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
    store = ModelStore(package.path.parents[1])
    return Card(
        **Card.shared_with(package.manifest),
        metric_name=metric_name(package.manifest.metric),
        higher_is_better=package.manifest.metric in HIGHER_IS_BETTER,
        usual_scores=usual_scores(package.manifest),
        widgets=tuple(COLUMN_KINDS[each.kind].widget_of(each) for each in package.manifest.columns),
        model_version=package.digest,
        promotion=pointer.number,
        loaded_at=served.loaded_at,
        size=package.size,
        residuals=None if package.residuals is None else package.residuals.tolist(),
        text=package.card,
        history=read_promotions(store, served.pointer.model),
    )


def read_promotions(store: ModelStore, model: str) -> tuple[Past, ...] | None:
    """Return the copy of a model's history; None where there is none that can be read."""
    try:
        found = store.history(model)
    except StoreError as error:
        logger.warning("%s", error)
        return None
    return found.entries if found else None
