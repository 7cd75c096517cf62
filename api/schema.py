"""Request and answer models made from a package's manifest: names, types and ranges are the model's own.

Strict on purpose: no text for numbers, no NaN or infinity, no unknown fields, no field twice. A number outside the
range seen in training is answered, with a warning.
"""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError, create_model

from api.problems import UNPROCESSABLE, Problem
from registry.package import Column, Manifest
from registry.package.columns import FLOAT32_MAX

Row = dict[str, Any]
MAX_ERRORS = 100  # named in one answer


class RowSchema:
    """Reads one request body for one model."""

    def __init__(self, manifest: Manifest) -> None:
        self.columns = manifest.columns
        self.model = _row_model(manifest)
        self._names = {f"f{i}": column.name for i, column in enumerate(manifest.columns)}

    def parse(self, body: bytes) -> Row:
        """Return raw values by column name.

        Raises:
            Problem: 422, with one entry for each field that is wrong.
        """
        document = _load(body)
        if not isinstance(document, dict):
            raise Problem(UNPROCESSABLE, "The body must be one JSON object", f"it is {type(document).__name__}")
        try:
            row = self.model.model_validate(document)
        except ValidationError as error:
            raise Problem(UNPROCESSABLE, "The request does not fit the model", errors=_errors(error)) from error
        return {name: getattr(row, field) for field, name in self._names.items()}

    def warnings(self, row: Row) -> list[str]:
        """Name the values that lie outside what was seen in training."""
        return [
            f"{column.name}={row[column.name]:g} outside {column.minimum:g}..{column.maximum:g}"
            for column in self.columns
            if column.minimum is not None
            and column.maximum is not None
            and row[column.name] is not None
            and not column.minimum <= row[column.name] <= column.maximum
        ]


def example(manifest: Manifest) -> Row:
    """Return a row that the model answers: the training part's medians and most frequent values."""
    return {column.name: column.typical for column in manifest.columns}


def answer_model(manifest: Manifest) -> type[BaseModel]:
    """Return the model of an answer, for the documentation."""
    fields: dict[str, Any] = {
        manifest.prediction: (float | int | str | bool, Field(description=f"predicted {manifest.target}")),
        "model_version": (str, Field(description="sha256 of the model package that answered")),
    }
    if manifest.classes:
        fields["probabilities"] = (dict[str, float], Field(description="share of each class"))
    return create_model("Prediction", **fields)


def _row_model(manifest: Manifest) -> type[BaseModel]:
    fields: dict[str, Any] = {
        f"f{i}": (_field_type(column), Field(alias=column.name, **_documentation(column)))
        for i, column in enumerate(manifest.columns)
    }
    for i, name in enumerate(manifest.ignored):
        fields[f"i{i}"] = (Any, Field(default=None, alias=name, description="accepted, not used by the model"))
    config = ConfigDict(extra="forbid", json_schema_extra={"examples": [example(manifest)]})
    model: type[BaseModel] = create_model("Row", __config__=config, **fields)
    return model


def _field_type(column: Column) -> Any:  # noqa: ANN401 - a type built at run time
    kind: Any
    if column.kind == "numeric":
        kind = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-FLOAT32_MAX, le=FLOAT32_MAX)]
    elif column.kind == "boolean":
        kind = StrictBool
    else:
        kind = Literal[column.categories]
    return kind | None if column.nullable else kind


def _documentation(column: Column) -> dict[str, Any]:
    if column.minimum is None or column.maximum is None:
        return {"description": column.kind}
    text = (
        f"seen in training: {column.minimum:g} to {column.maximum:g}; other values are answered with a warning header"
    )
    bounds = {"x-training-minimum": column.minimum, "x-training-maximum": column.maximum}
    return {"description": text, "json_schema_extra": bounds}


def _load(body: bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(body.decode(), object_pairs_hook=_once)  # given bytes, it would guess at other encodings
    except (ValueError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(UNPROCESSABLE, "The body is not JSON", str(error)) from error


def _once(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    fields = dict(pairs)
    "".join(fields).encode()  # a lone surrogate is not text: it could neither be compared nor answered
    if len(fields) < len(pairs):
        times = Counter(name for name, _ in pairs)
        twice = sorted(name for name, n in times.items() if n > 1)
        errors = [{"field": name, "problem": "is there twice"} for name in twice[:MAX_ERRORS]]
        raise Problem(UNPROCESSABLE, "The request does not fit the model", errors=errors)
    return fields


def _errors(error: ValidationError) -> list[dict[str, str]]:
    found = error.errors(include_url=False, include_context=False, include_input=False)[:MAX_ERRORS]
    return [{"field": ".".join(map(str, e["loc"][:1])), "problem": e["msg"]} for e in found]
