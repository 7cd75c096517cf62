"""Kubernetes' rules for the containers of a pod, init containers included."""

import re
from collections.abc import Iterator, Mapping

from katib.document import Document, FieldPath
from katib.lint.pod.resources import check_resources
from katib.lint.pod.texts import (
    climbs,
    has_placeholder,
    is_config_key,
    is_env_name,
    is_image,
    is_label_name,
    is_port_name,
    is_subdomain,
)
from katib.lint.violation import Violation, check_word, list_items
from katib.objects import JsonObject

MOST_PORT = 65535
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
PROTOCOLS = ("TCP", "UDP", "SCTP")
TERMINATION = ("File", "FallbackToLogsOnError")
PROPAGATION = ("None", "HostToContainer", "Bidirectional")
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
LEAST_OF_PROBE = {
    "initialDelaySeconds": 0,
    "timeoutSeconds": 1,
    "periodSeconds": 1,
    "successThreshold": 1,
    "failureThreshold": 1,
}
ENV_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
RESOURCE_FIELD = re.compile(r"(?:limits|requests)\.(?:cpu|memory|ephemeral-storage|hugepages-.+)")
KATIBS_NAMES = ("metrics-logger-and-collector", "metrics-collector")
TRIAL_NAME = "KATIB_TRIAL_NAME"


def check_containers(document: Document, pod: FieldPath) -> Iterator[Violation]:
    """Yield every violation in the containers of the pod at `pod`."""
    names: dict[str, int] = {}
    for kind in ("containers", "initContainers"):
        for path, container in list_items(document, *pod, kind):
            name = str(container.get("name") or "")
            if kind == "initContainers" and name in names:
                yield Violation("K239", (*path, "name"), f"{name} occurs twice")
            names[name] = 1
            yield from _check_container(document, path, container)
            if kind == "initContainers" and container.get("restartPolicy") != "Always":
                yield from _check_init_container(path, container)


def _check_container(
    document: Document, path: FieldPath, container: JsonObject
) -> Iterator[Violation]:
    name = str(container.get("name") or "")
    if not is_label_name(name) and not has_placeholder(name):
        message = f"{name!r} is no name of a container: up to 63 of a-z, 0-9 and '-'"
        yield Violation("K280", (*path, "name"), message)
    if name in KATIBS_NAMES:
        message = f"Katib's collector is called {name}, too"
        yield Violation("K239", (*path, "name"), message, "give it another name")
    yield from _check_image(path, container)
    words: Mapping[str, tuple[str, ...]] = {
        "imagePullPolicy": PULL_POLICIES,
        "terminationMessagePolicy": TERMINATION,
        "restartPolicy": ("Always",),
    }
    for field, allowed in words.items():
        value = container.get(field)
        if value and not has_placeholder(value):
            if len(allowed) == 1 and "initContainers" not in path:
                message = "a container's own policy is for init containers alone"
                yield Violation("K290", (*path, field), message, "leave it out")
            elif len(allowed) > 1:
                yield from check_word("K281", (*path, field), value, allowed)
    yield from _check_ports(document, path)
    yield from _check_env(document, path)
    yield from _check_mounts(document, path)
    yield from _check_probes(document, path)
    yield from _check_security(document, path)
    yield from check_resources(document, (*path, "resources"))


def _check_image(path: FieldPath, container: JsonObject) -> Iterator[Violation]:
    image = container.get("image")
    if not image and "initContainers" in path:
        yield Violation("K235", path, "image is missing")
    if not isinstance(image, str) or not image or has_placeholder(image):
        return
    if not is_image(image):
        message = f"{image!r} is no address of an image: every pod ends in InvalidImageName"
        fix = ""
        if any(letter.isupper() for letter in image.partition(":")[0]):
            fix = "its path is in lower case"
        yield Violation("K282", (*path, "image"), message, fix)


