"""The Open Inference Protocol over gRPC, beside the same application: `GRPCInferenceService`, and gRPC's health check.

Optional: `api.grpc` alone imports grpcio and protobuf, the extra `grpc`. What a request means, and how
strictly it is checked, is as over REST; errors carry the same text, in gRPC's codes.
"""

import asyncio
import errno
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc.aio
from google.protobuf.message import DecodeError

from api.codecs.rows import Rows
from api.grpc.messages import HEALTH, PACKAGE, make
from api.grpc.tensors import M, read, write
from api.limits import InFlight, Limits
from api.middleware.api_key import Key
from api.middleware.draining import Leaving
from api.problems import (
    BAD_REQUEST,
    NOT_FOUND,
    TOO_LARGE,
    UNAUTHORIZED,
    UNAVAILABLE,
    UNPROCESSABLE,
    Problem,
)
from api.routes.dependencies import require_version
from api.routes.open_inference import (
    SERVER,
    InferRequest,
    model_metadata,
    reply_head,
    request_weight,
    requested_outputs,
    requested_rows,
)
from api.routes.replies import model_headers
from api.routes.request_body import run_inline_or_threaded
from api.serving.served import Served, Slots

logger = logging.getLogger("tunegate.api")
HEALTH_PACKAGE = "grpc.health.v1"
H = make(HEALTH_PACKAGE, HEALTH)
SERVING = 1
NOT_SERVING = 2
LOOK = 0.1  # seconds between two looks whether the end is forced
CODES: Mapping[int, grpc.StatusCode] = {
    BAD_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    UNAUTHORIZED: grpc.StatusCode.UNAUTHENTICATED,
    NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
    UNPROCESSABLE: grpc.StatusCode.INVALID_ARGUMENT,
    UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
}
Context = Any  # grpc.aio.ServicerContext of bytes
Method = Callable[[bytes, Context], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class GrpcServer:
    """A server that listens."""

    server: grpc.aio.Server
    port: int

    async def stop(self, grace: float) -> None:
        """Take no more calls, and end when those that run have, or after `grace` seconds."""
        await self.server.stop(grace)


async def start_grpc(
    slots: Slots,
    address: str,
    limits: Limits,
    *,
    key_file: Path | None = None,
    reuse_port: bool = False,
    leaving: Leaving | None = None,
) -> GrpcServer:
    """Listen for gRPC in this event loop.

    Args:
        slots: the models that answer.
        address: `host:port`; port 0 for any that is free.
        limits: of a message's bytes, of its rows, and of calls at once.
        key_file: the key that all calls but health checks must carry, as `x-api-key` or as a bearer token.
        reuse_port: let other processes listen on the same port.
        leaving: when it has begun, this is not ready any more.

    Raises:
        OSError: when it cannot listen there.
    """
    options = [
        ("grpc.max_receive_message_length", limits.body),
        ("grpc.max_send_message_length", -1),
    ]
    server = grpc.aio.server(options=[*options, ("grpc.so_reuseport", int(reuse_port))])
    service = _Service(slots, limits, Key(key_file) if key_file else None, leaving or Leaving())
    server.add_generic_rpc_handlers(service.handlers())
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(errno.EADDRINUSE, f"cannot listen for gRPC on {address}") from error
    await server.start()
    return GrpcServer(server, port)


@asynccontextmanager
async def listening(
    slots: Slots,
    address: str,
    limits: Limits,
    *,
    key_file: Path | None,
    reuse_port: bool,
    leaving: Leaving,
) -> AsyncIterator[None]:
    """Listen, as `start_grpc` does, until leaving or the block has ended; calls in flight then have `leaving.grace`."""
    server = await start_grpc(
        slots, address, limits, key_file=key_file, reuse_port=reuse_port, leaving=leaving
    )
    stopped = asyncio.create_task(_stop(server, leaving))
    try:
        yield
    finally:
        leaving.ended.set()
        await stopped


async def _stop(server: GrpcServer, leaving: Leaving) -> None:
    await leaving.ended.wait()
    stopped = asyncio.create_task(server.stop(leaving.grace))
    while not stopped.done():
        await asyncio.wait({stopped}, timeout=LOOK)
        if leaving.forced:
            await server.stop(0)


class _Service:
    def __init__(self, slots: Slots, limits: Limits, key: Key | None, leaving: Leaving) -> None:
        self.slots = slots
        self.limits = limits
        self.key = key
        self.leaving = leaving
        self.room = InFlight(limits)

    @property
    def ready(self) -> bool:
        return not self.leaving.begun and all(slot.served for slot in self.slots.values())

    def handlers(self) -> Sequence[grpc.GenericRpcHandler]:
        health = {"Check": _unary(self._health)}
        inference = {
            "ServerLive": _unary(self._live),
            "ServerReady": _unary(self._ready),
            "ModelReady": _unary(self._closed(self._model_ready)),
            "ServerMetadata": _unary(self._closed(self._server)),
            "ModelMetadata": _unary(self._closed(self._model)),
            "ModelInfer": _unary(self._closed(self._limited(self._infer))),
        }
        made = {HEALTH_PACKAGE + ".Health": health, f"{PACKAGE}.GRPCInferenceService": inference}
        return [
            grpc.method_handlers_generic_handler(name, methods) for name, methods in made.items()
        ]

    def _closed(self, method: Method) -> Method:
        async def call(content: bytes, context: Context) -> bytes:
            sent = {
                name.encode(): value if isinstance(value, bytes) else value.encode()
                for name, value in context.invocation_metadata() or ()
            }
            if self.key and (refusal := self.key.refusal(sent)):
                raise refusal
            return await method(content, context)

        return call

    def _limited(self, method: Method) -> Method:
        async def call(content: bytes, context: Context) -> bytes:
            self.room.enter()
            try:
                return await method(content, context)
            finally:
                self.room.leave()

        return call

    async def _live(self, _: bytes, __: Context) -> bytes:
        return _encoded(M["ServerLiveResponse"](live=True))

    async def _ready(self, _: bytes, __: Context) -> bytes:
        return _encoded(M["ServerReadyResponse"](ready=self.ready))

    async def _health(self, content: bytes, _: Context) -> bytes:
        service = _parse(H["HealthCheckRequest"], content).service
        if service not in {"", f"{PACKAGE}.GRPCInferenceService"}:
            raise Problem(NOT_FOUND, "No such service", service)
        return _encoded(H["HealthCheckResponse"](status=SERVING if self.ready else NOT_SERVING))

    async def _model_ready(self, content: bytes, context: Context) -> bytes:
        asked = _parse(M["ModelReadyRequest"], content)
        await _say(context, require_version(self.slots, asked.name, asked.version))
        return _encoded(M["ModelReadyResponse"](ready=True))

    async def _server(self, _: bytes, __: Context) -> bytes:
        return _encoded(M["ServerMetadataResponse"](name=SERVER, version=version("tunegate")))

    async def _model(self, content: bytes, context: Context) -> bytes:
        asked = _parse(M["ModelMetadataRequest"], content)
        served = require_version(self.slots, asked.name, asked.version)
        await _say(context, served)
        return _encoded(M["ModelMetadataResponse"](**model_metadata(served)))

    async def _infer(self, content: bytes, context: Context) -> bytes:
        request = _parse(M["ModelInferRequest"], content)
        served = require_version(self.slots, request.model_name, request.model_version)
        asked, found = await run_inline_or_threaded(
            len(content), _read, served, request, self.limits
        )
        response = await run_inline_or_threaded(
            request_weight(len(content), found.x), _answer, served, asked, found
        )
        await _say(context, served, found.warnings)
        return response


def _read(served: Served, request: Any, limits: Limits) -> tuple[InferRequest, Rows]:  # noqa: ANN401 - made at run time
    asked = read(request)
    return asked, requested_rows(served, asked, limits)


def _answer(served: Served, asked: InferRequest, found: Rows) -> bytes:
    tensors = requested_outputs(served, asked, served.predict(found.x))
    head = reply_head(served, asked.id)
    return write(head, tensors, raw=asked.binary)


async def _say(context: Context, served: Served, warnings: Sequence[str] = ()) -> None:
    about = model_headers(served, warnings)
    await context.send_initial_metadata(
        tuple((name.lower(), value) for name, value in about.items())
    )


def _unary(method: Method) -> grpc.RpcMethodHandler:
    """Wrap a method of bytes: a message that cannot be parsed is the client's fault, and said so."""

    async def call(content: bytes, context: Context) -> bytes:
        try:
            return await method(content, context)
        except Problem as problem:
            refusal = CODES.get(problem.status, grpc.StatusCode.INTERNAL), problem.text
        except (
            Exception
        ):  # whatever it is, the caller gets a status and the log the cause, as over HTTP
            logger.exception("unexpected error")
            refusal = grpc.StatusCode.INTERNAL, "Internal error: the server's log says more"
        await context.abort(*refusal)
        return b""  # never: abort raises

    return grpc.unary_unary_rpc_method_handler(call)


def _parse(kind: Any, content: bytes) -> Any:  # noqa: ANN401 - messages made at run time
    try:
        return kind.FromString(content)
    except DecodeError as error:
        raise Problem(
            UNPROCESSABLE, "The message cannot be parsed", f"{kind.DESCRIPTOR.name} is expected"
        ) from error


def _encoded(message: Any) -> bytes:  # noqa: ANN401 - a message made at run time
    content: bytes = message.SerializeToString()
    return content
