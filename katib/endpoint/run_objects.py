"""From a run's folder to the objects that Katib would have on a cluster."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from katib.endpoint.resources import EXPERIMENTS, PODS, SUGGESTIONS, TRAIN_JOBS, TRIALS, Resource
from katib.endpoint.train_jobs import JOB_SET_LABEL, STEP_LABELS, is_train_job, train_job
from katib.local.job_template import pod_template
from katib.local.run_folder import META, read_objects
from katib.objects import (
    EXPERIMENT_LABEL,
    JsonObject,
    KatibObject,
    is_finished,
    last_condition,
    state,
)
from katib.trial import name_suffix

TRIAL_LABEL = "katib.kubeflow.org/trial"
UIDS = uuid.UUID("9a1f7c52-5f0e-4d0b-9d2c-0a6f1f3f8b11")  # the name space of all uids here
POD_SUFFIX = 5
OF_TRIALS = (  # fields of a trial template that Katib copies into each Trial
    "failureCondition",
    "primaryPodLabels",
    "retain",
    "successCondition",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """An object and where it comes from.

    Attributes:
        resource: its kind.
        item: the object, without a resourceVersion.
        run: the run's folder.
        trial: the trial's name, of a Trial or a Pod.
    """

    resource: Resource
    item: JsonObject
    run: Path
    trial: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """The plural, namespace and name."""
        metadata = self.item["metadata"]
        return self.resource.plural, metadata["namespace"], metadata["name"]


def run_entries(folder: Path, failure: str) -> list[Entry]:
    """Return the objects of a run; none while its files cannot be read.

    Args:
        folder: the run's folder.
        failure: why its engine could not continue; empty if it did.
    """
    try:
        experiment, trials = read_objects(folder)
        experiment = _complete_experiment(experiment, folder)
        if failure and not is_finished(experiment):
            _append_failure(experiment, failure)
        entries = [Entry(EXPERIMENTS, experiment, folder)]
        entries.append(Entry(SUGGESTIONS, _suggestion(experiment, trials), folder))
        ran_here = (folder / META).exists()
        for trial in trials:
            whole = _complete_trial(trial, experiment)
            name = whole["metadata"]["name"]
            entries.append(Entry(TRIALS, whole, folder, name))
            if is_train_job(whole):
                job = train_job(whole, _uid(whole["metadata"]["uid"], "job"), _owner(whole))
                entries.append(Entry(TRAIN_JOBS, job, folder, name))
            if ran_here and state(whole) != "Created":
                entries.append(Entry(PODS, _pod(whole, experiment), folder, name))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return []  # `tunegate doctor` says what is damaged
    return entries


def _complete_experiment(experiment: JsonObject, folder: Path) -> JsonObject:
    started = experiment["status"]["startTime"]
    name = experiment["metadata"]["name"]
    metadata = {
        "namespace": "default",
        "creationTimestamp": started,
        "uid": _uid(name, folder.name, started),
        "generation": 1,
        **experiment["metadata"],
    }
    return {**experiment, "metadata": metadata}


def _append_failure(experiment: JsonObject, failure: str) -> None:
    """Let clients that wait learn that nothing works on it; the run's folder stays resumable."""
    conditions = [{**each, "status": "False"} for each in experiment["status"]["conditions"]]
    last = conditions[-1]
    failed = {**last, "type": "Failed", "status": "True", "reason": "ExperimentFailed"}
    experiment["status"]["conditions"] = [*conditions, {**failed, "message": failure}]


def _complete_trial(trial: JsonObject, experiment: JsonObject) -> JsonObject:
    owner = experiment["metadata"]
    template = experiment["spec"]["trialTemplate"]
    metadata = {
        "uid": _uid(owner["uid"], trial["metadata"]["name"]),
        "generation": 1,
        "ownerReferences": [_owner(experiment)],
        **trial["metadata"],
        "labels": {**(owner.get("labels") or {}), **trial["metadata"]["labels"]},
    }
    spec = {
        **{name: template[name] for name in OF_TRIALS if name in template},
        "metricsCollector": experiment["spec"]["metricsCollectorSpec"],
        **trial["spec"],
    }
    return {**trial, "metadata": metadata, "spec": spec}


