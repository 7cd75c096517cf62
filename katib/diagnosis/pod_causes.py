"""Why something does not start or fails, from pods, Jobs and events; pure, from plain dicts."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

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
OUT_OF_MEMORY = "out of memory"
COLLECTORS = frozenset({"metrics-logger-and-collector", "metrics-collector"})
TRIAL = "katib.kubeflow.org/trial"
JOB_NAME = "job-name"
LONGEST_MESSAGE = 200  # characters of a container's last words


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why an Experiment has no result, or a sign that nothing is wrong.

    Attributes:
        name: what it is, in a few words.
        evidence: where it was seen, and in whose words.
        fix: the command, or the change, that fixes it.
        ok: whether nothing needs to be fixed.
    """

    name: str
    evidence: str
    fix: str = ""
    ok: bool = False


class KnownMessage(NamedTuple):
    """What a message means.

    Attributes:
        pattern: a regular expression that finds it.
        cause: what it is, in a few words.
        fix: the command, or the change, that fixes it.
    """

    pattern: str
    cause: str
    fix: str


REFUSALS = (
    KnownMessage(
        "(?i)unable to find primary container",
        "wrong primaryContainerName",
        "name a container of the template in spec.trialTemplate.primaryContainerName",
    ),
    KnownMessage(
        "(?i)failed to parse image|from registry",
        "no command",
        "write the image's `command` into the template: Katib cannot look it up",
    ),
    KnownMessage(
        "(?i)service ?account",
        "service account missing",
        "`kubectl get serviceaccounts -n {namespace}`, then create it",
    ),
    KnownMessage(
        "(?i)exceeded quota|failed quota",
        "quota",
        "`kubectl describe resourcequota -n {namespace}`",
    ),
    KnownMessage(
        "(?i)podsecurity",
        "Pod Security",
        "set in the template what the message names; on Katib's side injectSecurityContext",
    ),
    KnownMessage(
        "(?i)failed calling webhook",
        "Katib's controller does not answer",
        "`kubectl -n kubeflow get pods`",
    ),
)
OTHER_REFUSAL = KnownMessage(
    "", "pods are refused", "`kubectl describe {kind} {name} -n {namespace}`"
)


def find_known(messages: Iterable[KnownMessage], text: str) -> KnownMessage | None:
    """Return the first known message that a text contains."""
    return next((known for known in messages if re.search(known.pattern, text)), None)


def pod_causes(pod: Object, events: Sequence[Object]) -> Iterator[Cause]:
    """Yield what keeps a pod from running, or makes it restart repeatedly."""
    name = pod["metadata"]["name"]
    status = pod.get("status", {})
    describe = f"`kubectl describe pod {name} -n {pod['metadata']['namespace']}`"
    for container in _container_statuses(pod):
        yield from _container_causes(pod, container, describe)
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            yield _unschedulable(pod, str(condition.get("message", "")), describe)
    if status.get("phase") == "Pending":
        for event in warning_events(events, "Pod", name, "FailedMount", "FailedCreatePodSandBox"):
            yield Cause("a pod cannot start", f"pod {name}: {event['message']}", describe)


def failed_exits(pod: Object) -> list[tuple[str, str]]:
    """Return (container, how it ended) of containers that failed.

    One that was killed for its memory comes first. Katib's own comes last: it fails whenever the
    trial's container does.
    """
    ended = [
        (status["name"], status.get("state", {}).get("terminated") or {})
        for status in _container_statuses(pod)
    ]
    failed = [(name, terminated) for name, terminated in ended if terminated.get("exitCode")]
    failed.sort(
        key=lambda pair: (pair[1].get("reason") != KILLED_FOR_MEMORY, pair[0] in COLLECTORS)
    )
    return [(name, _describe_exit(terminated)) for name, terminated in failed]


def _describe_exit(terminated: Object) -> str:
    text = f"{terminated.get('reason', 'Error')}, exit code {terminated['exitCode']}"
    if terminated.get("message"):
        text += f": {terminated['message'].strip()[-LONGEST_MESSAGE:]}"
    return text


def creation_causes(owner: Object, events: Sequence[Object]) -> Iterator[Cause]:
    """Yield why no pod can be created for a Job or a ReplicaSet."""
    kind = owner["kind"]
    name = owner["metadata"]["name"]
    for event in warning_events(events, kind, name, "FailedCreate")[-1:]:
        message = str(event["message"]).removeprefix("Error creating: ")
        known = find_known(REFUSALS, message) or OTHER_REFUSAL
        namespace = owner["metadata"]["namespace"]
        fix = known.fix.format(kind=kind.lower(), name=name, namespace=namespace)
        yield Cause(known.cause, f"{kind} {name}: {message}", fix)


def warning_events(events: Sequence[Object], kind: str, name: str, *reasons: str) -> list[Object]:
    """Return the Warning events about an object with one of these reasons, the latest last."""
    found = [
        event
        for event in events
        if event.get("type") == "Warning"
        and event["involvedObject"].get("kind") == kind
        and event["involvedObject"].get("name") == name
        and event.get("reason") in reasons
    ]
    return sorted(found, key=lambda e: e.get("lastTimestamp") or e.get("eventTime") or "")


def is_ready(pod: Object) -> bool:
    """Whether a pod answers requests."""
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def job_of(pod: Object) -> str:
    """Return the name of a pod's Job, which is its Trial's name; empty for other pods."""
    labels = pod["metadata"].get("labels") or {}
    return str(labels.get(TRIAL) or labels.get(JOB_NAME) or "")


def _container_statuses(pod: Object) -> list[Object]:
    status = pod.get("status", {})
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _container_causes(pod: Object, status: Object, describe: str) -> Iterator[Cause]:
    pod_name = pod["metadata"]["name"]
    where = f"pod {pod_name}, container {status['name']}"
    restarts = f"{status.get('restartCount', 0)} restarts"
    state = status.get("state", {})
    last = status.get("lastState", {}).get("terminated") or {}
    waiting = state.get("waiting") or {}
    reason = waiting.get("reason")
    message = waiting.get("message", "")
    ended = state.get("terminated") or last
    if reason in IMAGE:
        evidence = f"{where}: {reason} {status.get('image', '')}: {message}".rstrip(": ")
        load = f"minikube image load {status.get('image', 'IMAGE')}"
        fix = (
            f"check the image's name, or load it into the cluster: `{load}`"
            " (with imagePullPolicy IfNotPresent and a tag other than latest)"
        )
        yield Cause("image not pulled", evidence, fix)
    elif reason in CONFIGURATION:
        yield Cause("a container cannot start", f"{where}: {reason}: {message}", describe)
    elif ended.get("reason") == KILLED_FOR_MEMORY:
        yield Cause(OUT_OF_MEMORY, f"{where}: OOMKilled, {restarts}")
    elif last.get("exitCode") and not status.get("ready"):
        evidence = f"{where}: ended with exit code {last['exitCode']}, {restarts}"
        namespace = pod["metadata"]["namespace"]
        logs = f"`kubectl logs {pod_name} -n {namespace} -c {status['name']} --previous`"
        yield Cause("a container keeps failing", evidence, logs)


def _unschedulable(pod: Object, message: str, describe: str) -> Cause:
    evidence = f"pod {pod['metadata']['name']}: {message}"
    if "persistentvolumeclaim" in message.lower():
        namespace = pod["metadata"]["namespace"]
        fix = f"`kubectl get pvc -n {namespace}`, then create or fix it"
        return Cause("volume missing", evidence, fix)
    return Cause("no node has room", evidence, f"request less, or add a node; {describe}")
