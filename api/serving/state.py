"""What a server's parts share: the models that answer, what follows their pointers, and what is counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.limits import Limits
from api.serving.follower import INTERVAL, Follower
from api.serving.metrics import Metrics
from api.serving.served import Slot, Slots
from api.serving.shadow import Shadowing, shadowings
from registry.store import ModelStore


@dataclass(frozen=True, slots=True)
class State:
    """The state of one process.

    Attributes:
        store: where packages and pointers are.
        model: whose rows `/predict` takes.
        slots: this model's and the others', by name.
        limits: what it takes on.
        metrics: a listener at each slot.
        shadows: what candidates are asked, by the model's name.
        followers: one for each slot.
    """

    store: ModelStore
    model: str
    slots: Slots
    limits: Limits
    metrics: Metrics
    shadows: Mapping[str, Shadowing]
    followers: Sequence[Follower]

    @classmethod
    def make(
        cls,
        store: ModelStore,
        model: str,
        also: Sequence[str],
        limits: Limits,
        poll: float = INTERVAL,
    ) -> "State":
        """Prepare to serve models; nothing is loaded or followed yet."""
        slots = {name: Slot() for name in (model, *also)}
        metrics = Metrics(slots)
        for slot in slots.values():
            slot.listeners.append(metrics)
        shadows = shadowings(slots, metrics)
        followers = [
            Follower(store, name, slot, shadows[name], interval=poll)
            for name, slot in slots.items()
        ]
        return cls(store, model, slots, limits, metrics, shadows, followers)

    @property
    def slot(self) -> Slot:
        """Of the model that `/predict` is for."""
        return self.slots[self.model]
