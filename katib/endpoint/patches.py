"""Changes of an object: JSON merge patch (RFC 7396) and JSON patch (RFC 6902)."""

import copy

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
        try:
            for operation in patch:
                _apply_operation(changed, operation)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            text = f"the JSON patch {operation!r} does not fit the object, or is not supported"
            raise bad_request(text) from error
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
    name = operation["op"]
    _, *steps = operation["path"].split("/")
    *path, key = [step.replace("~1", "/").replace("~0", "~") for step in steps]
    parent: JsonValue = item
    for step in path:
        parent = parent[int(step) if isinstance(parent, list) else step]
    if isinstance(parent, list):
        key = len(parent) if key == "-" else int(key)
    if name == "add" and isinstance(parent, list):
        parent.insert(key, operation["value"])
    elif name == "add":
        parent[key] = operation["value"]
    elif name == "replace":
        _ = parent[key]  # it has to exist
        parent[key] = operation["value"]
    elif name == "remove":
        del parent[key]
    elif name != "test" or parent[key] != operation["value"]:
        raise ValueError(name)
