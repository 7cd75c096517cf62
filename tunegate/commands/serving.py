"""`serve` and `smoke`."""

from importlib.util import find_spec
from socket import socket
from typing import TYPE_CHECKING, Annotated

import typer

from tunegate.commands import options
from tunegate.errors import ExitCode, UsageError
from tunegate.output import emit, say
from tunegate.settings import Settings

if TYPE_CHECKING:  # brings FastAPI
    from api.serve import Options as ServerOptions


Also = Annotated[list[str] | None, typer.Option(help="Another model of the store; may be repeated.")]
Workers = Annotated[int | None, typer.Option(help="Processes on the same port.", show_default="1")]
Drain = Annotated[
    float | None, typer.Option(help="Seconds to go on after SIGTERM while clients move elsewhere.", show_default="0")
]
GrpcPort = Annotated[
    int | None, typer.Option(help="Port for Open Inference over gRPC; needs the extra `grpc`.", show_default="none")
]
AccessLog = Annotated[
    bool | None, typer.Option("--access-log/--no-access-log", help="A line of JSON a request on stdout.")
]
MaxBody = Annotated[int | None, typer.Option(help="Bytes of a request's body.", show_default="16 MiB")]
MaxRows = Annotated[int | None, typer.Option(help="Rows of a request.", show_default="100000")]
MaxRequests = Annotated[
    int | None, typer.Option(help="Requests in flight at once, in each worker.", show_default="512")
]
BodySeconds = Annotated[float | None, typer.Option(help="Seconds for a request's body to arrive.", show_default="30")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
    app.command()(smoke)


def serve(
    data: options.Data = None,
    state: options.State = None,
    store: options.Store = None,
    host: options.Host = None,
    port: options.Port = None,
    model: options.Model = None,
    also: Also = None,
    api_key: options.ApiKey = None,
    workers: Workers = None,
    drain: Drain = None,
    grpc_port: GrpcPort = None,
    access_log: AccessLog = None,
    max_body: MaxBody = None,
    max_rows: MaxRows = None,
    max_requests: MaxRequests = None,
    body_seconds: BodySeconds = None,
    until_eof: Annotated[bool, typer.Option("--until-eof", hidden=True)] = False,
) -> int:
    """Serve the model in production, and follow every promotion.

    Example: tunegate serve --port 8080 --workers 2
    """
    from api.serve import serve as run_server

    settings = options.settings(
        data=data,
        state=state,
        store=store,
        host=host,
        port=port,
        model=model,
        also=also,
        api_key=api_key,
        workers=workers,
        drain=drain,
        grpc_port=grpc_port,
        access_log=access_log,
        max_body=max_body,
        max_rows=max_rows,
        max_requests=max_requests,
        body_seconds=body_seconds,
    )
    served = _model(settings, data)
    listener = _bound(settings)
    say(f"serving {', '.join(dict.fromkeys([served, *settings.serving.also]))} at {settings.address}")
    run_server(_server_options(settings, served), listener, until_eof=until_eof)
    return ExitCode.DONE


def _model(settings: Settings, data: str | None) -> str:
    """Return the model's name as a workspace does, without what only other commands need of one."""
    if settings.model and not data:
        return settings.model
    from trainer.spec import load_spec

    name = load_spec(settings.data).name  # a mistyped `--data` is said first, whatever else is missing
    return settings.model or name


def _bound(settings: Settings) -> socket:
    """Say what would keep the server from answering, before anything is loaded; return where it listens."""
    from api.serve import PortInUse, bind

    _ = settings.key  # a file that cannot be read, or is empty, would refuse everybody
    grpc_port = settings.serving.grpc_port
    if grpc_port and not find_spec("grpc"):
        raise UsageError("gRPC is not installed", hint="docs/serving.md says how to install extras")
    if grpc_port == settings.port:
        raise UsageError(f"HTTP and gRPC cannot share port {settings.port}", hint="choose another with --grpc-port")
    option = "--grpc-port"
    try:
        if grpc_port:
            bind(settings.host, grpc_port).close()
        option = "--port"
        return bind(settings.host, settings.port)
    except PortInUse as error:
        raise UsageError(str(error), hint=f"choose another with {option}, or stop the other program") from error


def _server_options(settings: Settings, model: str) -> "ServerOptions":
    from api.limits import Limits
    from api.serve import Options as ServerOptions

    how = settings.serving
    limits = Limits(body=how.max_body, rows=how.max_rows, requests=how.max_requests, seconds=how.body_seconds)
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


def smoke(
    url: options.Url = None,
    data: options.Data = None,
    state: options.State = None,
    store: options.Store = None,
    ledger: options.Ledger = None,
    model: options.Model = None,
    api_key: options.ApiKey = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the right version.", min=0)] = 30.0,
    max_latency: Annotated[float, typer.Option(help="Seconds that the median answer may take.", min=0)] = 0.25,
    json: options.Json = False,
) -> int:
    """Test that a running service answers as the package in production does.

    Example: tunegate smoke --url http://127.0.0.1:8000
    """
    from promote.smoke import smoke as test
    from registry.errors import RegistryError
    from registry.package import ModelPackage

    workspace = options.workspace(
        data=data, state=state, store=store, url=url, ledger=ledger, model=model, api_key=api_key
    )
    package = workspace.champion_package()
    if isinstance(package, RegistryError):
        raise package
    if not isinstance(package, ModelPackage):
        raise UsageError(f"nothing of {workspace.model} is in production", hint="`tunegate run` first")
    settings = workspace.settings
    url = settings.url or settings.address
    report = test(url, package, timeout=timeout, max_latency=max_latency, key=settings.key)
    for check in report.checks:
        say(f"{'ok' if check.passed else 'FAILED'}  {check.name}: {check.detail}")
    if json:
        emit(report.to_dict())
    return ExitCode.DONE if report.passed else ExitCode.SMOKE_FAILED
