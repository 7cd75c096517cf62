"""A gRPC server next to the HTTP application: `GRPCInferenceService`, and gRPC's health check.

Requests mean the same, and are checked as strictly, as over REST. Errors have the same text, with
gRPC's status codes.
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
from api.grpc.messages import HEALTH_MESSAGES, PACKAGE, message_classes
from api.grpc.tensors import INFERENCE, read_infer_request, write_infer_response
from api.limits import Limits, Room
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
HEALTH = message_classes(HEALTH_PACKAGE, HEALTH_MESSAGES)
SERVICE = f"{PACKAGE}.GRPCInferenceService"
SERVING = 1
NOT_SERVING = 2
FORCED_POLL = 0.1  # seconds between two checks whether the end is forced
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
    """A server that is listening on `port`."""

    server: grpc.aio.Server
    port: int

    async def stop(self, grace: float) -> None:
        """Refuse new calls, and end after those in flight, or after `grace` seconds."""
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
        limits: for a message's bytes, for its rows, and for calls at once.
        key_file: holds the key that all calls except health checks must carry, as `x-api-key` or
            as a bearer token; None asks for no key.
        reuse_port: let other processes listen on the same port.
        leaving: once it has begun, the server reports that it is not ready.

    Raises:
        OSError: the server cannot listen there.
    """
    options = [
        ("grpc.max_receive_message_length", limits.body),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", int(reuse_port)),
    ]
    server = grpc.aio.server(options=options)
    service = _InferenceService(
        slots, limits, Key(key_file) if key_file else None, leaving or Leaving()
    )
    server.add_generic_rpc_handlers(service.handlers())
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(errno.EADDRINUSE, f"cannot listen for gRPC on {address}") from error
    await server.start()
    return GrpcServer(server, port)


@asynccontextmanager
async def serve_grpc(
    slots: Slots,
    address: str,
    limits: Limits,
    *,
    key_file: Path | None,
    reuse_port: bool,
    leaving: Leaving,
) -> AsyncIterator[None]:
    """Listen, as `start_grpc` does, until `leaving` or the block has ended.

    Calls in flight then have `leaving.grace` seconds to finish.
    """
    server = await start_grpc(
        slots, address, limits, key_file=key_file, reuse_port=reuse_port, leaving=leaving
    )
    stopped = asyncio.create_task(_stop_when_leaving(server, leaving))
    try:
        yield
    finally:
        leaving.ended.set()
        await stopped


async def _stop_when_leaving(server: GrpcServer, leaving: Leaving) -> None:
    await leaving.ended.wait()
    stopped = asyncio.create_task(server.stop(leaving.grace))
    while not stopped.done():
        await asyncio.wait({stopped}, timeout=FORCED_POLL)
        if leaving.forced:
            await server.stop(0)


