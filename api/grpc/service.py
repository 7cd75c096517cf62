"""What the gRPC server answers: `GRPCInferenceService`, and gRPC's health check.

Requests mean the same, and are checked as strictly, as over REST. Errors have the same text, with
gRPC's status codes.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from api.codecs.rows import Rows
from api.grpc.messages import HEALTH_MESSAGES, PACKAGE, Message, grpc_message_classes
from api.grpc.tensors import INFERENCE, read_infer_request, write_infer_response
from api.large_bodies import run_inline_or_threaded
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
from api.serving.served import Served, Slots

logger = logging.getLogger("tunegate.api")
HEALTH_PACKAGE = "grpc.health.v1"
HEALTH = grpc_message_classes(HEALTH_PACKAGE, HEALTH_MESSAGES)
SERVICE = f"{PACKAGE}.GRPCInferenceService"
SERVING = 1
NOT_SERVING = 2
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


class InferenceService:
    """Answers calls for predictions, readiness, metadata and health."""

    def __init__(self, slots: Slots, limits: Limits, key: Key | None, leaving: Leaving) -> None:
        self.slots = slots
        self.limits = limits
        self.key = key
        self.leaving = leaving
        self.in_flight = InFlight(limits)

    @property
    def ready(self) -> bool:
        """Whether each model is served, and the server is not about to end."""
        return not self.leaving.begun and all(slot.served for slot in self.slots.values())

    def handlers(self) -> Sequence[grpc.GenericRpcHandler]:
        """Return the methods by service; those of `keyed` need the key."""
        health = {"Check": _unary_handler(self._check_health)}
        keyed = {
            "ModelReady": self._model_ready,
            "ServerMetadata": self._server_metadata,
            "ModelMetadata": self._model_metadata,
            "ModelInfer": self._model_infer,
        }
        inference = {
            "ServerLive": _unary_handler(self._server_live),
            "ServerReady": _unary_handler(self._server_ready),
            **{name: _unary_handler(self._with_key(method)) for name, method in keyed.items()},
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

    async def _server_live(self, _: bytes, __: Context) -> bytes:
        return _message_bytes(INFERENCE["ServerLiveResponse"](live=True))

    async def _server_ready(self, _: bytes, __: Context) -> bytes:
        return _message_bytes(INFERENCE["ServerReadyResponse"](ready=self.ready))

    async def _check_health(self, content: bytes, _: Context) -> bytes:
        service = _parse_message(HEALTH["HealthCheckRequest"], content).service
        if service not in {"", SERVICE}:
            raise Problem(NOT_FOUND, "No such service", service)
        return _message_bytes(
            HEALTH["HealthCheckResponse"](status=SERVING if self.ready else NOT_SERVING)
        )

    async def _model_ready(self, content: bytes, context: Context) -> bytes:
        asked = _parse_message(INFERENCE["ModelReadyRequest"], content)
        await _send_headers(context, require_version(self.slots, asked.name, asked.version))
        return _message_bytes(INFERENCE["ModelReadyResponse"](ready=True))

    async def _server_metadata(self, _: bytes, __: Context) -> bytes:
        return _message_bytes(
            INFERENCE["ServerMetadataResponse"](name=SERVER, version=version("tunegate"))
        )

    async def _model_metadata(self, content: bytes, context: Context) -> bytes:
        asked = _parse_message(INFERENCE["ModelMetadataRequest"], content)
        served = require_version(self.slots, asked.name, asked.version)
        await _send_headers(context, served)
        return _message_bytes(INFERENCE["ModelMetadataResponse"](**model_metadata(served)))

    async def _model_infer(self, content: bytes, context: Context) -> bytes:
        self.in_flight.enter()
        try:
            return await self._infer(content, context)
        finally:
            self.in_flight.leave()

    async def _infer(self, content: bytes, context: Context) -> bytes:
        request = _parse_message(INFERENCE["ModelInferRequest"], content)
        served = require_version(self.slots, request.model_name, request.model_version)
        asked, found = await run_inline_or_threaded(
            len(content), _read_rows, served, request, self.limits
        )
        response = await run_inline_or_threaded(
            request_weight(len(content), found.x), _answer_rows, served, asked, found
        )
        await _send_headers(context, served, found.warnings)
        return response


def _read_rows(served: Served, request: Message, limits: Limits) -> tuple[InferRequest, Rows]:
    asked = read_infer_request(request)
    return asked, requested_rows(served, asked, limits)


def _answer_rows(served: Served, asked: InferRequest, found: Rows) -> bytes:
    tensors = requested_outputs(served, asked, served.predict(found.x))
    return write_infer_response(reply_head(served, asked.id), tensors, raw=asked.binary)


async def _send_headers(context: Context, served: Served, warnings: Sequence[str] = ()) -> None:
    about = model_headers(served, warnings)
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


def _parse_message(kind: Any, content: bytes) -> Message:  # noqa: ANN401 - a message's class
    try:
        return kind.FromString(content)
    except DecodeError as error:
        raise Problem(
            UNPROCESSABLE, "The message cannot be parsed", f"{kind.DESCRIPTOR.name} is expected"
        ) from error


def _message_bytes(message: Message) -> bytes:
    content: bytes = message.SerializeToString()
    return content
