"""Variants of traps in commands, collectors, algorithms and templates, and what is close to one."""

from typing import Any

import pytest
from support.katib.lint_cases import GONE, codes, edited

from katib.lint import lint_text

TEMPLATE = "spec.trialTemplate"
JOB = f"{TEMPLATE}.trialSpec"
POD = f"{JOB}.spec.template.spec"
MAIN = f"{POD}.containers.0"
COLLECTOR = "spec.metricsCollectorSpec"
ALGORITHM = "spec.algorithm"
KIND = f"{COLLECTOR}.collector.kind"
FILE = f"{COLLECTOR}.source.fileSystemPath"
FORMAT = f"{COLLECTOR}.source.filter.metricsFormat"
DEPTH = "spec.parameters.3"
FEATURES = "spec.parameters.0"


def shell(script: str) -> dict[str, Any]:
    return {f"{MAIN}.command": ["sh", "-c"], f"{MAIN}.args": [script]}


def settings(name: str, **values: str) -> dict[str, Any]:
    listed = [{"name": key, "value": value} for key, value in values.items()]
    return {f"{ALGORITHM}.algorithmName": name, f"{ALGORITHM}.algorithmSettings": listed}


FOUND: dict[str, tuple[str, dict[str, Any]]] = {
    "a pipe": ("K241", shell("a | tee log")),
    "a background process": ("K241", shell("a & b")),
    "both streams into a file": ("K245", shell("python x > log 2>&1")),
    "appended to a file": ("K245", shell("python x >> log")),
    "a local image without a command": ("K232", {f"{MAIN}.command": GONE}),
    "an image without a tag": ("K232", {f"{MAIN}.command": GONE, f"{MAIN}.image": "ghcr.io/a/b"}),
    "a full image without a command": (
        "K244",
        {f"{MAIN}.command": GONE, f"{MAIN}.image": "ghcr.io/a/b:1"},
    ),
    "a lookahead": ("K163", {KIND: "File", FORMAT: [r"(\w+)=(?=x)(.*)"]}),
    "a back reference": ("K211", {FORMAT: [r"(\w+)=(\d+)\1"]}),
    "a possessive quantifier": ("K211", {FORMAT: [r"(\w++)=(\d+)"]}),
    "a class of Unicode": ("K312", {FORMAT: [r"(\p{L}+)=(\d+)"]}),
    "a metric that reads as a number": ("K214", {"spec.objective.objectiveMetricName": "1"}),
    "an additional metric with a dot": (
        "K214",
        {"spec.objective.additionalMetricNames": ["val.mae"]},
    ),
    "metrics in the root folder": ("K217", {KIND: "File", FILE: {"path": "/metrics.log"}}),
    "tensorflow without absolute path": ("K161", {KIND: "TensorFlowEvent", FILE: {"path": "tf"}}),
    "tensorflow as a file": (
        "K164",
        {KIND: "TensorFlowEvent", FILE: {"path": "/tf", "kind": "File"}},
    ),
    "tensorflow with a format": (
        "K167",
        {KIND: "TensorFlowEvent", FILE: {"path": "/tf", "format": "TEXT"}},
    ),
    "a custom collector without a kind of path": ("K164", {KIND: "Custom", FILE: {"path": "/m"}}),
    "a path of prometheus without a slash": (
        "K165",
        {KIND: "PrometheusMetric", f"{COLLECTOR}.source.httpGet": {"path": "m"}},
    ),
    "an empty filter with json": (
        "K162",
        {KIND: "File", FILE: {"format": "JSON"}, f"{COLLECTOR}.source.filter": {}},
    ),
    "a whole number with a point": ("K203", {f"{DEPTH}.feasibleSpace.max": "30.0"}),
    "a grid without end": (
        "K223",
        {
            **settings("grid"),
            "spec.maxTrialCount": GONE,
            f"{FEATURES}.feasibleSpace.step": "0.05",
            "spec.parameters.5.feasibleSpace.step": "0.1",
        },
    ),
    "hyperband without settings": ("K225", settings("hyperband")),
    "hyperband's resource elsewhere": (
        "K225",
        settings("hyperband", r_l="2", resource_name="epochs", eta="2"),
    ),
    "hyperband with eta 1": (
        "K225",
        settings("hyperband", r_l="2", resource_name="max_depth", eta="1"),
    ),
    "pbt without settings": ("K225", settings("pbt")),
    "pbt with four": (
        "K225",
        settings("pbt", suggestion_trial_dir="/t", n_population="4", truncation_threshold="0.2"),
    ),
    "pbt that cannot be checked": (
        "K225",
        settings(
            "pbt",
            suggestion_trial_dir="/t",
            n_population="5",
            truncation_threshold="2",
            resample_probability="0.1",
        ),
    ),
    "a step of tpe that does not divide": (
        "K254",
        {**settings("tpe"), f"{DEPTH}.feasibleSpace.step": "4"},
    ),
    "a distribution for a list": (
        "K227",
        {"spec.parameters.4.feasibleSpace.distribution": "normal"},
    ),
    "a port in quotes": ("K182", {f"{MAIN}.ports": [{"containerPort": "80"}]}),
    "a misspelt field deep inside": ("K181", {f"{MAIN}.livenessProbe": {"httpGet": {"prt": 80}}}),
    "a field of limits next to them": ("K181", {f"{MAIN}.resources": {"limit": {"cpu": "1"}}}),
    "a number as an annotation": ("K101", {f"{JOB}.spec.template.metadata.annotations": {"a": 1}}),
    "a list that is empty": ("K186", {f"{POD}.tolerations": []}),
    "no time of creation": ("K186", {f"{JOB}.spec.template.metadata.creationTimestamp": None}),
    "conditions for a template elsewhere": (
        "K185",
        {JOB: GONE, f"{TEMPLATE}.configMap": {"configMapName": "c"}},
    ),
    "an unknown top field": ("K201", {"specs": {}}),
}
FINE: dict[str, tuple[str, dict[str, Any]]] = {
    "one stream into the other": ("K241", shell("python x 2>&1")),
    "a sign inside quotes": ("K241", shell("python -c 'a; b'")),
    "errors into a file": ("K245", shell("python x 2> errors")),
    "output to the terminal": ("K245", shell("python x > /dev/stdout")),
    "several commands with a file": ("K241", {**shell("a; b"), KIND: "File"}),
    "words for no shell, with push": ("K242", {f"{MAIN}.args": ["a b"], KIND: "Push"}),
    "no command with push": ("K232", {f"{MAIN}.command": GONE, KIND: "Push"}),
    "a path that Katib's default has": ("K217", {KIND: "File"}),
    "the metrics' path as an argument": (
        "K217",
        {KIND: "File", FILE: {"path": "/m/x.log"}, f"{MAIN}.args": ["/m/x.log"]},
    ),
    "a group that does not count": ("K211", {FORMAT: [r"(?:\s*)(\w+)=(\d+)"]}),
    "an escaped digit": ("K211", {FORMAT: [r"(\w+)=(\\1|\d+)"]}),
    "a metric with a slash, with json": (
        "K214",
        {"spec.objective.objectiveMetricName": "val/mse", KIND: "File", FILE: {"format": "JSON"}},
    ),
    "a metric with a slash, with a filter": (
        "K214",
        {"spec.objective.objectiveMetricName": "val/mse", FORMAT: [r"([\w/]+)=([\d.]+)"]},
    ),
    "hyperband's resource with equal ends": (
        "K204",
        {
            **settings("hyperband", r_l="2", resource_name="max_depth", eta="2"),
            f"{DEPTH}.feasibleSpace.max": "4",
        },
    ),
    "a full hyperband": (
        "K225",
        settings("hyperband", r_l="4", resource_name="max_depth", eta="2"),
    ),
    "a full pbt": (
        "K225",
        {
            **settings(
                "pbt", suggestion_trial_dir="/t", n_population="5", truncation_threshold="0.2"
            ),
            "spec.resumePolicy": "FromVolume",
        },
    ),
    "a step that divides": ("K254", {**settings("tpe"), f"{DEPTH}.feasibleSpace.step": "2"}),
    "a device among the limits": ("K181", {f"{MAIN}.resources": {"limits": {"nvidia.com/gpu": 1}}}),
    "a half processor": ("K182", {f"{MAIN}.resources": {"limits": {"cpu": 0.5}}}),
    "a false that counts": (
        "K186",
        {f"{POD}.automountServiceAccountToken": False, f"{JOB}.spec.backoffLimit": 0},
    ),
    "a number for a port": (
        "K182",
        {f"{MAIN}.livenessProbe": {"httpGet": {"port": 80, "path": "/"}}},
    ),
    "an architecture's references": (
        "K177",
        {"spec.parameters": GONE, "spec.nasConfig": {"graphConfig": {}}},
    ),
    "conditions of one's own": (
        "K185",
        {
            f"{JOB}.kind": "Workflow",
            f"{TEMPLATE}.successCondition": "a",
            f"{TEMPLATE}.failureCondition": "b",
        },
    ),
    "a pytorch job": (
        "K185",
        {f"{JOB}.kind": "PyTorchJob", f"{JOB}.apiVersion": "kubeflow.org/v1"},
    ),
    "what the cluster wrote": ("K201", {"status": {"conditions": []}, "metadata.uid": "x"}),
}


@pytest.mark.parametrize(("code", "edits"), FOUND.values(), ids=list(FOUND))
def test_a_variant_of_a_trap_is_found(code: str, edits: dict[str, Any]) -> None:
    assert code in codes(edited(edits))


@pytest.mark.parametrize(("code", "edits"), FINE.values(), ids=list(FINE))
def test_what_only_looks_like_a_trap_is_let_pass(code: str, edits: dict[str, Any]) -> None:
    assert code not in codes(edited(edits))


def test_a_field_that_occurs_twice_is_found_at_its_second_place() -> None:
    text = "kind: Experiment\nspec:\n  maxTrialCount: 1\n  maxTrialCount: 2\n"
    assert ("K106", 4, 3) in {
        (finding.code, finding.line, finding.column) for finding in lint_text(text, "a.yaml")
    }
