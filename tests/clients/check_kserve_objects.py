"""Compare objects, a JSON list on stdin, with the models of KServe's package; write what is wrong.

Each key must be an attribute of its model, at any depth; the models of Kubernetes' own objects come
with the package too.
"""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import kserve.models
import kubernetes.client.models

VERSIONS = {"InferenceService": "V1beta1", "ServingRuntime": "V1alpha1"}


def model(name: str) -> Any:  # noqa: ANN401 - a generated class
    return getattr(kserve.models, name, None) or getattr(kubernetes.client.models, name, None)


def faults(kind: str, value: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    if found := re.fullmatch(r"list\[(.+)\]", kind):
        for i, item in enumerate(value):
            yield from faults(found[1], item, f"{path}[{i}]")
        return
    found_model = model(kind)
    if found_model is None:  # a text, a number, a dict of them
        return
    if not isinstance(value, dict):
        if kind not in {"IntOrString", "ResourceQuantity"}:
            yield f"{path}: {kind} expected"
        return
    names = {key: attribute for attribute, key in found_model.attribute_map.items()}
    for key, item in value.items():
        if key not in names:
            yield f"{path}: {kind} has no {key}"
        else:
            yield from faults(found_model.openapi_types[names[key]], item, f"{path}.{key}")


if __name__ == "__main__":
    wrong = []
    for item in json.load(sys.stdin):
        version = VERSIONS[item["kind"].removeprefix("Cluster")]
        wrong += faults(version + item["kind"], item, item["kind"])
    sys.stdout.write(json.dumps(wrong))
