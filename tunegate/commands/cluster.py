"""`cluster install`."""

from typing import Annotated

import typer

from tunegate.commands import options
from tunegate.errors import ExitCode

group = typer.Typer(help="Prepare a Kubernetes cluster.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="cluster")


@group.callback()
def _group() -> None:
    """Prepare a Kubernetes cluster."""


@group.command()
def install(
    context: options.Context = None,
    timeout: Annotated[float, typer.Option(help="Seconds for all of it.", min=1)] = 900.0,
) -> int:
    """Install Katib and the Model Registry where they are missing, and wait until Katib takes Experiments.

    Example: tunegate cluster install
    """
    from tunegate.commands.searching import shipped
    from tunegate.installing import install as run

    run(shipped(), context=options.settings(context=context).context, timeout=timeout)
    return ExitCode.DONE
