"""From a run's folder to the objects that a cluster would have, and those that are always there."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from katib.endpoint.resources import (
    EXPERIMENTS,
    NAMESPACES,
    PODS,
    RUNTIMES,
    SUGGESTIONS,
    TRAIN_JOBS,
    TRIALS,
    Resource,
    read_data,
)
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
from katib.one_process import NODE
from katib.trial import name_suffix

TRIAL_LABEL = "katib.kubeflow.org/trial"
INJECTION = {"katib.kubeflow.org/metrics-collector-injection": "enabled"}
UIDS = uuid.UUID("9a1f7c52-5f0e-4d0b-9d2c-0a6f1f3f8b11")  # the name space of all uids here
POD_SUFFIX = 5
OF_TRIALS = (  # fields of a trial template that Katib copies into each Trial
    "failureCondition",
    "primaryPodLabels",
    "retain",
    "successCondition",
)
STEP_LABELS = {  # by which Kubeflow's SDK finds a TrainJob's pod
    "jobset.sigs.k8s.io/replicatedjob-name": NODE,
    "batch.kubernetes.io/job-completion-index": "0",
}
JOB_SET_LABEL = "jobset.sigs.k8s.io/jobset-name"
# Its name is the SDK's default. Its entry point is `python`: one process needs no `torchrun`, and
# this machine may have no PyTorch.
RUNTIME = read_data("runtime.json")


@dataclass(frozen=True, slots=True)
class Entry:
    """An object and where it comes from.

    Attributes:
        resource: its kind.
        item: the object, without a resourceVersion.
        run: the run's folder; none of what is always there.
        trial: the trial's name, of a Trial or a Pod.
    """

    resource: Resource
    item: JsonObject
    run: Path = Path()
    trial: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """The plural, namespace and name."""
        metadata = self.item["metadata"]
        return self.resource.plural, metadata.get("namespace", ""), metadata["name"]


def fixed_entries(namespaces: Sequence[str]) -> Iterator[Entry]:
    """Yield the objects that no run has: its namespace, and the runtime of Kubeflow Trainer."""
    yield Entry(RUNTIMES, RUNTIME)
    for name in namespaces:
        yield Entry(NAMESPACES, namespace_document(name))


def namespace_document(name: str) -> JsonObject:
    """Return a namespace; each exists, as none has to be made first."""
    created = "1970-01-01T00:00:00Z"
    return {
        "kind": NAMESPACES.kind,
        "apiVersion": "v1",
        "metadata": {"name": name, "labels": INJECTION, "creationTimestamp": created},
        "spec": {"finalizers": []},
        "status": {"phase": "Active"},
    }


def run_entries(folder: Path, failure: str) -> list[Entry]:
    """Return the objects of a run; none while its files cannot be read.

    Args:
        folder: the run's folder.
        failure: why its engine could not continue; empty if it did.
    """
    try:
        experiment, trials = read_objects(folder)
        experiment = _complete_experiment(experiment, folder, failure)
        entries = [Entry(EXPERIMENTS, experiment, folder)]
        entries.append(Entry(SUGGESTIONS, _suggestion(experiment, trials), folder))
        ran_here = (folder / META).exists()
        for each in trials:
            trial = _complete_trial(each, experiment)
            name = trial["metadata"]["name"]
            entries.append(Entry(TRIALS, trial, folder, name))
            if _is_train_job(trial):
                entries.append(Entry(TRAIN_JOBS, _train_job(trial), folder, name))
            if ran_here and state(trial) != "Created":
                entries.append(Entry(PODS, _pod(trial, experiment), folder, name))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return []  # `tunegate doctor` says what is damaged
    return entries


def _complete_experiment(experiment: JsonObject, folder: Path, failure: str) -> JsonObject:
    status = experiment["status"]
    if failure and not is_finished(experiment):
        # Clients that wait learn that nothing works on it; the run's folder stays resumable.
        conditions = [{**each, "status": "False"} for each in status["conditions"]]
        failed = {"type": "Failed", "status": "True", "reason": "ExperimentFailed"}
        conditions.append({**conditions[-1], **failed, "message": failure})
        status = {**status, "conditions": conditions}
    metadata = {
        "namespace": "default",
        "creationTimestamp": status["startTime"],
        "uid": _uid(experiment["metadata"]["name"], folder.name, status["startTime"]),
        "generation": 1,
        **experiment["metadata"],
    }
    return {**experiment, "metadata": metadata, "status": status}


def _complete_trial(trial: JsonObject, experiment: JsonObject) -> JsonObject:
    template = experiment["spec"]["trialTemplate"]
    metadata = {
        **_owned_metadata(experiment, trial["metadata"]["name"], trial["metadata"]["name"]),
        "generation": 1,
        **trial["metadata"],
        "labels": _labels(experiment) | trial["metadata"]["labels"],
    }
    spec = {
        **{name: template[name] for name in OF_TRIALS if name in template},
        "metricsCollector": experiment["spec"]["metricsCollectorSpec"],
        **trial["spec"],
    }
    return {**trial, "metadata": metadata, "spec": spec}


def _suggestion(experiment: JsonObject, trials: Sequence[KatibObject]) -> JsonObject:
    name = experiment["metadata"]["name"]
    points = [
        {
            "name": trial["metadata"]["name"],
            "parameterAssignments": trial["spec"]["parameterAssignments"],
        }
        for trial in trials
    ]
    kind = state(experiment)
    if kind not in {"Succeeded", "Failed"}:
        kind = "Running"
    message = f"Suggestion is {kind.lower()}: the sampler works in the local engine"
    condition = {"type": kind, "reason": f"Suggestion{kind}", "message": message}
    return {
        "apiVersion": SUGGESTIONS.api_version,
        "kind": SUGGESTIONS.kind,
        "metadata": {
            **_owned_metadata(experiment, name, SUGGESTIONS.kind),
            "generation": 1,
            "labels": _labels(experiment) | {EXPERIMENT_LABEL: name},
        },
        "spec": {
            "algorithm": experiment["spec"]["algorithm"],
            "requests": len(points),
            "resumePolicy": experiment["spec"].get("resumePolicy", "Never"),
        },
        "status": {
            "startTime": experiment["metadata"]["creationTimestamp"],
            "conditions": [{**last_condition(experiment), **condition}],
            "suggestionCount": len(points),
            "suggestions": points,
        },
    }


def _is_train_job(trial: KatibObject) -> bool:
    return bool(trial["spec"]["runSpec"]["kind"] == TRAIN_JOBS.kind)


def _train_job(trial: KatibObject) -> JsonObject:
    run = trial["spec"]["runSpec"]
    metadata = {
        **_owned_metadata(trial, trial["metadata"]["name"], "job"),
        **run["metadata"],
        "labels": _labels(run) | trial["metadata"]["labels"],
    }
    status = {}
    if is_finished(trial):
        ending = {"type": "Complete", "reason": "JobsCompleted"}
        if state(trial) == "Failed":
            ending = {"type": "Failed", "reason": "JobsFailed"}
        last = last_condition(trial)
        kept = {name: last[name] for name in ("status", "message", "lastTransitionTime")}
        status = {"conditions": [{**kept, **ending}]}
    return {**run, "metadata": metadata, "status": status}


def _pod(trial: JsonObject, experiment: JsonObject) -> JsonObject:
    """Return a Pod for a trial's process."""
    metadata = trial["metadata"]
    name = metadata["name"]
    template = pod_template(trial["spec"]["runSpec"])
    labels = {
        **_labels(template),
        **(trial["spec"].get("primaryPodLabels") or {}),
        **metadata["labels"],
        TRIAL_LABEL: name,
        "job-name": name,
        "batch.kubernetes.io/job-name": name,
    }
    if _is_train_job(trial):
        labels |= {JOB_SET_LABEL: name, **STEP_LABELS}
    own = _owned_metadata(trial, f"{name}-{name_suffix(metadata['uid'])[:POD_SUFFIX]}", PODS.kind)
    own["ownerReferences"].append(_owner(experiment, controls=False))
    return {
        "apiVersion": "v1",
        "kind": PODS.kind,
        "metadata": {**own, "labels": labels},
        "spec": {"nodeName": "localhost", **template["spec"]},
        "status": _pod_status(trial, template["spec"]["containers"]),
    }


