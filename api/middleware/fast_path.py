"""The short way for requests that are surely right: from the socket straight to the model, and everything said at once.

What the layers (`api.server.run`) do each on its own, for any request, is done here in one step: a request has an id and a
place among those in flight, its answer says so and goodbye while draining, and it is noted. Whatever is not on one of
these paths, has a query, or is not surely right goes on to the layers, with the same body; so there is one place that
knows what is wrong, and this one is never asked.
"""

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter

from starlette.types import Message, Receive, Scope, Send

from api.limits import Limits, Room, read
from api.middleware.api_key import Key
from api.middleware.draining import Leaving
from api.middleware.request_log import BEGAN, LEFT, Observed
from api.problems import Problem, internal, refusal
from api.routes.predict import quick_answer as predict
from api.routes.replies import LARGE, TRIED, WARNING_HEADER, Quick, Reply, warning
from api.routes.v1 import quick_answer as predict_v1
from api.routes.v2_fast_row import quick_answer as predict_v2
from api.serving.served import Served, Slot
from api.serving.state import State

logger = logging.getLogger("tunegate.api")
OK = 200
SPECIAL = frozenset(
    {b"inference-header-content-length", b"content-encoding"}
)  # what follows is not JSON alone
PIECE = 1 << 16  # bytes of an answer sent at once
WARNING = WARNING_HEADER.lower().encode()
GOODBYE = (b"connection", b"close")  # while draining, as `api.middleware.draining` says it
Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Way:
    """A path: whose model answers, how, and what the metrics call it."""

    slot: Slot
    answer: Quick
    route: str


@dataclass(frozen=True, slots=True)
class Hot:
    """ASGI: answers the hot paths.

    Args:
        layers: for everything else.
        ways: the hot paths.
        limits: of the server.
        room: of the layers.
        key: that requests must carry; None asks for none.
        leaving: whether it drains.
    """

    layers: Observed
    ways: Mapping[str, Way]
    limits: Limits
    room: Room
    key: Key | None
    leaving: Leaving

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer here, or hand on."""
        if scope["type"] == "http" and not scope["query_string"]:
            way = self.ways.get(scope["path"])
        else:
            way = None
        if way and (served := way.slot.served) and scope["method"] == "POST" and not self.room.full:
            headers = dict(scope["headers"])
            if SPECIAL.isdisjoint(headers) and not (self.key and self.key.refusal(headers)):
                return self._answer(way, served, headers, (scope, receive, send))
        return self.layers(scope, receive, send)

    async def _answer(
        self,
        way: Way,
        served: Served,
        headers: Mapping[bytes, bytes],
        asgi: tuple[Scope, Receive, Send],
    ) -> None:
        began = perf_counter()
        scope, receive, send = asgi
        name, trace = self.layers.identities.of(headers)
        status = LEFT
        model = ""
        sure = True
        self.room.running += 1  # there is room, see above
        try:
            body = await read(receive, self.limits)
            asked = served, body, self.limits
            if len(body) < LARGE:
                reply = way.answer(*asked)
            else:
                reply = await asyncio.to_thread(way.answer, *asked)
            sure = reply is not None
            if reply:
                status = OK
                model = served.package.digest
                await send(self._start(OK, [*served.headers, *_about(reply)], name))
                await _send(reply.payload, send, self.limits)
        except Exception as error:  # whatever it is, the client gets a status and the log the cause
            if status != LEFT:
                raise
            status = await self._refuse(error, scope, name, send)
        finally:
            self.room.leave()
            if sure:
                said = (scope["path"], scope.get("client"), name, model, trace)
                self.layers.notes.add(("POST", way.route, status, began, perf_counter(), *said))
        if not sure:
            scope[TRIED] = True
            scope[BEGAN] = began
            await self.layers(scope, _again(body, receive), send)

    async def _refuse(self, error: Exception, scope: Scope, name: bytes, send: Send) -> int:
        """Say why there is no answer; return the status."""
        if not isinstance(error, Problem):
            logger.error("unexpected error", exc_info=error)
            error = internal()
        response = refusal(scope["path"], error)
        await send(self._start(response.status_code, response.raw_headers, name))
        await send({"type": "http.response.body", "body": response.body})
        return response.status_code

    def _start(self, status: int, headers: list[Header], name: bytes) -> Message:
        headers.append((b"x-request-id", name))
        if self.leaving.begun:
            headers.append(GOODBYE)
        return {"type": "http.response.start", "status": status, "headers": headers}


def hot_ways(state: State) -> Mapping[str, Way]:
    """Return the hot paths."""
    found = {"/predict": Way(state.slot, predict, "/predict")}
    for name, slot in state.slots.items():
        found[f"/v1/models/{name}:predict"] = Way(slot, predict_v1, "/v1/models/{name}:predict")
        found[f"/v2/models/{name}/infer"] = Way(slot, predict_v2, "/v2/models/{name}/infer")
    return found


def _about(reply: Reply) -> list[Header]:
    length = (b"content-length", b"%d" % len(reply.payload))
    if reply.warnings:
        return [length, (WARNING, warning(reply.warnings).encode())]
    return [length]


async def _send(payload: bytes, send: Send, limits: Limits) -> None:
    """Send by pieces, each when the one before is on its way: who does not read is not given memory without end."""
    if len(payload) <= PIECE:
        await send({"type": "http.response.body", "body": payload})
        return
    with suppress(TimeoutError):  # the connection is then closed, its answer cut off
        for start in range(0, len(payload), PIECE):
            more = start + PIECE < len(payload)
            async with asyncio.timeout(limits.seconds):
                await send(
                    {
                        "type": "http.response.body",
                        "body": payload[start : start + PIECE],
                        "more_body": more,
                    }
                )


def _again(body: bytes, receive: Receive) -> Receive:
    """Give the body that was read once more, then what comes after it."""
    read_once = False

    async def replay() -> Message:
        nonlocal read_once
        if read_once:
            return await receive()
        read_once = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