def _check_ports(document: Document, path: FieldPath) -> Iterator[Violation]:
    names: set[object] = set()
    for at, port in list_items(document, *path, "ports"):
        for field in ("containerPort", "hostPort"):
            number = port.get(field)
            if isinstance(number, int) and not isinstance(number, bool):
                least = 0 if field == "hostPort" else 1
                if not least <= number <= MOST_PORT:
                    message = f"must be from 1 to {MOST_PORT}, is {number}"
                    yield Violation("K289", (*at, field), message)
        if port.get("containerPort") is None:
            yield Violation("K289", at, "containerPort is missing")
        name = str(port.get("name") or "")
        if name and not is_port_name(name):
            message = f"{name!r} is no name of a port: up to 15 of a-z, 0-9 and '-'"
            yield Violation("K280", (*at, "name"), message)
        if name and name in names:
            yield Violation("K280", (*at, "name"), f"{name} occurs twice")
        names.add(name)
        if port.get("protocol"):
            yield from check_word("K281", (*at, "protocol"), port["protocol"], PROTOCOLS)


def _check_env(document: Document, path: FieldPath) -> Iterator[Violation]:
    for at, variable in list_items(document, *path, "env"):
        name = str(variable.get("name") or "")
        if has_placeholder(name):
            continue
        if not name or "=" in name:
            yield Violation("K287", (*at, "name"), f"{name!r} is no name of a variable")
        elif not is_env_name(name):
            message = f"{name!r} is no name of a variable: letters, digits, '_', '-' and '.'"
            yield Violation("K287", (*at, "name"), message)
        yield from _check_env_source(at, variable)
    for at, source in list_items(document, *path, "envFrom"):
        kinds = [kind for kind in ("configMapRef", "secretRef") if source.get(kind) is not None]
        if len(kinds) != 1:
            yield Violation("K287", at, "exactly one of configMapRef and secretRef is needed")
        for kind in kinds:
            reference = source[kind]
            if not isinstance(reference, dict) or not is_subdomain(str(reference.get("name"))):
                yield Violation("K280", (*at, kind), "needs the name of an object")


def _check_env_source(path: FieldPath, variable: JsonObject) -> Iterator[Violation]:
    source = variable.get("valueFrom")
    if not isinstance(source, dict):
        return
    if variable.get("value"):
        yield Violation("K287", path, "must not have both value and valueFrom", "keep one")
    kinds = [kind for kind in ENV_SOURCES if source.get(kind) is not None]
    if len(kinds) != 1:
        message = f"exactly one of {', '.join(ENV_SOURCES)} is needed"
        yield Violation("K287", (*path, "valueFrom"), message)
        return
    reference = source[kinds[0]]
    fields = reference if isinstance(reference, dict) else {}
    at = (*path, "valueFrom", kinds[0])
    if kinds[0] == "fieldRef":
        field = str(fields.get("fieldPath") or "")
        base = field.partition("[")[0]
        if field not in FIELDS and base not in {"metadata.labels", "metadata.annotations"}:
            message = f"{field!r} is no field that a variable can have"
            yield Violation("K287", at, message, f"known: {', '.join(FIELDS)}")
    elif kinds[0] == "resourceFieldRef":
        if not RESOURCE_FIELD.fullmatch(str(fields.get("resource"))):
            message = "resource must be an amount of the container, such as limits.cpu"
            yield Violation("K287", at, message)
    elif kinds[0] in {"configMapKeyRef", "secretKeyRef"}:
        yield from _check_reference(at, fields)


def _check_reference(path: FieldPath, fields: JsonObject) -> Iterator[Violation]:
    for name, is_valid in (("name", is_subdomain), ("key", is_config_key)):
        value = str(fields.get(name) or "")
        if not value:
            yield Violation("K287", path, f"{name} is missing")
        elif not is_valid(value) and not has_placeholder(value):
            yield Violation("K287", (*path, name), f"{value!r} is no {name} of an object")


