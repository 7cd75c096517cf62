"""Leave without losing a request.

A server that closes an idle connection may close it under a request that is on its way. So after
SIGTERM each answer says `Connection: close`: clients then open their next connection elsewhere, and
by the time the server ends nobody is left to cut off. Not being ready takes the server out of load
balancers that ask.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import UNAVAILABLE, Problem, refusal

READY = frozenset({"/readyz", "/v2/health/ready"})


@dataclass(slots=True)
class Leaving:
    """How far a server is on its way out.

    Attributes:
        grace: seconds that requests in flight have once it has ended.
        begun: it drains.
        ended: it takes no new connections, and waits for the requests in flight.
        forced: it does not wait for them any more.
    """

    grace: float = 0.0
    begun: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    forced: bool = False


class Draining:
    """ASGI middleware; transparent until leaving has begun."""

    def __init__(self, app: ASGIApp, leaving: Leaving) -> None:
        self.app = app
        self.leaving = leaving

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer as the application does; while draining, for the last time on this connection."""
        if self.leaving.begun and scope["type"] == "http":
            return self._answer_and_close(scope, receive, send)
        return self.app(scope, receive, send)

    async def _answer_and_close(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def closing(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        app = self.app
        if scope["path"] in READY:
            draining = Problem(UNAVAILABLE, "Draining", "this server is about to end")
            app = refusal("", draining)
        await app(scope, receive, closing)
