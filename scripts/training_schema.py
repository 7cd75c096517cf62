"""Print the fields of Kubeflow's jobs, as the models of its own packages have them.

Run it in an environment that has the package:

    schema=scripts/training_schema.py
    .peers/katib/bin/python $schema kubeflow-training > katib/lint/kubeflow-training.json
    .peers/kubeflow/bin/python $schema kubeflow-trainer-api > katib/lint/kubeflow-trainer-api.json

Lint uses the models' knowledge without the packages: both need a second to import, and
kubeflow-training needs an old client of Kubernetes. tests/clients compares the two.
"""

import json
import re
import sys
import types
import typing
from collections.abc import Iterator
from typing import Any

KINDS = ("PyTorchJob", "TFJob", "XGBoostJob", "MPIJob")
# The models of kubeflow-training demand it, the operator's CRD does not.
OPTIONAL = ("runPolicy",)
PLAIN = {"str": "string", "int": "integer", "bool": "boolean", "datetime": "string"}
Field = tuple[str, str, bool]  # name in the document, shape, whether it is required
ITEMS = re.compile(r"(list|dict)[\[(](?:str, )?(\w+)[\])]")


def kubernetes_type(name: str) -> str:
    """Return a type's name in `job_schema.json`; empty for one of Kubeflow's own."""
    if name in {"V1ObjectMeta", "IoK8sApimachineryPkgApisMetaV1ObjectMeta"}:
        return "meta.ObjectMeta"
    found = re.fullmatch(r"V1(PodTemplateSpec)|IoK8sApiCoreV1(\w+)", name)
    return f"core.{found[1] or found[2]}" if found else ""


class Collector:
    """Collects the types that a kind is made of."""

    def __init__(self, models: types.ModuleType) -> None:
        self.models = models
        self.types: dict[str, dict[str, str]] = {}

    def collect(self, name: str) -> str:
        """Return the shape of a type, and keep its fields."""
        if name in PLAIN:
            return PLAIN[name]
        if name.endswith(("Quantity", "IntOrString")):
            return "quantity"
        if known := kubernetes_type(name):
            return known
        model = getattr(self.models, name, None)
        if model is None:
            return "any"
        if name not in self.types:
            self.types[name] = {}
            fields = openapi_fields(model) if hasattr(model, "openapi_types") else typed(model)
            for field, shape, required in fields:
                if field != "status":
                    self.types[name][field + "!" * required] = self.shape_of(shape)
        return name

    def shape_of(self, shape: str) -> str:
        """Return a shape whose types are collected."""
        for prefix in ("[]", "{}"):
            if shape.startswith(prefix):
                return prefix + self.shape_of(shape.removeprefix(prefix))
        return self.collect(shape)


def openapi_fields(model: Any) -> Iterator[Field]:  # noqa: ANN401 - of generated code
    """Yield the fields of a model of kubeflow-training; its setters know which are required."""
    from kubeflow.training.configuration import Configuration  # noqa: PLC0415 - one of two

    empty = model.__new__(model)
    empty.local_vars_configuration = Configuration()
    for attribute, name in model.attribute_map.items():
        text = model.openapi_types[attribute]
        if found := ITEMS.fullmatch(text):
            text = ("[]" if found[1] == "list" else "{}") + found[2]
        required = False
        try:
            setattr(empty, attribute, None)
        except ValueError:
            required = True
        yield name, text, required and name not in OPTIONAL


def typed(model: Any) -> Iterator[Field]:  # noqa: ANN401 - of generated code
    """Yield the fields of a pydantic model of kubeflow-trainer-api."""
    for name, field in model.model_fields.items():
        yield field.alias or name, shape_of_annotation(field.annotation), field.is_required()


def shape_of_annotation(annotation: Any) -> str:  # noqa: ANN401 - of typing
    """Return the shape of a pydantic annotation."""
    origin = typing.get_origin(annotation)
    parts = [each for each in typing.get_args(annotation) if each is not type(None)]
    if origin is list:
        return "[]" + shape_of_annotation(parts[0])
    if origin is dict:
        return "{}" + shape_of_annotation(parts[1])
    if origin is typing.Annotated or (origin in {typing.Union, types.UnionType} and parts):
        return shape_of_annotation(parts[0])
    return str(getattr(annotation, "__name__", "any"))


def main(package: str) -> None:
    """Print the schema of one package's kinds."""
    if package == "kubeflow-training":
        from kubeflow.training import models  # noqa: PLC0415 - one of two

        roots = {kind: f"KubeflowOrgV1{kind}" for kind in KINDS}
    else:
        from kubeflow_trainer_api import models  # noqa: PLC0415 - one of two

        roots = {"TrainJob": "TrainerV1alpha1TrainJob"}
    collector = Collector(models)
    for name in roots.values():
        collector.collect(name)
    schema = {"roots": roots, "types": collector.types}
    sys.stdout.write(json.dumps(schema, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
