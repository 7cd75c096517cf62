"""The shapes of the fields that this room reads.

Katib's Go types refuse another shape before any of its rules looks at the document, and so does
lint. Null means absent, as in Go. Unknown fields are left to the rules.
"""

from collections.abc import Iterator
from typing import Any

from katib.document import Document, FieldPath
from katib.lint.violation import Violation, string_expected

TEXT = "a string"
INTEGER = "an integer"
WRONG = "K105"
REQUIRED = "!"
EACH = "*"

# One of the words above, a list of one shape, or a mapping of fields: `!` marks a required one, `*`
# stands for every other.
Shape = Any

LABELLED = {"labels": {EACH: TEXT}, "annotations": {EACH: TEXT}}
SETTINGS = {"algorithmName": TEXT, "algorithmSettings": [{"name!": TEXT, "value!": TEXT}]}
CONTAINER = {
    "name!": TEXT,
    "image": TEXT,
    "command": [TEXT],
    "args": [TEXT],
    "workingDir": TEXT,
    "env": [{"name!": TEXT, "value": TEXT, "valueFrom": {"fieldRef": {"fieldPath!": TEXT}}}],
    "envFrom": [{}],
    "resources": {"requests": {}, "limits": {}},
    "volumeMounts": [{"name!": TEXT, "mountPath!": TEXT, "subPath": TEXT}],
}
VOLUME = {
    "name!": TEXT,
    "emptyDir": {},
    "hostPath": {},
    "persistentVolumeClaim": {"claimName!": TEXT},
}
POD = {
    "restartPolicy": TEXT,
    "activeDeadlineSeconds": INTEGER,
    "terminationGracePeriodSeconds": INTEGER,
    "containers": [CONTAINER],
    "initContainers": [{}],
    "volumes": [VOLUME],
}
JOB = {
    "apiVersion": TEXT,
    "kind": TEXT,
    "metadata": {**LABELLED, "name": TEXT, "namespace": TEXT},
    "spec": {"template": {"metadata": LABELLED, "spec": POD}},
}
FEASIBLE_SPACE = {
    "min": TEXT,
    "max": TEXT,
    "step": TEXT,
    "list": [TEXT],
    "distribution": TEXT,
}
SPEC = {
    "objective": {
        "type": TEXT,
        "objectiveMetricName": TEXT,
        "additionalMetricNames": [TEXT],
        "metricStrategies": [{"name!": TEXT, "value": TEXT}],
    },
    "algorithm": SETTINGS,
    "earlyStopping": SETTINGS,
    "parameters": [{"name": TEXT, "parameterType": TEXT, "feasibleSpace": FEASIBLE_SPACE}],
    "resumePolicy": TEXT,
    "metricsCollectorSpec": {
        "collector": {"kind": TEXT, "customCollector": {}},
        "source": {
            "httpGet": {"path": TEXT},
            "fileSystemPath": {"path": TEXT, "kind": TEXT, "format": TEXT},
            "filter": {"metricsFormat": [TEXT]},
        },
    },
    "trialTemplate": {
        "primaryContainerName": TEXT,
        "trialParameters": [{"name": TEXT, "reference": TEXT, "description": TEXT}],
        "trialSpec": JOB,
        "configMap": {"configMapName": TEXT, "configMapNamespace": TEXT, "templatePath": TEXT},
        "primaryPodLabels": {EACH: TEXT},
        "successCondition": TEXT,
        "failureCondition": TEXT,
    },
}
EXPERIMENT = {
    "apiVersion": TEXT,
    "metadata": {**LABELLED, "name": TEXT, "generateName": TEXT, "namespace": TEXT},
    "spec": SPEC,
}
NAMES = {
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "a mapping",
}


def check_schema(document: Document) -> Iterator[Violation]:
    """Yield K101 for a number or boolean instead of a string, K105 for every other wrong shape."""
    yield from _check_shape(document.value, EXPERIMENT, ())


def _check_shape(value: object, shape: Shape, path: FieldPath) -> Iterator[Violation]:
    if value is None:
        return
    if isinstance(shape, dict):
        yield from _check_mapping(value, shape, path)
    elif isinstance(shape, list):
        yield from _check_sequence(value, shape[0], path)
    elif shape == TEXT and isinstance(value, bool | int | float):
        yield string_expected(path, value)
    elif not isinstance(value, str if shape == TEXT else int) or isinstance(value, bool):
        yield _wrong_shape(path, shape, value)


def _check_mapping(value: object, fields: dict[str, Shape], path: FieldPath) -> Iterator[Violation]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        yield _wrong_shape(path, "a mapping of named fields", value)
        return
    for field, shape in fields.items():
        name = field.rstrip(REQUIRED)
        if field.endswith(REQUIRED) and value.get(name) is None:
            yield Violation(WRONG, path, f"{name} is missing")
        for key in value if field == EACH else (name,):
            yield from _check_shape(value.get(key), shape, (*path, key))


def _check_sequence(value: object, shape: Shape, path: FieldPath) -> Iterator[Violation]:
    if not isinstance(value, list):
        yield _wrong_shape(path, "a list", value)
        return
    for index, entry in enumerate(value):
        if entry is None:
            yield Violation(WRONG, (*path, index), "is empty")
        yield from _check_shape(entry, shape, (*path, index))


def _wrong_shape(path: FieldPath, wanted: str, value: object) -> Violation:
    found = NAMES.get(type(value), type(value).__name__)
    return Violation(WRONG, path, f"must be {wanted}, is {found}")
