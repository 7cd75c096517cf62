"""The one accelerator: answers requests that are surely right without FastAPI's part of the work.

What it buys: three times the requests a second for one row (`python -m benchmarks.serving` prints
the row "without fast path" next to ours). What it costs: this module and `api.codecs.fast_rows`.
`TUNEGATE_SERVING__FAST_PATH=false` switches it off; every answer stays the same.

It sits behind all other middleware and in front of the routers. It answers `POST` to `/predict`,
V1's `:predict` and V2's `infer`, where the body is read by msgspec at once and without doubt.
Everything else goes on to FastAPI with the body that was read, so one place alone decides what is
wrong with a request.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.codecs.rows import Rows
from api.limits import Limits, read_body
from api.problems import Problem, refusal
from api.routes.open_inference import all_outputs, reply_head, row_outputs
from api.routes.replies import (
    WARNING_HEADER,
    Reply,
    encode_json,
    row_reply,
    rows_reply,
    v1_reply,
    warning_text,
)
from api.routes.request_body import LARGE
from api.routes.v2_json import write_infer_response
from api.serving.served import Served, Slot
from api.serving.state import State

# Of requests whose body is more than JSON.
SPECIAL_HEADERS = frozenset({b"inference-header-content-length", b"content-encoding"})
PIECE = 1 << 16  # bytes of an answer sent at once
WARNING = WARNING_HEADER.lower().encode()
FastAnswer = Callable[[Served, bytes, Limits], Reply | None]  # None where it is not sure


@dataclass(frozen=True, slots=True)
class FastRoute:
    """A path: whose model answers it, how, and its name in metrics, as of FastAPI's routes."""

    slot: Slot
    answer: FastAnswer
    path: str


def fast_routes(state: State) -> Mapping[str, FastRoute]:
    """Return the fast routes by path."""
    routes = {"/predict": FastRoute(state.slot, fast_predict, "/predict")}
    for name, slot in state.slots.items():
        v1 = FastRoute(slot, fast_v1, "/v1/models/{name}:predict")
        v2 = FastRoute(slot, fast_v2, "/v2/models/{name}/infer")
        routes |= {f"/v1/models/{name}:predict": v1, f"/v2/models/{name}/infer": v2}
    return routes


class FastPath:
    """ASGI middleware.

    Args:
        app: FastAPI's routers, for everything that is not answered here.
        routes: the fast routes by path.
        limits: of the server.
    """

    def __init__(self, app: ASGIApp, routes: Mapping[str, FastRoute], limits: Limits) -> None:
        self.app = app
        self.routes = routes
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer here, or hand on."""
        route = self.routes.get(scope["path"]) if scope["type"] == "http" else None
        served = route.slot.served if route and _is_plain(scope) else None
        if route is None or served is None or served.reader is None:
            await self.app(scope, receive, send)
            return
        try:
            body = await read_body(receive, self.limits)
            if len(body) < LARGE:
                reply = route.answer(served, body, self.limits)
            else:
                reply = await asyncio.to_thread(route.answer, served, body, self.limits)
        except Problem as problem:
            scope["route"] = route
            await refusal(scope["path"], problem)(scope, receive, send)
            return
        if reply is None:
            await self.app(scope, _replay(body, receive), send)
            return
        scope["route"] = route
        headers = [*served.headers, (b"content-length", b"%d" % len(reply.payload))]
        if reply.warnings:
            headers.append((WARNING, warning_text(reply.warnings).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await _send_payload(reply.payload, send, self.limits)


def fast_predict(served: Served, text: bytes, limits: Limits) -> Reply | None:
    """Answer `/predict`; raises `Problem` 413."""
    assert served.reader  # noqa: S101 - checked by the caller
    limits.check_text(text)
    if text[:1] == b"{":
        cells = served.reader.row(text)
        return row_reply(served, cells) if cells else None
    rows = served.reader.rows(text)
    if rows is None:
        return None
    if not isinstance(rows, Rows):
        rows = served.encoder.rows([rows])
    limits.check_rows(len(rows.x), served.package.manifest.n_outputs)
    return rows_reply(served, rows)


def fast_v1(served: Served, text: bytes, limits: Limits) -> Reply | None:
    """Answer V1's `:predict`; raises `Problem` 413."""
    assert served.reader  # noqa: S101 - checked by the caller
    limits.check_text(text)
    rows = served.reader.instances(text)
    if rows is None:
        return None
    if isinstance(rows, Rows):
        limits.check_rows(len(rows.x), served.package.manifest.n_outputs)
    return v1_reply(served, rows)


def fast_v2(served: Served, text: bytes, limits: Limits) -> Reply | None:
    """Answer V2's `infer`; raises `Problem` 413."""
    assert served.reader  # noqa: S101 - checked by the caller
    limits.check_text(text)
    request = served.reader.tensors(text)
    if request is None:
        return None
    request_id, rows = request
    head = reply_head(served, request_id)
    if isinstance(rows, Rows):
        limits.check_rows(len(rows.x), served.package.manifest.n_outputs)
        tensors = list(all_outputs(served, served.predict(rows.x)).values())
        content, _ = write_infer_response(head, tensors, [False] * len(tensors))
        return Reply(content, rows.warnings)
    outputs = row_outputs(served, served.predict_row(rows))
    return Reply(encode_json({**head, "outputs": outputs}), served.encoder.warnings(rows))


def _is_plain(scope: Scope) -> bool:
    return (
        scope["method"] == "POST"
        and not scope["query_string"]
        and not any(name in SPECIAL_HEADERS for name, _ in scope["headers"])
    )


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body that was read, then what comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _send_payload(payload: bytes, send: Send, limits: Limits) -> None:
    """Send by pieces, each once the one before is on its way: memory stays bounded."""
    if len(payload) <= PIECE:
        await send({"type": "http.response.body", "body": payload})
        return
    with suppress(TimeoutError):  # the connection is then closed, its answer cut off
        for start in range(0, len(payload), PIECE):
            more = start + PIECE < len(payload)
            piece = payload[start : start + PIECE]
            async with asyncio.timeout(limits.seconds):
                await send({"type": "http.response.body", "body": piece, "more_body": more})
