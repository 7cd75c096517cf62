"""Spans by OpenTelemetry, if OTEL_TRACES_EXPORTER names an exporter and the extra is installed.

Exporters are packages of their own: `otlp` comes with opentelemetry-exporter-otlp, `console` with
the SDK. All other settings are OpenTelemetry's (OTEL_SERVICE_NAME, OTEL_EXPORTER_OTLP_ENDPOINT,
OTEL_TRACES_SAMPLER, ...).
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:  # an extra
    from opentelemetry.sdk.trace import TracerProvider

logger = logging.getLogger("tunegate.api")
VARIABLE = "OTEL_TRACES_EXPORTER"
GROUP = "opentelemetry_traces_exporter"


@contextmanager
def traced(app: ASGIApp) -> Iterator[ASGIApp]:
    """Wrap an application so that each request is a span, a child of the caller's.

    Without an exporter, it is the same application.

    The last spans are exported when the block ends.
    A server without its traces is better than none: the log says what is missing, and it serves.
    """
    name = os.environ.get(VARIABLE, "none")
    if name == "none":
        yield app
        return
    try:
        wrapped, provider = _traced(app, name)
    except ImportError as error:
        logger.error("no traces: %s; install 'tunegate[tracing]', or set %s=none", error, VARIABLE)  # noqa: TRY400 - the message says it all
        yield app
        return
    try:
        yield wrapped
    finally:
        provider.shutdown()


def _traced(app: ASGIApp, name: str) -> "tuple[ASGIApp, TracerProvider]":
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - as above

    async def single(scope: Scope, receive: Receive, send: Send) -> None:
        await app(
            scope, receive, send
        )  # OpenTelemetry takes a plain call for an application of ASGI 2

    found = [entry.load() for entry in entry_points(group=GROUP, name=name)]
    if not found:
        raise ImportError(f"no exporter called {name} is installed")
    resource = Resource.create(
        {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": "tunegate"}
    )
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(found[0]()))
    wrapped: ASGIApp = OpenTelemetryMiddleware(
        single, tracer_provider=provider, exclude_spans=["receive", "send"]
    )
    return wrapped, provider
