"""The one accelerator, in front of FastAPI: answers requests that are surely right by itself.

What it buys: three to four times the requests a second for one row (`python -m benchmarks.serving`
prints a row "without fast path" next to ours). What it costs: this module and
`api.codecs.fast_rows`. `TUNEGATE_SERVING__FAST_PATH=false` leaves it out; every answer is the same.

It answers `POST` to `/predict`, V1's `:predict` and V2's `infer` where msgspec reads the body at
once and without doubt. Everything else goes to FastAPI with the body that was read, so one place
alone decides what is wrong with a request. What the middleware does for other requests (id, log,
limit, key) is done here by the same objects. A server that drains answers by FastAPI alone.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from api.codecs.fast_rows import FastRowReader
from api.codecs.rows import Cells, Rows
from api.large_bodies import IN_THREAD, run_inline_or_threaded, send_payload
from api.limits import read_body
from api.middleware.request_log import CLIENT_LEFT, Note
from api.problems import Problem
from api.routes.replies import WARNING_HEADER, Reply, row_reply, rows_reply, warning_text
from api.routes.v1 import v1_reply
from api.routes.v2 import v2_reply
from api.serving.served import Served, Slot
from api.serving.state import State

logger = logging.getLogger("tunegate.api")
# Of requests whose body is more than JSON, or that a page sent, whose answers may need CORS.
SPECIAL_HEADERS = frozenset({b"inference-header-content-length", b"content-encoding", b"origin"})
WARNING = WARNING_HEADER.lower().encode()
Found = tuple[Any, ...]  # rows, and what else the answer takes from the request


@dataclass(frozen=True, slots=True)
class FastRoute:
    """A path: whose model answers it, and how.

    Attributes:
        slot: holds the model.
        read: reads a body; None where it is not sure.
        answer: answers what was read.
        path: the name in metrics, as of FastAPI's route.
    """

    slot: Slot
    read: Callable[[FastRowReader, bytes], Found | None]
    answer: Callable[..., Reply]
    path: str


def fast_routes(state: State) -> Mapping[str, FastRoute]:
    """Return the fast routes by path."""
    routes = {"/predict": FastRoute(state.slot, _read_predict, _answer_predict, "/predict")}
    for name, slot in state.slots.items():
        v1 = FastRoute(slot, _read_v1, v1_reply, "/v1/models/{name}:predict")
        v2 = FastRoute(slot, FastRowReader.matrix, v2_reply, "/v2/models/{name}/infer")
        routes |= {f"/v1/models/{name}:predict": v1, f"/v2/models/{name}/infer": v2}
    return routes


def _read_predict(reader: FastRowReader, body: bytes) -> Found | None:
    rows = reader.row(body) if body[:1] == b"{" else reader.rows(body)
    return None if rows is None else (rows,)


def _answer_predict(served: Served, rows: Rows | Cells) -> Reply:
    return rows_reply(served, rows) if isinstance(rows, Rows) else row_reply(served, rows)


def _read_v1(reader: FastRowReader, body: bytes) -> Found | None:
    rows = reader.instances(body)
    return None if rows is None else (rows,)


class FastPath:
    """ASGI: answers a request, or hands it on to an application that `create_app` has made."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.routes = fast_routes(app.state.serving)
        self.limits = app.state.serving.limits
        self.in_flight = app.state.in_flight
        self.log = app.state.request_log
        self.leaving = app.state.leaving
        self.key = app.state.key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        route = self.routes.get(scope["path"]) if scope["type"] == "http" else None
        served = route.slot.served if route else None
        if route and served and served.reader:
            headers = dict(scope["headers"])
            if self._accepts(scope, headers):
                body = await self._answer(route, served, headers, (scope, receive, send))
                if body is None:
                    return
                receive = _give_again(body, receive)
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
    ) -> bytes | Problem | None:
        """Answer and return None, or return what came of the body, for FastAPI."""
        scope, receive, send = connection
        began = perf_counter()
        status = CLIENT_LEFT
        reply: Reply | None = None
        ids = self.log.id_and_trace(headers)
        self.in_flight.enter()
        try:
            body = await read_body(receive, self.limits)
            if len(body) < IN_THREAD:  # without another coroutine: most bodies are one row
                reply = self._reply(route, served, body)
            else:
                reply = await run_inline_or_threaded(len(body), self._reply, route, served, body)
            if reply is None:
                return body
            await send(_response_start(served, reply, ids[0]))
            status = 200
            await send_payload(reply.payload, send, self.limits.seconds)
        except Problem as problem:  # of the body's arrival
            return problem
        finally:
            self.in_flight.leave()
            if reply:
                scope["route"] = route
                model = served.package.digest.encode()
                self.log.add(Note.ended_now(scope, began, status, model, ids))
        return None

    def _reply(self, route: FastRoute, served: Served, body: bytes) -> Reply | None:
        """Return the answer, or None where FastAPI must look."""
        assert served.reader  # noqa: S101 - checked by the caller
        try:
            self.limits.check_text(body)
            found = route.read(served.reader, body)
            if found is None:
                return None
            if isinstance(found[0], Rows):
                self.limits.check_rows(len(found[0].x), served.package.manifest.n_outputs)
            return route.answer(served, *found)
        except Problem:
            return None
        except Exception:
            logger.exception("the fast path failed, FastAPI answers")
            return None


def _response_start(served: Served, reply: Reply, request_id: bytes) -> Message:
    headers = [
        *served.headers,
        (b"content-length", b"%d" % len(reply.payload)),
        (b"x-request-id", request_id),
    ]
    if reply.warnings:
        headers.append((WARNING, warning_text(reply.warnings).encode()))
    return {"type": "http.response.start", "status": 200, "headers": headers}


def _give_again(body: bytes | Problem, receive: Receive) -> Receive:
    """Return a `receive` that gives the body that was read, or its problem, and then the rest."""
    given = False

    async def give_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        if isinstance(body, Problem):
            raise body
        return {"type": "http.request", "body": body, "more_body": False}

    return give_again
