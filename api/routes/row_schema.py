"""Request and answer models made from a package's manifest: names, types and ranges are the model's own.

Strict on purpose: no text for numbers, no NaN or infinity, no unknown fields, no field twice. A number outside the
range seen in training is answered, with a warning.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError, create_model

from api.codecs.json_body import MAX_ERRORS, UNFIT
from api.codecs.rows import Cells
from api.problems import UNPROCESSABLE, Problem
from api.serving.served import once_a_model
from registry.package import Column, Manifest
from registry.package.columns import FLOAT32_MAX


class RowSchema:
    """Reads the rows of requests for one model."""

    def __init__(self, manifest: Manifest) -> None:
        self.columns = manifest.columns
        self.model = _row_model(manifest)
        self._ignored = len(manifest.ignored)
        self._fields = [f"f{i}" for i in range(len(manifest.columns))]

    def row(self, document: Any, where: str = "") -> Cells:  # noqa: ANN401 - JSON
        """Return raw values in the columns' order, from an object of fields or a list of values in that order.

        Args:
            document: what was sent.
            where: its place in the request, for the names of wrong fields.

        Raises:
            Problem: 422, with one entry for each field that is wrong.
        """
        if isinstance(document, list):
            document = self._named(document, where)
        if not isinstance(document, dict):
            raise Problem(
                UNPROCESSABLE,
                "A row must be a JSON object",
                f"{where or 'it'} is {type(document).__name__}",
            )
        if len(document) > len(self.columns) + self._ignored + MAX_ERRORS:
            problem = f"has {len(document)} fields; the model has {len(self.columns)} columns"
            raise Problem(
                UNPROCESSABLE, UNFIT, errors=[{"field": where or "body", "problem": problem}]
            )
        try:
            row = self.model.model_validate(document)
        except ValidationError as error:
            raise Problem(UNPROCESSABLE, UNFIT, errors=_errors(error, where)) from error
        return tuple(getattr(row, field) for field in self._fields)

    def rows(self, documents: Any, where: str) -> list[Cells]:  # noqa: ANN401 - JSON
        """Return the rows of a list; raises as `row` does."""
        if not isinstance(documents, list) or not documents:
            raise Problem(
                UNPROCESSABLE,
                UNFIT,
                f"{where or 'the body'} must be a list of rows, of at least one",
            )
        return [self.row(document, f"{where}[{i}]") for i, document in enumerate(documents)]

    def _named(self, values: list[Any], where: str) -> dict[str, Any]:
        if len(values) != len(self.columns):
            problem = f"has {len(values)} values; the model has {len(self.columns)} columns"
            raise Problem(
                UNPROCESSABLE, UNFIT, errors=[{"field": where or "body", "problem": problem}]
            )
        return {column.name: value for column, value in zip(self.columns, values, strict=True)}


schema_of = once_a_model(RowSchema)  # made when the first row has to be looked at by it


def example(manifest: Manifest) -> dict[str, Any]:
    """Return a row that the model answers: the training part's medians and most frequent values."""
    return {column.name: column.typical for column in manifest.columns}


def answer_model(manifest: Manifest) -> type[BaseModel]:
    """Return the model of an answer, for the documentation."""
    fields: dict[str, Any] = {
        manifest.prediction: (
            float | int | str | bool,
            Field(description=f"predicted {manifest.target}"),
        ),
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
        fields[f"i{i}"] = (
            Any,
            Field(default=None, alias=name, description="accepted, not used by the model"),
        )
    config = ConfigDict(extra="forbid", json_schema_extra={"examples": [example(manifest)]})
    model: type[BaseModel] = create_model("Row", __config__=config, **fields)
    return model


def _field_type(column: Column) -> Any:  # noqa: ANN401 - a type built at run time
    kind: Any
    if column.kind == "numeric":
        kind = Annotated[
            float, Field(strict=True, allow_inf_nan=False, ge=-FLOAT32_MAX, le=FLOAT32_MAX)
        ]
    elif column.kind == "boolean":
        kind = StrictBool
    else:
        kind = Literal[column.categories]
    return kind | None if column.nullable else kind


def _documentation(column: Column) -> dict[str, Any]:
    if column.minimum is None or column.maximum is None:
        return {"description": column.kind}
    text = f"seen in training: {column.minimum:g} to {column.maximum:g}; other values are answered with a warning header"
    bounds = {"x-training-minimum": column.minimum, "x-training-maximum": column.maximum}
    return {"description": text, "json_schema_extra": bounds}


def _errors(error: ValidationError, where: str) -> list[dict[str, str]]:
    inside = f"{where}." if where else ""
    found = error.errors(include_url=False, include_context=False, include_input=False)[:MAX_ERRORS]
    return [
        {"field": inside + ".".join(map(str, e["loc"][:1])), "problem": e["msg"]} for e in found
    ]
