"""Wait for an Experiment that somebody else has created, or will create, on the cluster."""

from pathlib import Path

from katib.cluster import KatibCluster, Progress, state
from promote.errors import NoCandidate
from tunegate.console import say
from tunegate.errors import UsageError
from tunegate.following import connected, keep
from tunegate.workspace import Workspace


def await_experiment(workspace: Workspace, name: str, *, wait: float) -> Path:
    """Wait until an Experiment and its Trials have ended; returns the folder that holds them, as a local run's does.

    Args:
        workspace: its settings name namespace and context.
        name: the Experiment's; it need not exist yet.
        wait: seconds to wait, for its appearance and its end together.

    Raises:
        NoCandidate: when it failed.
        ClusterError: see `katib.errors`.
    """
    settings = workspace.settings
    if not settings.namespace:
        raise UsageError("the Experiment's namespace is not known", hint="name it with --namespace")
    katib = KatibCluster(connected(settings), settings.namespace, notify=say)
    say(f"waiting for Experiment {settings.namespace}/{name}, up to {wait:g} s")
    last: Progress | None = None
    for last in katib.follow(name, timeout=wait, appear=wait):
        for trial in last.finished:
            say(f"{trial['metadata']['name']}: {state(trial)}")
    if last is None or state(last.experiment) != "Succeeded":
        message = last.experiment["status"]["conditions"][-1]["message"] if last else "nothing was seen of it"
        raise NoCandidate(f"{settings.namespace}/{name}: {message}", hint=f"`tunegate doctor --experiment {name}`")
    return keep(workspace, last)
