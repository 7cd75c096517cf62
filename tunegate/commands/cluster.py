"""`cluster install`."""

import click

from tunegate.cluster_install import install_missing, register_services, restore_services
from tunegate.commands import options
from tunegate.errors import ExitCode
from tunegate.shipped import shipped_entries, shipped_experiment


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
@click.option(
    "--suggestion/--no-suggestion",
    default=None,
    help="Let our service serve Katib's algorithm tpe, in all namespaces; or Katib's own again.",
)
def install(*, timeout: float, suggestion: bool | None, **flags: options.Flags) -> int:
    """Install Katib and the Model Registry if they are missing; wait until Katib takes Experiments.

    With --suggestion, the same Experiment finds as good a model there as on one machine: the same
    sampler chooses its points. --no-suggestion takes that back.

    Example: tunegate cluster install --suggestion
    """
    context = options.settings(**flags).context
    install_missing(shipped_experiment(), context=context, timeout=timeout)
    if suggestion is True:
        register_services(shipped_entries(), context=context)
    elif suggestion is False:
        restore_services(shipped_entries(), context=context)
    return ExitCode.DONE