class _InferenceService:
    """Answers calls for predictions, readiness, metadata and health."""

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
        health = {"Check": _unary_handler(self._check_health)}
        inference = {
            "ServerLive": _unary_handler(self._server_live),
            "ServerReady": _unary_handler(self._server_ready),
            "ModelReady": _unary_handler(self._with_key(self._model_ready)),
            "ServerMetadata": _unary_handler(self._with_key(self._server_metadata)),
            "ModelMetadata": _unary_handler(self._with_key(self._model_metadata)),
            "ModelInfer": _unary_handler(self._with_key(self._with_limits(self._model_infer))),
        }
        return [
            grpc.method_handlers_generic_handler(f"{HEALTH_PACKAGE}.Health", health),
            grpc.method_handlers_generic_handler(SERVICE, inference),
        ]

    def _with_key(self, method: Method) -> Method:
        async def call(content: bytes, context: Context) -> bytes:
            sent = {
                name.encode(): value if isinstance(value, bytes) else value.encode()
                for name, value in context.invocation_metadata() or ()
            }
            if self.key and (refusal := self.key.refusal(sent)):
                raise refusal
            return await method(content, context)

        return call

    def _with_limits(self, method: Method) -> Method:
        async def call(content: bytes, context: Context) -> bytes:
            self.room.enter()
            try:
                return await method(content, context)
            finally:
                self.room.leave()

        return call

    async def _server_live(self, _: bytes, __: Context) -> bytes:
        return _serialize(INFERENCE["ServerLiveResponse"](live=True))

    async def _server_ready(self, _: bytes, __: Context) -> bytes:
        return _serialize(INFERENCE["ServerReadyResponse"](ready=self.ready))

    async def _check_health(self, content: bytes, _: Context) -> bytes:
        service = _parse_message(HEALTH["HealthCheckRequest"], content).service
        if service not in {"", SERVICE}:
            raise Problem(NOT_FOUND, "No such service", service)
        return _serialize(
            HEALTH["HealthCheckResponse"](status=SERVING if self.ready else NOT_SERVING)
        )

    async def _model_ready(self, content: bytes, context: Context) -> bytes:
        asked = _parse_message(INFERENCE["ModelReadyRequest"], content)
        await _send_headers(context, versioned(self.slots, asked.name, asked.version))
        return _serialize(INFERENCE["ModelReadyResponse"](ready=True))

    async def _server_metadata(self, _: bytes, __: Context) -> bytes:
        return _serialize(
            INFERENCE["ServerMetadataResponse"](name=SERVER, version=version("tunegate"))
        )

    async def _model_metadata(self, content: bytes, context: Context) -> bytes:
        asked = _parse_message(INFERENCE["ModelMetadataRequest"], content)
        served = versioned(self.slots, asked.name, asked.version)
        await _send_headers(context, served)
        return _serialize(INFERENCE["ModelMetadataResponse"](**metadata(served)))

    async def _model_infer(self, content: bytes, context: Context) -> bytes:
        request = _parse_message(INFERENCE["ModelInferRequest"], content)
        served = versioned(self.slots, request.model_name, request.model_version)
        asked, found = await answered(len(content), _read_rows, served, request, self.limits)
        response = await answered(weight(len(content), found.x), _answer_rows, served, asked, found)
        await _send_headers(context, served, found.warnings)
        return response


def _read_rows(
    served: Served,
    request: Any,  # noqa: ANN401 - a message made at run time
    limits: Limits,
) -> tuple[Asked, Rows]:
    asked = read_infer_request(request)
    return asked, rows(served, asked, limits)


def _answer_rows(served: Served, asked: Asked, found: Rows) -> bytes:
    tensors = select(served, asked, served.predict(found.x))
    head = {
        "model_name": served.package.manifest.name,
        "model_version": served.package.digest,
        "id": asked.id,
    }
    return write_infer_response(head, tensors, raw=asked.binary)


async def _send_headers(context: Context, served: Served, warnings: Sequence[str] = ()) -> None:
    about = headers(served, warnings)
    await context.send_initial_metadata(
        tuple((name.lower(), value) for name, value in about.items())
    )


def _unary_handler(method: Method) -> grpc.RpcMethodHandler:
    """Wrap a method of bytes; what it raises becomes a status for the caller."""

    async def call(content: bytes, context: Context) -> bytes:
        try:
            return await method(content, context)
        except Problem as problem:
            refusal = CODES.get(problem.status, grpc.StatusCode.INTERNAL), problem.text
        except Exception:  # the caller gets a status and the log the cause, as over HTTP
            logger.exception("unexpected error")
            refusal = grpc.StatusCode.INTERNAL, "Internal error: the server's log says more"
        await context.abort(*refusal)
        return b""  # never: abort raises

    return grpc.unary_unary_rpc_method_handler(call)


def _parse_message(kind: Any, content: bytes) -> Any:  # noqa: ANN401 - messages made at run time
    try:
        return kind.FromString(content)
    except DecodeError as error:
        raise Problem(
            UNPROCESSABLE, "The message cannot be parsed", f"{kind.DESCRIPTOR.name} is expected"
        ) from error


def _serialize(message: Any) -> bytes:  # noqa: ANN401 - a message made at run time
    content: bytes = message.SerializeToString()
    return content
