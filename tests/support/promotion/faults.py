"""Ways to go wrong at a chosen step of the promotion protocol."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from promote.promotion import Promoter, Smoke
from support.patience import patience
from support.promotion.promotions import PromotionSite

STEPS = ("add", "create", "point", "smoke", "close")


class Crash(BaseException):
    """The process is gone: nothing may catch it."""


def crash() -> None:
    """Go, as far as a test in one process can."""
    raise Crash


def kill() -> None:
    """Go for good."""
    os.kill(os.getpid(), signal.SIGKILL)


class Intercepted:
    """Stands before a store, a ledger or a smoke test; acts around each call of these methods."""

    def __init__(
        self,
        real: Any,  # noqa: ANN401
        around: Callable[[str, Callable[[], Any]], Any],
        methods: Sequence[str],
    ) -> None:
        self._real = real
        self._around = around
        self._methods = methods

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the real one has
        found = getattr(self._real, name)
        if name == "fenced":
            return lambda check: Intercepted(found(check), self._around, self._methods)
        if name not in self._methods:
            return found
        return lambda *args, **kwargs: self._around(name, lambda: found(*args, **kwargs))


def intercepted_promoter(
    site: PromotionSite,
    around: Callable[[str, Callable[[], Any]], Any],
    *,
    smoke: Smoke | None = None,
) -> Promoter:
    """Return a promoter each of whose effects goes through `around(name, effect)`."""
    test = smoke or site.smoke
    return site.promoter(
        store=Intercepted(site.store, around, ("add", "open", "pointer", "point", "unpoint")),
        ledger=Intercepted(site.ledger, around, ("history", "create", "close")),
        smoke=lambda package: around("smoke", lambda: test(package)),
    )


def crashing_promoter(
    site: PromotionSite, step: str, *, by: Callable[[], None] = crash
) -> Promoter:
    """Return a promoter whose process is gone right after `step`; "" is never."""

    def around(name: str, effect: Callable[[], Any]) -> Any:  # noqa: ANN401
        result = effect()
        if name == step:
            by()
        return result

    return intercepted_promoter(site, around)


def dead_process() -> int:
    """Return the id of a process that was and is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


class TurnSchedule:
    """Lets two threads take their effects in a given order, so that it can be repeated."""

    def __init__(self, schedule: Sequence[int]) -> None:
        self._order = iter(schedule)
        self._running = {0, 1}
        self._changed = threading.Condition()
        self._next = self._draw()

    def around(self, who: int) -> Callable[[str, Callable[[], Any]], Any]:
        """Return what stands around each effect of one of the two."""

        def take_turn(_: str, effect: Callable[[], Any]) -> Any:  # noqa: ANN401
            with self._changed:
                assert self._changed.wait_for(lambda: self._next == who, timeout=patience(60))
                try:
                    return effect()
                finally:
                    self._pass_on()

        return take_turn

    @contextmanager
    def taking_part(self, who: int) -> Iterator[None]:
        """Leave the other one alone afterwards."""
        try:
            yield
        finally:
            with self._changed:
                self._running.discard(who)
                if self._next == who:
                    self._pass_on()

    def _pass_on(self) -> None:
        self._next = self._draw()
        self._changed.notify_all()

    def _draw(self) -> int:
        chosen = next(self._order, 0)
        return chosen if chosen in self._running else next(iter(self._running), 0)
