"""The application: probes and the page's files here, everything else by the framework, which is made when first needed.

Every answer of a model carries `X-Model-Version`, the sha256 of the package that gave it. Errors are problem details.
"""

import ctypes
import gc
import logging
import traceback
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.demand import OnDemand
from api.limits import Limits
from api.middleware.request_log import Route
from api.problems import Problem, internal, refusal
from api.routes.probes import Probe, probes, store_id
from api.routes.static_files import FILES, sender
from api.serving.served import Slots
from api.serving.state import State
from registry.store import ModelStore

__all__ = ["Application", "create_app", "store_id"]
logger = logging.getLogger("tunegate.api")
Beside = Callable[[Slots], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def nothing(_: Slots) -> AsyncIterator[None]:
    """Run nothing beside the application."""
    yield


def create_app(
    store: ModelStore,
    model: str,
    also: Sequence[str] = (),
    *,
    limits: Limits | None = None,
    beside: Beside = nothing,
) -> "Application":
    """Make the application that serves models from a store; it follows their pointers while it runs.

    Args:
        store: where packages and pointers are.
        model: whose rows `/predict` takes.
        also: other models, served under their names.
        limits: what it takes on.
        beside: what else runs on the same models while it does.
    """
    return Application(State.make(store, model, also, limits or Limits()), beside)


class Application:
    """ASGI: what needs no framework is answered without; importing FastAPI is a quarter of a start's CPU, and 7 MiB."""

    def __init__(self, state: State, beside: Beside = nothing) -> None:
        self.state = state
        self.beside = beside
        found: dict[str, Probe] = {path: sender(path) for path in FILES} | dict(probes(state))
        self.plain = {path: (answer, Route(path)) for path, answer in found.items()}
        self.framework = OnDemand(self._make)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif (
            scope["type"] == "http"
            and scope["method"] == "GET"
            and (plain := self.plain.get(scope["path"]))
        ):
            answer, scope["route"] = plain
            try:
                response = await answer(Request(scope, receive))
            except Problem as problem:
                response = refusal(scope["path"], problem)
            await response(scope, receive, send)
        else:
            await self._by_framework(scope, receive, send)

    async def _by_framework(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            framework = await self.framework.get()
        except Exception:  # an import can fail in any way; the next request tries again
            logger.exception("the framework cannot be loaded")
            await refusal(scope["path"], internal())(scope, receive, send)
        else:
            await framework(scope, receive, send)

    def _make(self) -> ASGIApp:
        from api.fastapi_app import make  # noqa: PLC0415 - this is what is put off

        made = make(self.state, {path: answer for path, (answer, _) in self.plain.items()})
        gc.freeze()  # as at the start
        return made

    async def _live(self, receive: Receive, send: Send) -> None:
        """Speak ASGI's lifespan protocol."""
        begun = "startup"
        await receive()
        try:
            async with self._running():
                await send({"type": "lifespan.startup.complete"})
                begun = "shutdown"
                await receive()
        except BaseException:
            await send({"type": f"lifespan.{begun}.failed", "message": traceback.format_exc()})
            raise
        await send({"type": "lifespan.shutdown.complete"})

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        for follower in self.state.followers:
            follower.start()
        _give_back()
        gc.freeze()  # what is here stays: no collection needs to look at it again; one now would find next to nothing
        async with self.beside(self.state.slots):
            yield
        gc.unfreeze()
        for follower in self.state.followers:
            follower.stop()


def _give_back() -> None:
    """Return to the system what importing and loading have freed, 1.5 MiB; other C libraries than glibc keep it."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
