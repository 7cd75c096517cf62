"""The Kubernetes cluster with Katib that KUBECONFIG names.

Namespaces, Experiments, and a wire that can be cut.
"""

import json
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import yaml

from support.cluster.kubectl import kubectl
from support.katib.experiments import build_document

IMAGE = os.environ.get("TUNEGATE_TEST_IMAGE", "localhost/tunegate-trainer:0.2.0")
PREFIX = os.environ.get("TUNEGATE_TEST_NAMESPACES", "tunegate-test")
INJECTION = "katib.kubeflow.org/metrics-collector-injection=enabled"
# A trial lasts a little: Katib's collector misses the end of one that is over before it looks.
PRINT = """python -c 'import time; time.sleep(2); print("mse=${trialParameters.x}")'"""
FAIL = (
    """python -c 'import time; time.sleep(1); print("${trialParameters.x}"); raise SystemExit(3)'"""
)


@contextmanager
def temporary_namespace(*, labelled: bool = True) -> Iterator[str]:
    """Make a namespace, and delete it with all that is in it."""
    name = f"{PREFIX}-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    try:
        if labelled:
            kubectl("label", "namespace", name, INJECTION)
        yield name
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


def short_experiment(name: str, script: str = PRINT, **options: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a spec
    """Return an Experiment of short trials; see `build_document`.

    It is called as its namespace: Katib sends a service the trials of all Experiments of one name,
    in whatever namespace (katib#2578).
    """
    container = {
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": {"cpu": "50m"}},
        **options.pop("container", {}),
    }
    document = build_document(
        "sh", "-c", script, container=container, **{"maxTrialCount": 3, **options}
    )
    document["metadata"]["name"] = name
    return document


def write_experiment_file(document: dict[str, Any], folder: Path) -> Path:
    """Write an Experiment's file."""
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


class ApiProxy:
    """A TCP proxy to the API server that can be cut and restored; it changes no byte."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._ends: list[socket.socket] = []
        self._start()

    def cut(self) -> None:
        """Break all connections, and take no new ones."""
        with self._lock:
            ends = [self._listener, *self._ends]
            self._ends = []
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def restore(self) -> None:
        """Take connections again."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._start()

    def _start(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(self.target)
                with self._lock:
                    self._ends += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxied_cluster(folder: Path) -> Iterator[tuple[ApiProxy, Path]]:
    """Yield a wire to the cluster, and a kubeconfig that goes over it."""
    config = json.loads(kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
    cluster = config["clusters"][0]["cluster"]
    address = urlparse(cluster["server"])
    wire = ApiProxy(str(address.hostname), address.port or 443)
    cluster |= {"server": f"https://127.0.0.1:{wire.port}", "tls-server-name": address.hostname}
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    try:
        yield wire, path
    finally:
        wire.cut()