def _check_mounts(document: Document, path: FieldPath) -> Iterator[Violation]:
    places: set[str] = set()
    for at, mount in list_items(document, *path, "volumeMounts"):
        place = str(mount.get("mountPath") or "")
        if has_placeholder(place):
            continue
        if not place:
            yield Violation("K286", at, "mountPath is empty")
        if place in places:
            yield Violation("K286", (*at, "mountPath"), f"{place} is mounted at twice")
        places.add(place)
        if mount.get("subPath") and mount.get("subPathExpr"):
            yield Violation("K286", at, "must not have both subPath and subPathExpr")
        for name in ("subPath", "subPathExpr"):
            inner = str(mount.get(name) or "")
            if (inner.startswith("/") or climbs(inner)) and not has_placeholder(inner):
                message = f"{inner!r} must be a path inside of the volume"
                yield Violation("K286", (*at, name), message, "without / in front and without ..")
        if mount.get("mountPropagation"):
            value = mount["mountPropagation"]
            yield from check_word("K281", (*at, "mountPropagation"), value, PROPAGATION)


def _check_probes(document: Document, path: FieldPath) -> Iterator[Violation]:
    for name in PROBES:
        probe = document.get(*path, name)
        if not isinstance(probe, dict):
            continue
        at = (*path, name)
        yield from _check_handler(at, probe, HANDLERS)
        for field, least in LEAST_OF_PROBE.items():
            value = probe.get(field)
            if isinstance(value, int) and not isinstance(value, bool) and value < least:
                yield Violation("K291", (*at, field), f"must be at least {least}, is {value}")
        threshold = probe.get("successThreshold", 1)
        if name != "readinessProbe" and isinstance(threshold, int) and threshold > 1:
            yield Violation("K291", (*at, "successThreshold"), "must be 1 for this probe")
    for name in ("postStart", "preStop"):
        hook = document.get(*path, "lifecycle", name)
        if isinstance(hook, dict):
            handlers = ("exec", "httpGet", "tcpSocket", "sleep")
            yield from _check_handler((*path, "lifecycle", name), hook, handlers)


def _check_handler(
    path: FieldPath, probe: JsonObject, known: tuple[str, ...]
) -> Iterator[Violation]:
    handlers = [name for name in known if probe.get(name) is not None]
    if len(handlers) != 1:
        yield Violation("K291", path, f"exactly one of {', '.join(known)} is needed")
        return
    fields = probe[handlers[0]] if isinstance(probe[handlers[0]], dict) else {}
    at = (*path, handlers[0])
    if handlers[0] == "exec" and not fields.get("command"):
        yield Violation("K291", at, "command is missing")
    if handlers[0] in {"httpGet", "tcpSocket", "grpc"}:
        port = fields.get("port")
        if isinstance(port, int) and not isinstance(port, bool):
            if not 1 <= port <= MOST_PORT:
                message = f"must be from 1 to {MOST_PORT}, is {port}"
                yield Violation("K291", (*at, "port"), message)
        elif not is_port_name(str(port)):
            yield Violation("K291", at, "needs the number or the name of a port")
    if handlers[0] == "httpGet" and fields.get("scheme"):
        yield from check_word("K281", (*at, "scheme"), fields["scheme"], ("HTTP", "HTTPS"))


def _check_security(document: Document, path: FieldPath) -> Iterator[Violation]:
    context = document.get(*path, "securityContext")
    if not isinstance(context, dict):
        return
    at = (*path, "securityContext")
    for name in ("runAsUser", "runAsGroup"):
        value = context.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value < 0:
            yield Violation("K289", (*at, name), f"must be at least 0, is {value}")
    if context.get("allowPrivilegeEscalation") is False:
        added = document.get_list(*at, "capabilities", "add")
        if context.get("privileged") is True or {"CAP_SYS_ADMIN", "SYS_ADMIN"} & set(
            map(str, added)
        ):
            message = "contradicts privileged, or the capability SYS_ADMIN"
            yield Violation("K290", (*at, "allowPrivilegeEscalation"), message, "leave one out")
    if context.get("runAsNonRoot") is True and context.get("runAsUser") == 0:
        message = "contradicts runAsUser: 0, which is root: no container starts"
        yield Violation("K290", (*at, "runAsNonRoot"), message)


def _check_init_container(path: FieldPath, container: JsonObject) -> Iterator[Violation]:
    for name in (*PROBES, "lifecycle"):
        if container.get(name) is not None:
            yield Violation("K291", (*path, name), "an init container has none", "leave it out")
