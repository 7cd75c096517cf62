"""`serve`."""

from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from socket import socket
from typing import TYPE_CHECKING, Any

import click

from tunegate.commands import options
from tunegate.errors import ExitCode, UsageError
from tunegate.output import say
from tunegate.settings import Settings

if TYPE_CHECKING:  # brings FastAPI
    from click.types import OptionHelpExtra

    from api.server.run import Options as ServerOptions

COUNT = click.IntRange(min=1)
LIMITS = {  # option and setting -> the field of `api.limits.Limits` that has its default
    "max_body": "body",
    "max_rows": "rows",
    "max_requests": "requests",
    "body_seconds": "seconds",
}


class LimitOption(click.Option):
    """An option of `LIMITS`; only help looks its default up, because that imports FastAPI."""

    def get_help_extra(self, ctx: click.Context) -> "OptionHelpExtra":
        """Return what help shows after the text: the default and the range."""
        with suppress(ModuleNotFoundError):  # help works without the extra `serving`, too
            from api.limits import Limits

            default = getattr(Limits(), LIMITS[str(self.name)])
            if self.name == "max_body":
                self.show_default = f"{default // (1 << 20)} MiB"
            else:
                self.show_default = f"{default:g}"
        return super().get_help_extra(ctx)


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
    help="Seconds to keep answering after SIGTERM while clients move elsewhere.",
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
@click.option("--max-body", cls=LimitOption, type=COUNT, help="Bytes of a request's body.")
@click.option("--max-rows", cls=LimitOption, type=COUNT, help="Rows of a request.")
@click.option(
    "--max-requests",
    cls=LimitOption,
    type=COUNT,
    help="Requests in flight at once, in each worker.",
)
@click.option(
    "--body-seconds",
    cls=LimitOption,
    type=options.SECONDS,
    help="Seconds for a request's body to arrive.",
)
@click.option("--until-eof", is_flag=True, hidden=True)
def serve_command(data: str | None, *, until_eof: bool, **flags: options.Flags) -> int:
    """Serve the model in production, and follow every promotion.

    Example: tunegate serve --port 8080 --workers 2
    """
    from api.server.run import serve_app

    settings = options.settings(data=data, **flags)
    model = _model_name(settings, data)
    listener = _bind_listener(settings)
    names = dict.fromkeys([model, *settings.serving.also])
    say(f"serving {', '.join(names)} at {settings.address}")
    serve_app(server_options(settings, model), listener, until_eof=until_eof)
    return ExitCode.DONE


def _model_name(settings: Settings, data: str | None) -> str:
    """Return the name that a workspace would give the model, without importing the workspace."""
    if settings.model and not data:
        return settings.model
    from trainer.spec import load_spec

    if not settings.data:
        from tunegate.run_data import with_remembered_data

        settings = with_remembered_data(settings)
    spec = load_spec(settings.data)  # also with a `model`, so that a mistyped `--data` is reported
    return settings.model or spec.name


def _bind_listener(settings: Settings) -> socket:
    """Bind the server's socket before anything is loaded.

    Raises:
        UsageError: when a key cannot be read, or a port cannot be had.
    """
    from api.server.run import PortInUse, bind

    _ = settings.key  # a file that cannot be read, or is empty, would refuse every request
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


def server_options(settings: Settings, model: str) -> "ServerOptions":
    """Return the server's options; what is not set keeps the server's own default."""
    from api.limits import Limits
    from api.server.run import Options as ServerOptions

    serving = settings.serving
    limits: dict[str, Any] = {}
    for name, field in LIMITS.items():
        value = getattr(serving, name)
        if value is not None:
            limits[field] = value
    chosen = ServerOptions(
        settings.store_path,
        model,
        serving.also,
        workers=serving.workers,
        drain=serving.drain,
        grpc_port=serving.grpc_port,
        api_key=settings.api_key,
        access_log=serving.access_log,
        limits=Limits(**limits),
        fast_path=serving.fast_path,
        bucket=settings.bucket,
        root_path=serving.root_path,
        origins=serving.origins,
        proxies=serving.proxies,
        signers=settings.signing.signers,
    )
    if serving.poll is not None:
        return replace(chosen, poll=serving.poll)
    return chosen
