"""`serve` and `smoke`."""

from importlib.util import find_spec
from socket import socket
from typing import TYPE_CHECKING

import click

from tunegate.commands import options
from tunegate.errors import ExitCode, UsageError
from tunegate.output import emit, say
from tunegate.settings import Settings

if TYPE_CHECKING:  # brings FastAPI
    from api.server.run import Options as ServerOptions

COUNT = click.IntRange(min=1)


@click.command()
@options.data
@options.state
@options.store
@options.host
@options.port
@options.model
@click.option("--also", multiple=True, help="Another model of the store; may be repeated.")
@options.api_key
@click.option("--workers", type=COUNT, help="Processes on the same port.", show_default="1")
@click.option(
    "--drain",
    type=options.SECONDS,
    help="Seconds to go on after SIGTERM while clients move elsewhere.",
    show_default="0",
)
@click.option(
    "--grpc-port",
    type=int,
    help="Port for Open Inference over gRPC; needs the extra `grpc`.",
    show_default="none",
)
@click.option(
    "--access-log/--no-access-log", default=None, help="A line of JSON a request on stdout."
)
@click.option("--max-body", type=COUNT, help="Bytes of a request's body.", show_default="16 MiB")
@click.option("--max-rows", type=COUNT, help="Rows of a request.", show_default="100000")
@click.option(
    "--max-requests",
    type=COUNT,
    help="Requests in flight at once, in each worker.",
    show_default="512",
)
@click.option(
    "--body-seconds",
    type=options.SECONDS,
    help="Seconds for a request's body to arrive.",
    show_default="30",
)
@click.option("--until-eof", is_flag=True, hidden=True)
def serve(data: str | None, *, until_eof: bool, **flags: options.Flags) -> int:
    """Serve the model in production, and follow every promotion.

    Example: tunegate serve --port 8080 --workers 2
    """
    from api.server.run import serve as run_server

    settings = options.settings(data=data, **flags)
    served = _model(settings, data)
    listener = _bound(settings)
    say(
        f"serving {', '.join(dict.fromkeys([served, *settings.serving.also]))} at {settings.address}"
    )
    run_server(_server_options(settings, served), listener, until_eof=until_eof)
    return ExitCode.DONE


def _model(settings: Settings, data: str | None) -> str:
    """Return the model's name as a workspace does, without what only other commands need of one."""
    if settings.model and not data:
        return settings.model
    from trainer.spec import load_spec

    name = load_spec(
        settings.data
    ).name  # a mistyped `--data` is said first, whatever else is missing
    return settings.model or name


def _bound(settings: Settings) -> socket:
    """Say what would keep the server from answering, before anything is loaded; return where it listens."""
    from api.server.run import PortInUse, bind

    _ = settings.key  # a file that cannot be read, or is empty, would refuse everybody
    grpc_port = settings.serving.grpc_port
    if grpc_port and not find_spec("grpc"):
        raise UsageError("gRPC is not installed", hint="docs/serving.md says how to install extras")
    if grpc_port == settings.port:
        raise UsageError(
            f"HTTP and gRPC cannot share port {settings.port}",
            hint="choose another with --grpc-port",
        )
    option = "--grpc-port"
    try:
        if grpc_port:
            bind(settings.host, grpc_port).close()
        option = "--port"
        return bind(settings.host, settings.port)
    except PortInUse as error:
        raise UsageError(
            str(error), hint=f"choose another with {option}, or stop the other program"
        ) from error


def _server_options(settings: Settings, model: str) -> "ServerOptions":
    from api.limits import Limits
    from api.server.run import Options as ServerOptions

    how = settings.serving
    limits = Limits(
        body=how.max_body, rows=how.max_rows, requests=how.max_requests, seconds=how.body_seconds
    )
    return ServerOptions(
        settings.store_path,
        model,
        how.also,
        workers=how.workers,
        drain=how.drain,
        grpc_port=how.grpc_port,
        api_key=settings.api_key,
        access_log=how.access_log,
        limits=limits,
    )


@click.command()
@options.url
@options.places
@options.api_key
@click.option(
    "--timeout",
    type=options.SECONDS,
    default=30.0,
    show_default=True,
    help="Seconds to wait for the right version.",
)
@click.option(
    "--max-latency",
    type=options.SECONDS,
    default=0.25,
    show_default=True,
    help="Seconds that the median answer may take.",
)
@options.json
def smoke(timeout: float, max_latency: float, *, json: bool, **flags: options.Flags) -> int:
    """Test that a running service answers as the package in production does.

    Example: tunegate smoke --url http://127.0.0.1:8000
    """
    from promote.smoke import smoke as test
    from registry.errors import RegistryError
    from registry.package import ModelPackage

    workspace = options.workspace(**flags)
    package = workspace.champion_package()
    if isinstance(package, RegistryError):
        raise package
    if not isinstance(package, ModelPackage):
        raise UsageError(
            f"nothing of {workspace.model} is in production", hint="`tunegate run` first"
        )
    settings = workspace.settings
    url = settings.url or settings.address
    report = test(url, package, timeout=timeout, max_latency=max_latency, key=settings.key)
    for check in report.checks:
        say(f"{'ok' if check.passed else 'FAILED'}  {check.name}: {check.detail}")
    if json:
        emit(report.to_dict())
    if report.passed:
        return ExitCode.DONE
    return ExitCode.SMOKE_FAILED
