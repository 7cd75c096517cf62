"""Kubernetes' API in plain dicts: the only module that knows the `kubernetes` package.

That package reads the kubeconfig and brings TLS and credentials. Requests go over its connection
pool, which is the same in all its versions, whereas its generated methods change names and types
from one to the next.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
import yaml
from kubernetes import client, config

from katib.cluster import responses
from katib.cluster.responses import ApiRequest
from katib.errors import ClusterUnreachable, Missing
from katib.objects import JsonObject, KatibObject

KATIB = "/apis/kubeflow.org/v1beta1"
CORE = "/api/v1"
BATCH = "/apis/batch/v1"
APPS = "/apis/apps/v1"
GROUPS = {
    "experiments": KATIB,
    "suggestions": KATIB,
    "trials": KATIB,
    "jobs": BATCH,
    "deployments": APPS,
    "pods": CORE,
    "events": CORE,
    "configmaps": CORE,
    "namespaces": CORE,
}
CONNECT = 5.0  # seconds, as are the next two
READ = 30.0
# Seconds of silence after the time at which a watch ends itself that mean a dead connection.
SILENCE = 10.0
OK = range(200, 300)


class KubernetesClient:
    """One cluster's API server, by one account."""

    def __init__(self, api: Any) -> None:  # noqa: ANN401 - an ApiClient, whose type differs between versions
        self._api = api

    def namespace(self, name: str) -> JsonObject:
        """Return a Namespace; raises as `get` does."""
        return self._fetch(ApiRequest("get", "namespaces", name=name))

    def get(self, kind: str, namespace: str, name: str) -> JsonObject:
        """Return one object; `kind` is the plural of its name, a key of `GROUPS`.

        Raises:
            Missing: when it, or its kind, does not exist.
            Forbidden: when the account may not read it.
            ClusterUnreachable: when the API server does not answer.
        """
        return self._fetch(ApiRequest("get", kind, namespace, name))

    def list(
        self, kind: str, namespace: str, *, name: str = "", labels: str = ""
    ) -> tuple[list[JsonObject], str]:
        """Return a kind's objects and the version to watch them from; raises as `get` does.

        A watch cannot start from an object's own version: the API server forgets versions within
        minutes, and an object that did not change for longer has a forgotten one.
        """
        request = ApiRequest("list", kind, namespace)
        found = self._fetch(request, query=_selectors(name, labels))
        try:
            return list(found["items"]), str(found["metadata"]["resourceVersion"])
        except (KeyError, TypeError) as error:
            raise responses.not_kubernetes(request) from error

    def create(self, kind: str, namespace: str, body: KatibObject) -> JsonObject:
        """Create an object and return it as the API server has it; raises as `get` does.

        Raises:
            Refused: when the API server or a webhook refuses it.
            AlreadyExists: when the name is taken.
        """
        request = ApiRequest("create", kind, namespace, str(body["metadata"].get("name", "")))
        return self._fetch(request, body=body)

    def watch(
        self,
        kind: str,
        namespace: str,
        *,
        version: str,
        seconds: float,
        name: str = "",
        labels: str = "",
    ) -> Iterator[JsonObject]:
        """Yield events since `version`, until the API server ends the watch after `seconds`.

        Raises:
            ClusterUnreachable: when the connection breaks, or `version` is forgotten: list again,
                then watch.
        """
        request = ApiRequest("watch", kind, namespace)
        query = _selectors(name, labels) | {
            "watch": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(max(1, int(seconds))),
        }
        response = self._send(request, query=query, read=seconds + SILENCE)
        try:
            with _translated_errors(request):
                for line in response:
                    yield responses.read_event(line, request)
        finally:
            response.close()

    def close(self) -> None:
        """Close the connections."""
        self._api.rest_client.pool_manager.clear()

    def _fetch(
        self,
        request: ApiRequest,
        *,
        query: Mapping[str, str] | None = None,
        body: KatibObject | None = None,
    ) -> JsonObject:
        response = self._send(request, query=query, body=body)
        with _translated_errors(request):
            return responses.read_answer(response.data, request)

    def _send(
        self,
        request: ApiRequest,
        *,
        query: Mapping[str, str] | None = None,
        body: KatibObject | None = None,
        read: float = READ,
    ) -> urllib3.HTTPResponse:
        headers = {"Accept": "application/json", "User-Agent": "tunegate", **self._credentials()}
        method = "GET"
        content = None
        if body is not None:
            method = "POST"
            content = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        with _translated_errors(request):
            response: urllib3.HTTPResponse = self._api.rest_client.pool_manager.request(
                method,
                self._api.configuration.host + _api_path(request, query or {}),
                body=content,
                headers=headers,
                timeout=urllib3.Timeout(connect=CONNECT, read=read),
                retries=False,
                preload_content=False,
            )
            if response.status not in OK:
                raise responses.error_of(response.status, response.data, request)
        return response

    def _credentials(self) -> dict[str, str]:
        """Return the account's header, read for each request, since tokens are renewed."""
        settings = self._api.configuration.auth_settings().values()
        return {
            entry["key"]: entry["value"]
            for entry in settings
            if entry["in"] == "header" and entry["value"]
        }


def connect(context: str = "") -> KubernetesClient:
    """Connect as the kubeconfig says, or as a pod's own account if there is none.

    The kubeconfig is the one that `KUBECONFIG` names, or the one in the home folder.

    Args:
        context: a context of the kubeconfig; the current one where empty.

    Raises:
        Missing: when there is neither, or the kubeconfig has no such context.
    """
    config_files = os.environ.get("KUBECONFIG") or "~/.kube/config"
    paths = config_files.split(os.pathsep)
    try:
        if context or any(Path(path).expanduser().is_file() for path in paths if path):
            return KubernetesClient(
                config.new_client_from_config(config_file=config_files, context=context or None)
            )
        if "KUBERNETES_SERVICE_HOST" in os.environ:
            settings = client.Configuration()
            config.load_incluster_config(client_configuration=settings)
            return KubernetesClient(client.ApiClient(settings))
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


def _api_path(request: ApiRequest, query: Mapping[str, str]) -> str:
    parts = [GROUPS[request.kind], request.kind]
    if request.namespace:
        parts[1:1] = ["namespaces", request.namespace]
    if request.name and request.verb != "create":
        parts.append(request.name)
    path = "/".join(parts)
    if query:
        path += f"?{urlencode(query)}"
    return path


def _selectors(name: str, labels: str) -> dict[str, str]:
    selectors = {}
    if name:
        selectors["fieldSelector"] = f"metadata.name={name}"
    if labels:
        selectors["labelSelector"] = labels
    return selectors


@contextmanager
def _translated_errors(request: ApiRequest) -> Iterator[None]:
    try:
        yield
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise ClusterUnreachable(
            f"{request}: the API server does not answer: {responses.one_line(str(error))}",
            hint="see whether `kubectl cluster-info` works",
        ) from error
