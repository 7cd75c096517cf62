"""The short way for requests that are surely right: past the framework's routing, straight to the model.

Whatever is not on one of these paths, has a query, or is not surely right goes on to the application, with the same
body; so there is one place that knows what is wrong, and this one is never asked.
"""

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.answers import TRIED, WARNING_HEADER, Quick, Reply, Slots, answered, warning
from api.limits import Limits, read
from api.predict import quick_answer as predict
from api.problems import Problem, refusal
from api.slot import Served, Slot
from api.v1 import quick_answer as predict_v1
from api.v2.routes import quick_answer as predict_v2

SPECIAL = frozenset({b"inference-header-content-length", b"content-encoding"})
PIECE = 1 << 16  # bytes of an answer sent at once


class Hot:
    """ASGI middleware that answers the hot paths.

    Args:
        app: the application for everything else.
        slots: the models by name.
        model: whose rows `/predict` takes.
        limits: of the server.
    """

    def __init__(self, app: ASGIApp, slots: Slots, model: str, limits: Limits) -> None:
        self.app, self.limits = app, limits
        self.paths: dict[str, tuple[Slot, Quick, _Route]] = {"/predict": (slots[model], predict, _Route("/predict"))}
        v1, v2 = _Route("/v1/models/{name}:predict"), _Route("/v2/models/{name}/infer")
        for name, slot in slots.items():
            self.paths[f"/v1/models/{name}:predict"] = slot, predict_v1, v1
            self.paths[f"/v2/models/{name}/infer"] = slot, predict_v2, v2

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer here, or hand on."""
        hot = self.paths.get(scope["path"]) if scope["type"] == "http" and not scope["query_string"] else None
        if hot is None or scope["method"] != "POST" or not (served := hot[0].served) or _is_special(scope):
            await self.app(scope, receive, send)
            return
        _, answer, scope["route"] = hot
        try:
            body = await read(receive, self.limits)
            reply = await answered(len(body), answer, served, body, self.limits)
        except Problem as problem:
            await refusal(scope["path"], problem)(scope, receive, send)
            return
        if reply is None:
            scope[TRIED] = True
            await self.app(scope, _again(body, receive), send)
        else:
            await _send(served, reply, send, self.limits)


def _is_special(scope: Scope) -> bool:
    """Whether tensors may follow as bytes, or all is compressed: headers that are for the application to check."""
    return any(name in SPECIAL for name, _ in scope["headers"])


class _Route:
    """What the metrics and the log call the path, as a route of the framework does."""

    def __init__(self, path: str) -> None:
        self.path = path


async def _send(served: Served, reply: Reply, send: Send, limits: Limits) -> None:
    found = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(reply.payload)),
        (b"x-model-version", served.package.digest.encode()),
    ]
    if reply.warnings:
        found.append((WARNING_HEADER.lower().encode(), warning(reply.warnings).encode()))
    await send({"type": "http.response.start", "status": 200, "headers": found})
    if len(reply.payload) <= PIECE:
        await send({"type": "http.response.body", "body": reply.payload})
    else:
        await _send_slowly(reply.payload, send, limits)


async def _send_slowly(payload: bytes, send: Send, limits: Limits) -> None:
    """Send by pieces, each when the one before is on its way: who does not read is not given memory without end."""
    with suppress(TimeoutError):  # the connection is then closed, its answer cut off
        for start in range(0, len(payload), PIECE):
            more = start + PIECE < len(payload)
            async with asyncio.timeout(limits.seconds):
                await send({"type": "http.response.body", "body": payload[start : start + PIECE], "more_body": more})


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
