"""The Titanic's overlay on a cluster: six replicas behind a Service, under the published load."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.cli import ROOT, tunegate
from support.cluster.clusters import temporary_namespace
from support.cluster.deployment import VOLUMES
from support.cluster.kubectl import kubectl, kubectl_json
from support.patience import patience
from support.scripts import run
from support.serving.servers import put

from registry import ModelStore
from registry.package import load_package

SECONDS = os.environ.get("TUNEGATE_TEST_LOAD_SECONDS", "3")
PUBLISHED = 82.88  # answers a second of six replicas of a Flask application
VEGETA = ROOT / ".tools" / "load" / "vegeta"
OVERLAY = ROOT / "manifests" / "overlays" / "titanic"
SERVES = {"Service", "ServiceAccount", "ConfigMap", "Deployment", "PersistentVolumeClaim"}

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(patience(300)),
    pytest.mark.skipif(not VEGETA.exists(), reason="run scripts/load/tools vegeta"),
    pytest.mark.skipif(not os.access(VOLUMES, os.W_OK), reason="the node is not this machine"),
]


def serving_objects(namespace: str, volume: Path) -> list[dict[str, Any]]:
    """Return what the overlay serves with, in a namespace and with a volume of its own."""
    rendered = kubectl("kustomize", str(OVERLAY))
    found = []
    for item in yaml.safe_load_all(rendered):
        metadata = item["metadata"]
        if item["kind"] == "PersistentVolume" and metadata["name"] == "tunegate-serving":
            metadata["name"] = namespace
            item["spec"]["hostPath"]["path"] = str(volume)
            item["spec"]["claimRef"]["namespace"] = namespace
        elif item["kind"] in SERVES and metadata["namespace"] == "tunegate":
            metadata["namespace"] = namespace
        else:
            continue
        if item["kind"] == "PersistentVolumeClaim":
            item["spec"]["volumeName"] = namespace
        for port in item["spec"].get("ports", ()) if item["kind"] == "Service" else ():
            port.pop("nodePort", None)  # one of the cluster's choice
        found.append(item)
    return found


@pytest.fixture
def namespace(tmp_path: Path) -> Iterator[str]:
    """Where the overlay's six replicas are ready."""
    trained = tmp_path / "titanic"
    spec = ROOT / "examples" / "titanic" / "titanic.toml"
    size = ("--n-estimators", 200, "--max-depth", 7)
    done = tunegate("train", "--data", spec, *size, "--no-importances", "--output", trained)
    assert done.returncode == 0, done.stderr
    with temporary_namespace(labelled=False) as namespace:
        volume = Path(VOLUMES) / namespace
        try:
            put(ModelStore(volume), load_package(trained))
            objects = {
                "apiVersion": "v1",
                "kind": "List",
                "items": serving_objects(namespace, volume),
            }
            kubectl("apply", "-f", "-", stdin=json.dumps(objects))
            kubectl(
                *("rollout", "status", "deployment/api", "-n", namespace),
                f"--timeout={patience(120):.0f}s",
            )
            deployment = kubectl_json("deployment", "api", "-n", namespace)
            assert deployment["status"]["readyReplicas"] == 6
            yield namespace
        finally:
            kubectl("delete", "pv", namespace, "--ignore-not-found", "--wait=false")
            shutil.rmtree(volume, ignore_errors=True)


def spent(namespace: str) -> tuple[float, float]:
    """Return the CPU seconds and the MiB of memory that all replicas have taken so far."""
    cpu_seconds = 0.0
    mib = 0.0
    for pod in kubectl_json("pods", "-n", namespace)["items"]:
        files = ("/proc/1/stat", "/proc/1/status")  # one worker is one process
        read = kubectl("exec", "-n", namespace, pod["metadata"]["name"], "--", "cat", *files)
        stat = read.partition("\n")[0]
        user, system = stat.rpartition(")")[2].split()[11:13]
        cpu_seconds += (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
        mib += int(read.partition("VmHWM:")[2].split()[0]) / 1024
    return cpu_seconds, mib


def test_six_replicas_take_the_published_load(
    namespace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    address = kubectl_json("service", "api", "-n", namespace)["spec"]["clusterIP"]
    before, _ = spent(namespace)
    attack = (sys.executable, "scripts/load/attack.py", "vegeta", f"--url=http://{address}")
    done = run(*attack, "--rate=1100", f"--seconds={SECONDS}")
    after, mib = spent(namespace)
    with capsys.disabled():
        sys.stdout.write(
            f"\nthe Titanic on six replicas, 1,100/s for {SECONDS} s: "
            f"{after - before:.2f} s of CPU, {mib:.0f} MiB\n{done.stdout}"
        )
    # 1: a request was not answered in 30 seconds, on a machine that has no time for it.
    assert done.returncode in {0, 1}, done.stderr
    figures = done.stdout.split("| ---: |\n")[1].splitlines()[0].strip("|").split("|")
    assert float(figures[2].replace(",", "")) > PUBLISHED
