"""`cluster install`."""

import click

from tunegate.cluster_install import install_missing
from tunegate.commands import options
from tunegate.commands.run import shipped
from tunegate.errors import ExitCode


@click.group()
def cluster() -> None:
    """Prepare a Kubernetes cluster."""


@cluster.command()
@options.context
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=900.0,
    show_default=True,
    help="Seconds for all of it.",
)
def install(timeout: float, **flags: options.Flags) -> int:
    """Install Katib and the Model Registry if they are missing; wait until Katib takes Experiments.

    Example: tunegate cluster install
    """
    context = options.settings(**flags).context
    install_missing(shipped(), context=context, timeout=timeout)
    return ExitCode.DONE
