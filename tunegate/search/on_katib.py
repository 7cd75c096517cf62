"""Run an Experiment with Katib on a cluster: create it, follow it, keep what it has found."""

import json
import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from katib.cluster.experiments import KatibCluster, Progress, state, terminal
from katib.experiment import Experiment
from katib.local.run_folder import STATUS, TRIALS, new_run, prune, runs
from promote.candidate import Ranked, rank
from promote.errors import NoCandidate
from registry.atomic_files import write_atomic
from tunegate.console import Steps, say, steps
from tunegate.errors import ExitCode, UsageError
from tunegate.output import emit_event
from tunegate.settings import Settings
from tunegate.workspace import Workspace

if TYPE_CHECKING:
    from katib.cluster.client import Kube


IDENTITY = "cluster.json"  # which Experiment a folder belongs to; local runs have none
Object = dict[str, Any]


def tune_on_katib(
    workspace: Workspace, experiment: Experiment, *, timeout: float | None, as_json: bool
) -> int:
    """Create an Experiment on the cluster, or find it there, and follow it to its end; returns the exit code.

    What it has found is kept in the state folder, in the shape of a local run. Ctrl-C leaves the Experiment running.

    Args:
        workspace: where runs go; its settings name namespace and context.
        experiment: what to run.
        timeout: seconds to follow it.
        as_json: whether to print one JSON object a line on stdout.

    Raises:
        ClusterError: see `katib.errors`.
    """
    settings = workspace.settings
    katib = KatibCluster(
        connected(settings), settings.namespace or experiment.namespace, notify=say
    )
    told = _Told(as_json=as_json)
    try:
        there, created = katib.submit(experiment)
        name = there["metadata"]["name"]
        told.event(
            "created" if created else "exists",
            experiment=name,
            namespace=katib.namespace,
            state=state(there),
        )
        say(
            f"{katib.namespace}/{name}: {'created' if created else 'is there already, and the same: following it'}"
        )
        last = _follow(katib, there, told, timeout)
    except KeyboardInterrupt:
        _farewell(katib.namespace, experiment)
        # Not a return: the command line's own farewell speaks of --resume, which is for local runs.
        raise SystemExit(ExitCode.INTERRUPTED) from None
    folder = keep(workspace, last)
    return _end(last, folder, told)


def connected(settings: Settings) -> "Kube":
    """Return the cluster that the settings name.

    Raises:
        Missing: when there is none.
        UsageError: when the cluster's packages are not installed.
    """
    try:
        from katib.cluster import client as kube  # noqa: PLC0415 - half a second, and only clusters need the package
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{error.name} is not installed", hint="pip install 'tunegate[cluster]'"
        ) from error
    return kube.connect(settings.context)


