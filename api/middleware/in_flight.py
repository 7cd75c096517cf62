"""Refuses requests above `Limits.requests`; probes and metrics are always answered."""

from starlette.types import ASGIApp, Receive, Scope, Send

from api.limits import InFlight
from api.problems import Problem, refusal

ALWAYS = frozenset(
    {"/healthz", "/readyz", "/version", "/metrics", "/v2/health/live", "/v2/health/ready"}
)


class LimitInFlight:
    """ASGI middleware.

    Args:
        app: what answers.
        in_flight: the counter; gRPC has one of its own.
    """

    def __init__(self, app: ASGIApp, in_flight: InFlight) -> None:
        self.app = app
        self.in_flight = in_flight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, or refuse with 503."""
        if scope["type"] != "http" or scope["path"] in ALWAYS:
            await self.app(scope, receive, send)
            return
        try:
            self.in_flight.enter()
        except Problem as problem:
            await refusal(scope["path"], problem)(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        finally:
            self.in_flight.leave()
