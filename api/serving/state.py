"""What a server's parts share: the models that answer, their followers, and the metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.limits import Limits
from api.serving.follower import INTERVAL, Follower
from api.serving.metrics import Metrics
from api.serving.served import Slot, Slots
from api.serving.shadow import Shadowing, add_shadowings
from registry.store import ModelStore


@dataclass(frozen=True, slots=True)
class State:
    """The state of one process.

    Attributes:
        store: where packages and pointers are.
        model: the model whose rows `/predict` takes.
        slots: this model's and the others', by name.
        limits: what the process takes on.
        metrics: a listener at each slot.
        shadows: each model's shadow mode, by the model's name.
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
        """Prepare to serve models; nothing is loaded or followed yet.

        Args:
            store, model, limits: the state's.
            also: names of the other models to serve.
            poll: seconds between two looks at a model's pointer.
        """
        slots = {name: Slot() for name in (model, *also)}
        metrics = Metrics(slots)
        for slot in slots.values():
            slot.listeners.append(metrics)
        shadows = add_shadowings(slots, metrics)
        followers = [
            Follower(store, name, slot, shadows[name], interval=poll)
            for name, slot in slots.items()
        ]
        return cls(
            store=store,
            model=model,
            slots=slots,
            limits=limits,
            metrics=metrics,
            shadows=shadows,
            followers=followers,
        )

    @property
    def slot(self) -> Slot:
        """The slot of the model that `/predict` is for."""
        return self.slots[self.model]
