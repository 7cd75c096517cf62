"""Kubernetes' rules for the Job itself: numbers, words that belong together, labels."""

from collections.abc import Iterator, Mapping, Sequence

from katib.document import Document, FieldPath
from katib.lint.pod.containers import check_containers
from katib.lint.pod.texts import (
    has_placeholder,
    is_label_name,
    is_label_value,
    is_qualified_name,
    is_subdomain,
)
from katib.lint.pod.volumes import check_volumes
from katib.lint.violation import Violation, check_word, list_items
from katib.objects import JsonObject

JOB: FieldPath = ("spec", "trialTemplate", "trialSpec")
JOB_SPEC: FieldPath = (*JOB, "spec")
TEMPLATE: FieldPath = (*JOB_SPEC, "template")
POD: FieldPath = (*TEMPLATE, "spec")
# Of the Job and of the pod: the least that is allowed.
LEAST: Mapping[FieldPath, int] = {
    (*JOB_SPEC, "activeDeadlineSeconds"): 1,
    (*JOB_SPEC, "backoffLimit"): 0,
    (*JOB_SPEC, "backoffLimitPerIndex"): 0,
    (*JOB_SPEC, "maxFailedIndexes"): 0,
    (*JOB_SPEC, "parallelism"): 1,
    (*JOB_SPEC, "completions"): 1,
    (*JOB_SPEC, "ttlSecondsAfterFinished"): 0,
    (*POD, "activeDeadlineSeconds"): 1,
    (*POD, "securityContext", "runAsUser"): 0,
    (*POD, "securityContext", "runAsGroup"): 0,
    (*POD, "securityContext", "fsGroup"): 0,
}
MOST_SECONDS = 2**31 - 1
WORDS: Mapping[FieldPath, tuple[str, ...]] = {
    (*JOB_SPEC, "completionMode"): ("NonIndexed", "Indexed"),
    (*JOB_SPEC, "podReplacementPolicy"): ("TerminatingOrFailed", "Failed"),
    (*POD, "dnsPolicy"): ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
    (*POD, "preemptionPolicy"): ("Never", "PreemptLowerPriority"),
    (*POD, "os", "name"): ("linux", "windows"),
    (*POD, "securityContext", "fsGroupChangePolicy"): ("OnRootMismatch", "Always"),
    (*POD, "securityContext", "seccompProfile", "type"): (
        "RuntimeDefault",
        "Unconfined",
        "Localhost",
    ),
}
SUBDOMAINS: tuple[FieldPath, ...] = (
    (*POD, "serviceAccountName"),
    (*POD, "nodeName"),
    (*POD, "priorityClassName"),
    (*POD, "runtimeClassName"),
)
LABELS = ("hostname", "subdomain")
OWN_LABELS = ("job-name", "controller-uid")
NODE_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
FAILURE_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
TOLERATION_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def check_job_rules(document: Document) -> Iterator[Violation]:
    """Yield every violation of Kubernetes' own rules in a batch/v1 Job, and of its labels."""
    yield from _check_metadata(document)
    job = document.get(*JOB)
    if not isinstance(job, dict):
        return
    if (job.get("apiVersion"), job.get("kind")) != ("batch/v1", "Job"):
        return
    yield from _check_numbers(document)
    yield from _check_fields(document)
    yield from _check_combinations(document)
    yield from _check_failure_rules(document)
    yield from _check_tolerations(document)
    yield from _check_node_affinity(document)
    yield from check_volumes(document, POD)
    yield from check_containers(document, POD)


def _check_metadata(document: Document) -> Iterator[Violation]:
    namespace = document.get("metadata", "namespace")
    if isinstance(namespace, str) and namespace and not is_label_name(namespace):
        message = f"{namespace!r} is no name of a namespace: up to 63 of a-z, 0-9 and '-'"
        yield Violation("K280", ("metadata", "namespace"), message)
    for path in ((), JOB, TEMPLATE):
        yield from check_labels(document, (*path, "metadata", "labels"))
        yield from _check_annotations(document, (*path, "metadata", "annotations"))
    yield from check_labels(document, (*POD, "nodeSelector"))


def check_labels(document: Document, path: FieldPath) -> Iterator[Violation]:
    """Yield K288 for the keys and values of labels."""
    for key, value in _mapping(document, path).items():
        at = (*path, str(key))
        if not is_qualified_name(str(key)) and not has_placeholder(key):
            yield Violation("K288", at, f"{key!r} is no key of a label")
        if isinstance(value, str) and not is_label_value(value) and not has_placeholder(value):
            message = f"{value!r} is no value of a label: up to 63 letters, digits, '-', '_' or '.'"
            yield Violation("K288", at, message)
    for name in OWN_LABELS:
        if path[:-2] == TEMPLATE and name in _mapping(document, path):
            message = "Kubernetes sets this label itself, to another value"
            yield Violation("K288", (*path, name), message, "leave it out")


def _check_annotations(document: Document, path: FieldPath) -> Iterator[Violation]:
    for key in _mapping(document, path):
        if not is_qualified_name(str(key).lower()) and not has_placeholder(key):
            yield Violation("K288", (*path, str(key)), f"{key!r} is no key of an annotation")


def _mapping(document: Document, path: FieldPath) -> JsonObject:
    value = document.get(*path)
    return value if isinstance(value, dict) else {}