def _suggestion(experiment: JsonObject, trials: Sequence[KatibObject]) -> JsonObject:
    owner = experiment["metadata"]
    points = [
        {
            "name": trial["metadata"]["name"],
            "parameterAssignments": trial["spec"]["parameterAssignments"],
        }
        for trial in trials
    ]
    spec = experiment["spec"]
    return {
        "apiVersion": SUGGESTIONS.api_version,
        "kind": SUGGESTIONS.kind,
        "metadata": {
            "name": owner["name"],
            "namespace": owner["namespace"],
            "uid": _uid(owner["uid"], SUGGESTIONS.kind),
            "generation": 1,
            "creationTimestamp": owner["creationTimestamp"],
            "labels": {**(owner.get("labels") or {}), EXPERIMENT_LABEL: owner["name"]},
            "ownerReferences": [_owner(experiment)],
        },
        "spec": {
            "algorithm": spec["algorithm"],
            "requests": len(points),
            "resumePolicy": spec.get("resumePolicy", "Never"),
        },
        "status": {
            "startTime": owner["creationTimestamp"],
            "conditions": [_suggestion_condition(experiment)],
            "suggestionCount": len(points),
            "suggestions": points,
        },
    }


def _suggestion_condition(experiment: KatibObject) -> JsonObject:
    kind = state(experiment)
    if kind not in {"Succeeded", "Failed"}:
        kind = "Running"
    last = last_condition(experiment)
    return {
        **last,
        "type": kind,
        "reason": f"Suggestion{kind}",
        "message": f"Suggestion is {kind.lower()}: the sampler works in the local engine",
    }


def _pod(trial: JsonObject, experiment: JsonObject) -> JsonObject:
    """Return a Pod for a trial's process."""
    metadata = trial["metadata"]
    name = metadata["name"]
    template = pod_template(trial["spec"]["runSpec"])
    labels = {
        **(template.get("metadata", {}).get("labels") or {}),
        **(trial["spec"].get("primaryPodLabels") or {}),
        **metadata["labels"],
        TRIAL_LABEL: name,
        "job-name": name,
        "batch.kubernetes.io/job-name": name,
    }
    if is_train_job(trial):
        labels |= {JOB_SET_LABEL: name, **STEP_LABELS}
    return {
        "apiVersion": "v1",
        "kind": PODS.kind,
        "metadata": {
            "name": f"{name}-{name_suffix(metadata['uid'])[:POD_SUFFIX]}",
            "namespace": metadata["namespace"],
            "uid": _uid(metadata["uid"], PODS.kind),
            "creationTimestamp": metadata["creationTimestamp"],
            "labels": labels,
            "ownerReferences": [_owner(trial), _owner(experiment, controls=False)],
        },
        "spec": {"nodeName": "localhost", **template["spec"]},
        "status": _pod_status(trial, template["spec"]["containers"]),
    }


def _pod_status(trial: JsonObject, containers: Sequence[KatibObject]) -> JsonObject:
    status = trial["status"]
    started = status["startTime"]
    if not is_finished(trial):
        phase = "Running"
        now: JsonObject = {"running": {"startedAt": started}}
    else:
        failed = state(trial) == "Failed"
        phase = "Failed" if failed else "Succeeded"
        ended = {
            "exitCode": int(failed),
            "reason": "Error" if failed else "Completed",
            "startedAt": started,
            "finishedAt": status["completionTime"],
        }
        now = {"terminated": ended}
    states = [
        {
            "name": each["name"],
            "image": each.get("image", ""),
            "imageID": "",
            "ready": phase == "Running",
            "restartCount": 0,
            "state": now,
        }
        for each in containers
    ]
    return {"phase": phase, "startTime": started, "containerStatuses": states}


def _owner(item: KatibObject, *, controls: bool = True) -> JsonObject:
    return {
        "apiVersion": item["apiVersion"],
        "kind": item["kind"],
        "name": item["metadata"]["name"],
        "uid": item["metadata"]["uid"],
        "controller": controls,
        "blockOwnerDeletion": True,
    }


def _uid(*parts: str) -> str:
    """Return the uid that these parts always have, also after a restart."""
    return str(uuid.uuid5(UIDS, "/".join(parts)))
