"""What the API server's answers mean: documents, events, and errors with what is wrong and what to do next."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from katib.errors import (
    AlreadyExists,
    ClusterError,
    ClusterUnreachable,
    Forbidden,
    Missing,
    Refused,
)

LONGEST = 400  # characters of somebody else's message; Katib puts whole templates into some
DENIED = re.compile(r'(?:^|.*?: )?admission webhook "[^"]+" denied the request: ', re.DOTALL)
WEBHOOK_DOWN = "failed calling webhook"
RIGHTS = "an administrator grants it with `kubectl create rolebinding`; see also `kubectl auth can-i --list`"


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of the API server."""

    verb: str
    kind: str
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        place = "/".join(part for part in (self.namespace, self.name) if part)
        return f"{self.verb} {self.kind} {place}".strip()


def query(fields: Mapping[str, str]) -> str:
    """Return the fields as the end of an address."""
    return f"?{urlencode(fields)}" if fields else ""


def shortened(text: str) -> str:
    """Return a message on one line, cut where it is long."""
    line = " ".join(text.split())
    if len(line) <= LONGEST:
        return line
    return line[: LONGEST - 1] + "…"


def document(data: bytes, asked: Asked) -> dict[str, Any]:
    """Return an answer's JSON object.

    Raises:
        ClusterUnreachable: when it is none: a proxy or another program answers.
    """
    try:
        value = json.loads(data)
    except ValueError as error:
        raise nonsense(asked) from error
    if not isinstance(value, dict):
        raise nonsense(asked)
    return value


def event(line: bytes, asked: Asked) -> dict[str, Any]:
    """Return one event of a watch.

    Raises:
        ClusterError: when the line is an error, or no event.
    """
    value = document(line, asked)
    if not isinstance(value.get("object"), dict):
        raise nonsense(asked)
    if value.get("type") == "ERROR":
        status = value["object"]
        raise failure(
            int(status.get("code") or HTTPStatus.INTERNAL_SERVER_ERROR),
            json.dumps(status).encode(),
            asked,
        )
    return value


def nonsense(asked: Asked) -> ClusterUnreachable:
    """Return the error for an answer that is not Kubernetes'."""
    return ClusterUnreachable(
        f"{asked}: what answers does not speak as a Kubernetes API server does",
        hint="look at the address in `kubectl config view --minify`",
    )


def failure(code: int, data: bytes, asked: Asked) -> ClusterError:
    """Return the error for an answer that is not a success.

    The order matters: Katib's webhooks refuse with 400, others with 403, which otherwise speaks of missing rights.
    """
    status = _status(data)
    message = str(status.get("message") or data.decode(errors="replace") or f"HTTP {code}")
    if DENIED.match(message):
        return Refused(
            f"{asked}: {shortened(DENIED.sub('', message, count=1))}", hint=_hint(message, asked)
        )
    if WEBHOOK_DOWN in message:
        hint = "see whether it runs: `kubectl -n kubeflow get pods -l katib.kubeflow.org/component=controller`"
        return ClusterUnreachable(
            f"{asked}: Katib's controller does not answer: {shortened(message)}", hint=hint
        )
    if code == HTTPStatus.NOT_FOUND:
        return _missing(status, asked)
    if code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return _forbidden(code, message, asked)
    return _other(code, message, asked, reason=str(status.get("reason")))


def _other(code: int, message: str, asked: Asked, *, reason: str) -> ClusterError:
    if code == HTTPStatus.CONFLICT and reason == "AlreadyExists":
        return AlreadyExists(f"{asked}: it exists already", hint="choose another metadata.name")
    if code < HTTPStatus.BAD_REQUEST:  # a redirection, to somebody's login page
        return nonsense(asked)
    if (
        code in {HTTPStatus.GONE, HTTPStatus.TOO_MANY_REQUESTS}
        or code >= HTTPStatus.INTERNAL_SERVER_ERROR
    ):
        return ClusterUnreachable(
            f"{asked}: HTTP {code}: {shortened(message)}", hint="try again in a while"
        )
    return Refused(
        f"{asked}: {shortened(message)}", hint="mend it, then run the same command again"
    )


def _status(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _hint(message: str, asked: Asked) -> str:
    if "lacks label" in message:
        return f"`kubectl label namespace {asked.namespace} katib.kubeflow.org/metrics-collector-injection=enabled`"
    return "mend it, then run the same command again; `tunegate lint` names the line"


def _missing(status: Mapping[str, Any], asked: Asked) -> Missing:
    details = status.get("details") or {}
    if details.get("kind") == "namespaces":
        return Missing(
            f"{asked}: there is no namespace {details.get('name')}",
            hint=f"`kubectl create namespace {details.get('name')}`",
        )
    if details.get("name"):  # without one, the API server does not know the kind
        return Missing(
            f"{asked}: not found", hint=f"see `kubectl get {asked.kind} --all-namespaces`"
        )
    return Missing(
        f"{asked}: Katib is not installed on this cluster", hint="`tunegate cluster install`"
    )


def _forbidden(code: int, message: str, asked: Asked) -> Forbidden:
    if code == HTTPStatus.UNAUTHORIZED:
        return Forbidden(
            f"{asked}: the cluster does not know this account", hint="log in to the cluster again"
        )
    return Forbidden(
        f"{asked}: may not {asked.verb} {asked.kind}: {shortened(message)}", hint=RIGHTS
    )
