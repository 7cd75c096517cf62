"""A Trial's status on the API server, written by the account that Katib gives the service.

Two requests over Python's own HTTP: the Kubernetes client would take half as much memory as all the rest together.
"""

import json
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from katib.cluster.responses import Asked, document, failure, nonsense
from katib.errors import ClusterUnreachable, Missing, Refused

GROUP = "/apis/kubeflow.org/v1beta1"
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")  # of an object in Kubernetes
PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)  # seconds after a try, before the next
ANSWER = 10.0  # seconds for one answer
MERGE = "application/merge-patch+json"
STOPPED = {
    "type": "EarlyStopped",
    "status": "True",
    "reason": "TrialEarlyStopped",
    "message": "Trial is early stopped",
}


@dataclass(frozen=True, slots=True)
class Trials:
    """The Trials of the service's own namespace.

    Attributes:
        url: of the API server.
        account: folder with the files `token`, `ca.crt` and `namespace` of a service account.
    """

    url: str
    account: Path

    def mark(self, name: str) -> bool:
        """Append the condition EarlyStopped, as Katib's own service does, whatever else has become of the Trial.

        Katib's collector asks once, for a trial that it has stopped, and its pod fails with an error of ours; so what
        may pass is tried again. Returns whether there was anything to write.

        Raises:
            Missing: when there is no such Trial.
            Forbidden: when the account may not write it.
            Refused: when the API server says no, or none is known.
            ClusterUnreachable: when it does not answer, or the Trial changes each time before it is written.
        """
        if not NAME.fullmatch(name):
            raise Missing(f"{name[:80]!r} is no name of a Trial")
        for pause in PAUSES:
            try:
                return self._mark(name)
            except ClusterUnreachable:
                time.sleep(
                    pause
                )  # an API server that does not answer announces nothing: only the next try can tell
        return self._mark(name)

    def _mark(self, name: str) -> bool:
        namespace = self._read("namespace")
        path = f"{GROUP}/namespaces/{namespace}/trials/{name}"
        asked = Asked("get", "trials", namespace, name)
        trial = self._ask("GET", path, asked)
        conditions = (trial.get("status") or {}).get("conditions") or []
        if any(
            each.get("type") == STOPPED["type"] and each.get("status") == "True"
            for each in conditions
        ):
            return False
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        stopped = STOPPED | {"lastUpdateTime": now, "lastTransitionTime": now}
        # With the version that was read, the API server refuses to overwrite what others have written since.
        patch = {
            "metadata": {"resourceVersion": _version(trial, asked)},
            "status": {"conditions": [*conditions, stopped]},
        }
        self._ask(
            "PATCH", f"{path}/status", Asked("patch", "trials/status", namespace, name), patch
        )
        return True

    def _ask(
        self, method: str, path: str, asked: Asked, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._read('token')}", "Accept": "application/json"}
        headers |= {"Content-Type": MERGE} if body else {}
        connection = self._connection()
        try:
            connection.request(method, path, json.dumps(body).encode() if body else None, headers)
            response = connection.getresponse()
            data = response.read()
        except (OSError, HTTPException) as error:
            raise ClusterUnreachable(f"{asked}: {self.url} does not answer: {error!r}") from error
        finally:
            connection.close()
        if response.status == HTTPStatus.CONFLICT:
            raise ClusterUnreachable(f"{asked}: it changes each time before it is written")
        if response.status != HTTPStatus.OK:
            raise failure(response.status, data, asked)
        return document(data, asked)

    def _connection(self) -> HTTPConnection:
        address = urlsplit(self.url)
        if not address.hostname:
            raise Refused(
                "no API server is known, as KUBERNETES_SERVICE_HOST is not set",
                hint="--api-server names one",
            )
        if address.scheme == "http":
            return HTTPConnection(address.hostname, address.port, timeout=ANSWER)
        try:
            trusted = ssl.create_default_context(cafile=str(self.account / "ca.crt"))
        except OSError as error:
            raise _no_account(self.account / "ca.crt", error) from error
        return HTTPSConnection(address.hostname, address.port, timeout=ANSWER, context=trusted)

    def _read(self, name: str) -> str:
        """Read a file of the account, anew each time: tokens are renewed."""
        try:
            return (self.account / name).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise _no_account(self.account / name, error) from error


def _version(trial: Mapping[str, Any], asked: Asked) -> str:
    try:
        return str(trial["metadata"]["resourceVersion"])
    except (KeyError, TypeError) as error:
        raise nonsense(asked) from error


def _no_account(path: Path, error: OSError) -> Refused:
    return Refused(
        f"{path}: {error.strerror or error}",
        hint="the pod needs a service account's token, see --account",
    )
