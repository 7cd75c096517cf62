"""Changes of an object: JSON merge patch (RFC 7396) and JSON patch (RFC 6902)."""

import copy
from collections.abc import Sequence

from katib.endpoint.refusals import bad_request
from katib.objects import JsonObject, JsonValue

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


def apply_patch(item: JsonObject, patch: JsonValue, content_type: str) -> JsonObject:
    """Return the changed object; the given one stays as it is.

    Raises:
        Refusal: when the patch does not fit.
    """
    if isinstance(patch, list) and content_type == JSON_PATCH:
        changed = copy.deepcopy(item)
        for operation in patch:
            _apply_operation(changed, operation)
        return changed
    if isinstance(patch, dict):
        merged: JsonObject = _merge(item, patch)
        return merged
    raise bad_request(f"the body is no {content_type}")


def _merge(value: JsonValue, patch: JsonValue) -> JsonValue:
    if not isinstance(patch, dict):
        return patch
    merged = dict(value) if isinstance(value, dict) else {}
    for name, part in patch.items():
        if part is None:
            merged.pop(name, None)
        else:
            merged[name] = _merge(merged.get(name), part)
    return merged


def _apply_operation(item: JsonObject, operation: JsonValue) -> None:
    try:
        name = operation["op"]
        parent, key = _find_parent(item, operation["path"])
        if name == "remove":
            del parent[key]
        elif name == "test":
            if parent[key] != operation["value"]:
                raise bad_request(f"{operation['path']} is not {operation['value']!r}")
        elif name == "add" and isinstance(parent, list):
            parent.insert(len(parent) if key == "-" else key, operation["value"])
        elif name in {"add", "replace"}:
            if name == "replace":
                _ = parent[key]  # it has to exist
            parent[key] = operation["value"]
        else:
            raise bad_request(f"the operation {name!r} is not supported: use a merge patch")
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise bad_request(f"the JSON patch {operation!r} does not fit the object") from error


def _find_parent(item: JsonObject, pointer: str) -> tuple[JsonValue, JsonValue]:
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    value: JsonValue = item
    for step in steps[:-1]:
        value = value[_key_in(value, step)]
    return value, _key_in(value, steps[-1])


def _key_in(value: JsonValue, step: str) -> int | str:
    if isinstance(value, Sequence) and step != "-":
        return int(step)
    return step
