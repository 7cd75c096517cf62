"""Kubernetes' own rules for the Job; each was compared with the validation of Kubernetes v1.34."""

from typing import Any

import pytest
from support.katib.lint_cases import codes, edited

JOB = "spec.trialTemplate.trialSpec"
SPEC = f"{JOB}.spec"
POD = f"{SPEC}.template.spec"
MAIN = f"{POD}.containers.0"
RULES = {f"K{number}" for number in range(280, 293)}
PROGRAM = {"exec": {"command": ["true"]}}


def env(**fields: object) -> dict[str, Any]:
    return {f"{MAIN}.env": [{"name": "A", **fields}]}


def amounts(**fields: object) -> dict[str, Any]:
    return {f"{MAIN}.resources": fields}


def volume(**fields: object) -> dict[str, Any]:
    return {f"{POD}.volumes.1": {"name": "more", **fields}}


def mount(*mounts: dict[str, str]) -> dict[str, Any]:
    return {f"{MAIN}.volumeMounts": [{"name": "models", **fields} for fields in mounts]}


def port(**fields: object) -> dict[str, Any]:
    return {f"{MAIN}.ports": [{"containerPort": 80}, {"containerPort": 81, **fields}]}


def toleration(**fields: object) -> dict[str, Any]:
    return {f"{POD}.tolerations": [fields]}


def failure_rule(action: str, *exit_codes: int) -> dict[str, Any]:
    codes = {"operator": "In", "values": list(exit_codes)}
    return {f"{SPEC}.podFailurePolicy": {"rules": [{"action": action, "onExitCodes": codes}]}}


