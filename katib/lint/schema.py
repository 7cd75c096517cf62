"""The shape of what is read. Katib's Go types refuse another one before any rule looks at the document, and so do we.

Only what this room reads is described; null stands for absent, as in Go. Unknown fields are the rules' business.
"""

from collections.abc import Iterator
from typing import Any

from katib.document import Document, FieldPath
from katib.lint.problem import Problem, text_wanted

TEXT = "a string"
INTEGER = "an integer"
WRONG = "K105"
REQUIRED = "!"
EACH = "*"

Shape = Any  # one of the words above, a list of one shape, or a mapping of fields (`!`: required, `*`: every other)

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
POD = {
    "restartPolicy": TEXT,
    "activeDeadlineSeconds": INTEGER,
    "terminationGracePeriodSeconds": INTEGER,
    "containers": [CONTAINER],
    "initContainers": [{}],
    "volumes": [
        {
            "name!": TEXT,
            "emptyDir": {},
            "hostPath": {},
            "persistentVolumeClaim": {"claimName!": TEXT},
        }
    ],
}
JOB = {
    "apiVersion": TEXT,
    "kind": TEXT,
    "metadata": {**LABELLED, "name": TEXT, "namespace": TEXT},
    "spec": {"template": {"metadata": LABELLED, "spec": POD}},
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
    "parameters": [
        {
            "name": TEXT,
            "parameterType": TEXT,
            "feasibleSpace": {
                "min": TEXT,
                "max": TEXT,
                "step": TEXT,
                "list": [TEXT],
                "distribution": TEXT,
            },
        }
    ],
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


def check(document: Document) -> Iterator[Problem]:
    """Yield K101 for a number or boolean where a string is needed, K105 for every other wrong shape."""
    yield from _any(document.value, EXPERIMENT, ())


def _any(value: object, shape: Shape, path: FieldPath) -> Iterator[Problem]:
    if value is None:
        return
    if isinstance(shape, dict):
        yield from _mapping(value, shape, path)
    elif isinstance(shape, list):
        yield from _list(value, shape[0], path)
    elif shape == TEXT and isinstance(value, bool | int | float):
        yield text_wanted(path, value)
    elif not isinstance(value, str if shape == TEXT else int) or isinstance(value, bool):
        yield _wrong(path, shape, value)


def _mapping(value: object, fields: dict[str, Shape], path: FieldPath) -> Iterator[Problem]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        yield _wrong(path, "a mapping of named fields", value)
        return
    for field, shape in fields.items():
        name = field.rstrip(REQUIRED)
        if field.endswith(REQUIRED) and value.get(name) is None:
            yield Problem(WRONG, path, f"{name} is missing")
        for key in value if field == EACH else (name,):
            yield from _any(value.get(key), shape, (*path, key))


def _list(value: object, shape: Shape, path: FieldPath) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield _wrong(path, "a list", value)
        return
    for index, entry in enumerate(value):
        if entry is None:
            yield Problem(WRONG, (*path, index), "is empty")
        yield from _any(entry, shape, (*path, index))


def _wrong(path: FieldPath, wanted: str, value: object) -> Problem:
    return Problem(
        WRONG, path, f"must be {wanted}, is {NAMES.get(type(value), type(value).__name__)}"
    )
