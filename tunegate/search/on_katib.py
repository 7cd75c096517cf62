"""Run an Experiment with Katib on a cluster: create it, follow it, keep its objects."""

import json
import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from katib.cluster.experiments import KatibCluster, Progress
from katib.experiment import Experiment
from katib.local.run_folder import CLUSTER, new_run, prune, runs, write_objects
from katib.objects import (
    JsonObject,
    Ranked,
    assignments,
    is_finished,
    message,
    objective_name,
    rank,
    state,
)
from promote.errors import NoCandidate
from registry.atomic_files import write_atomic
from registry.metric_names import readable_number
from tunegate.console import Steps, say, steps
from tunegate.errors import ExitCode, UsageError
from tunegate.output import emit_event
from tunegate.search.direction import direction_warning
from tunegate.settings import Settings
from tunegate.workspace import Workspace

if TYPE_CHECKING:
    from katib.cluster.client import KubernetesClient


FOLLOWED = 86400.0  # seconds


def tune_on_katib(
    workspace: Workspace, experiment: Experiment, *, timeout: float | None, as_json: bool
) -> int:
    """Create an Experiment unless it exists, and follow it to its end; returns the exit code.

    Its objects are kept in the state folder, in the shape of a local run. Ctrl-C leaves the
    Experiment running.

    Args:
        workspace: where runs are kept; its settings name namespace and context.
        experiment: what to run.
        timeout: seconds to follow it; a day where it is None.
        as_json: whether to print one JSON object a line on stdout.

    Raises:
        ClusterError: see `katib.errors`.
    """
    settings = workspace.settings
    if warning := direction_warning(experiment):
        say(warning)
    katib = KatibCluster(
        connect_cluster(settings), settings.namespace or experiment.namespace, notify=say
    )
    events = JsonEvents(as_json=as_json)
    try:
        existing, created = katib.submit(experiment)
        name = existing["metadata"]["name"]
        events.emit(
            "created" if created else "exists",
            experiment=name,
            namespace=katib.namespace,
            state=state(existing),
        )
        if created:
            say(f"{katib.namespace}/{name}: created")
        else:
            say(f"{katib.namespace}/{name}: exists already, and is the same: following it")
        limit = FOLLOWED if timeout is None else timeout
        say(f"following it for {limit:g} s at most (--timeout)")
        last = _follow_trials(katib, existing, events, limit)
    except KeyboardInterrupt:
        _report_interrupted(katib.namespace, experiment)
        # Not a return: the command line's own report speaks of --resume, which is for local runs.
        raise SystemExit(ExitCode.INTERRUPTED) from None
    folder = keep_objects(workspace, last)
    return _report_end(last, folder, events)


def connect_cluster(settings: Settings) -> "KubernetesClient":
    """Return a client of the cluster that the settings name.

    Raises:
        Missing: when there is none.
        UsageError: when the cluster's packages are not installed.
    """
    try:
        # Half a second, and only clusters need the package.
        from katib.cluster import client  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{error.name} is not installed", hint="pip install 'tunegate[cluster]'"
        ) from error
    return client.connect(settings.context)


