"""A Trial's status on the API server, written by the account that Katib gives the service.

Two requests over Python's own HTTP: the Kubernetes client would take half as much memory as all
the rest together.
"""

import json
import re
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

from katib.cluster.responses import ApiRequest, error_of, not_kubernetes, read_answer
from katib.earlystopping.observation import Observation
from katib.errors import ClusterUnreachable, Missing, Refused
from katib.objects import JsonObject, KatibObject, has_observation

GROUP = "/apis/kubeflow.org/v1beta1"
OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")  # of an object in Kubernetes
PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)  # seconds after a try, before the next
TIMEOUT = 10.0  # seconds, of one request
MERGE_PATCH = "application/merge-patch+json"
STOPPED = {
    "type": "EarlyStopped",
    "status": "True",
    "reason": "TrialEarlyStopped",
    "message": "Trial is early stopped",
}


@dataclass(frozen=True, slots=True)
class TrialStatuses:
    """The Trials of the service's own namespace, as far as their status goes.

    Attributes:
        url: of the API server.
        account: folder with the files `token`, `ca.crt` and `namespace` of a service account.
    """

    url: str
    account: Path

    def mark_stopped(self, name: str, observe: Callable[[KatibObject], Observation]) -> bool:
        """Append the condition EarlyStopped, whatever other conditions the Trial has.

        Katib's own service does the same, and no more. The observation comes in the same patch, for
        without it the Experiment would wait for this Trial for ever. Katib's collector asks once,
        for a trial that it has stopped, and its pod fails if we answer with an error; so errors
        that may pass are retried. A Trial that fails is replaced, one without an observation is
        not. Returns False when the Trial has both already.

        Args:
            name: of the Trial.
            observe: returns the observation of a Trial that has none.

        Raises:
            Missing: when there is no such Trial.
            Forbidden: when the account may not write it.
            Refused: when the API server says no, or none is known.
            ClusterUnreachable: when it does not answer, or the Trial changes each time before it
                is written, or there is no observation.
        """
        if not OBJECT_NAME.fullmatch(name):
            raise Missing(f"{name[:80]!r} is no name of a Trial")
        for pause in PAUSES:
            try:
                return self._mark_once(name, observe)
            except ClusterUnreachable:
                # Only another try can tell whether the API server answers again.
                time.sleep(pause)
        return self._mark_once(name, observe)

    def _mark_once(self, name: str, observe: Callable[[KatibObject], Observation]) -> bool:
        namespace = self._read_account("namespace")
        path = f"{GROUP}/namespaces/{namespace}/trials/{name}"
        asked = ApiRequest("get", "trials", namespace, name)
        trial = self._request_json("GET", path, asked)
        changes: JsonObject = {}
        conditions = (trial.get("status") or {}).get("conditions") or []
        if not any(map(_is_stopped, conditions)):
            changes["conditions"] = [*conditions, _stopped_now()]
        if not has_observation(trial):
            changes["observation"] = {"metrics": observe(trial)}
        if not changes:
            return False
        # With the version that was read, the API server refuses to overwrite later changes.
        metadata = {"resourceVersion": _resource_version(trial, asked)}
        patching = ApiRequest("patch", "trials/status", namespace, name)
        patch = {"metadata": metadata, "status": changes}
        self._request_json("PATCH", f"{path}/status", patching, patch)
        return True

    def _request_json(
        self, method: str, path: str, asked: ApiRequest, body: KatibObject | None = None
    ) -> JsonObject:
        token = self._read_account("token")
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        content: bytes | None = None
        if body:
            headers["Content-Type"] = MERGE_PATCH
            content = json.dumps(body).encode()
        connection = self._connect()
        try:
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            data = response.read()
        except (OSError, HTTPException) as error:
            raise ClusterUnreachable(f"{asked}: {self.url} does not answer: {error!r}") from error
        finally:
            connection.close()
        if response.status == HTTPStatus.CONFLICT:
            raise ClusterUnreachable(f"{asked}: it changes each time before it is written")
        if response.status != HTTPStatus.OK:
            raise error_of(response.status, data, asked)
        return read_answer(data, asked)

    def _connect(self) -> HTTPConnection:
        address = urlsplit(self.url)
        if not address.hostname:
            raise Refused(
                "no API server is known, as KUBERNETES_SERVICE_HOST is not set",
                hint="--api-server names one",
            )
        if address.scheme == "http":
            return HTTPConnection(address.hostname, address.port, timeout=TIMEOUT)
        try:
            trusted = ssl.create_default_context(cafile=str(self.account / "ca.crt"))
        except OSError as error:
            raise _no_account(self.account / "ca.crt", error) from error
        return HTTPSConnection(address.hostname, address.port, timeout=TIMEOUT, context=trusted)

    def _read_account(self, name: str) -> str:
        """Read a file of the account; each time, as tokens are renewed."""
        try:
            return (self.account / name).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise _no_account(self.account / name, error) from error


def _is_stopped(condition: KatibObject) -> bool:
    return condition.get("type") == STOPPED["type"] and condition.get("status") == "True"


def _stopped_now() -> dict[str, str]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return STOPPED | {"lastUpdateTime": now, "lastTransitionTime": now}


def _resource_version(trial: KatibObject, asked: ApiRequest) -> str:
    try:
        return str(trial["metadata"]["resourceVersion"])
    except (KeyError, TypeError) as error:
        raise not_kubernetes(asked) from error


def _no_account(path: Path, error: OSError) -> Refused:
    return Refused(
        f"{path}: {error.strerror or error}",
        hint="the pod needs a service account's token, see --account",
    )
