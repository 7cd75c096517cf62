"""The one accelerator, in front of FastAPI: answers requests that are surely right by itself.

What it buys: three to four times the requests a second for one row (`python -m benchmarks.serving`
prints a row "without fast path" next to ours). What it costs: this module and
`api.codecs.fast_rows`. `TUNEGATE_SERVING__FAST_PATH=false` leaves it out; every answer is the same.

It answers `POST` to `/predict`, V1's `:predict` and V2's `infer` where msgspec reads the body at
once and without doubt. Everything else goes to FastAPI with the body that was read, so one place
alone decides what is wrong with a request. What the middleware does for other requests (id, log,
limit, key) is done here by the same objects. A server that drains answers by FastAPI alone.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.codecs.rows import Rows
from api.large_bodies import IN_THREAD, run_inline_or_threaded
from api.limits import InFlight, Limits, read_body
from api.middleware.api_key import Key
from api.middleware.draining import Leaving
from api.middleware.request_log import CLIENT_LEFT, Note, RequestLog
from api.problems import Problem, refusal
from api.routes.open_inference import all_outputs, reply_head, row_outputs
from api.routes.replies import (
    WARNING_HEADER,
    Reply,
    encode_json,
    row_reply,
    rows_reply,
    warning_text,
)
from api.routes.v1 import v1_reply
from api.routes.v2_json import format_infer_response
from api.serving.served import Served, Slot
from api.serving.state import State

logger = logging.getLogger("tunegate.api")
# Of requests whose body is more than JSON, or that a page sent, whose answers may need CORS.
SPECIAL_HEADERS = frozenset({b"inference-header-content-length", b"content-encoding", b"origin"})
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


def accelerate(app: FastAPI) -> "FastPath":
    """Put the fast path in front of an application that `create_app` has made."""
    found = app.state
    routes = fast_routes(found.serving)
    return FastPath(
        app,
        routes,
        found.serving.limits,
        found.in_flight,
        found.request_log,
        found.leaving,
        found.key,
    )


@dataclass(frozen=True, slots=True)
class FastPath:
    """ASGI: answers a request, or hands it on.

    Args:
        app: answers everything that is not answered here.
        routes: the fast routes by path.
        limits: of the server.
        in_flight: the requests that are being answered.
        log: where requests are noted.
        leaving: whether the server drains.
        key: that requests must carry; None asks for none.
    """

    app: ASGIApp
    routes: Mapping[str, FastRoute]
    limits: Limits
    in_flight: InFlight
    log: RequestLog
    leaving: Leaving
    key: Key | None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        route = self.routes.get(scope["path"]) if scope["type"] == "http" else None
        served = route.slot.served if route else None
        if route and served and served.reader:
            headers = dict(scope["headers"])
            if self._accepts(scope, headers):
                await self._answer(route, served, headers, (scope, receive, send))
                return
        await self.app(scope, receive, send)

    def _accepts(self, scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
        return (
            scope["method"] == "POST"
            and not scope["query_string"]
            and not self.leaving.begun
            and not self.in_flight.full
            and SPECIAL_HEADERS.isdisjoint(headers)
            and (self.key is None or self.key.refusal(headers) is None)
        )

    async def _answer(
        self,
        route: FastRoute,
        served: Served,
        headers: Mapping[bytes, bytes],
        connection: tuple[Scope, Receive, Send],
    ) -> None:
        began = perf_counter()
        scope, receive, send = connection
        request_id, trace = self.log.id_and_trace(headers)
        status = CLIENT_LEFT
        model = b""
        unsure: bytes | None = None
        self.in_flight.enter()
        try:
            body = await read_body(receive, self.limits)
            if len(body) < IN_THREAD:  # without another coroutine: most bodies are one row
                reply = self._reply(route, served, body)
            else:
                reply = await run_inline_or_threaded(len(body), self._reply, route, served, body)
            if reply is None:
                unsure = body
            else:
                await send(_response_start(served, reply, request_id))
                status = 200
                model = served.package.digest.encode()
                await _send_payload(reply.payload, send, self.limits)
        except Problem as problem:
            status = problem.status
            response = refusal(scope["path"], problem)
            response.headers["x-request-id"] = request_id.decode()
            await response(scope, receive, send)
        finally:
            self.in_flight.leave()
            if unsure is None:
                scope["route"] = route
                self.log.add(Note.ended_now(scope, began, status, model, (request_id, trace)))
        if unsure is not None:
            await self.app(scope, _replay(unsure, receive), send)

    def _reply(self, route: FastRoute, served: Served, body: bytes) -> Reply | None:
        """Return the answer, or None where FastAPI must look; raises `Problem`."""
        try:
            return route.answer(served, body, self.limits)
        except Problem:
            raise
        except Exception:
            logger.exception("the fast path failed, FastAPI answers")
            return None


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
        content, _ = format_infer_response(head, tensors, [False] * len(tensors))
        return Reply(content, rows.warnings)
    outputs = row_outputs(served, served.predict_row(rows))
    return Reply(encode_json({**head, "outputs": outputs}), served.encoder.warnings(rows))


def _response_start(served: Served, reply: Reply, request_id: bytes) -> Message:
    headers = [
        *served.headers,
        (b"content-length", b"%d" % len(reply.payload)),
        (b"x-request-id", request_id),
    ]
    if reply.warnings:
        headers.append((WARNING, warning_text(reply.warnings).encode()))
    return {"type": "http.response.start", "status": 200, "headers": headers}


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
