"""The gRPC server: Katib's `Suggestion` service and gRPC's health check, nothing kept between two calls."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

from katib.algorithms import ALGORITHMS, GAUSSIAN
from katib.errors import InvalidExperiment, SpaceExhausted
from katib.scales import assumed
from katib.suggestion.messages import HEALTH, HEALTH_PACKAGE, PACKAGE, SUGGESTION, make
from katib.suggestion.points import suggest
from katib.suggestion.reading import problems, to_search

logger = logging.getLogger("tunegate.suggestion")
M, H = make(PACKAGE, SUGGESTION), make(HEALTH_PACKAGE, HEALTH)
# Katib's probes name a package that its protocol does not have.
HEALTHY = ("", "manager.v1beta1.Suggestion", f"{PACKAGE}.Suggestion")
METHODS = ("GetSuggestions", "ValidateAlgorithmSettings")
SERVING = 1
LARGEST = 64 << 20  # bytes: some 100,000 trials
LONGEST = 2000  # characters of a refusal
WORKERS = 4
Context = Any
Message = Any
Method = Callable[[Message, Context], Message]


def start(address: str) -> tuple[Any, int]:
    """Start to serve; returns the server and its port.

    Raises:
        RuntimeError: when the address is taken.
    """
    options = [("grpc.max_receive_message_length", LARGEST), ("grpc.so_reuseport", 0)]
    server = grpc.server(ThreadPoolExecutor(WORKERS), options=options)
    service = Service()
    methods = {name: (getattr(service, name), M[f"{name}Request"]) for name in METHODS}
    health = {"Check": (check, H["HealthCheckRequest"])}
    served = [_handlers(f"{PACKAGE}.Suggestion", methods), _handlers(f"{HEALTH_PACKAGE}.Health", health)]
    server.add_generic_rpc_handlers(served)
    port = server.add_insecure_port(address)
    server.start()
    return server, port


class Service:
    """The two methods, under the names of Katib's protocol."""

    def __init__(self) -> None:
        # One thread: Optuna changes the filters of warnings, which belong to the process, while it asks; and each
        # thread that asks would keep some memory for itself.
        self._asking = ThreadPoolExecutor(1)

    def GetSuggestions(self, request: Message, context: Context) -> Message:  # noqa: N802 - the protocol's name
        """Answer as many points as asked for."""
        began = time.perf_counter()
        with refusals(context):
            points = self._asking.submit(suggest, request).result()
        took = (time.perf_counter() - began) * 1000
        name = request.experiment.name
        logger.info("%s: %d points after %d trials, %.0f ms", name, len(points), len(request.trials), took)
        reply = M["GetSuggestionsReply"]()
        for trial, point in points:
            pairs = [M["ParameterAssignment"](name=name, value=value) for name, value in point.items()]
            reply.parameter_assignments.add(assignments=pairs, trial_name=trial)
        return reply

    def ValidateAlgorithmSettings(self, request: Message, context: Context) -> Message:  # noqa: N802 - the protocol names it
        """Refuse, with all reasons, an Experiment that could not be served."""
        with refusals(context):
            if wrong := problems(request.experiment):
                raise InvalidExperiment("; ".join(wrong))
            search = to_search(request.experiment)
            ours = ALGORITHMS[search.algorithm].sampler == GAUSSIAN
            if names := assumed(search.parameters, search.settings) if ours else []:
                logger.info("%s: taken to be on a log scale: %s", request.experiment.name, ", ".join(names))
        return M["ValidateAlgorithmSettingsReply"]()


def check(request: Message, context: Context) -> Message:
    """Answer gRPC's health check."""
    if request.service not in HEALTHY:
        _refuse(context, grpc.StatusCode.NOT_FOUND, f"{request.service} is not served here")
    return H["HealthCheckResponse"](status=SERVING)


@contextmanager
def refusals(context: Context) -> Iterator[None]:
    """Turn errors that say what is wrong into gRPC's codes."""
    try:
        yield
    except InvalidExperiment as error:
        _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, str(error))
    except SpaceExhausted as error:
        _refuse(context, grpc.StatusCode.OUT_OF_RANGE, f"{error} ({error.hint})")


def _refuse(context: Context, code: Any, text: str) -> None:  # noqa: ANN401 - grpc has no types
    # It travels in a header: clients never see an answer whose headers are larger than they take.
    short = text.encode("ascii", "backslashreplace").decode()[:LONGEST]
    logger.warning("refused: %s", short)
    context.abort(code, short)


def _handlers(service: str, methods: Mapping[str, tuple[Method, Any]]) -> Any:  # noqa: ANN401 - grpc has no types
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(
            method, request_deserializer=request.FromString, response_serializer=_packed
        )
        for name, (method, request) in methods.items()
    }
    return grpc.method_handlers_generic_handler(service, handlers)


def _packed(message: Message) -> bytes:
    packed: bytes = message.SerializeToString()
    return packed