def _pod_status(trial: JsonObject, containers: Sequence[KatibObject]) -> JsonObject:
    started = trial["status"]["startTime"]
    phase = "Running"
    now: JsonObject = {"running": {"startedAt": started}}
    if is_finished(trial):
        failed = state(trial) == "Failed"
        phase = "Failed" if failed else "Succeeded"
        ended = {
            "exitCode": int(failed),
            "reason": "Error" if failed else "Completed",
            "startedAt": started,
            "finishedAt": trial["status"]["completionTime"],
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


def _owned_metadata(owner: KatibObject, name: str, part: str) -> JsonObject:
    """Return the metadata of what belongs to an object; `part` tells its uid from others'."""
    return {
        "name": name,
        "namespace": owner["metadata"]["namespace"],
        "uid": _uid(owner["metadata"]["uid"], part),
        "creationTimestamp": owner["metadata"]["creationTimestamp"],
        "ownerReferences": [_owner(owner)],
    }


def _owner(item: KatibObject, *, controls: bool = True) -> JsonObject:
    return {
        "apiVersion": item["apiVersion"],
        "kind": item["kind"],
        "name": item["metadata"]["name"],
        "uid": item["metadata"]["uid"],
        "controller": controls,
        "blockOwnerDeletion": True,
    }


def _labels(item: KatibObject) -> JsonObject:
    return {**(item.get("metadata", {}).get("labels") or {})}


def _uid(*parts: str) -> str:
    """Return the uid that these parts always have, also after a restart."""
    return str(uuid.uuid5(UIDS, "/".join(parts)))
