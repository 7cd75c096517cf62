"""Why an Experiment on a cluster makes no progress or has no result; most likely causes first.

Katib reports most of these nowhere: a Trial whose pod is refused stays Running for ever, and the
only trace is an event on its Job. Two of Katib's own warnings are harmless and are ignored.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from katib.diagnosis.installation import INJECTION, installation_causes
from katib.diagnosis.pod_causes import (
    OUT_OF_MEMORY,
    Cause,
    Object,
    creation_causes,
    failed_exits,
    is_ready,
    job_of,
    pod_causes,
    warning_events,
)
from katib.diagnosis.trial_results import (
    RAISE_MEMORY,
    has_value,
    result_causes,
    waiting_causes,
)
from katib.objects import is_finished, message, state

Snapshot = Mapping[str, Any]  # as `katib.diagnosis.cluster_snapshot.take_snapshot` makes it
DEFAULT_BACKOFF_LIMIT = 6
# Katib v0.19 reports these in normal runs: right after the start, right after a Trial's end, and
# when two of its parts write at once.
HARMLESS = re.compile(
    r"suggestions\S* \"[^\"]*\" already exists|jobs\S* \"[^\"]*\" not found"
    r"|object has been modified"
)


def explain_experiment(snapshot: Snapshot) -> list[Cause]:
    """Return why the Experiment makes no progress; if nothing is wrong, its counts."""
    experiment = snapshot["experiment"]
    surroundings = [*installation_causes(snapshot), *_namespace_causes(snapshot)]
    if experiment is None:
        return surroundings or [_no_experiment(snapshot)]
    if state(experiment) == "Succeeded" and any(map(has_value, snapshot["trials"])):
        results = list(result_causes(snapshot)) or [_progress_cause(snapshot)]
        return [*results, *_permission_causes(snapshot)]
    found = [
        *surroundings,
        *_suggestion_causes(snapshot),
        *_refused_pod_causes(snapshot),
        *_trial_pod_causes(snapshot),
        *waiting_causes(snapshot),
        *result_causes(snapshot),
        *_retry_causes(snapshot),
        *_algorithm_causes(snapshot),
        *_reconcile_causes(snapshot),
    ]
    causes = _group_by_name(found) or [_progress_cause(snapshot)]
    return [*causes, *_permission_causes(snapshot)]


def _namespace_causes(snapshot: Snapshot) -> Iterator[Cause]:
    name = snapshot["where"]
    namespace = snapshot["namespace"]
    if namespace is None:
        if "namespaces" not in snapshot["hidden"]:
            fix = f"`kubectl create namespace {name}`"
            yield Cause("namespace missing", f"there is no namespace {name}", fix)
    elif (namespace["metadata"].get("labels") or {}).get(INJECTION) != "enabled":
        evidence = (
            f"namespace {name} lacks {INJECTION}=enabled: "
            "Katib refuses Experiments there and reads no metrics"
        )
        yield Cause(
            "label missing", evidence, f"`kubectl label namespace {name} {INJECTION}=enabled`"
        )


def _no_experiment(snapshot: Snapshot) -> Cause:
    evidence = f"there is no Experiment {snapshot['name']} in namespace {snapshot['where']}"
    fix = f"`tunegate tune --on katib --namespace {snapshot['where']}`"
    return Cause("no such Experiment", evidence, fix)


def _suggestion_causes(snapshot: Snapshot) -> Iterator[Cause]:
    suggestion = snapshot["suggestion"]
    if suggestion and state(suggestion) == "Failed":
        delete = f"`kubectl delete experiment {snapshot['name']} -n {snapshot['where']}`"
        fix = f"fix spec.algorithm, then {delete} and create it again"
        yield Cause("the algorithm's service refuses", message(suggestion), fix)
        return
    for pod in _suggestion_pods(snapshot):
        for cause in pod_causes(pod, snapshot["events"]):
            fix = cause.fix
            if cause.name == OUT_OF_MEMORY:
                fix = _raise_suggestion_memory(snapshot, pod)
            yield Cause(f"suggestion pod: {cause.name}", cause.evidence, fix)
    for replicas in _replica_sets(snapshot):
        for cause in creation_causes(replicas, snapshot["events"]):
            yield Cause(f"suggestion pod: {cause.name}", cause.evidence, cause.fix)


def _raise_suggestion_memory(snapshot: Snapshot, pod: Object) -> str:
    """Return the fix for both places: Katib creates the Deployment once and never changes it."""
    labels = pod["metadata"]["labels"]
    deployment = labels.get("katib.kubeflow.org/deployment", snapshot["name"])
    where = f"deployment {deployment} -n {snapshot['where']}"
    return (
        f"`kubectl set resources {where} --limits=memory=512Mi`, "
        "and for later ones in the ConfigMap katib-config of namespace kubeflow"
    )


def _refused_pod_causes(snapshot: Snapshot) -> Iterator[Cause]:
    with_pods = set(map(job_of, snapshot["pods"]))
    for job in _open_jobs(snapshot):
        if job["metadata"]["name"] not in with_pods:
            yield from creation_causes({"kind": "Job", **job}, snapshot["events"])


def _trial_pod_causes(snapshot: Snapshot) -> Iterator[Cause]:
    open_jobs = {job["metadata"]["name"] for job in _open_jobs(snapshot)}
    for pod in snapshot["pods"]:
        has_ended = pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}
        if job_of(pod) in open_jobs and not has_ended:
            for cause in pod_causes(pod, snapshot["events"]):
                yield Cause(f"trial: {cause.name}", cause.evidence, cause.fix or RAISE_MEMORY)


def _retry_causes(snapshot: Snapshot) -> Iterator[Cause]:
    """Yield failing Jobs: they retry for about ten minutes before their Trial counts as failed."""
    for job in _open_jobs(snapshot):
        name = job["metadata"]["name"]
        failed = job.get("status", {}).get("failed", 0)
        limit = job["spec"].get("backoffLimit", DEFAULT_BACKOFF_LIMIT)
        if not failed or not limit:
            continue
        evidence = f"Job {name} has failed {failed} times and is tried {limit + 1} times in all"
        pods = [pod for pod in snapshot["pods"] if job_of(pod) == name]
        for _, how in [each for pod in pods for each in failed_exits(pod)][:1]:
            evidence += f": {how}"
        fix = "set backoffLimit: 0 in the template's Job"
        yield Cause("a failing trial is retried", evidence, fix)


def _algorithm_causes(snapshot: Snapshot) -> Iterator[Cause]:
    name = snapshot["experiment"]["spec"]["algorithm"].get("algorithmName")
    known = snapshot["algorithms"]
    if known is not None and name not in known:
        fix = f"use one of {', '.join(sorted(known))}"
        yield Cause("algorithm not installed", f"{name} is not in katib-config", fix)


def _reconcile_causes(snapshot: Snapshot) -> Iterator[Cause]:
    name = snapshot["name"]
    for kind in ("Experiment", "Suggestion"):
        for event in warning_events(snapshot["events"], kind, name, "ReconcileError"):
            if not HARMLESS.search(event["message"]):
                fix = f"`kubectl describe {kind.lower()} {name} -n {snapshot['where']}`"
                yield Cause("Katib reports an error", f"{kind}: {event['message']}", fix)


def _permission_causes(snapshot: Snapshot) -> Iterator[Cause]:
    if snapshot["hidden"]:
        evidence = f"this account may not read {', '.join(snapshot['hidden'])}"
        yield Cause("no permission", evidence, ok=True)


def _progress_cause(snapshot: Snapshot) -> Cause:
    experiment = snapshot["experiment"]
    counts = Counter(map(state, snapshot["trials"]))
    trials = ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())) or "none yet"
    evidence = f"{state(experiment)}, {len(snapshot['trials'])} trials: {trials}"
    if not counts and not all(map(is_ready, _suggestion_pods(snapshot))):
        evidence += "; the suggestion pod is starting"
    if state(experiment) == "Failed":
        fix = f"`kubectl describe experiment {snapshot['name']}`"
        return Cause("failed", f"{evidence}; {message(experiment)}", fix)
    return Cause("nothing wrong", evidence, ok=True)


def _group_by_name(causes: list[Cause]) -> list[Cause]:
    """Return the first cause of each name, with how many more there are."""
    groups: dict[str, list[Cause]] = {}
    for cause in causes:
        groups.setdefault(cause.name, []).append(cause)
    found = []
    for name, members in groups.items():
        more = f" (and {len(members) - 1} more)" if len(members) > 1 else ""
        found.append(Cause(name, members[0].evidence + more, members[0].fix))
    return found


def _open_jobs(snapshot: Snapshot) -> list[Object]:
    open_trials = {
        trial["metadata"]["name"] for trial in snapshot["trials"] if not is_finished(trial)
    }
    return [job for job in snapshot["jobs"] if job["metadata"]["name"] in open_trials]


def _suggestion_pods(snapshot: Snapshot) -> list[Object]:
    return [
        pod
        for pod in snapshot["pods"]
        if not job_of(pod) and "deletionTimestamp" not in pod["metadata"]
    ]


def _replica_sets(snapshot: Snapshot) -> list[Object]:
    """Return the ReplicaSet of a suggestion without pods, from events: no pod of it names it."""
    if _suggestion_pods(snapshot):
        return []
    involved = [event["involvedObject"] for event in snapshot["events"]]
    names = sorted(
        each["name"]
        for each in involved
        if each.get("kind") == "ReplicaSet" and each["name"].startswith(f"{snapshot['name']}-")
    )
    return [
        {"kind": "ReplicaSet", "metadata": {"name": name, "namespace": snapshot["where"]}}
        for name in names[-1:]
    ]