def _check_numbers(document: Document) -> Iterator[Violation]:
    for path, least in LEAST.items():
        value = document.get(*path)
        if isinstance(value, bool) or not isinstance(value, int):
            continue
        if path[-1] == "backoffLimit":  # K182
            continue
        if value < least:
            message = f"must be at least {least}, is {value}"
            if value == 0:
                message = "is 0: no trial can run"
            yield Violation("K289", path, message)
        elif value > MOST_SECONDS:
            yield Violation("K289", path, f"must be at most {MOST_SECONDS}, is {value}")


def _check_fields(document: Document) -> Iterator[Violation]:
    for path, allowed in WORDS.items():
        value = document.get(*path)
        if value is not None and not has_placeholder(value):
            yield from check_word("K281", path, value, allowed)
    for path in SUBDOMAINS:
        value = document.get(*path)
        if not isinstance(value, str) or not value or has_placeholder(value):
            continue
        if not is_subdomain(value):
            yield Violation("K280", path, f"{value!r} is not a name that Kubernetes has")
    for name in LABELS:
        value = document.get(*POD, name)
        if isinstance(value, str) and not is_label_name(value) and not has_placeholder(value):
            yield Violation("K280", (*POD, name), f"{value!r} is not a label of DNS")


def _check_combinations(document: Document) -> Iterator[Violation]:
    job = _mapping(document, JOB_SPEC)
    pod = _mapping(document, POD)
    if job.get("selector") is not None and job.get("manualSelector") is not True:
        message = "must not be set: Kubernetes makes the selector of a Job"
        yield Violation("K290", (*JOB_SPEC, "selector"), message, "leave it out")
    elif job.get("manualSelector") is True and job.get("selector") is None:
        message = "needs a selector, and then all Trials would share it"
        yield Violation("K290", (*JOB_SPEC, "manualSelector"), message, "leave it out")
    indexed = job.get("completionMode") == "Indexed"
    if indexed and job.get("completions") is None and job.get("parallelism") is not None:
        message = "Indexed needs completions"
        yield Violation("K290", (*JOB_SPEC, "completionMode"), message)
    for name in ("backoffLimitPerIndex", "maxFailedIndexes", "successPolicy"):
        if job.get(name) is not None and not indexed:
            yield Violation("K290", (*JOB_SPEC, name), "needs completionMode: Indexed")
    if job.get("podFailurePolicy") is not None and pod.get("restartPolicy") == "OnFailure":
        message = "podFailurePolicy needs restartPolicy: Never"
        yield Violation("K290", (*POD, "restartPolicy"), message)
    if pod.get("hostPID") is True:
        message = "contradicts shareProcessNamespace, which Katib sets in every pod"
        yield Violation("K290", (*POD, "hostPID"), message, "leave it out")
    if pod.get("ephemeralContainers"):
        message = "cannot be part of a template"
        yield Violation("K290", (*POD, "ephemeralContainers"), message, "leave them out")


def _check_failure_rules(document: Document) -> Iterator[Violation]:
    for path, rule in list_items(document, *JOB_SPEC, "podFailurePolicy", "rules"):
        yield from check_word("K281", (*path, "action"), rule.get("action"), FAILURE_ACTIONS)
        at = (*path, "onExitCodes", "values")
        listed = document.get(*path, "onExitCodes", "operator") == "In"
        if listed and 0 in document.get_list(*at):
            yield Violation("K290", at, "0 is no failure, so In must not list it")


def _check_tolerations(document: Document) -> Iterator[Violation]:
    for path, toleration in list_items(document, *POD, "tolerations"):
        operator = toleration.get("operator", "Equal")
        yield from check_word("K281", (*path, "operator"), operator, ("Equal", "Exists"))
        if toleration.get("effect"):
            effect = toleration["effect"]
            yield from check_word("K281", (*path, "effect"), effect, TOLERATION_EFFECTS)
        yield from _check_label(path, toleration.get("key"), [toleration.get("value")])
        if not toleration.get("key") and operator != "Exists":
            yield Violation("K290", path, "without a key, operator must be Exists")
        if operator == "Exists" and toleration.get("value"):
            yield Violation("K290", (*path, "value"), "must be empty for Exists", "leave it out")
        is_limited = toleration.get("tolerationSeconds") is not None
        if is_limited and toleration.get("effect") != "NoExecute":
            yield Violation("K290", path, "tolerationSeconds needs effect: NoExecute")


def _check_node_affinity(document: Document) -> Iterator[Violation]:
    affinity = (*POD, "affinity", "nodeAffinity")
    required = (*affinity, "requiredDuringSchedulingIgnoredDuringExecution")
    preferred = (*affinity, "preferredDuringSchedulingIgnoredDuringExecution")
    terms = [term for term, _ in list_items(document, *required, "nodeSelectorTerms")]
    if document.get(*required) is not None and not terms:
        yield Violation("K290", required, "needs nodeSelectorTerms")
    terms += [(*term, "preference") for term, _ in list_items(document, *preferred)]
    for term in terms:
        for path, expression in list_items(document, *term, "matchExpressions"):
            operator = str(expression.get("operator"))
            yield from check_word("K281", (*path, "operator"), operator, NODE_OPERATORS)
            values = document.get_list(*path, "values")
            if operator in {"In", "NotIn"} and not values:
                yield Violation("K290", path, f"{operator} needs values")
            yield from _check_label(path, expression.get("key") or "?", values)


def _check_label(path: FieldPath, key: object, values: Sequence[object]) -> Iterator[Violation]:
    if isinstance(key, str) and key and not is_qualified_name(key) and not has_placeholder(key):
        yield Violation("K288", (*path, "key"), f"{key!r} is no key of a label")
    for value in values:
        if isinstance(value, str) and not is_label_value(value) and not has_placeholder(value):
            yield Violation("K288", path, f"{value!r} is no value of a label")
