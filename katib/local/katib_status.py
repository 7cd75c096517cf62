"""Status documents shaped as Katib writes them, so that promotion reads a local run and a cluster's objects alike.

Source: Katib v0.19, pkg/controller.v1beta1/{experiment,trial}/util, and recordings of the real thing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from katib.experiment import Experiment
from katib.trial import Trial, best

COUNTERS = {
    "Succeeded": ("trialsSucceeded", "succeededTrialList"),
    "Failed": ("trialsFailed", "failedTrialList"),
    "Killed": ("trialsKilled", "killedTrialList"),
    "MetricsUnavailable": ("trialMetricsUnavailable", "metricsUnavailableTrialList"),
    "EarlyStopped": ("trialsEarlyStopped", "earlyStoppedTrialList"),
    "Running": ("trialsRunning", "runningTrialList"),
    "Created": ("trialsPending", "pendingTrialList"),
}
TIME = "time"
ENDS = {
    "goal": (
        "Succeeded",
        "ExperimentGoalReached",
        "Experiment has succeeded because Objective goal has reached",
    ),
    "max": (
        "Succeeded",
        "ExperimentMaxTrialsReached",
        "Experiment has succeeded because max trial count has reached",
    ),
    "failed": (
        "Failed",
        "ExperimentFailed",
        "Experiment has failed because max failed count has reached",
    ),
    # Katib has the reason, but never sets it: there an exhausted space hangs.
    "space": (
        "Succeeded",
        "ExperimentSuggestionEndReached",
        "Experiment has succeeded because the search space ended",
    ),
    # Katib has no such budget (katib#1151). The one end that can be gone on from.
    TIME: (
        "Succeeded",
        "ExperimentTimeLimitReached",
        "Experiment has succeeded because its time is over",
    ),
}


def ending(experiment: Experiment, trials: Sequence[Trial]) -> str:
    """Return why the Experiment is over, a key of `ENDS`, or "" while it is not; in Katib's order of questions.

    Unlike Katib's launcher, which forgets trials without metrics and so makes more than maxTrialCount, they count.
    """
    spec = experiment.spec
    done = [trial for trial in trials if trial.done]
    failed = sum(trial.state in {"Failed", "MetricsUnavailable"} for trial in done)
    values = [trial.value(experiment.metric, experiment.strategy) for trial in done]
    if experiment.goal is not None:
        reached = [
            v <= experiment.goal if experiment.minimize else v >= experiment.goal
            for v in values
            if v is not None
        ]
        if any(reached):
            return "goal"
    limit = spec.get("maxFailedTrialCount")
    if limit is not None and failed and failed >= limit:
        return "failed"
    if spec.get("maxTrialCount") and len(done) >= spec["maxTrialCount"]:
        return "max"
    return ""


def over(document: Mapping[str, Any]) -> bool:
    """Whether an Experiment object has ended for good; one whose time was over can be gone on with."""
    status = document["status"]
    return "completionTime" in status and status["conditions"][-1]["reason"] != ENDS[TIME][1]


def experiment_document(
    experiment: Experiment, trials: Sequence[Trial], *, started: str, ended: str = "", end: str = ""
) -> dict[str, Any]:
    """Return the Experiment object with its status; `end` is a key of `ENDS`, `ended` its time."""
    status: dict[str, Any] = {
        "startTime": started,
        "conditions": _conditions(bool(trials), started, ended, end),
    }
    status["currentOptimalTrial"] = _optimal(experiment, trials)
    if trials:
        status["trials"] = len(trials)
    for state, (counter, names) in COUNTERS.items():
        if mine := [trial.name for trial in trials if trial.state == state]:
            status |= {counter: len(mine), names: mine}
    if end:
        status["completionTime"] = ended
    return {**experiment.document, "status": status}


def trial_document(experiment: Experiment, trial: Trial, job: dict[str, Any]) -> dict[str, Any]:
    """Return the Trial object with its status."""
    template = experiment.spec["trialTemplate"]
    return {
        "apiVersion": experiment.document["apiVersion"],
        "kind": "Trial",
        "metadata": {
            "name": trial.name,
            "namespace": experiment.namespace,
            "labels": {"katib.kubeflow.org/experiment": experiment.name},
            "creationTimestamp": trial.created,
        },
        "spec": {
            "objective": experiment.spec["objective"],
            "parameterAssignments": _pairs(trial.assignments),
            "primaryContainerName": template["primaryContainerName"],
            "runSpec": job,
        },
        "status": _trial_status(trial),
    }


def _trial_status(trial: Trial) -> dict[str, Any]:
    conditions = [_condition("Created", "TrialCreated", "Trial is created", trial.created)]
    if trial.started:
        conditions.append(
            _condition(
                "Running", "TrialRunning", "Trial is running", trial.started, now=not trial.done
            )
        )
    status: dict[str, Any] = {"startTime": trial.created, "conditions": conditions}
    if trial.done:
        conditions.append(_condition(trial.state, trial.reason, trial.message, trial.finished))
        status["completionTime"] = trial.finished
    if trial.observation:
        status["observation"] = {"metrics": list(trial.observation)}
    return status


def _conditions(any_trial: bool, started: str, ended: str, end: str) -> list[dict[str, str]]:  # noqa: FBT001
    conditions = [_condition("Created", "ExperimentCreated", "Experiment is created", started)]
    if any_trial:
        running = _condition(
            "Running", "ExperimentRunning", "Experiment is running", ended or started, now=not end
        )
        conditions.append(running)
    if end:
        return [*conditions, _condition(*ENDS[end], ended)]
    return conditions


def _condition(
    kind: str, reason: str, message: str, time: str, *, now: bool = True
) -> dict[str, str]:
    return {
        "type": kind,
        "status": str(now),
        "reason": reason,
        "message": message,
        "lastUpdateTime": time,
        "lastTransitionTime": time,
    }


def _optimal(experiment: Experiment, trials: Sequence[Trial]) -> dict[str, Any]:
    top = best(
        trials, metric=experiment.metric, strategy=experiment.strategy, minimize=experiment.minimize
    )
    if top is None:
        return {"observation": {}}
    return {
        "bestTrialName": top.name,
        "parameterAssignments": _pairs(top.assignments),
        "observation": {"metrics": list(top.observation)},
    }


def _pairs(assignments: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in assignments.items()]
