"""gRPC as Katib's services need it: one service and its health check, refusals, and calls.

The only module of the room that knows grpcio; `katib.earlystopping` uses it too.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeAlias

import grpc

from katib.errors import (
    ClusterUnreachable,
    Forbidden,
    InvalidExperiment,
    KatibError,
    Missing,
    Refused,
    SpaceExhausted,
)
from katib.suggestion.messages import (
    HEALTH,
    HEALTH_PACKAGE,
    KATIB,
    PACKAGE,
    Message,
    message_classes,
)

M = message_classes(PACKAGE, KATIB)
H = message_classes(HEALTH_PACKAGE, HEALTH)
SERVING = 1
LARGEST_REQUEST = 64 << 20  # bytes of a request: some 100,000 trials
LONGEST_REFUSAL = 2000  # characters of a refusal
WORKERS = 4
CODES: Mapping[type[KatibError], grpc.StatusCode] = {
    InvalidExperiment: grpc.StatusCode.INVALID_ARGUMENT,
    SpaceExhausted: grpc.StatusCode.OUT_OF_RANGE,
    Missing: grpc.StatusCode.NOT_FOUND,
    Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    Refused: grpc.StatusCode.FAILED_PRECONDITION,
    ClusterUnreachable: grpc.StatusCode.UNAVAILABLE,
}
Context: TypeAlias = grpc.ServicerContext
Method = Callable[[Message, Context], Message]


def option_parser(module: str, description: str, port: int) -> argparse.ArgumentParser:
    """Return a parser of every service's options; Katib expects the service at `port`."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    host = "0.0.0.0"  # noqa: S104 - Katib's controller calls from another pod
    parser.add_argument("--host", default=host, help="address to listen at")
    parser.add_argument(
        "--port", type=int, default=port, help=f"Katib expects {port}; 0 takes a free one"
    )
    return parser


def run_service(address: str, name: str, methods: Mapping[str, Method]) -> int:
    """Serve until SIGTERM, then end the process within a second.

    Returns the exit code when the service cannot start.
    """
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stdout
    )
    try:
        server, port = start_service(address, name, methods)
    except RuntimeError:
        sys.stderr.write(f"{address} cannot be listened at: name another with --port\n")
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop(1))
    logger_of(name).info("listening on port %d", port)
    server.wait_for_termination()
    # Waiting clients have their answer; Python would wait for the threads that served them.
    os._exit(0)


def start_service(
    address: str, name: str, methods: Mapping[str, Method]
) -> tuple[grpc.Server, int]:
    """Start to serve `api.v1.beta1.<name>`; returns the server and its port.

    Raises:
        RuntimeError: when the address is taken.
    """
    server = grpc.server(
        ThreadPoolExecutor(WORKERS),
        options=[("grpc.max_receive_message_length", LARGEST_REQUEST), ("grpc.so_reuseport", 0)],
    )
    requests = {method: (function, M[f"{method}Request"]) for method, function in methods.items()}
    health = {"Check": (_health_check(name), H["HealthCheckRequest"])}
    served = [
        _service_handler(f"{PACKAGE}.{name}", requests),
        _service_handler(f"{HEALTH_PACKAGE}.Health", health),
    ]
    server.add_generic_rpc_handlers(served)
    port = server.add_insecure_port(address)
    server.start()
    return server, port


def logger_of(name: str) -> logging.Logger:
    """Return a service's logger."""
    return logging.getLogger(f"tunegate.{name.lower()}")


@contextmanager
def refusals(context: Context, logger: logging.Logger) -> Iterator[None]:
    """Turn errors of the room into gRPC's codes."""
    try:
        yield
    except KatibError as error:
        if type(error) not in CODES:
            raise
        hint = f" ({error.hint})" if error.hint else ""
        _abort(context, CODES[type(error)], f"{error}{hint}", logger)


@contextmanager
def calling(
    address: str, service: str, method: str
) -> Iterator[Callable[[Message, float], Message]]:
    """Yield a function that calls another of Katib's services: (request, timeout in s) -> reply.

    Raises:
        ClusterUnreachable: when the service does not answer, or answers with an error.
    """
    # A proxy that the environment names is not meant for services within the cluster.
    with grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]) as channel:
        call = channel.unary_unary(
            f"/{PACKAGE}.{service}/{method}",
            request_serializer=_serialize,
            response_deserializer=M[f"{method}Reply"].FromString,
        )

        def ask(request: Message, timeout: float) -> Message:
            try:
                return call(request, timeout=timeout)
            except grpc.RpcError as error:
                text = f"{service} at {address}: {error.code().name}: {error.details()}"
                raise ClusterUnreachable(text) from error

        yield ask


def _health_check(name: str) -> Method:
    # Katib's probes name a package that its protocol does not have.
    healthy = ("", f"manager.v1beta1.{name}", f"{PACKAGE}.{name}")

    def check(request: Message, context: Context) -> Message:
        if request.service not in healthy:
            _abort(
                context,
                grpc.StatusCode.NOT_FOUND,
                f"{request.service} is not served here",
                logger_of(name),
            )
        return H["HealthCheckResponse"](status=SERVING)

    return check


def _abort(context: Context, code: grpc.StatusCode, text: str, logger: logging.Logger) -> None:
    # It travels in a header: clients that get a longer header than they accept see no answer.
    short = text.encode("ascii", "backslashreplace").decode()[:LONGEST_REFUSAL]
    logger.warning("refused: %s", short)
    context.abort(code, short)


def _service_handler(
    service: str, methods: Mapping[str, tuple[Method, type[Message]]]
) -> grpc.GenericRpcHandler:
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(
            method, request_deserializer=request.FromString, response_serializer=_serialize
        )
        for name, (method, request) in methods.items()
    }
    return grpc.method_handlers_generic_handler(service, handlers)


def _serialize(message: Message) -> bytes:
    serialized: bytes = message.SerializeToString()
    return serialized
