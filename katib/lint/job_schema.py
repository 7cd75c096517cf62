"""The fields of a batch/v1 Job, as Katib's webhook checks them: it converts the template to the Go type and back.

What does not come back as it was written is refused: an unknown field, another shape, null, and an empty value (false,
0, "", [] or {}) of a field that Go leaves out when it is empty. `job_schema.json` is made by scripts/job_schema.go.
"""

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from katib.document import FieldPath
from katib.lint.problem import Edit, Problem, text_wanted, unknown_field

LOCAL_VOLUMES = ("emptyDir", "hostPath", "persistentVolumeClaim")
FREE = ("limits", "requests")  # of resources: devices have any name there
WORDS: dict[str, type | tuple[type, ...]] = {
    "integer": int,
    "boolean": bool,
    "string": str,
    "quantity": (str, int, float),
}


def check_job(job: dict[str, Any], at: FieldPath) -> Iterator[Problem]:
    """Yield K101, K181, K182 and K186 for a whole Job that stands at `at`."""
    yield from _fields(
        {name: value for name, value in job.items() if name != "status"}, _schema()["root"], at
    )


@cache
def _schema() -> dict[str, Any]:
    text = files("katib.lint").joinpath("job_schema.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def _fields(value: dict[str, Any], name: str, at: FieldPath) -> Iterator[Problem]:
    known: dict[str, str] = _schema()["types"][name]
    for key, item in value.items():
        path = (*at, str(key))
        if key not in known:
            yield unknown_field("K181", at, key, known, value)
        elif at[-1:] == ("resources",) and key in FREE and item:
            continue
        else:
            yield from _value(item, known[key], path)


def _value(value: object, shape: str, at: FieldPath) -> Iterator[Problem]:
    if value is None or (shape.endswith("?") and not value and type(value) is not float):
        yield Problem(
            "K186",
            at,
            "is empty: Katib cannot read it back",
            "leave it out",
            Edit(at, "", "remove"),
        )
    elif shape.rstrip("?") == "any":
        return
    elif shape.rstrip("?").startswith("[]"):
        yield from _list(value, shape.rstrip("?")[2:], at)
    elif shape.startswith("{}"):
        yield from _map(value, shape.rstrip("?")[2:], at)
    elif "." in shape:
        yield from (
            _fields(value, shape.rstrip("?"), at)
            if isinstance(value, dict)
            else _wrong(value, "mapping", at)
        )
    else:
        yield from _scalar(value, shape.rstrip("?"), at)


def _list(value: object, shape: str, at: FieldPath) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield from _wrong(value, "list", at)
        return
    for index, item in enumerate(value):
        yield from _value(item, shape, (*at, index))


def _map(value: object, shape: str, at: FieldPath) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield from _wrong(value, "mapping", at)
        return
    for key, item in value.items():
        yield from _value(item, shape, (*at, str(key)))


def _scalar(value: object, word: str, at: FieldPath) -> Iterator[Problem]:
    if word == "string" and isinstance(value, bool | int | float):
        yield text_wanted(at, value)
    elif not isinstance(value, WORDS[word]) or (isinstance(value, bool) and word != "boolean"):
        yield from _wrong(value, word, at)


def _wrong(value: object, word: str, at: FieldPath) -> Iterator[Problem]:
    if "${" in str(value):
        fix = "a placeholder cannot stand here"
    else:
        fix = ""
    edit = None
    if word == "integer" and isinstance(value, str) and value.isdecimal():
        fix = "write it without quotes"
        edit = Edit(at, str(int(value)))
    if word == "boolean" and str(value) in {"true", "false"}:
        fix = "write it without quotes"
        edit = Edit(at, str(value))
    article = "an" if word == "integer" else "a"
    yield Problem("K182", at, f"must be {article} {word}, is {value!r}", fix, edit)
