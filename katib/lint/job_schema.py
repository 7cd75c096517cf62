"""The fields of a batch/v1 Job, as Katib's webhook checks them.

The webhook converts the template to the Go type and back. It refuses what does not come back as it
was written: an unknown field, another shape, null, and an empty value (false, 0, "", [] or {}) of a
field that Go leaves out when it is empty. scripts/job_schema.go makes `job_schema.json`.
"""

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from katib.document import FieldPath
from katib.lint.violation import Edit, Violation, string_expected, unknown_field
from katib.objects import JsonObject

LOCAL_VOLUMES = ("emptyDir", "hostPath", "persistentVolumeClaim")
FREE = ("limits", "requests")  # of resources: devices may have any name there
WORDS: dict[str, type | tuple[type, ...]] = {
    "integer": int,
    "boolean": bool,
    "string": str,
    "quantity": (str, int, float),
}


def check_job(job: JsonObject, path: FieldPath) -> Iterator[Violation]:
    """Yield K101, K181, K182 and K186 for the whole Job at `path`."""
    fields = {name: value for name, value in job.items() if name != "status"}
    yield from _check_fields(fields, _job_schema()["root"], path)


def check_kubernetes_value(value: object, shape: str, path: FieldPath) -> Iterator[Violation]:
    """Yield K101, K181, K182 and K186 for a value of one of Kubernetes' types, such as a pod's."""
    name = shape.rpartition("]")[-1].rpartition("}")[-1]
    if "." not in name or name in _job_schema()["types"]:
        yield from _check_field(value, shape, path)


@cache
def _job_schema() -> JsonObject:
    text = files("katib.lint").joinpath("job_schema.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def _check_fields(value: JsonObject, type_name: str, path: FieldPath) -> Iterator[Violation]:
    known: dict[str, str] = _job_schema()["types"][type_name]
    for key, item in value.items():
        if key not in known:
            yield unknown_field("K181", path, key, known, value)
        elif path[-1:] != ("resources",) or key not in FREE or not item:
            yield from _check_field(item, known[key], (*path, str(key)))


def _check_field(value: object, shape: str, path: FieldPath) -> Iterator[Violation]:
    """Check a value against a shape; one that ends in `?` is left out by Go when it is empty."""
    left_out_when_empty = shape.endswith("?")
    shape = shape.rstrip("?")
    if value is None or (left_out_when_empty and not value and type(value) is not float):
        edit = Edit(path, "", "remove")
        yield Violation("K186", path, "is empty: Katib cannot read it back", "leave it out", edit)
    elif shape == "any":
        return
    elif shape.startswith("[]"):
        yield from _check_list(value, shape[2:], path)
    elif shape.startswith("{}") or "." in shape:
        yield from _check_object(value, shape, path)
    elif shape == "string" and isinstance(value, bool | int | float):
        yield string_expected(path, value)
    elif not isinstance(value, WORDS[shape]) or (isinstance(value, bool) and shape != "boolean"):
        yield _wrong_type(value, shape, path)


def _check_list(value: object, shape: str, path: FieldPath) -> Iterator[Violation]:
    if not isinstance(value, list):
        yield _wrong_type(value, "list", path)
        return
    for index, item in enumerate(value):
        yield from _check_field(item, shape, (*path, index))


def _check_object(value: object, shape: str, path: FieldPath) -> Iterator[Violation]:
    if not isinstance(value, dict):
        yield _wrong_type(value, "mapping", path)
    elif shape.startswith("{}"):
        for key, item in value.items():
            yield from _check_field(item, shape[2:], (*path, str(key)))
    else:
        yield from _check_fields(value, shape, path)


def _wrong_type(value: object, word: str, path: FieldPath) -> Violation:
    fix = "a placeholder cannot stand here" if "${" in str(value) else ""
    edit = None
    if word == "integer" and isinstance(value, str) and value.isdecimal():
        fix = "write it without quotes"
        edit = Edit(path, str(int(value)))
    if word == "boolean" and str(value) in {"true", "false"}:
        fix = "write it without quotes"
        edit = Edit(path, str(value))
    article = "an" if word == "integer" else "a"
    return Violation("K182", path, f"must be {article} {word}, is {value!r}", fix, edit)
