"""What Kubeflow's SDK looks for next to Katib's objects: TrainJobs of trials, and a runtime.

The runtime has the name that the SDK takes by default. Its entry point is `python`: one process
needs no `torchrun`, and this machine may have no PyTorch.
"""

from katib.endpoint.resources import RUNTIMES, TRAIN_JOBS
from katib.objects import JsonObject, KatibObject, is_finished, last_condition, state
from katib.one_process import NODE

RUNTIME = "torch-distributed"
STEP_LABELS = {  # by which the SDK finds a TrainJob's pod
    "jobset.sigs.k8s.io/replicatedjob-name": NODE,
    "batch.kubernetes.io/job-completion-index": "0",
}
JOB_SET_LABEL = "jobset.sigs.k8s.io/jobset-name"


def is_train_job(trial: KatibObject) -> bool:
    """Whether a trial is a TrainJob."""
    return bool(trial["spec"]["runSpec"]["kind"] == TRAIN_JOBS.kind)


def train_job(trial: KatibObject, uid: str, owner: JsonObject) -> JsonObject:
    """Return the TrainJob of a trial."""
    run = trial["spec"]["runSpec"]
    metadata = {
        **run["metadata"],
        "uid": uid,
        "creationTimestamp": trial["metadata"]["creationTimestamp"],
        "labels": {**(run["metadata"].get("labels") or {}), **trial["metadata"]["labels"]},
        "ownerReferences": [owner],
    }
    return {**run, "metadata": metadata, "status": _status(trial)}


def _status(trial: KatibObject) -> JsonObject:
    if not is_finished(trial):
        return {}
    last = last_condition(trial)
    condition = {
        "type": "Failed" if state(trial) == "Failed" else "Complete",
        "status": "True",
        "reason": "JobsFailed" if state(trial) == "Failed" else "JobsCompleted",
        "message": last["message"],
        "lastTransitionTime": last["lastTransitionTime"],
    }
    return {"conditions": [condition]}


def runtime_document() -> JsonObject:
    """Return the one runtime that there is."""
    container = {"name": NODE, "image": RUNTIME}
    pod = {"spec": {"containers": [container]}}
    job = {
        "metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}},
        "spec": {"template": pod},
    }
    return {
        "apiVersion": RUNTIMES.api_version,
        "kind": RUNTIMES.kind,
        "metadata": {
            "name": RUNTIME,
            "creationTimestamp": "1970-01-01T00:00:00Z",
            "labels": {"trainer.kubeflow.org/framework": "torch"},
        },
        "spec": {
            "mlPolicy": {"numNodes": 1},
            "template": {"spec": {"replicatedJobs": [{"name": NODE, "template": job}]}},
        },
    }
