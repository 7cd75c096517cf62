"""Our EarlyStopping service in a real cluster, with the rights that Katib grants its container.

`test_suggestion_cluster` has an Experiment with stopped trials that comes to its end.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from support.cluster.clusters import temporary_namespace
from support.cluster.kubectl import kubectl, kubectl_json, port_forward
from support.katib.early_stopping import SERVICE, Asking, condition, pack_early
from support.katib.experiments import eventually
from support.katib.suggestion_clients import Client, Trial
from support.patience import patience
from support.serving.wire import pack_field

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason="KUBECONFIG names no cluster"),
]
ENTRIES = Path(__file__).parents[2] / "manifests" / "components" / "suggestion" / "entries.yaml"
IMAGE = os.environ.get("TUNEGATE_TEST_SUGGESTION_IMAGE", "localhost/tunegate-suggestion:0.2.0")
ACCOUNT = "tiny-tunegate"  # <experiment>-<algorithm>, as Katib names it
GROUP = "rbac.authorization.k8s.io"


def rights() -> list[dict[str, Any]]:
    """Return what Katib's controller makes for an Experiment with early stopping."""
    everything = {
        "apiGroups": ["kubeflow.org"],
        "resources": ["trials", "trials/status"],
        "verbs": ["*"],
    }
    subject = {"kind": "ServiceAccount", "name": ACCOUNT}
    metadata = {"name": ACCOUNT}
    role = {"apiGroup": GROUP, "kind": "Role", "name": ACCOUNT}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {"apiVersion": f"{GROUP}/v1", "kind": "Role", "metadata": metadata, "rules": [everything]},
        {
            "apiVersion": f"{GROUP}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "subjects": [subject],
            "roleRef": role,
        },
    ]


def pod() -> dict[str, Any]:
    """Return the container that Katib makes of the entry, from these fields and without a probe."""
    (entry,) = yaml.safe_load(ENTRIES.read_text())["earlyStoppings"]
    container = {
        "name": "early-stopping",
        "image": IMAGE,
        "imagePullPolicy": entry["imagePullPolicy"],
        "resources": entry["resources"],
        "ports": [{"name": "earlystop-api", "containerPort": 6788}],
    }
    spec = {"serviceAccountName": ACCOUNT, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": ACCOUNT}, "spec": spec}


@pytest.fixture
def room() -> Iterator[str]:
    with temporary_namespace() as name:
        for document in [*rights(), pod()]:
            kubectl("create", "-n", name, "-f", "-", stdin=json.dumps(document))
        kubectl(
            "wait",
            "-n",
            name,
            "--for=condition=Ready",
            f"pod/{ACCOUNT}",
            f"--timeout={patience(100):.0f}s",
        )
        eventually(lambda: "listening on port 6788" in kubectl("logs", "-n", name, ACCOUNT))
        yield name


@pytest.fixture
def client(room: str) -> Iterator[Client]:
    with port_forward(f"pod/{ACCOUNT}", 6788, namespace=room) as address:
        client = Client(urlsplit(address).port or 0)
        yield client
        client.channel.close()


def report(name: str, *values: str) -> None:
    """Store a trial's reports in Katib's database, as its collector does."""
    logs = [
        pack_field(1, "2026-01-01T00:00:00Z")
        + pack_field(2, pack_field(1, "mse") + pack_field(2, each))
        for each in values
    ]
    with port_forward("service/katib-db-manager", 6789, namespace="kubeflow") as address:
        manager = Client(urlsplit(address).port or 0)
        log = pack_field(1, name) + pack_field(2, b"".join(pack_field(1, each) for each in logs))
        manager.call("ReportObservationLog", log, "api.v1.beta1.DBManager")
        manager.channel.close()


def create_trial(room: str, name: str) -> None:
    objective = {"type": "minimize", "objectiveMetricName": "mse"}
    trial = {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Trial",
        "metadata": {"name": name},
        "spec": {"objective": objective},
    }
    kubectl("create", "-n", room, "-f", "-", stdin=json.dumps(trial))
    status = json.dumps({"status": {"conditions": [condition("Created"), condition("Running")]}})
    kubectl(
        "patch", "trial", name, "-n", room, "--subresource=status", "--type=merge", "-p", status
    )


def test_it_marks_a_trial_with_the_rights_that_katib_grants_and_no_other(
    room: str, client: Client
) -> None:
    trial = f"{room}-3-bbbbbbbb"
    create_trial(room, trial)
    report(trial, "4", "2")
    for _ in range(2):
        assert client.call("SetTrialStatus", pack_field(1, trial), SERVICE) == b""
    status = kubectl_json("trial", trial, "-n", room)["status"]
    assert status["observation"]["metrics"] == [
        {"name": "mse", "min": "2", "max": "4", "latest": "2"}
    ]
    found = status["conditions"]
    assert [each["type"] for each in found] == ["Created", "Running", "EarlyStopped"]
    assert (found[2]["reason"], found[2]["status"]) == ("TrialEarlyStopped", "True")
    missing = client.refusal("SetTrialStatus", pack_field(1, "tiny-4-bbbbbbbb"), service=SERVICE)
    assert missing[0] == "NOT_FOUND"

    kubectl("delete", "rolebinding", ACCOUNT, "-n", room)
    unknown = pack_field(1, "tiny-4-bbbbbbbb")
    eventually(
        lambda: client.refusal("SetTrialStatus", unknown, service=SERVICE)[0] == "PERMISSION_DENIED"
    )


def test_it_draws_the_limit_from_katibs_database_within_its_memory(
    room: str, client: Client
) -> None:
    names = [f"{room}-{number}-bbbbbbbb" for number in range(3)]
    for name, reports in zip(names, (("4", "2"), ("6", "3"), ("8", "4")), strict=True):
        report(name, *reports)
    asking = Asking(
        client, "katib-db-manager.kubeflow:6789", pack_early("medianstop", {"start_step": "1"})
    )
    asking.trials = [Trial(name, {"x": "1"}, value="1") for name in names]
    assert asking.rules() == [("mse", 6.0, 3, 1)]
    status = kubectl("exec", "-n", room, ACCOUNT, "--", "cat", "/proc/1/status")
    assert int(status.partition("VmHWM:")[2].split()[0]) < 64 << 10  # KiB; what the entry requests
    assert status.partition("Uid:")[2].split()[0] == "10001"
    kubectl(
        "delete", "pod", ACCOUNT, "-n", room, "--grace-period=2", f"--timeout={patience(60):.0f}s"
    )