def affinity(operator: str, *values: str) -> dict[str, Any]:
    expression = {"key": "zone", "operator": operator, "values": list(values)}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": terms}
    return {f"{POD}.affinity": {"nodeAffinity": required}}


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("K280", {f"{POD}.containers.1": {"name": "my_log", "image": "a/b:1", "command": ["a"]}}),
    ("K280", {"metadata.namespace": "NAMESPACE"}),
    ("K280", {"metadata.namespace": "a.b"}),
    ("K280", {f"{POD}.serviceAccountName": "A b"}),
    ("K280", {f"{POD}.priorityClassName": "High"}),
    ("K280", {f"{POD}.hostname": "A"}),
    ("K280", volume(name="A", emptyDir={})),
    ("K280", volume(persistentVolumeClaim={"claimName": "A_b"})),
    ("K280", port(name="abcdefghijklmnopq")),
    ("K281", {f"{MAIN}.imagePullPolicy": "always"}),
    ("K281", {f"{MAIN}.imagePullPolicy": "IfNotThere"}),
    ("K281", {f"{MAIN}.terminationMessagePolicy": "file"}),
    ("K281", {f"{POD}.dnsPolicy": "clusterFirst"}),
    ("K281", {f"{SPEC}.completionMode": "indexed"}),
    ("K281", {f"{SPEC}.podReplacementPolicy": "failed"}),
    ("K281", port(protocol="tcp")),
    ("K281", volume(emptyDir={"medium": "memory"})),
    ("K281", volume(hostPath={"path": "/a", "type": "directory"})),
    ("K281", toleration(operator="exists")),
    ("K281", toleration(key="a", operator="Exists", effect="noschedule")),
    ("K281", affinity("in", "b")),
    ("K282", {f"{MAIN}.image": "registry.example/x: 1"}),
    ("K282", {f"{MAIN}.image": "registry.example/Trainer:1"}),
    ("K282", {f"{MAIN}.image": "https://registry.example/trainer"}),
    ("K282", {f"{MAIN}.image": "registry.example/trainer:"}),
    ("K282", {f"{MAIN}.image": " trainer"}),
    ("K282", {f"{MAIN}.image": "a" * 64}),
    ("K282", {f"{MAIN}.image": "a" * 500 + "."}),
    ("K235", {f"{POD}.initContainers": [{"name": "first", "command": ["a"]}]}),
    ("K280", port(name=["a"])),
    ("K281", affinity("in", "a")),
    ("K288", affinity("In", "a b")),
    ("K288", toleration(key="a b", operator="Exists")),
    ("K285", volume(downwardAPI={"items": [{"path": "a"}]})),
    ("K285", volume(projected={"sources": [{"configMap": {"optional": True}}]})),
    ("K289", volume(configMap={"name": "a", "items": [{"key": "a", "path": "a", "mode": 777}]})),
    ("K287", env(valueFrom={"secretKeyRef": {"name": "A b", "key": "k"}})),
    ("K287", env(valueFrom={"configMapKeyRef": {"name": "a", "key": "a/b"}})),
    ("K287", env(valueFrom={"resourceFieldRef": {"resource": "cpu"}})),
    ("K281", failure_rule("Fail", 1)),
    ("K290", failure_rule("FailJob", 0, 1)),
    ("K284", amounts(limits={"hugepages-2Mi": "64Mi"})),
    ("K283", amounts(limits={"hugepages-2Mi": "3Mi", "memory": "1Gi"})),
    ("K283", amounts(limits={"hugepages-x": "2Mi", "memory": "1Gi"})),
    ("K292", amounts(limits={"requests.nvidia.com/gpu": 1})),
    ("K283", amounts(limits={"memory": "2GB"})),
    ("K283", amounts(limits={"memory": "512m"})),
    ("K283", amounts(limits={"memory": 4})),
    ("K283", amounts(limits={"cpu": "2 cores"})),
    ("K283", amounts(requests={"cpu": "-1"})),
    ("K283", amounts(limits={"nvidia.com/gpu": "0.5"})),
    ("K283", volume(emptyDir={"sizeLimit": "1GB"})),
    ("K284", amounts(requests={"cpu": "4"}, limits={"cpu": "2"})),
    ("K284", amounts(requests={"memory": "3Gi"}, limits={"memory": "2048Mi"})),
    ("K284", amounts(requests={"nvidia.com/gpu": 1})),
    ("K284", amounts(requests={"nvidia.com/gpu": 1}, limits={"nvidia.com/gpu": 2})),
    ("K285", volume(name="models", emptyDir={})),
    ("K285", volume(name="metrics-volume", emptyDir={})),
    ("K285", volume(emptyDir={}, hostPath={"path": "/x"})),
    ("K285", volume(hostPath={"path": "/a/../b"})),
    ("K285", volume(nfs={"server": "s", "path": "x"})),
    ("K285", volume(persistentVolumeClaim={"claimName": ""})),
    ("K285", volume(secret={"secretName": "c", "items": [{"key": "a", "path": "../b"}]})),
    ("K286", mount({"mountPath": "/a"}, {"mountPath": "/a"})),
    ("K286", mount({"mountPath": "/a", "subPath": "/b"})),
    ("K286", mount({"mountPath": "/a", "subPath": "../b"})),
    ("K287", env(name="1 A", value="1")),
    ("K287", env(name="A=B", value="1")),
    ("K287", env(name="2ND", value="1")),
    ("K287", env(value="1", valueFrom={"fieldRef": {"fieldPath": "metadata.name"}})),
    ("K287", env(valueFrom={"fieldRef": {"fieldPath": "metadata.nickname"}})),
    ("K287", env(valueFrom={"secretKeyRef": {"name": "s"}})),
    ("K288", {f"{SPEC}.template.metadata.labels": {"team": "a b"}}),
    ("K288", {f"{SPEC}.template.metadata.labels": {"a/b/c": "d"}}),
    ("K288", {f"{SPEC}.template.metadata.labels": {"job-name": "mine"}}),
    ("K288", {f"{SPEC}.template.metadata.annotations": {"a b": "c"}}),
    ("K288", {f"{JOB}.metadata.labels": {"a": "-d"}}),
    ("K288", {"metadata.labels": {"a": "x" * 64}}),
    ("K288", {f"{POD}.nodeSelector": {"zone": "a b"}}),
    ("K289", {f"{SPEC}.activeDeadlineSeconds": -5}),
    ("K289", {f"{SPEC}.activeDeadlineSeconds": 0}),
    ("K289", {f"{POD}.activeDeadlineSeconds": -1}),
    ("K289", {f"{SPEC}.ttlSecondsAfterFinished": -1}),
    ("K289", {f"{SPEC}.parallelism": -1}),
    ("K289", {f"{SPEC}.parallelism": 0}),
    ("K289", port(containerPort=70000)),
    ("K289", {f"{MAIN}.securityContext": {"runAsUser": -1}}),
    ("K289", volume(configMap={"name": "c", "defaultMode": 644})),
    ("K290", {f"{SPEC}.selector": {"matchLabels": {"a": "b"}}}),
    ("K290", {f"{SPEC}.manualSelector": True}),
    ("K290", {f"{SPEC}.backoffLimitPerIndex": 1}),
    ("K290", {f"{POD}.hostPID": True}),
    ("K290", toleration(value="x")),
    ("K290", toleration(key="a", operator="Exists", value="x")),
    ("K290", {f"{MAIN}.restartPolicy": "Never"}),
    ("K290", {f"{MAIN}.securityContext": {"runAsNonRoot": True, "runAsUser": 0}}),
    ("K291", {f"{MAIN}.livenessProbe": {"periodSeconds": 5}}),
    ("K291", {f"{MAIN}.livenessProbe": {**PROGRAM, "successThreshold": 2}}),
    ("K291", {f"{MAIN}.readinessProbe": {**PROGRAM, "tcpSocket": {"port": 80}}}),
    ("K291", {f"{MAIN}.livenessProbe": {"httpGet": {"port": 70000}}}),
    (
        "K291",
        {f"{POD}.initContainers": [{"name": "i", "image": "a/b:1", "livenessProbe": PROGRAM}]},
    ),
    ("K292", amounts(limits={"gpu": 1})),
    ("K292", amounts(limits={"mem": "1Gi"})),
]
ACCEPTED: list[dict[str, Any]] = [
    {f"{MAIN}.imagePullPolicy": "IfNotPresent"},
    *(
        {f"{MAIN}.image": image}
        for image in (
            "trainer",
            "localhost:5000/trainer:1.2_a",
            "ghcr.io/a/b__c/d-e:v1@sha256:" + "a" * 64,
            "Registry.Example/trainer:1",
            "registry.example/trainer:${trialParameters.maxDepth}",
        )
    ),
    amounts(limits={"cpu": "1500m", "memory": "2Gi"}, requests={"cpu": 1, "memory": "1e9"}),
    amounts(limits={"cpu": 0.5, "memory": "0.5Gi", "ephemeral-storage": "2G"}),
    amounts(limits={"nvidia.com/gpu": 1, "hugepages-2Mi": "4Mi", "memory": " 1Gi "}),
    failure_rule("FailJob", 1, 2),
    env(valueFrom={"resourceFieldRef": {"resource": "limits.cpu"}}),
    volume(downwardAPI={"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.labels"}}]}),
    volume(projected={"sources": [{"serviceAccountToken": {"path": "token"}}]}),
    amounts(limits={"cpu": "${trialParameters.maxDepth}"}),
    env(name="my.variable-A", value="1"),
    env(valueFrom={"secretKeyRef": {"name": "s", "key": "k"}}),
    env(valueFrom={"fieldRef": {"fieldPath": "metadata.labels['a/b']"}}),
    volume(emptyDir={"medium": "Memory", "sizeLimit": "500Mi"}),
    volume(configMap={"name": "c", "defaultMode": 0o644}),
    volume(hostPath={"path": "/a", "type": "DirectoryOrCreate"}),
    mount({"mountPath": "/a", "subPath": "b/c"}, {"mountPath": "/b"}),
    port(name="http", protocol="UDP"),
    {f"{SPEC}.template.metadata.labels": {"a.b/c": "", "d": "x_Y.z-1"}},
    {f"{SPEC}.activeDeadlineSeconds": 600, f"{SPEC}.ttlSecondsAfterFinished": 0},
    {f"{SPEC}.completionMode": "Indexed"},
    toleration(operator="Exists"),
    toleration(key="a", value="b", effect="NoSchedule"),
    affinity("In", "b"),
    {f"{MAIN}.livenessProbe": PROGRAM},
    {f"{MAIN}.securityContext": {"allowPrivilegeEscalation": False, "runAsNonRoot": True}},
]


@pytest.mark.parametrize(("code", "edits"), REFUSED)
def test_what_kubernetes_refuses_is_an_error(code: str, edits: dict[str, Any]) -> None:
    assert code in codes(edited(edits), "error")


@pytest.mark.parametrize("edits", ACCEPTED)
def test_what_kubernetes_accepts_is_let_pass(edits: dict[str, Any]) -> None:
    assert codes(edited(edits)) & RULES == set()
