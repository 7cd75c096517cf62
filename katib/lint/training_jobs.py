"""The fields of Kubeflow's jobs, as its own packages know them.

scripts/training_schema.py reads them from the models of `kubeflow-training` (PyTorchJob, TFJob,
XGBoostJob, MPIJob) and `kubeflow-trainer-api` (TrainJob). Lint needs neither package: each takes a
second to import, and one of them an old client of Kubernetes.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

from katib.document import FieldPath
from katib.lint.job_schema import check_kubernetes_value
from katib.lint.violation import Violation, unknown_field
from katib.objects import JsonObject, KatibObject

WRONG = "K271"
UNKNOWN = "K272"
REQUIRED = "!"
Types = Mapping[str, Mapping[str, str]]  # the shapes of a type's fields
PACKAGES = {"kubeflow.org/v1": "training", "trainer.kubeflow.org/v1alpha1": "trainer-api"}
# Rules of a Job's pod, by the codes here. A value that is empty does no harm.
CODES = {"K101": WRONG, "K182": WRONG, "K181": UNKNOWN}


def check_training_job(run: KatibObject, path: FieldPath) -> Iterator[Violation]:
    """Yield K271 and K272 for a trial's object at `path`, if it is a job of Kubeflow's."""
    package = PACKAGES.get(str(run.get("apiVersion")))
    schema = _training_schema(package) if package else {}
    root = schema.get("roots", {}).get(run.get("kind"))
    if root:
        fields = {name: value for name, value in run.items() if name != "status"}
        yield from _check_value(fields, root, path, schema["types"])


@cache
def _training_schema(package: str) -> JsonObject:
    text = files("katib.lint").joinpath(f"kubeflow-{package}.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def _check_value(value: object, shape: str, path: FieldPath, types: Types) -> Iterator[Violation]:
    if value is None or shape == "any":
        return
    if shape.startswith("[]"):
        yield from _check_list(value, shape[2:], path, types)
    elif shape.startswith("{}") or shape in types:
        yield from _check_mapping(value, shape, path, types)
    else:
        for found in check_kubernetes_value(value, shape, path):
            if code := CODES.get(found.code):
                yield found._replace(code=code)


def _check_list(value: object, shape: str, path: FieldPath, types: Types) -> Iterator[Violation]:
    if not isinstance(value, list):
        yield _wrong_type(value, "a list", path)
        return
    for index, item in enumerate(value):
        yield from _check_value(item, shape, (*path, index), types)


def _check_mapping(value: object, shape: str, path: FieldPath, types: Types) -> Iterator[Violation]:
    if not isinstance(value, dict):
        yield _wrong_type(value, "a mapping", path)
    elif shape in types:
        yield from _check_fields(value, types[shape], path, types)
    else:
        for key, item in value.items():
            yield from _check_value(item, shape[2:], (*path, str(key)), types)


def _check_fields(
    value: JsonObject,
    fields: Mapping[str, str],
    path: FieldPath,
    types: Types,
) -> Iterator[Violation]:
    known = {name.rstrip(REQUIRED): shape for name, shape in fields.items()}
    for name in fields:
        if name.endswith(REQUIRED) and value.get(name.rstrip(REQUIRED)) is None:
            yield Violation(WRONG, path, f"{name.rstrip(REQUIRED)} is missing")
    for key, item in value.items():
        if key in known:
            yield from _check_value(item, known[key], (*path, str(key)), types)
        else:
            yield unknown_field(UNKNOWN, path, key, known, value)


def _wrong_type(value: object, wanted: str, path: FieldPath) -> Violation:
    return Violation(WRONG, path, f"must be {wanted}, is {value!r}")
