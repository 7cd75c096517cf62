"""What pods, Jobs and events say of why something does not start or fails; pure, from plain dicts."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]

IMAGE = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
    }
)
CONFIGURATION = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
)
KILLED_FOR_MEMORY = "OOMKilled"
COLLECTORS = frozenset({"metrics-logger-and-collector", "metrics-collector"})
REFUSALS = (  # words of the refusal, what it is, what mends it
    (
        "unable to find primary container",
        "wrong primaryContainerName",
        "name a container of the template in spec.trialTemplate.primaryContainerName",
    ),
    (
        "failed to parse image|from registry",
        "no command",
        "write the image's `command` into the template: Katib cannot look it up",
    ),
    (
        "service ?account",
        "service account missing",
        "`kubectl get serviceaccounts -n {namespace}`, then make it",
    ),
    ("exceeded quota|failed quota", "quota", "`kubectl describe resourcequota -n {namespace}`"),
    (
        "podsecurity",
        "Pod Security",
        "set in the template what the message asks for; on Katib's side injectSecurityContext",
    ),
    (
        "failed calling webhook",
        "Katib's controller does not answer",
        "`kubectl -n kubeflow get pods`",
    ),
)
TRIAL = "katib.kubeflow.org/trial"
JOB_NAME = "job-name"


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why an Experiment does not go on, or a sign that it does.

    Attributes:
        name: what it is, in a few words.
        seen: where, and in whose words.
        mend: the command, or the change, that mends it.
        well: whether nothing needs mending.
    """

    name: str
    seen: str
    mend: str = ""
    well: bool = False


def pod_causes(pod: Object, events: Sequence[Object]) -> Iterator[Cause]:
    """Yield what keeps a pod from running, or makes it start again and again."""
    namespace = pod["metadata"]["namespace"]
    name = pod["metadata"]["name"]
    describe = f"kubectl describe pod {name} -n {namespace}"
    for status in _statuses(pod):
        yield from _container_causes(pod, status, describe)
    for condition in pod.get("status", {}).get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            yield _unschedulable(pod, str(condition.get("message", "")), describe)
    if pod.get("status", {}).get("phase") == "Pending":
        for event in warnings(events, "Pod", name, "FailedMount", "FailedCreatePodSandBox"):
            yield Cause("a pod cannot start", f"pod {name}: {event['message']}", f"`{describe}`")


def exits(pod: Object) -> Iterator[tuple[str, str]]:
    """Yield (container, how it ended) of containers that failed: one killed for its memory first, Katib's own last.

    Katib's own container fails whenever the trial's does.
    """
    ended = [(s["name"], s.get("state", {}).get("terminated") or {}) for s in _statuses(pod)]
    failed = [(name, t) for name, t in ended if t.get("exitCode")]
    for name, terminated in sorted(
        failed, key=lambda p: (p[1].get("reason") != KILLED_FOR_MEMORY, p[0] in COLLECTORS)
    ):
        if terminated.get("message"):
            message = f": {terminated['message'].strip()[-200:]}"
        else:
            message = ""
        yield (
            name,
            f"{terminated.get('reason', 'Error')}, exit code {terminated['exitCode']}{message}",
        )


def creation_causes(owner: Object, events: Sequence[Object]) -> Iterator[Cause]:
    """Yield why no pod can be made for a Job or a ReplicaSet."""
    kind = owner["kind"]
    name = owner["metadata"]["name"]
    for event in warnings(events, kind, name, "FailedCreate")[-1:]:
        message = str(event["message"]).removeprefix("Error creating: ")
        what, mend = _refusal(message, owner)
        yield Cause(what, f"{kind} {name}: {message}", mend)


def warnings(events: Sequence[Object], kind: str, name: str, *reasons: str) -> list[Object]:
    """Return the Warning events about an object, the latest last."""
    found = [
        e
        for e in events
        if e.get("type") == "Warning"
        and e["involvedObject"].get("kind") == kind
        and e["involvedObject"].get("name") == name
        and e.get("reason") in reasons
    ]
    return sorted(found, key=lambda e: e.get("lastTimestamp") or e.get("eventTime") or "")


def job_of(pod: Object) -> str:
    """Return the name of the Job that a pod belongs to, which is its Trial's; empty for other pods."""
    labels = pod["metadata"].get("labels") or {}
    return str(labels.get(TRIAL) or labels.get(JOB_NAME) or "")


def _statuses(pod: Object) -> list[Object]:
    status = pod.get("status", {})
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _container_causes(pod: Object, status: Object, describe: str) -> Iterator[Cause]:
    where = f"pod {pod['metadata']['name']}, container {status['name']}"
    state = status.get("state", {})
    last = status.get("lastState", {}).get("terminated") or {}
    waiting = state.get("waiting") or {}
    ended = state.get("terminated") or last
    if waiting.get("reason") in IMAGE:
        yield Cause(
            "image not pulled",
            f"{where}: {waiting['reason']} {status.get('image', '')}: {waiting.get('message', '')}".rstrip(
                ": "
            ),
            f"check the image's name, or load it into the cluster: `minikube image load {status.get('image', 'IMAGE')}`"
            " (with imagePullPolicy IfNotPresent and a tag other than latest)",
        )
    elif waiting.get("reason") in CONFIGURATION:
        yield Cause(
            "a container cannot start",
            f"{where}: {waiting['reason']}: {waiting.get('message', '')}",
            f"`{describe}`",
        )
    elif ended.get("reason") == KILLED_FOR_MEMORY:
        yield Cause(
            "out of memory", f"{where}: OOMKilled, {status.get('restartCount', 0)} restarts", ""
        )
    elif last.get("exitCode") and not status.get("ready"):
        seen = f"{where}: ended with exit code {last['exitCode']}, {status.get('restartCount', 0)} restarts"
        logs = f"kubectl logs {pod['metadata']['name']} -n {pod['metadata']['namespace']} -c {status['name']} --previous"
        yield Cause("a container fails again and again", seen, f"`{logs}`")


def _unschedulable(pod: Object, message: str, describe: str) -> Cause:
    where = f"pod {pod['metadata']['name']}"
    namespace = pod["metadata"]["namespace"]
    if "persistentvolumeclaim" in message.lower():
        return Cause(
            "volume not there",
            f"{where}: {message}",
            f"`kubectl get pvc -n {namespace}`, then make or mend it",
        )
    return Cause(
        "no node has room", f"{where}: {message}", f"request less, or add a node; `{describe}`"
    )


def _refusal(message: str, owner: Object) -> tuple[str, str]:
    """Return (name, mend) for the words with which a pod was refused."""
    kind = owner["kind"].lower()
    name = owner["metadata"]["name"]
    namespace = owner["metadata"]["namespace"]
    found = next(
        (entry for words, *entry in REFUSALS if re.search(words, message, re.IGNORECASE)), None
    )
    what, mend = found or ("pods are refused", "`kubectl describe {kind} {name} -n {namespace}`")
    return what, mend.format(kind=kind, name=name, namespace=namespace)
