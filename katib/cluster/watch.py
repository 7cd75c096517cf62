"""Follow objects on an API server that comes and goes: list, watch, and after whatever breaks, list anew."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from katib.errors import ClusterUnreachable

Object = dict[str, Any]
T = TypeVar("T")

WATCH = 60.0  # seconds that one watch lasts at most
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0
SOUND = 1.0  # a watch that lived for so long, or told something, did not break at once


class Cluster(Protocol):
    """What is needed of `katib.cluster.client.Kube`; see there."""

    def get(self, kind: str, namespace: str, name: str) -> Object:
        """Return one object."""

    def list(
        self, kind: str, namespace: str, *, name: str = "", labels: str = ""
    ) -> tuple[list[Object], str]:
        """Return objects, and the version from which a watch goes on."""

    def create(self, kind: str, namespace: str, body: Object) -> Object:
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
    ) -> Iterator[Object]:
        """Yield events."""


@dataclass(slots=True)
class Patience:
    """Goes on asking an API server that does not answer, with growing pauses, for a limited time.

    Attributes:
        seconds: how long without any answer.
        notify: told once in each stretch without an answer.
        clock: a monotonic clock.
        pause: waits for some seconds.
        deadline: when the patience ends in any case.
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
        """Return what a call gives, however often it must be made.

        Raises:
            ClusterUnreachable: when nothing has answered for `seconds`.
        """
        while True:
            try:
                answer = call()
            except ClusterUnreachable as error:
                self.failed(error)
            else:
                self.answered()
                return answer

    def answered(self) -> None:
        """Something has answered."""
        self._since = None
        self._failures = 0

    def calm(self) -> None:
        """A watch has worked: the next pause is a short one again."""
        self._delay = FIRST_PAUSE

    def failed(self, error: ClusterUnreachable) -> None:
        """Wait a while; a single broken connection is not worth a word.

        Raises:
            ClusterUnreachable: the error itself, when there was no answer for too long.
        """
        now = self.clock()
        self._since = now if self._since is None else self._since
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


def changes(
    cluster: Cluster, what: Selection, patience: Patience, until: Callable[[], float | None]
) -> Iterator[list[Object]]:
    """Yield the selected objects as they are, at once and after each change, until it is time.

    Args:
        cluster: where they are.
        what: which.
        patience: what happens while the API server does not answer.
        until: asked for the time of the end anew after each watch; None is never.

    Raises:
        ClusterUnreachable: when the patience is over.
    """
    selectors = {"name": what.name, "labels": what.labels}
    while True:
        found, version = patience.ask(lambda: cluster.list(what.kind, what.namespace, **selectors))
        known = {item["metadata"]["uid"]: item for item in found}
        yield list(known.values())
        left = _left(until(), patience)
        if left <= 0:
            return
        began = patience.clock()
        told = False
        try:
            for event in cluster.watch(
                what.kind, what.namespace, version=version, seconds=min(left, WATCH), **selectors
            ):
                told = True
                patience.calm()
                if _apply(event, known):
                    yield list(known.values())
                if _left(until(), patience) <= 0:
                    return
        except ClusterUnreachable as error:
            patience.failed(error)
        else:
            if (
                not told and patience.clock() - began < SOUND
            ):  # one that ends at once would be asked for without end
                patience.rest()
            else:
                patience.calm()


def _left(until: float | None, patience: Patience) -> float:
    if until is None:
        return WATCH
    return until - patience.clock()


def _apply(event: Object, known: dict[str, Object]) -> bool:
    """Take note of an event; returns whether it tells of an object, which a bookmark does not."""
    item = event["object"]
    uid = item.get("metadata", {}).get("uid")
    if uid is None:
        return False
    if event["type"] == "DELETED":
        known.pop(uid, None)
    else:
        known[uid] = item
    return True
