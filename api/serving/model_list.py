"""All models of the store: those that serve here, and those that others may serve."""

from typing import Literal

from api.serving.card import read_promotions
from api.serving.served import Served, Slot
from api.serving.state import State
from registry.errors import StoreError
from registry.history import Past
from registry.metric_names import NamedScore, people_score, usual_scores
from registry.record import Aware, Record, Sha256
from registry.store import ModelStore, Pointer

NOT_SERVED = "not served here: start the server with --also {name}"


class ListedPromotion(Record, frozen=True, kw_only=True):
    """One promotion of a model; the fields are those of `Past`, the score as people read it."""

    number: int
    kind: Literal["first", "promotion", "rollback"]
    state: Literal["live", "reverted", "in flight"]
    decided_at: Aware
    score: NamedScore | None


class ListedModel(Record, frozen=True, kw_only=True):
    """One model of the store.

    Attributes:
        state: whether it answers here; "not served" where the server follows other models.
        reason: why it does not answer.
        primary: whether `/predict` is for it.
        promotion: its number in the ledger; null before the first.
        model_version: sha256 of the package.
        decided_at: when it was promoted; null where the store has no history.
        score: cross-validated, by the first of the task's usual metrics.
        history: oldest promotion first; empty where the store has none.
    """

    name: str
    state: Literal["ready", "unavailable", "not served"]
    reason: str = ""
    primary: bool
    promotion: int | None = None
    model_version: Sha256 | None = None
    decided_at: Aware | None = None
    task: str = ""
    target: str = ""
    score: NamedScore | None = None
    history: tuple[ListedPromotion, ...] = ()


class ModelList(Record, frozen=True, kw_only=True):
    """What `GET /models.json` answers; the model of `/predict` is the first."""

    models: tuple[ListedModel, ...]


def make_model_list(state: State) -> ModelList:
    """Return all models: the server's in their order, then the others that the store points to."""
    names = [*state.slots, *(name for name in _stored_names(state) if name not in state.slots)]
    return ModelList(models=tuple(_list_model(state, name) for name in names))


def _stored_names(state: State) -> list[str]:
    try:
        return state.store.models()
    except StoreError:  # the volume went away: what is loaded serves on
        return []


def _list_model(state: State, name: str) -> ListedModel:
    slot = state.slots.get(name)
    served = slot.served if slot else None
    pointer = served.pointer if served else _stored_pointer(state.store, name)
    past = read_promotions(state.store, name) or ()
    here = next((each for each in past if pointer and each.number == pointer.number), None)
    manifest = served.package.manifest if served else None
    return ListedModel(
        name=name,
        state=_model_state(slot),
        reason=_absence_reason(name, slot),
        primary=name == state.model,
        promotion=pointer.number if pointer else None,
        model_version=pointer.sha256 if pointer else None,
        decided_at=here.decided_at if here else None,
        task=manifest.task if manifest else "",
        target=manifest.target if manifest else "",
        score=_model_score(served, here),
        history=tuple(_list_promotion(each) for each in past),
    )


def _stored_pointer(store: ModelStore, name: str) -> Pointer | None:
    try:
        return store.pointer(name)
    except StoreError:  # the follower logs it, and the list shows that nothing is known
        return None


def _model_state(slot: Slot | None) -> Literal["ready", "unavailable", "not served"]:
    if slot is None:
        return "not served"
    return "ready" if slot.served else "unavailable"


def _absence_reason(name: str, slot: Slot | None) -> str:
    if slot is None:
        return NOT_SERVED.format(name=name)
    if slot.served is not None:
        return ""
    return slot.refused or slot.removed or "nothing has been promoted yet"


def _model_score(served: Served | None, here: Past | None) -> NamedScore | None:
    if served is not None:
        return usual_scores(served.package.manifest)[0]
    return _past_score(here) if here else None


def _past_score(past: Past) -> NamedScore | None:
    if past.score is None:
        return None
    return people_score(past.metric, past.score)


def _list_promotion(past: Past) -> ListedPromotion:
    return ListedPromotion(**ListedPromotion.shared_with(past) | {"score": _past_score(past)})
