"""`serve` and `smoke`."""

from typing import Annotated

import typer

from registry.errors import RegistryError
from registry.package import ModelPackage
from tunegate.commands import options
from tunegate.console import emit, say
from tunegate.errors import ExitCode, UsageError


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
    api_key: options.ApiKey = None,
    drain: Annotated[
        float, typer.Option(help="Seconds to go on after SIGTERM while clients move elsewhere.", min=0)
    ] = 0.0,
    until_eof: Annotated[bool, typer.Option("--until-eof", hidden=True)] = False,
) -> int:
    """Serve the model in production, and follow every promotion.

    Example: tunegate serve --port 8080
    """
    from api.serve import PortInUse, bind
    from api.serve import serve as run_server

    workspace = options.workspace(
        data=data, state=state, store=store, host=host, port=port, model=model, api_key=api_key
    )
    settings = workspace.settings
    try:
        listener = bind(settings.host, settings.port)
    except PortInUse as error:
        raise UsageError(str(error), hint="choose another with --port, or stop the other program") from error
    say(f"serving {workspace.model} at {settings.address}")
    run_server(
        settings.store_path, workspace.model, listener, drain=drain, api_key=settings.api_key, until_eof=until_eof
    )
    return ExitCode.DONE


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
        emit(report.model_dump(mode="json"))
    return ExitCode.DONE if report.passed else ExitCode.SMOKE_FAILED
