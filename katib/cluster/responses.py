"""Read the API server's answers: objects, events, and errors with what is wrong and what to do."""

import json
import re
from dataclasses import dataclass
from http import HTTPStatus

from katib.errors import (
    AlreadyExists,
    ClusterError,
    ClusterUnreachable,
    Forbidden,
    Missing,
    Refused,
)
from katib.objects import JsonObject, KatibObject

LONGEST = 400  # characters kept of a server's message; Katib puts whole templates into some
DENIED = re.compile(r'(?:^|.*?: )?admission webhook "[^"]+" denied the request: ', re.DOTALL)
WEBHOOK_DOWN = "failed calling webhook"
RIGHTS = (
    "an administrator grants it with `kubectl create rolebinding`; "
    "see also `kubectl auth can-i --list`"
)
CONTROLLER_PODS = "kubectl -n kubeflow get pods -l katib.kubeflow.org/component=controller"
INJECTION = "katib.kubeflow.org/metrics-collector-injection"


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """What a request wants of the API server, in the words of its error messages."""

    verb: str
    kind: str
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        place = "/".join(part for part in (self.namespace, self.name) if part)
        return f"{self.verb} {self.kind} {place}".strip()


def one_line(text: str) -> str:
    """Return a message on one line, cut where it is long."""
    line = " ".join(text.split())
    if len(line) <= LONGEST:
        return line
    return line[: LONGEST - 1] + "…"


def read_answer(data: bytes, request: ApiRequest) -> JsonObject:
    """Return an answer's JSON object.

    Raises:
        ClusterUnreachable: when it is none, since a proxy or another program has answered.
    """
    try:
        value = json.loads(data)
    except ValueError as error:
        raise not_kubernetes(request) from error
    if not isinstance(value, dict):
        raise not_kubernetes(request)
    return value


def read_event(line: bytes, request: ApiRequest) -> JsonObject:
    """Return one event of a watch.

    Raises:
        ClusterError: when the line is an error, or no event.
    """
    value = read_answer(line, request)
    if not isinstance(value.get("object"), dict):
        raise not_kubernetes(request)
    if value.get("type") == "ERROR":
        status = value["object"]
        raise error_of(
            int(status.get("code") or HTTPStatus.INTERNAL_SERVER_ERROR),
            json.dumps(status).encode(),
            request,
        )
    return value


def not_kubernetes(request: ApiRequest) -> ClusterUnreachable:
    """Return the error for an answer that no Kubernetes API server would give."""
    return ClusterUnreachable(
        f"{request}: what answers does not speak as a Kubernetes API server does",
        hint="look at the address in `kubectl config view --minify`",
    )


def error_of(code: int, data: bytes, request: ApiRequest) -> ClusterError:
    """Return the error that an unsuccessful answer means.

    The order matters: Katib's webhooks refuse with 400, others with 403, which otherwise means
    missing rights.
    """
    status = _read_status(data)
    message = str(status.get("message") or data.decode(errors="replace") or f"HTTP {code}")
    if DENIED.match(message):
        return Refused(
            f"{request}: {one_line(DENIED.sub('', message, count=1))}",
            hint=_refusal_hint(message, request),
        )
    if WEBHOOK_DOWN in message:
        hint = f"see whether it runs: `{CONTROLLER_PODS}`"
        return ClusterUnreachable(
            f"{request}: Katib's controller does not answer: {one_line(message)}", hint=hint
        )
    if code == HTTPStatus.NOT_FOUND:
        return _not_found(status, request)
    if code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return _access_denied(code, message, request)
    return _other_error(code, message, request, reason=str(status.get("reason")))


def _other_error(code: int, message: str, request: ApiRequest, *, reason: str) -> ClusterError:
    if code == HTTPStatus.CONFLICT and reason == "AlreadyExists":
        return AlreadyExists(f"{request}: it exists already", hint="choose another metadata.name")
    if code < HTTPStatus.BAD_REQUEST:  # a redirection, to somebody's login page
        return not_kubernetes(request)
    if (
        code in {HTTPStatus.GONE, HTTPStatus.TOO_MANY_REQUESTS}
        or code >= HTTPStatus.INTERNAL_SERVER_ERROR
    ):
        return ClusterUnreachable(
            f"{request}: HTTP {code}: {one_line(message)}", hint="try again in a while"
        )
    return Refused(
        f"{request}: {one_line(message)}", hint="fix it, then run the same command again"
    )


def _read_status(data: bytes) -> JsonObject:
    try:
        value = json.loads(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _refusal_hint(message: str, request: ApiRequest) -> str:
    if "lacks label" in message:
        return f"`kubectl label namespace {request.namespace} {INJECTION}=enabled`"
    return "fix it, then run the same command again; `tunegate lint` names the line"


def _not_found(status: KatibObject, request: ApiRequest) -> Missing:
    details = status.get("details") or {}
    if details.get("kind") == "namespaces":
        return Missing(
            f"{request}: there is no namespace {details.get('name')}",
            hint=f"`kubectl create namespace {details.get('name')}`",
        )
    if details.get("name"):  # without one, the API server does not know the kind
        return Missing(
            f"{request}: not found", hint=f"see `kubectl get {request.kind} --all-namespaces`"
        )
    return Missing(
        f"{request}: Katib is not installed on this cluster", hint="`tunegate cluster install`"
    )


def _access_denied(code: int, message: str, request: ApiRequest) -> Forbidden:
    if code == HTTPStatus.UNAUTHORIZED:
        return Forbidden(
            f"{request}: the cluster does not know this account", hint="log in to the cluster again"
        )
    return Forbidden(
        f"{request}: may not {request.verb} {request.kind}: {one_line(message)}", hint=RIGHTS
    )