class _Told:
    """What a program that reads stdout is told."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def event(self, kind: str, **fields: object) -> None:
        if self.as_json:
            emit_event(kind, **fields)


def _follow(katib: KatibCluster, there: Object, told: _Told, timeout: float | None) -> Progress:
    name = there["metadata"]["name"]
    spec = there["spec"]
    last = Progress(there, ())
    with steps(f"tuning {name} with Katib", spec.get("maxTrialCount")) as shown:
        for progress in katib.follow(name, timeout=timeout):
            last = progress
            for trial in progress.finished:
                _show(trial, progress, shown, told)
    return last


def _show(trial: Object, progress: Progress, shown: Steps, told: _Told) -> None:
    """Count a Trial that has ended."""
    ended = [each for each in progress.trials if terminal(each)]
    failed = sum(state(each) not in {"Succeeded", "EarlyStopped"} for each in ended)
    metric = trial["spec"]["objective"]["objectiveMetricName"]
    mine, best = (_ranked(trials)[:1] for trials in ([trial], ended))
    name = trial["metadata"]["name"]
    value = mine[0].value if mine else None
    if value is not None:
        text = f"{value:.4g}"
    else:
        text = f"{state(trial)}: {_message(trial)}"
    if best:
        best_text = f"best {metric} {best[0].value:.4g}"
    else:
        best_text = "no result yet"
    best_text += f", failed {failed}" if failed else ""
    shown.step(best_text, line=f"trial {shown.done + 1} {name}: {text} ({best_text})")
    told.event("trial", **_facts(trial), best=_best(best), failed=failed)


def _ranked(trials: Sequence[Object]) -> list[Ranked]:
    try:
        return rank(trials)
    except NoCandidate:
        return []


def _facts(trial: Object) -> Object:
    mine = _ranked([trial])
    return {
        "trial": trial["metadata"]["name"],
        "state": state(trial),
        "value": mine[0].value if mine else None,
        "assignments": {
            pair["name"]: pair["value"] for pair in trial["spec"]["parameterAssignments"]
        },
        "message": _message(trial),
    }


def _best(best: Sequence[Ranked]) -> Object | None:
    if best:
        return {"trial": best[0].trial, "value": best[0].value, "assignments": best[0].assignments}
    return None


def _message(item: Object) -> str:
    conditions = item.get("status", {}).get("conditions") or [{}]
    return str(conditions[-1].get("message", ""))


def _end(last: Progress, folder: Path, told: _Told) -> int:
    experiment = last.experiment
    best = _ranked(last.trials)[:1]
    metadata = experiment["metadata"]
    if last.unfinished:
        say(f"{len(last.unfinished)} trial(s) still run and were not waited for")
    say(
        f"{_message(experiment)}; best trial: {best[0].trial if best else 'none'}; status: {folder}"
    )
    told.event(
        "end",
        experiment=metadata["name"],
        namespace=metadata["namespace"],
        state=state(experiment),
        message=_message(experiment),
        trials=len(last.trials),
        best=_best(best),
        folder=str(folder),
    )
    if state(experiment) == "Succeeded" and best:
        return ExitCode.DONE
    say(
        f"hint: `tunegate doctor --experiment {metadata['name']} --namespace {metadata['namespace']}` says why"
    )
    return ExitCode.ERROR


def keep(workspace: Workspace, last: Progress) -> Path:
    """Write what was found in the shape of a local run; an Experiment that is followed again keeps its folder."""
    metadata = last.experiment["metadata"]
    folder = _folder(workspace, metadata["name"], metadata["uid"])
    identity = {"uid": metadata["uid"], "namespace": metadata["namespace"]}
    documents = {
        IDENTITY: identity,
        TRIALS: {
            "apiVersion": "kubeflow.org/v1beta1",
            "kind": "TrialList",
            "items": list(map(_bare, last.trials)),
        },
        STATUS: _bare(last.experiment),  # the last one, for it makes the run count as the newest
    }
    for name, document in documents.items():
        write_atomic(folder / name, (json.dumps(document, indent=1) + "\n").encode())
    prune(workspace.experiments, metadata["name"], keep=workspace.settings.keep_runs)
    return folder


def _folder(workspace: Workspace, name: str, uid: str) -> Path:
    for run in runs(workspace.experiments, name):
        with suppress(OSError, ValueError):
            if json.loads((run / IDENTITY).read_bytes()).get("uid") == uid:
                return run
    return new_run(workspace.experiments, name)


def _bare(item: Object) -> Object:
    """Return an object without who changed which field when."""
    metadata = {key: value for key, value in item["metadata"].items() if key != "managedFields"}
    return {**item, "metadata": metadata}


def _farewell(namespace: str, experiment: Experiment) -> None:
    name = experiment.written.get("metadata", {}).get("name")
    if not name:  # each command makes another one
        say(f"interrupted; the Experiment goes on: `kubectl get experiments -n {namespace}`")
        return
    say(
        f"interrupted; Experiment {namespace}/{name} goes on running on the cluster, if it was created"
    )
    say(f"hint: follow it with the same command, `{shlex.join(['tunegate', *sys.argv[1:]])}`")
    say(f"hint: stop it with `kubectl delete experiment {name} -n {namespace}`")


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
        if last:
            message = last.experiment["status"]["conditions"][-1]["message"]
        else:
            message = "nothing was seen of it"
        raise NoCandidate(
            f"{settings.namespace}/{name}: {message}", hint=f"`tunegate doctor --experiment {name}`"
        )
    return keep(workspace, last)
