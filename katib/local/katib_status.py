"""Make status documents as Katib does, so that `katib.objects` reads those of all runs alike.

Source: Katib v0.19, pkg/controller.v1beta1/{experiment,trial}/util, and recordings of the real
thing.
"""

from collections.abc import Sequence
from typing import NamedTuple

from katib.experiment import Experiment
from katib.objects import EXPERIMENT_LABEL, JsonObject, KatibObject, is_finished, reason
from katib.trial import Trial, best_trial

COUNTERS = {
    "Succeeded": ("trialsSucceeded", "succeededTrialList"),
    "Failed": ("trialsFailed", "failedTrialList"),
    "Killed": ("trialsKilled", "killedTrialList"),
    "MetricsUnavailable": ("trialMetricsUnavailable", "metricsUnavailableTrialList"),
    "EarlyStopped": ("trialsEarlyStopped", "earlyStoppedTrialList"),
    "Running": ("trialsRunning", "runningTrialList"),
    "Created": ("trialsPending", "pendingTrialList"),
}


class EndCondition(NamedTuple):
    """The condition that an Experiment ends with."""

    type: str
    reason: str
    message: str


TIME = "time"
MAX = "max"
RESTARTABLE = ("LongRunning", "FromVolume")  # resumePolicy
ENDS = {
    "goal": EndCondition(
        "Succeeded",
        "ExperimentGoalReached",
        "Experiment has succeeded because Objective goal has reached",
    ),
    MAX: EndCondition(
        "Succeeded",
        "ExperimentMaxTrialsReached",
        "Experiment has succeeded because max trial count has reached",
    ),
    "failed": EndCondition(
        "Failed",
        "ExperimentFailed",
        "Experiment has failed because max failed count has reached",
    ),
    # Katib has the reason, but never sets it: there an exhausted space hangs.
    "space": EndCondition(
        "Succeeded",
        "ExperimentSuggestionEndReached",
        "Experiment has succeeded because the search space ended",
    ),
    # Katib has no such budget (katib#1151). After it a run can be resumed in any case.
    TIME: EndCondition(
        "Succeeded",
        "ExperimentTimeLimitReached",
        "Experiment has succeeded because its time is over",
    ),
}


def end_reason(experiment: Experiment, trials: Sequence[Trial]) -> str:
    """Return why the Experiment is over, a key of `ENDS`, or "" while it is not.

    The ends are tested in Katib's order. Trials without metrics count, unlike in Katib's launcher,
    which so makes more than maxTrialCount.
    """
    spec = experiment.spec
    done = [trial for trial in trials if trial.done]
    failed = sum(trial.state in {"Failed", "MetricsUnavailable"} for trial in done)
    values = [trial.value(experiment.metric, experiment.strategy) for trial in done]
    if any(value is not None and _reaches_goal(value, experiment) for value in values):
        return "goal"
    limit = spec.get("maxFailedTrialCount")
    if limit is not None and failed and failed >= limit:
        return "failed"
    if spec.get("maxTrialCount") and len(done) >= spec["maxTrialCount"]:
        return MAX
    return ""


def _reaches_goal(value: float, experiment: Experiment) -> bool:
    if experiment.goal is None:
        return False
    if experiment.minimize:
        return value <= experiment.goal
    return value >= experiment.goal


def find_best(experiment: Experiment, trials: Sequence[Trial]) -> Trial | None:
    """Return the best trial so far; None before one has a finite objective."""
    return best_trial(
        trials, metric=experiment.metric, strategy=experiment.strategy, minimize=experiment.minimize
    )


def ended_for_good(document: KatibObject, experiment: Experiment) -> bool:
    """Whether an Experiment has ended and cannot be resumed.

    It can after its time limit and, as on Katib, with more trials if all of the last ones have run:
    when `resumePolicy` is LongRunning or FromVolume, and maxTrialCount has been raised or removed.

    Args:
        document: the Experiment with its status, as it ended.
        experiment: the Experiment as it is now to be run.
    """
    if not is_finished(document) or reason(document) == ENDS[TIME].reason:
        return False
    if reason(document) != ENDS[MAX].reason or experiment.spec["resumePolicy"] not in RESTARTABLE:
        return True
    limit = experiment.spec.get("maxTrialCount")
    return limit is not None and limit <= document["status"].get("trials", 0)


def experiment_document(
    experiment: Experiment, trials: Sequence[Trial], *, started: str, ended: str = "", end: str = ""
) -> JsonObject:
    """Return the Experiment object with its status; `end` is a key of `ENDS`, `ended` its time."""
    status: JsonObject = {
        "startTime": started,
        "conditions": _experiment_conditions(
            any_trial=bool(trials), started=started, ended=ended, end=end
        ),
    }
    status["currentOptimalTrial"] = _optimal_trial(experiment, trials)
    if trials:
        status["trials"] = len(trials)
    for state, (counter, names) in COUNTERS.items():
        if mine := [trial.name for trial in trials if trial.state == state]:
            status |= {counter: len(mine), names: mine}
    if end:
        status["completionTime"] = ended
    return {**experiment.document, "status": status}


def trial_document(experiment: Experiment, trial: Trial, job: JsonObject) -> JsonObject:
    """Return the Trial object with its status."""
    template = experiment.spec["trialTemplate"]
    return {
        "apiVersion": experiment.document["apiVersion"],
        "kind": "Trial",
        "metadata": {
            "name": trial.name,
            "namespace": experiment.namespace,
            "labels": {EXPERIMENT_LABEL: experiment.name},
            "creationTimestamp": trial.created,
        },
        "spec": {
            "objective": experiment.spec["objective"],
            "parameterAssignments": _assignment_list(trial.assignments),
            "primaryContainerName": template["primaryContainerName"],
            "runSpec": job,
        },
        "status": _trial_status(trial),
    }


def _trial_status(trial: Trial) -> JsonObject:
    conditions = [_condition("Created", "TrialCreated", "Trial is created", trial.created)]
    if trial.started:
        conditions.append(
            _condition(
                "Running", "TrialRunning", "Trial is running", trial.started, now=not trial.done
            )
        )
    status: JsonObject = {"startTime": trial.created, "conditions": conditions}
    if trial.done:
        conditions.append(_condition(trial.state, trial.reason, trial.message, trial.finished))
        status["completionTime"] = trial.finished
    if trial.observation:
        status["observation"] = {"metrics": list(trial.observation)}
    return status


def _experiment_conditions(
    *, any_trial: bool, started: str, ended: str, end: str
) -> list[dict[str, str]]:
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


def _optimal_trial(experiment: Experiment, trials: Sequence[Trial]) -> JsonObject:
    top = find_best(experiment, trials)
    if top is None:
        return {"observation": {}}
    return {
        "bestTrialName": top.name,
        "parameterAssignments": _assignment_list(top.assignments),
        "observation": {"metrics": list(top.observation)},
    }


def _assignment_list(assignments: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in assignments.items()]
