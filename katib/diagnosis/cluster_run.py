"""Why an Experiment on a cluster does not go on, from what the cluster shows; most likely causes first.

Katib leaves its users alone with most of these: a Trial whose pod is refused stays Running for ever, and the only trace
is an event on its Job. Two of Katib's own warnings are harmless and are passed over.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from katib.diagnosis.pod_causes import (
    KILLED_FOR_MEMORY,
    Cause,
    Object,
    creation_causes,
    exits,
    job_of,
    pod_causes,
    warnings,
)
from katib.metrics_collector import UNAVAILABLE, number
from katib.objects import is_finished, last_condition, message, state

Snapshot = Mapping[str, Any]  # as `katib.diagnosis.cluster_snapshot.snapshot` makes it
INJECTION = "katib.kubeflow.org/metrics-collector-injection"
CONTROLLER = "katib.kubeflow.org/component=controller"
DEFAULT_BACKOFF_LIMIT = 6
# Of Katib v0.19, in normal runs: right after the start, right after a Trial's end, and when two of its parts write.
HARMLESS = re.compile(
    r"suggestions\S* \"[^\"]*\" already exists|jobs\S* \"[^\"]*\" not found|object has been modified"
)


def explain(snapshot: Snapshot) -> list[Cause]:
    """Return why the Experiment does not go on, or that it does, with counts."""
    experiment = snapshot["experiment"]
    if experiment is None:
        found = [*_installation(snapshot), *_namespace(snapshot)]
        return found or [_absent(snapshot)]
    if state(experiment) == "Succeeded" and any(map(_has_value, snapshot["trials"])):
        return [_well(snapshot), *_hidden(snapshot)]
    parts = (
        _installation,
        _namespace,
        _suggestion,
        _creation,
        _pods,
        _results,
        _retries,
        _algorithm,
        _reconciling,
    )
    found = list(_grouped(cause for part in parts for cause in part(snapshot)))
    return [*(found or [_well(snapshot)]), *_hidden(snapshot)]


def _installation(snapshot: Snapshot) -> Iterator[Cause]:
    if not snapshot["installed"]:
        yield Cause(
            "Katib is not installed",
            "the cluster knows no Experiments",
            "`tunegate cluster install`",
        )
        return
    pods = snapshot["controller"]
    if pods is not None and not any(map(_ready, pods)):
        if pods:
            seen = "none of its pods is ready"
        else:
            seen = "it has no pod in namespace kubeflow"
        if pods:
            mend = f"kubectl -n kubeflow describe pods -l {CONTROLLER}"
        else:
            mend = "tunegate cluster install"
        yield Cause("Katib's controller does not run", seen, f"`{mend}`")


def _namespace(snapshot: Snapshot) -> Iterator[Cause]:
    name = snapshot["where"]
    if snapshot["namespace"] is None:
        if "namespaces" not in snapshot["hidden"]:
            yield Cause(
                "namespace missing",
                f"there is no namespace {name}",
                f"`kubectl create namespace {name}`",
            )
    elif (snapshot["namespace"]["metadata"].get("labels") or {}).get(INJECTION) != "enabled":
        yield Cause(
            "label missing",
            f"namespace {name} lacks {INJECTION}=enabled: Katib refuses Experiments there and reads no metrics",
            f"`kubectl label namespace {name} {INJECTION}=enabled`",
        )


def _absent(snapshot: Snapshot) -> Cause:
    seen = f"there is no Experiment {snapshot['name']} in namespace {snapshot['where']}"
    return Cause(
        "no such Experiment", seen, f"`tunegate tune --on katib --namespace {snapshot['where']}`"
    )


def _suggestion(snapshot: Snapshot) -> Iterator[Cause]:
    where = snapshot["where"]
    suggestion = snapshot["suggestion"]
    if suggestion and state(suggestion) == "Failed":
        mend = f"mend spec.algorithm, then `kubectl delete experiment {snapshot['name']} -n {where}` and create it anew"
        yield Cause("the algorithm's service refuses", message(suggestion), mend)
        return
    for pod in _suggestion_pods(snapshot):
        for cause in pod_causes(pod, snapshot["events"]):
            mend = cause.mend
            if (
                cause.name == "out of memory"
            ):  # Katib makes the Deployment once and never changes it
                deployment = pod["metadata"]["labels"].get(
                    "katib.kubeflow.org/deployment", snapshot["name"]
                )
                mend = f"`kubectl set resources deployment {deployment} -n {where} --limits=memory=512Mi`"
                mend += ", and for later ones in the ConfigMap katib-config of namespace kubeflow"
            yield Cause(f"suggestion pod: {cause.name}", cause.seen, mend)
    for replicas in _replica_sets(snapshot):
        for cause in creation_causes(replicas, snapshot["events"]):
            yield Cause(f"suggestion pod: {cause.name}", cause.seen, cause.mend)


def _creation(snapshot: Snapshot) -> Iterator[Cause]:
    made = set(map(job_of, snapshot["pods"]))
    for job in _open_jobs(snapshot):
        if job["metadata"]["name"] not in made:
            yield from creation_causes({"kind": "Job", **job}, snapshot["events"])


def _pods(snapshot: Snapshot) -> Iterator[Cause]:
    open_jobs = {job["metadata"]["name"] for job in _open_jobs(snapshot)}
    for pod in snapshot["pods"]:
        if job_of(pod) in open_jobs and pod.get("status", {}).get("phase") not in {
            "Succeeded",
            "Failed",
        }:
            for cause in pod_causes(pod, snapshot["events"]):
                mend = cause.mend or "raise resources.limits.memory in the template"
                yield Cause(f"trial: {cause.name}", cause.seen, mend)


def _results(snapshot: Snapshot) -> Iterator[Cause]:
    """Say why no Trial has a value, once some have ended."""
    trials = snapshot["trials"]
    ended = [trial for trial in trials if is_finished(trial)]
    if not ended or any(map(_has_value, ended)):
        return
    counts = Counter(map(state, ended))
    metric = snapshot["experiment"]["spec"]["objective"]["objectiveMetricName"]
    if counts["Failed"]:
        yield _failing(snapshot, [trial for trial in ended if state(trial) == "Failed"])
    if counts["MetricsUnavailable"]:
        seen = (
            f"{counts['MetricsUnavailable']} of {len(ended)} trials ended without printing {metric}"
        )
        yield Cause(
            "metrics unavailable",
            seen,
            f"print `{metric}=<number>` on a line of its own, at the end",
        )
    if counts["Succeeded"]:
        seen = (
            f"{counts['Succeeded']} of {len(ended)} trials succeeded, none with a finite {metric}"
        )
        yield Cause(
            "not a number",
            seen,
            f"let the trial fail instead of printing {metric}=nan; Katib takes it as best",
        )


def _failing(snapshot: Snapshot, failed: list[Object]) -> Cause:
    names = [trial["metadata"]["name"] for trial in failed]
    ways = [how for pod in snapshot["pods"] if job_of(pod) in names for how in exits(pod)]
    last = last_condition(failed[0])
    if ways:
        why = f"container {ways[0][0]}: {ways[0][1]}"
    else:
        why = f"{last.get('reason', '')}: {last.get('message', '')}"
    seen = f"{len(failed)} of {len(snapshot['trials'])} trials have failed, none has a result; {names[0]}: {why}"
    if ways and KILLED_FOR_MEMORY in ways[0][1]:
        return Cause(
            "all trials fail: out of memory", seen, "raise resources.limits.memory in the template"
        )
    logs = f"kubectl logs -n {snapshot['where']} -l katib.kubeflow.org/trial={names[0]} --all-containers --tail=20"
    if not any(
        job_of(pod) in names for pod in snapshot["pods"]
    ):  # Katib deletes a Job, its logs with it, at once
        return Cause(
            "all trials fail",
            seen,
            f"set spec.trialTemplate.retain: true, create it anew, then `{logs}`",
        )
    return Cause("all trials fail", seen, f"`{logs}`")


def _retries(snapshot: Snapshot) -> Iterator[Cause]:
    """A Job tries again for about ten minutes before its Trial counts as failed."""
    for job in _open_jobs(snapshot):
        failed = job.get("status", {}).get("failed", 0)
        limit = job["spec"].get("backoffLimit", DEFAULT_BACKOFF_LIMIT)
        if failed and limit:
            name = job["metadata"]["name"]
            how = next(
                (f": {how}" for p in snapshot["pods"] if job_of(p) == name for _, how in exits(p)),
                "",
            )
            seen = (
                f"Job {name} has failed {failed} times and is tried {limit + 1} times in all{how}"
            )
            yield Cause(
                "a failing trial is tried again", seen, "set backoffLimit: 0 in the template's Job"
            )


def _algorithm(snapshot: Snapshot) -> Iterator[Cause]:
    name = snapshot["experiment"]["spec"]["algorithm"].get("algorithmName")
    known = snapshot["algorithms"]
    if known is not None and name not in known:
        yield Cause(
            "algorithm not installed",
            f"{name} is not in katib-config",
            f"use one of {', '.join(sorted(known))}",
        )


def _reconciling(snapshot: Snapshot) -> Iterator[Cause]:
    for kind in ("Experiment", "Suggestion"):
        for event in warnings(snapshot["events"], kind, snapshot["name"], "ReconcileError"):
            if not HARMLESS.search(event["message"]):
                describe = (
                    f"kubectl describe {kind.lower()} {snapshot['name']} -n {snapshot['where']}"
                )
                yield Cause("Katib cannot go on", f"{kind}: {event['message']}", f"`{describe}`")


def _hidden(snapshot: Snapshot) -> Iterator[Cause]:
    if snapshot["hidden"]:
        yield Cause(
            "not looked at", f"this account may not read {', '.join(snapshot['hidden'])}", well=True
        )


def _well(snapshot: Snapshot) -> Cause:
    experiment = snapshot["experiment"]
    counts = Counter(map(state, snapshot["trials"]))
    trials = ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())) or "none yet"
    if counts or all(map(_ready, _suggestion_pods(snapshot))):
        starting = ""
    else:
        starting = "; the suggestion pod is starting"
    seen = f"{state(experiment)}, {len(snapshot['trials'])} trials: {trials}{starting}"
    if state(experiment) == "Failed":
        return Cause(
            "failed",
            f"{seen}; {message(experiment)}",
            f"`kubectl describe experiment {snapshot['name']}`",
        )
    return Cause("nothing wrong", seen, well=True)


def _grouped(causes: Iterator[Cause]) -> Iterator[Cause]:
    """Show each kind once, with how many more there are."""
    first: dict[str, Cause] = {}
    counts: Counter[str] = Counter()
    for cause in causes:
        first.setdefault(cause.name, cause)
        counts[cause.name] += 1
    for name, cause in first.items():
        more = f" (and {counts[name] - 1} more)" if counts[name] > 1 else ""
        yield Cause(name, cause.seen + more, cause.mend)


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
    """Return what the suggestion's pods would belong to, from events: it has none of ours when none could be made."""
    if _suggestion_pods(snapshot):
        return []
    name = snapshot["name"]
    where = snapshot["where"]
    objects = [
        e["involvedObject"]
        for e in snapshot["events"]
        if e["involvedObject"].get("kind") == "ReplicaSet"
    ]
    names = sorted({o["name"] for o in objects if o["name"].startswith(f"{name}-")})
    return [
        {"kind": "ReplicaSet", "metadata": {"name": each, "namespace": where}}
        for each in names[-1:]
    ]


def _ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _has_value(trial: Object) -> bool:
    if state(trial) != "Succeeded":
        return False
    name = trial["spec"]["objective"]["objectiveMetricName"]
    metrics = trial.get("status", {}).get("observation", {}).get("metrics") or ()
    entry: Object = next((m for m in metrics if m.get("name") == name), {})
    return any(number(entry.get(key, UNAVAILABLE)) is not None for key in ("min", "max", "latest"))
