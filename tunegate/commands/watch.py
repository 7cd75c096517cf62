"""The command `watch`."""

import time
from pathlib import Path

import click

from katib.cluster.experiments import KatibCluster
from katib.document import read_document
from tunegate.commands import options
from tunegate.console import say
from tunegate.errors import UsageError
from tunegate.search.on_katib import connect_cluster
from tunegate.settings import Settings
from tunegate.shipped import shipped_experiment
from tunegate.watch.local import local_boards
from tunegate.watch.views import cluster_boards, show_boards

DOCUMENTS = frozenset({".yaml", ".yml", ".json"})


@click.command()
@click.argument(
    "experiment",
    required=False,
    help="Its name, or its file; without it the newest run, "
    "on a cluster the Experiment that is shipped.",
)
@options.state
@options.on
@options.namespace
@options.context
@click.option(
    "--timeout", type=click.FloatRange(min=1), help="Seconds to watch.", show_default="no limit"
)
@options.json
def watch(
    experiment: str | None, *, on: str, timeout: float | None, json: bool, **flags: options.Flags
) -> int:
    """Show an Experiment's trials as they come, until it ends; before it starts, wait for it.

    On stderr: a live table on a terminal, otherwise a line a change. --json prints a JSON object a
    change on stdout. Exits with 0 if the Experiment has succeeded, with 1 if it failed or was
    interrupted. Ctrl-C ends only the watching.

    Example: tunegate watch boston-forest
    """
    settings = options.settings(**flags)
    if on == options.Back.KATIB:
        return _watch_cluster(
            experiment or str(shipped_experiment()), settings, timeout, as_json=json
        )
    name, _ = experiment_name(experiment)
    root = settings.state / "experiments"
    deadline = None if timeout is None else time.monotonic() + timeout
    if name:
        what = f"a run of {name} below {root}"
    else:
        what = f"a run below {root}"
    return show_boards(local_boards(root, name, deadline=deadline), what, as_json=json)


def _watch_cluster(
    experiment: str, settings: Settings, timeout: float | None, *, as_json: bool
) -> int:
    name, written = experiment_name(experiment)
    if not name:
        raise UsageError(
            f"{experiment}: its Experiment has no metadata.name",
            hint="give the name that Katib gave it",
        )
    katib = KatibCluster(
        connect_cluster(settings), settings.namespace or written or default_namespace(), notify=say
    )
    what = f"Experiment {katib.namespace}/{name}"
    return show_boards(cluster_boards(katib, name, timeout), what, as_json=as_json)


def experiment_name(experiment: str | None) -> tuple[str, str]:
    """Return the name and namespace of an Experiment given by name or file; empty if unknown.

    Raises:
        InvalidExperiment: when it is a file that holds no Experiment.
    """
    if experiment is None or Path(experiment).suffix not in DOCUMENTS:
        return experiment or "", ""
    document = read_document(Path(experiment))
    return tuple(str(document.get("metadata", key, default="")) for key in ("name", "namespace"))  # type: ignore[return-value] # two


def default_namespace() -> str:
    """Return the namespace of the Experiment that is shipped."""
    return experiment_name(str(shipped_experiment()))[1] or "default"
