"""Each rule about the trial template: what breaks it, and what is close but fine."""

import pytest
from support.katib.lint_cases import GONE, Case, codes, edited, findings

TEMPLATE = "spec.trialTemplate"
JOB = f"{TEMPLATE}.trialSpec"
POD = f"{JOB}.spec.template.spec"
MAIN = f"{POD}.containers.0"
VOLUME = f"{POD}.volumes.0"
FIRST = f"{TEMPLATE}.trialParameters.1"
SECOND = f"{TEMPLATE}.trialParameters.2"
CONTAINER = f"{POD}.containers[0]"
FLAG = "--max-features=${trialParameters.maxFeatures}"
ENV_VALUE = {"name": "A", "value": "1"}
FIELD = {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
LABEL = {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a/b']"}}}
ADDRESS = {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
SECRET = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}


def parameter(name: str, reference: str) -> dict[str, object]:
    return {f"{TEMPLATE}.trialParameters.8": {"name": name, "reference": reference}}


def command(*words: object) -> dict[str, object]:
    """Replace the command by words that use each parameter in an environment variable."""
    names = [entry["name"] for entry in edited({})["spec"]["trialTemplate"]["trialParameters"]]
    value = " ".join(f"${{trialParameters.{name}}}" for name in names)
    return {f"{MAIN}.command": list(words), f"{MAIN}.env": [{"name": "PARAMETERS", "value": value}]}


CASES = [
    Case(
        "K101", command("python", "-m", 5), f"{CONTAINER}.command[2]", command("python", "-m", "5")
    ),
    Case("K101", {f"{MAIN}.args": [1.5]}, f"{CONTAINER}.args[0]", {f"{MAIN}.args": ["1.5"]}),
    Case(
        "K101",
        {f"{MAIN}.env": [{"name": "A", "value": True}]},
        f"{CONTAINER}.env[0].value",
        {f"{MAIN}.env": [ENV_VALUE]},
    ),
    Case("K105", {f"{MAIN}.command": "python -m trainer"}, f"{CONTAINER}.command", {}),
    Case("K105", {f"{MAIN}.env": {"A": "1"}}, f"{CONTAINER}.env", {}),
    Case(
        "K105",
        {f"{POD}.terminationGracePeriodSeconds": "5s"},
        f"{POD}.terminationGracePeriodSeconds",
        {},
    ),
    Case("K170", {TEMPLATE: GONE}, TEMPLATE, {}),
    Case(
        "K171", {f"{TEMPLATE}.primaryContainerName": GONE}, f"{TEMPLATE}.primaryContainerName", {}
    ),
    Case("K172", {f"{TEMPLATE}.trialParameters": []}, f"{TEMPLATE}.trialParameters", {}),
    Case("K173", {JOB: GONE}, TEMPLATE, {}),
    Case("K173", {f"{TEMPLATE}.configMap": {"configMapName": "c"}}, TEMPLATE, {}),
    Case("K174", {f"{FIRST}.name": GONE}, f"{TEMPLATE}.trialParameters[1]", {}),
    Case("K174", {f"{FIRST}.name": "a{b"}, f"{TEMPLATE}.trialParameters[1]", {}),
    Case("K175", {f"{SECOND}.reference": "max_features"}, f"{TEMPLATE}.trialParameters[2]", {}),
    Case("K175", {f"{SECOND}.name": "maxFeatures"}, f"{TEMPLATE}.trialParameters[2]", {}),
    Case(
        "K176",
        parameter("kind", "${trialSpec.Kind}"),
        f"{TEMPLATE}.trialParameters[8]",
        {**parameter("kind", "${trialSpec.Kind}"), f"{MAIN}.args": ["${trialParameters.kind}"]},
    ),
    Case("K177", {f"{FIRST}.reference": "trees"}, f"{TEMPLATE}.trialParameters[1].reference", {}),
    Case(
        "K177",
        parameter("a", "${trialSpec.Other}"),
        f"{TEMPLATE}.trialParameters[8].reference",
        parameter("a", "${trialSpec.Labels[team]}"),
    ),
    Case(
        "K178", {f"{MAIN}.args": ["${trialParameters.other}"]}, JOB, {f"{MAIN}.args": ["${other}"]}
    ),
    Case("K179", {f"{JOB}.kind": GONE}, JOB, {}),
    Case(
        "K180",
        {f"{JOB}.metadata": {"name": "a"}},
        f"{JOB}.metadata.name",
        {f"{JOB}.metadata": {"labels": {}}},
    ),
    Case("K180", {f"{JOB}.metadata": {"namespace": "a"}}, f"{JOB}.metadata.namespace", {}),
    Case(
        "K181",
        {f"{JOB}.spec.backOffLimit": 1},
        f"{JOB}.spec.backOffLimit",
        {f"{JOB}.spec.suspend": False},
    ),
    Case("K181", {f"{JOB}.spec.template.kind": "Pod"}, f"{JOB}.spec.template.kind", {}),
    Case("K181", {f"{POD}.volume": []}, f"{POD}.volume", {f"{POD}.hostNetwork": False}),
    Case("K181", {f"{MAIN}.cmd": []}, f"{CONTAINER}.cmd", {f"{MAIN}.tty": False}),
    Case(
        "K182",
        {f"{JOB}.spec.backoffLimit": "1"},
        f"{JOB}.spec.backoffLimit",
        {f"{JOB}.spec.backoffLimit": 1},
    ),
    Case(
        "K182",
        {f"{JOB}.spec.activeDeadlineSeconds": "${trialParameters.maxDepth}"},
        f"{JOB}.spec.activeDeadlineSeconds",
        {},
    ),
    Case(
        "K182",
        {f"{JOB}.spec.backoffLimit": -1},
        f"{JOB}.spec.backoffLimit",
        {f"{JOB}.spec.backoffLimit": 0},
    ),
    Case(
        "K183",
        {f"{POD}.restartPolicy": "Always"},
        f"{POD}.restartPolicy",
        {f"{POD}.restartPolicy": "OnFailure"},
    ),
    Case("K183", {f"{POD}.restartPolicy": GONE}, f"{POD}.restartPolicy", {}),
    Case("K184", {f"{POD}.containers": []}, f"{POD}.containers", {}),
    Case(
        "K201",
        {f"{TEMPLATE}.trialParameter": []},
        f"{TEMPLATE}.trialParameter",
        {f"{TEMPLATE}.retain": True},
    ),
    Case(
        "K230",
        {f"{TEMPLATE}.trialParameters.7": GONE},
        f"{TEMPLATE}.trialParameters",
        {f"{TEMPLATE}.trialParameters.7": GONE, "spec.parameters.6": GONE},
    ),
    Case(
        "K231",
        {f"{TEMPLATE}.primaryContainerName": "training"},
        f"{TEMPLATE}.primaryContainerName",
        {},
    ),
    Case("K232", {f"{MAIN}.command": GONE}, f"{CONTAINER}.command", {}),
    Case(
        "K233",
        command("/bin/sh", "-c", "python x"),
        f"{CONTAINER}.command",
        command("sh", "-c", "python x"),
    ),
    Case(
        "K233",
        command("bash", "-ec", "python x"),
        f"{CONTAINER}.command",
        command("bash", "-c", "python x"),
    ),
    Case(
        "K233",
        command("bash", "-e", "-c", "python x"),
        f"{CONTAINER}.command",
        command("bash", "-e", "x.sh"),
    ),
    Case("K233", command("sh"), f"{CONTAINER}.command", command("sh", "run.sh", "-c")),
    Case(
        "K240", {f"{JOB}.spec.backoffLimit": GONE}, f"{JOB}.spec", {f"{JOB}.spec.backoffLimit": 0}
    ),
    Case("K241", command("sh", "-c", "a; b"), f"{CONTAINER}.command", command("sh", "-c", "a b")),
    Case("K241", command("bash", "-c", "a && b"), f"{CONTAINER}.command", {}),
    Case(
        "K260",
        command("python", "-c", "print(1)"),
        f"{CONTAINER}.command",
        command("python", "-c", "x=1"),
    ),
    Case("K242", command("a", "b c"), f"{CONTAINER}.command", command("a", "b", "c")),
    Case("K242", command("a", "*.csv"), f"{CONTAINER}.command", command("a", FLAG)),
    Case("K242", command("a", "$HOME"), f"{CONTAINER}.command", command("a", "--x=$(HOME)")),
    Case(
        "K304",
        {JOB: GONE, f"{TEMPLATE}.configMap": {"configMapName": "c"}},
        f"{TEMPLATE}.configMap",
        {},
    ),
    Case(
        "K273",
        {f"{JOB}.apiVersion": "v1"},
        f"{JOB}.apiVersion",
        {f"{JOB}.apiVersion": "batch.volcano.sh/v1alpha1"},  # it has a Job of its own
    ),
    Case("K305", {f"{JOB}.kind": "Pod", f"{JOB}.apiVersion": "v1"}, f"{JOB}.kind", {}),
    Case(
        "K306",
        {f"{MAIN}.envFrom": [{"secretRef": {"name": "s"}}]},
        f"{CONTAINER}.envFrom",
        {f"{MAIN}.envFrom": []},
    ),
    Case(
        "K306",
        {f"{MAIN}.env": [ENV_VALUE, SECRET]},
        f"{CONTAINER}.env[1]",
        {f"{MAIN}.env": [ENV_VALUE, FIELD]},
    ),
    Case("K306", {f"{MAIN}.env": [{"name": "A", "valueFrom": {}}]}, f"{CONTAINER}.env[0]", {}),
    Case("K306", {f"{MAIN}.env": [ADDRESS]}, f"{CONTAINER}.env[0]", {f"{MAIN}.env": [LABEL]}),
    Case(
        "K307",
        {f"{POD}.initContainers": [{"name": "i"}]},
        f"{POD}.initContainers",
        {f"{POD}.initContainers": []},
    ),
    Case("K308", {f"{POD}.containers.1": {"name": "log"}}, f"{POD}.containers", {}),
    Case("K309", {VOLUME: {"name": "models", "nfs": {}}}, f"{POD}.volumes[0]", {}),
    Case(
        "K309",
        {VOLUME: {"name": "models", "secret": {}}},
        f"{POD}.volumes[0]",
        {VOLUME: {"name": "m", "emptyDir": {}}},
    ),
]
WARNINGS = {"K241", "K242", "K308"}
NOTES = {"K240"}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_breaking_a_rule_is_found_at_its_field(case: Case) -> None:
    found = [(finding.code, finding.field) for finding in findings(edited(case.breaking))]
    assert (case.code, case.field) in found


@pytest.mark.parametrize("case", [case for case in CASES if case.passing], ids=str)
def test_what_is_close_to_breaking_a_rule_passes_it(case: Case) -> None:
    assert case.code not in codes(edited(case.passing))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_broken_rule_stops_the_run_unless_katib_runs_it(case: Case) -> None:
    severity = "note" if case.code in NOTES else "warning" if case.code in WARNINGS else "error"
    assert case.code in codes(edited(case.breaking), severity)


@pytest.mark.parametrize(
    ("kind", "fix"),
    [
        ("job", "did you mean kind: Job?"),
        ("PytorchJobs", "did you mean kind: PyTorchJob?"),
        ("Workflow", ""),
    ],
)
def test_a_misspelt_kind_is_asked_about(kind: str, fix: str) -> None:
    found = [each for each in findings(edited({f"{JOB}.kind": kind})) if each.code == "K185"]
    assert [each.fix for each in found] == [fix, fix]
