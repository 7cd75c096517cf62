"""Follow objects on an API server that comes and goes: list, watch, list again after a break."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from katib.errors import ClusterUnreachable
from katib.objects import JsonObject

T = TypeVar("T")

WATCH = 60.0  # seconds that one watch lasts at most
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0
SOUND = 1.0  # seconds; a watch that lived for so long, or brought an event, did not break at once


class ClusterApi(Protocol):
    """The part of `katib.cluster.client.KubernetesClient` that following needs; see there."""

    def get(self, kind: str, namespace: str, name: str) -> JsonObject:
        """Return one object."""

    def list(
        self, kind: str, namespace: str, *, name: str = "", labels: str = ""
    ) -> tuple[list[JsonObject], str]:
        """Return objects, and the resource version from which to watch them."""

    def create(self, kind: str, namespace: str, body: JsonObject) -> JsonObject:
        """Create an object."""

    def watch(
        self,
        kind: str,
        namespace: str,
        *,
        version: str,
        seconds: float,
        name: str = "",
        labels: str = "",
    ) -> Iterator[JsonObject]:
        """Yield events."""


@dataclass(slots=True)
class RetryBudget:
    """Repeats requests while an API server does not answer, for a limited time.

    Attributes:
        seconds: how long without any answer.
        notify: called once in each stretch without an answer, with a sentence for people.
        clock: a monotonic clock.
        pause: waits for some seconds.
        deadline: time of the clock at which the retries end in any case.
    """

    seconds: float
    notify: Callable[[str], None] = lambda _: None
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    deadline: float = math.inf
    _since: float | None = field(default=None, init=False)
    _failures: int = field(default=0, init=False)
    _delay: float = field(default=FIRST_PAUSE, init=False)

    def ask(self, call: Callable[[], T]) -> T:
        """Return what a call gives, repeating it while the server does not answer.

        Raises:
            ClusterUnreachable: when nothing has answered for `seconds`.
        """
        while True:
            try:
                answer = call()
            except ClusterUnreachable as error:
                self.record_failure(error)
            else:
                self.record_answer()
                return answer

    def record_answer(self) -> None:
        """Start the budget again: the server has answered."""
        self._since = None
        self._failures = 0

    def reset_pause(self) -> None:
        """Make the next pause a short one again: a watch has worked."""
        self._delay = FIRST_PAUSE

    def record_failure(self, error: ClusterUnreachable) -> None:
        """Pause before the next try; people hear of it from the second failure in a row on.

        Raises:
            ClusterUnreachable: the error itself, when there was no answer for too long.
        """
        now = self.clock()
        if self._since is None:
            self._since = now
        self._failures += 1
        end = min(self._since + self.seconds, self.deadline)
        if now >= end:
            raise error
        if self._failures == 2:  # noqa: PLR2004 - the second in a row
            self.notify(f"{error}; trying again for {self.seconds:.0f} s")
        self.rest(until=end)

    def rest(self, until: float = math.inf) -> None:
        """Pause, longer each time, though not beyond a moment."""
        self.pause(max(0.0, min(self._delay, until - self.clock())))
        self._delay = min(2 * self._delay, LONGEST_PAUSE)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects are followed."""

    kind: str
    namespace: str
    name: str = ""
    labels: str = ""


def object_changes(
    cluster: ClusterApi, what: Selection, budget: RetryBudget, until: Callable[[], float | None]
) -> Iterator[list[JsonObject]]:
    """Yield the selected objects as they are now, then after each change, until the end.

    Args:
        cluster: where they are.
        what: which.
        budget: how long the API server may fail to answer.
        until: called after each watch for the end, a time of the budget's clock; None is never.

    Raises:
        ClusterUnreachable: when the budget is used up.
    """
    selectors = {"name": what.name, "labels": what.labels}
    while True:
        found, version = budget.ask(lambda: cluster.list(what.kind, what.namespace, **selectors))
        known = {item["metadata"]["uid"]: item for item in found}
        yield list(known.values())
        left = _seconds_left(until(), budget)
        if left <= 0:
            return
        began = budget.clock()
        any_event = False
        try:
            for event in cluster.watch(
                what.kind, what.namespace, version=version, seconds=min(left, WATCH), **selectors
            ):
                any_event = True
                budget.reset_pause()
                if _apply_event(event, known):
                    yield list(known.values())
                if _seconds_left(until(), budget) <= 0:
                    return
        except ClusterUnreachable as error:
            budget.record_failure(error)
        else:
            if any_event or budget.clock() - began >= SOUND:
                budget.reset_pause()
            else:  # otherwise a watch that ends at once would be repeated without a pause
                budget.rest()


def _seconds_left(until: float | None, budget: RetryBudget) -> float:
    if until is None:
        return WATCH
    return until - budget.clock()


def _apply_event(event: JsonObject, known: dict[str, JsonObject]) -> bool:
    """Update the known objects; returns whether the event is about one, which a bookmark is not."""
    item = event["object"]
    uid = item.get("metadata", {}).get("uid")
    if uid is None:
        return False
    if event["type"] == "DELETED":
        known.pop(uid, None)
    else:
        known[uid] = item
    return True
