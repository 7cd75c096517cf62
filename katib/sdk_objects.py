"""Experiments as objects of other people's packages, and back.

Read are the models of `kubeflow-katib` and of Kubernetes' client, those of `kubeflow-katib-api`
(pydantic), and dictionaries in camelCase or, as `to_dict()` of the first two gives them, in
snake_case; also mixed, such as `katib.search.int(1, 9)` in a dictionary. The packages themselves
are not imported for that, and the conversion does not depend on their versions.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from katib.objects import JsonObject, JsonValue, KatibObject

if TYPE_CHECKING:
    from kubeflow.katib import V1beta1Experiment

# Their keys are the users' own words.
FREE_MAPS = frozenset(
    {
        "annotations",
        "data",
        "labels",
        "limits",
        "matchLabels",
        "nodeSelector",
        "primaryPodLabels",
        "requests",
    }
)
OPENAPI_ITEM = re.compile(r"(list|dict)[\[(](?:str, ?)?(\w+)[\])]")


def read_object(value: object) -> JsonObject | None:
    """Return a document for an object that is one of another package, or a dictionary; else None.

    `status` is left out, and a categorical parameter whose list `katib.search.categorical` of
    version 0.19 has put into `distribution` gets its list back (katib#2625).
    """
    if not (isinstance(value, Mapping) or _is_model(value)):
        return None
    document = _to_plain(value)
    if "api_version" in document:
        document = _to_camel_case(document)
    document.pop("status", None)
    return _with_lists(document)


def to_sdk_experiment(document: KatibObject) -> "V1beta1Experiment":
    """Return an Experiment of the package `kubeflow-katib`, with its status if it has one.

    Raises:
        ModuleNotFoundError: when the package is not installed.
    """
    from kubeflow.katib import V1beta1Experiment  # noqa: PLC0415 - an optional package

    return _to_model(V1beta1Experiment, document)


def _is_model(value: object) -> bool:
    return hasattr(value, "attribute_map") or hasattr(value, "model_dump")


def _to_plain(value: object) -> JsonValue:
    """Return what JSON has of a value, without what is None."""
    if names := getattr(value, "attribute_map", None):
        parts = {names[each]: getattr(value, each) for each in names}
        return _to_plain(parts)
    if hasattr(value, "model_dump"):
        return _to_plain(value.model_dump(by_alias=True))
    if isinstance(value, Mapping):
        return {str(key): _to_plain(part) for key, part in value.items() if part is not None}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_to_plain(part) for part in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value


def _to_camel_case(value: JsonValue, parent: str = "") -> JsonValue:
    if isinstance(value, list):
        return [_to_camel_case(part) for part in value]
    if not isinstance(value, dict):
        return value
    if parent in FREE_MAPS:
        return value
    names = {key: re.sub(r"_+(\w)", lambda found: found[1].upper(), key) for key in value}
    return {names[key]: _to_camel_case(part, names[key]) for key, part in value.items()}


def _with_lists(document: JsonObject) -> JsonObject:
    """Put lists where they belong, as texts."""
    spec = document.get("spec")
    parameters = spec.get("parameters") if isinstance(spec, dict) else None
    for parameter in parameters if isinstance(parameters, list) else ():
        space = parameter.get("feasibleSpace") if isinstance(parameter, dict) else None
        if isinstance(space, dict) and isinstance(space.get("distribution"), list):
            space["list"] = [str(each) for each in space.pop("distribution")]
    return document


def _to_model(kind: type, value: KatibObject) -> "V1beta1Experiment":
    """Return a model, and in it models, by the names that the package itself gives to types."""
    from kubeflow.katib import models  # noqa: PLC0415 - an optional package

    known = vars(models)
    types: Mapping[str, str] = kind.openapi_types  # type: ignore[attr-defined] # of generated code
    names: Mapping[str, str] = kind.attribute_map  # type: ignore[attr-defined] # of generated code
    parts = {}
    for attribute, name in names.items():
        if name not in value:
            continue
        part = value[name]
        item = OPENAPI_ITEM.fullmatch(types[attribute])
        if item and item[1] == "list" and item[2] in known:
            part = [_to_model(known[item[2]], each) for each in part]
        elif types[attribute] in known and isinstance(part, Mapping):
            part = _to_model(known[types[attribute]], part)
        parts[attribute] = part
    model: V1beta1Experiment = kind(**parts)
    return model