class JsonEvents:
    """Prints the events of a search as JSON on stdout, if that is wanted."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def emit(self, kind: str, **fields: object) -> None:
        """Print one event."""
        if self.as_json:
            emit_event(kind, **fields)


def _follow_trials(
    katib: KatibCluster, experiment: JsonObject, events: JsonEvents, timeout: float
) -> Progress:
    name = experiment["metadata"]["name"]
    last = Progress(experiment, ())
    total = experiment["spec"].get("maxTrialCount")
    with steps(f"tuning {name} with Katib", total) as shown:
        for progress in katib.follow(name, timeout=timeout):
            last = progress
            for trial in progress.finished:
                _show_trial(trial, progress, shown, events)
    return last


def _show_trial(trial: JsonObject, progress: Progress, shown: Steps, events: JsonEvents) -> None:
    """Count a Trial that has ended."""
    name = trial["metadata"]["name"]
    ended = [each for each in progress.trials if is_finished(each)]
    failed = sum(state(each) not in {"Succeeded", "EarlyStopped"} for each in ended)
    best = _best_of(ended)
    mine = _best_of([trial])
    text = readable_number(mine.value) if mine else f"{state(trial)}: {message(trial)}"
    best_text = "no result yet"
    if best:
        best_text = f"best {objective_name(trial)} {readable_number(best.value)}"
    if failed:
        best_text += f", failed {failed}"
    shown.step(best_text, line=f"trial {shown.done + 1} {name}: {text} ({best_text})")
    events.emit(
        "trial",
        trial=name,
        state=state(trial),
        value=mine.value if mine else None,
        assignments=assignments(trial),
        message=message(trial),
        best=_best_as_json(best),
        failed=failed,
    )


def _best_of(trials: list[JsonObject]) -> Ranked | None:
    return next(iter(rank(trials)), None)


def _best_as_json(best: Ranked | None) -> JsonObject | None:
    if best:
        return {"trial": best.trial, "value": best.value, "assignments": best.assignments}
    return None


def _report_end(last: Progress, folder: Path, events: JsonEvents) -> int:
    experiment = last.experiment
    name = experiment["metadata"]["name"]
    namespace = experiment["metadata"]["namespace"]
    best = _best_of(list(last.trials))
    if last.unfinished:
        say(f"{len(last.unfinished)} trial(s) still run and were not waited for")
    say(f"{message(experiment)}; best trial: {best.trial if best else 'none'}; status: {folder}")
    events.emit(
        "end",
        experiment=name,
        namespace=namespace,
        state=state(experiment),
        message=message(experiment),
        trials=len(last.trials),
        best=_best_as_json(best),
        folder=str(folder),
    )
    if state(experiment) == "Succeeded" and best:
        return ExitCode.DONE
    say(f"hint: `tunegate doctor --experiment {name} --namespace {namespace}` says why")
    return ExitCode.ERROR


def keep_objects(workspace: Workspace, last: Progress) -> Path:
    """Write the objects as a local run's; an Experiment that is followed again keeps its folder."""
    metadata = last.experiment["metadata"]
    identity = {"uid": metadata["uid"], "namespace": metadata["namespace"]}
    folder = _folder_of(workspace, metadata["name"], metadata["uid"])
    write_atomic(folder / CLUSTER, (json.dumps(identity, indent=1) + "\n").encode())
    trials = [_without_managers(trial) for trial in last.trials]
    write_objects(folder, _without_managers(last.experiment), trials, write=write_atomic)
    prune(workspace.experiments, metadata["name"], keep=workspace.settings.keep_runs)
    return folder


def _folder_of(workspace: Workspace, name: str, uid: str) -> Path:
    for run in runs(workspace.experiments, name):
        with suppress(OSError, ValueError):
            if json.loads((run / CLUSTER).read_bytes()).get("uid") == uid:
                return run
    return new_run(workspace.experiments, name)


def _without_managers(item: JsonObject) -> JsonObject:
    """Return an object without the record of who changed which field when."""
    metadata = {key: value for key, value in item["metadata"].items() if key != "managedFields"}
    return {**item, "metadata": metadata}


def _report_interrupted(namespace: str, experiment: Experiment) -> None:
    name = experiment.written.get("metadata", {}).get("name")
    if not name:  # each command makes another one
        say(f"interrupted; the Experiment keeps running: `kubectl get experiments -n {namespace}`")
        return
    where = f"{namespace}/{name}"
    say(f"interrupted; Experiment {where} keeps running on the cluster, if it was created")
    say(f"hint: follow it with the same command, `{shlex.join(['tunegate', *sys.argv[1:]])}`")
    say(f"hint: stop it with `kubectl delete experiment {name} -n {namespace}`")


def await_experiment(workspace: Workspace, name: str, *, wait: float) -> Path:
    """Wait until an Experiment and its Trials have ended; returns the folder of its objects.

    Args:
        workspace: its settings name namespace and context.
        name: the Experiment's; it need not exist yet.
        wait: seconds to wait, for its appearance and its end together.

    Raises:
        UsageError: when the settings name no namespace.
        NoCandidate: when the Experiment failed.
        ClusterError: see `katib.errors`.
    """
    settings = workspace.settings
    if not settings.namespace:
        raise UsageError("the Experiment's namespace is not known", hint="name it with --namespace")
    katib = KatibCluster(connect_cluster(settings), settings.namespace, notify=say)
    say(f"waiting for Experiment {settings.namespace}/{name}, up to {wait:g} s")
    last: Progress | None = None
    for last in katib.follow(name, timeout=wait, appear=wait):
        for trial in last.finished:
            say(f"{trial['metadata']['name']}: {state(trial)}")
    if last is None or state(last.experiment) != "Succeeded":
        why = message(last.experiment) if last else "nothing was seen of it"
        raise NoCandidate(
            f"{settings.namespace}/{name}: {why}", hint=f"`tunegate doctor --experiment {name}`"
        )
    return keep_objects(workspace, last)
