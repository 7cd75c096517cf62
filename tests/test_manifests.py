"""House rules for everything that an overlay makes, and what a cluster's API server says of it."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
OVERLAYS = ("minikube", "kind", "kind-loadbalancer", "kind-ingress", "titanic", "ci", "prod")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
LABEL = "katib.kubeflow.org/metrics-collector-injection"
Object = dict[str, Any]

pytestmark = pytest.mark.skipif(
    not shutil.which("kubectl"), reason="kubectl, which knows kustomize, is not here"
)


@pytest.fixture(scope="module", params=OVERLAYS)
def objects(request: pytest.FixtureRequest) -> list[Object]:
    overlay = ROOT / "manifests" / "overlays" / str(request.param)
    done = subprocess.run(
        ["kubectl", "kustomize", str(overlay)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [item for item in yaml.safe_load_all(done.stdout) if item]


def pods(objects: list[Object]) -> Iterator[tuple[str, str, Object]]:
    """Yield (what makes it, namespace, pod spec)."""
    for item in objects:
        spec = item.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            yield (
                f"{item['kind']}/{item['metadata']['name']}",
                item["metadata"]["namespace"],
                spec["template"]["spec"],
            )


def namespaces(objects: list[Object]) -> dict[str, dict[str, str]]:
    return {
        i["metadata"]["name"]: i["metadata"].get("labels", {})
        for i in objects
        if i["kind"] == "Namespace"
    }


def test_every_object_names_a_namespace_that_is_made_here(objects: list[Object]) -> None:
    cluster_wide = {"Namespace", "PersistentVolume"}
    made = namespaces(objects)
    assert all(
        i["metadata"].get("namespace") in made for i in objects if i["kind"] not in cluster_wide
    )


def test_serving_stays_outside_namespaces_that_katibs_webhook_watches(
    objects: list[Object],
) -> None:
    made = namespaces(objects)
    assert made["tunegate-search"][LABEL] == "enabled"
    assert [who for who, where, _ in pods(objects) if LABEL in made[where]] == []


def test_images_have_a_fixed_tag(objects: list[Object]) -> None:
    for who, _, pod in pods(objects):
        for container in pod["containers"]:
            name, _, tag = container["image"].rpartition(":")
            assert tag == VERSION, who
            assert "tunegate" in name, who
            assert container["imagePullPolicy"] == "IfNotPresent", who


def test_containers_are_confined(objects: list[Object]) -> None:
    for who, where, pod in pods(objects):
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, who
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False, who
            assert security["readOnlyRootFilesystem"] is True, who
            assert security["capabilities"]["drop"] == ["ALL"], who
            assert {"cpu", "memory"} <= container["resources"]["limits"].keys(), who
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), who
        # Handing a new folder over is the one thing that takes root, in a namespace of its own.
        assert pod["securityContext"].get("runAsNonRoot") is True or where == "tunegate-setup", who


def test_no_service_becomes_a_setting(objects: list[Object]) -> None:
    """One named `tunegate` would give each pod a TUNEGATE_PORT, and none would start."""
    assert [
        who for who, _, pod in pods(objects) if pod.get("enableServiceLinks") is not False
    ] == []


def test_a_trial_may_tell_what_katib_lets_it_tell(objects: list[Object]) -> None:
    policy = next(
        i for i in objects if i["kind"] == "NetworkPolicy" and i["metadata"]["name"] == "trials"
    )
    ports = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
    assert ports == {53, 6789, 6788}  # names, Katib's database, early stopping


def test_only_promotion_has_a_token_of_the_cluster(objects: list[Object]) -> None:
    for who, _, pod in pods(objects):
        assert pod["automountServiceAccountToken"] is (
            pod.get("serviceAccountName") == "promote"
        ), who
    rules = [
        rule
        for item in objects
        if item["kind"] in {"Role", "ClusterRole"}
        for rule in item["rules"]
    ]
    assert rules == [
        {
            "apiGroups": ["kubeflow.org"],
            "resources": ["experiments", "trials"],
            "verbs": ["get", "list", "watch"],
        }
    ]


def test_only_promotion_and_what_writes_for_it_may_write_the_volume(objects: list[Object]) -> None:
    for who, _, pod in pods(objects):
        for mount in pod["containers"][0]["volumeMounts"]:
            if mount["mountPath"] == "/models" and who in {"Deployment/api", "CronJob/smoke"}:
                assert mount["readOnly"] is True, who


EXPERIMENTS = (ROOT / "manifests" / "experiment.yaml", *sorted(ROOT.glob("examples/**/*exp*.yaml")))


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_trial_can_write_trials_and_nothing_else_of_the_store(path: Path) -> None:
    """Whoever writes pointers decides what is served, and verdicts are evidence."""
    document = yaml.safe_load(path.read_text())
    pod = document["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    for container in pod["containers"]:
        for mount in container["volumeMounts"]:
            if mount["name"] == "models":
                assert (mount["subPath"], mount["mountPath"]) == ("trials", "/models/trials")


def test_the_server_can_be_replaced_without_losing_a_request(objects: list[Object]) -> None:
    api = next(item for item in objects if item["kind"] == "Deployment")
    pod = api["spec"]["template"]["spec"]
    command = pod["containers"][0]["command"]
    drain = next(float(word.partition("=")[2]) for word in command if word.startswith("--drain="))
    from api.server.run import GRACE

    assert api["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert pod["terminationGracePeriodSeconds"] > drain + GRACE
    readiness = pod["containers"][0]["readinessProbe"]
    assert drain > readiness["periodSeconds"] + readiness["timeoutSeconds"]
    budget = next(item for item in objects if item["kind"] == "PodDisruptionBudget")
    assert budget["spec"]["selector"] == api["spec"]["selector"]


def test_every_claim_has_its_volume(objects: list[Object]) -> None:
    volumes = {
        i["metadata"]["name"]: i["spec"]["claimRef"]
        for i in objects
        if i["kind"] == "PersistentVolume"
    }
    claims = {
        i["spec"]["volumeName"]: i["metadata"]
        for i in objects
        if i["kind"] == "PersistentVolumeClaim"
    }
    assert claims.keys() == volumes.keys()
    for name, reference in volumes.items():
        assert reference == {key: claims[name][key] for key in ("namespace", "name")}


def test_a_namespace_lets_in_and_out_only_what_is_named(objects: list[Object]) -> None:
    policies = [item for item in objects if item["kind"] == "NetworkPolicy"]
    closed = [
        p
        for p in policies
        if p["metadata"]["namespace"] == "tunegate" and p["spec"]["podSelector"] == {}
    ]
    assert [sorted(p["spec"]["policyTypes"]) for p in closed] == [["Egress", "Ingress"]]


def test_the_shipped_experiment_meets_the_same_rules() -> None:
    document = yaml.safe_load((ROOT / "manifests" / "experiment.yaml").read_text())
    job = document["spec"]["trialTemplate"]["trialSpec"]["spec"]
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    assert document["metadata"]["namespace"] == "tunegate-search"
    assert container["image"] == f"localhost/tunegate-trainer:{VERSION}"
    assert container["command"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"].keys() == {"requests", "limits"}
    assert pod["automountServiceAccountToken"] is False


def test_the_settings_are_those_of_the_command_line(
    objects: list[Object], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunegate.settings import load_settings

    settings = next(item for item in objects if item["kind"] == "ConfigMap")["data"]
    for name in [name for name in os.environ if name.startswith("TUNEGATE_")]:
        monkeypatch.delenv(name)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    read = load_settings()
    assert read.registry == settings["TUNEGATE_LEDGER"]
    assert str(read.store_path) == "/models"


@pytest.mark.cluster
def test_an_api_server_takes_every_object(objects: list[Object]) -> None:
    """Unknown fields and wrong types are refused. A missing namespace has a substitute."""
    for item in objects:
        metadata = item["metadata"] | (
            {"namespace": "default"} if "namespace" in item["metadata"] else {}
        )
        command = ["kubectl", "create", "--dry-run=server", "--validate=strict", "-f", "-"]
        done = subprocess.run(
            command,
            input=json.dumps({**item, "metadata": metadata}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or "already exists" in done.stderr, done.stderr


def test_the_dashboard_shows_metrics_that_there_are(tmp_path: Path) -> None:
    from prometheus_client.parser import text_string_to_metric_families
    from support.registry.package_variants import tiny
    from support.serving.servers import put, running

    from registry import ModelStore

    board = json.loads((ROOT / "manifests/components/monitoring/dashboard.json").read_text())
    shown = [panel for panel in board["panels"] if panel["type"] != "row"]
    asked = " ".join(target["expr"] for panel in shown for target in panel["targets"])
    rules = yaml.safe_load((ROOT / "manifests/components/monitoring/alerts.yaml").read_text())
    asked += " ".join(rule["expr"] for group in rules["groups"] for rule in group["rules"])
    names = set(re.findall(r"\b(?:http|tunegate|process)_\w+", asked))
    names -= {"tunegate_predicted_class_total"}  # the toy has no classes, and no shadow
    names -= {"tunegate_shadow_rows_total", "tunegate_shadow_share"}
    store = ModelStore(tmp_path / "store")
    put(store, tiny(tmp_path / "toy"))
    with running(store, "toy") as server:
        server.client.post("/predict", json={"x": 0.25}).raise_for_status()
        text = server.client.get("/metrics").text
    families = list(text_string_to_metric_families(text))
    there = {sample.name for family in families for sample in family.samples}
    there |= {family.name for family in families}  # of few requests nothing is said of drift
    assert {"tunegate_feature_psi", "tunegate_feature_drift_p"} <= names
    assert names <= there


def test_metallb_announces_a_range_of_addresses() -> None:
    """Its kinds are no cluster's until it is installed, so that no dry run can know them."""
    text = (ROOT / "manifests" / "overlays" / "kind-loadbalancer" / "metallb.yaml").read_text()
    pool, announced = yaml.safe_load_all(text)
    assert (pool["apiVersion"], pool["kind"]) == ("metallb.io/v1beta1", "IPAddressPool")
    assert (announced["apiVersion"], announced["kind"]) == ("metallb.io/v1beta1", "L2Advertisement")
    assert announced["spec"]["ipAddressPools"] == [pool["metadata"]["name"]]
    assert {each["metadata"]["namespace"] for each in (pool, announced)} == {"metallb-system"}
    for addresses in pool["spec"]["addresses"]:
        first, last = map(ip_address, addresses.split("-"))
        assert first.is_private
        assert last > first
