"""Kubernetes' API in plain dicts: the only module that knows the `kubernetes` package.

That package reads the kubeconfig and brings TLS and credentials. Requests go over its connection pool, which is the
same in all its versions, whereas its generated methods change names and types from one to the next.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3
import yaml
from kubernetes import client, config

from katib.cluster import responses
from katib.errors import ClusterUnreachable, Missing

KATIB = "/apis/kubeflow.org/v1beta1"
CORE = "/api/v1"
BATCH = "/apis/batch/v1"
GROUPS = {
    "experiments": KATIB,
    "suggestions": KATIB,
    "trials": KATIB,
    "jobs": BATCH,
    "pods": CORE,
    "events": CORE,
    "configmaps": CORE,
}
CONNECT = 5.0
READ = 30.0  # seconds
SILENCE = 10.0  # a watch ends itself at the time it was given; nothing for so long after it means a dead connection
OK = range(200, 300)


class Kube:
    """One cluster's API server, by one account."""

    def __init__(self, api: Any) -> None:  # noqa: ANN401 - an ApiClient, whose type differs between versions
        self._api = api

    def namespace(self, name: str) -> dict[str, Any]:
        """Return a Namespace; raises as `get` does."""
        return self._json(
            "GET", f"{CORE}/namespaces/{name}", responses.Asked("get", "namespaces", name=name)
        )

    def get(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        """Return one object; `kind` is the plural of its name, a key of `GROUPS`.

        Raises:
            Missing: when it, or its kind, does not exist.
            Forbidden: when the account may not read it.
            ClusterUnreachable: when the API server does not answer.
        """
        return self._json(
            "GET", _path(kind, namespace, name), responses.Asked("get", kind, namespace, name)
        )

    def list(
        self, kind: str, namespace: str, *, name: str = "", labels: str = ""
    ) -> tuple[list[dict[str, Any]], str]:
        """Return the objects of a kind and the version from which a watch goes on; raises as `get` does.

        An object's own version is none to watch from: the API server forgets versions within minutes, and an object
        that did not change for longer has one that is forgotten.
        """
        asked = responses.Asked("list", kind, namespace)
        found = self._json("GET", _path(kind, namespace), asked, query=_selectors(name, labels))
        try:
            return list(found["items"]), str(found["metadata"]["resourceVersion"])
        except (KeyError, TypeError) as error:
            raise responses.nonsense(asked) from error

    def create(self, kind: str, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object and return it as the API server has it; raises as `get` does.

        Raises:
            Refused: when the API server or a webhook says no.
            AlreadyExists: when the name is taken.
        """
        asked = responses.Asked("create", kind, namespace, str(body["metadata"].get("name", "")))
        return self._json("POST", _path(kind, namespace), asked, body=body)

    def watch(
        self,
        kind: str,
        namespace: str,
        *,
        version: str,
        seconds: float,
        name: str = "",
        labels: str = "",
    ) -> Iterator[dict[str, Any]]:
        """Yield events from `version` on until the API server ends the watch, at the latest after `seconds`.

        Raises:
            ClusterUnreachable: when the connection breaks, or `version` is forgotten: list anew, then watch again.
        """
        asked = responses.Asked("watch", kind, namespace)
        query = _selectors(name, labels) | {
            "watch": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(max(1, int(seconds))),
        }
        response = self._request(
            "GET", _path(kind, namespace), asked, query=query, read=seconds + SILENCE
        )
        try:
            with _translated(asked):
                for line in response:
                    yield responses.event(line, asked)
        finally:
            response.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._api.rest_client.pool_manager.clear()

    def _json(
        self,
        method: str,
        path: str,
        asked: responses.Asked,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        response = self._request(method, path, asked, query=query, body=body)
        with _translated(asked):
            return responses.document(response.data, asked)

    def _request(
        self,
        method: str,
        path: str,
        asked: responses.Asked,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        read: float = READ,
    ) -> Any:  # noqa: ANN401 - urllib3's response
        headers = {"Accept": "application/json", "User-Agent": "tunegate", **self._credentials()}
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        with _translated(asked):
            response = self._api.rest_client.pool_manager.request(
                method,
                self._api.configuration.host + path + responses.query(query or {}),
                body=content,
                headers=headers,
                timeout=urllib3.Timeout(connect=CONNECT, read=read),
                retries=False,
                preload_content=False,
            )
            if response.status not in OK:
                raise responses.failure(response.status, response.data, asked)
        return response

    def _credentials(self) -> dict[str, str]:
        """Return the account's header; asked for each time, since tokens are renewed."""
        settings = self._api.configuration.auth_settings().values()
        return {
            entry["key"]: entry["value"]
            for entry in settings
            if entry["in"] == "header" and entry["value"]
        }


def connect(context: str = "") -> Kube:
    """Connect as the kubeconfig says (`KUBECONFIG`, or the one in the home folder), or as a pod's own account.

    Args:
        context: a context of the kubeconfig; the current one where empty.

    Raises:
        Missing: when there is neither, or the kubeconfig has no such context.
    """
    places = os.environ.get("KUBECONFIG") or "~/.kube/config"
    paths = places.split(os.pathsep)
    try:
        if context or any(Path(path).expanduser().is_file() for path in paths if path):
            return Kube(config.new_client_from_config(config_file=places, context=context or None))
        if "KUBERNETES_SERVICE_HOST" in os.environ:
            settings = client.Configuration()
            config.load_incluster_config(client_configuration=settings)
            return Kube(client.ApiClient(settings))
    except (
        config.ConfigException,
        yaml.YAMLError,
        OSError,
        ValueError,
        KeyError,
        TypeError,
    ) as error:
        where = f"context {context}" if context else ", ".join(paths)
        raise Missing(f"{where}: {error}", hint="look at `kubectl config get-contexts`") from error
    raise Missing(f"no kubeconfig at {', '.join(paths)}", hint="set KUBECONFIG, or make a cluster")


def _path(kind: str, namespace: str, name: str = "") -> str:
    return "/".join(part for part in (GROUPS[kind], "namespaces", namespace, kind, name) if part)


def _selectors(name: str, labels: str) -> dict[str, str]:
    return {
        key: value
        for key, value in (
            ("fieldSelector", f"metadata.name={name}" if name else ""),
            ("labelSelector", labels),
        )
        if value
    }


@contextmanager
def _translated(asked: responses.Asked) -> Iterator[None]:
    try:
        yield
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise ClusterUnreachable(
            f"{asked}: the API server does not answer: {responses.shortened(str(error))}",
            hint="see whether `kubectl cluster-info` works",
        ) from error
