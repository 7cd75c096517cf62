"""Pydantic models made from a package's manifest: names, types and ranges are the model's own.

Strict on purpose: no text for numbers, no NaN or infinity, no unknown fields, no field twice. A
number or a date outside the range seen in training is answered, with a warning. Texts are read as
training read them: without the spaces around them, and those that mean a missing value as null.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    create_model,
)

from api.codecs.rows import Cells
from api.problems import MAX_ERRORS, UNFIT, UNPROCESSABLE, Problem, read_all, wrong_field
from api.serving.served import once_a_model
from registry.package import COLUMN_KINDS, Column, Manifest
from registry.package.columns import CellType
from registry.package.text_reader import TextReader

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Json = Any  # what `json.loads` returns
JsonObject = dict[str, Any]
OURS = "Value error, "  # how pydantic begins the message of a `ValueError`
Adapter = TypeAdapter[Any]
# What is documented where the model, and so its columns, is not known.
_AnyRow = Annotated[JsonObject, Field(title="Row")]
_AnyRows = Annotated[list[_AnyRow], Field(min_length=1)]
RowDocument: Adapter = TypeAdapter(_AnyRow | _AnyRows)
Prediction: Adapter = TypeAdapter(JsonObject | list[JsonObject])


class RowSchema:
    """Reads and documents the rows of requests for one model.

    Attributes:
        columns: the model's.
        row_model: a row.
        body: a row, or a list of rows.
        answer: a prediction, or a list of them.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.columns = manifest.columns
        self._target = manifest.target
        self._readers = {
            column.name: TextReader(column, manifest.texts) for column in manifest.columns
        }
        self.row_model = _row_model(manifest, self._readers)
        row: Any = self.row_model
        self.body: Adapter = TypeAdapter(row | Annotated[list[row], Field(min_length=1)])
        prediction: Any = _prediction_model(manifest)
        self.answer: Adapter = TypeAdapter(prediction | list[prediction])
        self._ignored = len(manifest.ignored)
        self._fields = [f"f{i}" for i in range(len(manifest.columns))]

    def row(self, document: Json, where: str = "") -> Cells:
        """Return raw values in the columns' order.

        Args:
            document: an object of fields, or a list of values in the columns' order.
            where: its place in the request, for the names of wrong fields.

        Raises:
            Problem: 422, with one entry for each field that is wrong.
        """
        if isinstance(document, list):
            document = self._name_values(document, where)
        if not isinstance(document, dict):
            detail = f"{where or 'it'} is {type(document).__name__}"
            raise Problem(UNPROCESSABLE, "A row must be a JSON object", detail)
        if len(document) > len(self.columns) + self._ignored + MAX_ERRORS:
            problem = f"has {len(document)} fields; the model has {len(self.columns)} columns"
            raise wrong_field(where or "body", problem)
        try:
            row = self._validate(document)
        except ValidationError as error:
            raise Problem(
                UNPROCESSABLE, UNFIT, errors=self._errors(error, document, where)
            ) from error
        return tuple(getattr(row, field) for field in self._fields)

    def rows(self, documents: Json, where: str) -> list[Cells]:
        """Return the rows of a list; raises as `row` does, for the wrong fields of all rows."""
        if not isinstance(documents, list) or not documents:
            detail = f"{where or 'the body'} must be a list of rows, of at least one"
            raise Problem(UNPROCESSABLE, UNFIT, detail)
        return read_all(
            lambda place: self.row(documents[place], f"{where}[{place}]"), range(len(documents))
        )

    def _validate(self, document: JsonObject) -> BaseModel:
        try:
            return self.row_model.model_validate(document)
        except ValidationError:
            cleaned = {name: self._read_closed(name, cell) for name, cell in document.items()}
            if cleaned == document:
                raise
            return self.row_model.model_validate(cleaned)

    def _read_closed(self, name: str, cell: Json) -> Json:
        """Read a text where the schema lists all cells; it has refused the text as it is."""
        reader = self._readers.get(name)
        if reader is None or reader.any_text or not isinstance(cell, str):
            return cell
        try:
            return reader.read(cell)
        except ValueError:
            return cell

    def _errors(
        self, error: ValidationError, document: JsonObject, where: str
    ) -> list[dict[str, str]]:
        inside = f"{where}." if where else ""
        return [
            {
                "field": inside + ".".join(map(str, each["loc"][:1])),
                "problem": self._problem(each, document),
            }
            for each in error.errors(include_url=False, include_context=False)[:MAX_ERRORS]
        ]

    def _problem(self, error: "ErrorDetails", document: JsonObject) -> str:
        """Say what is wrong with a field; pydantic's words where ours would say no more."""
        name = error["loc"][0]
        reader = self._readers.get(str(name))
        if error["type"] == "extra_forbidden":
            if name == self._target:
                return "is what the model predicts: leave it out"
            return "the model has no such column"
        if error["type"] == "missing" and reader:
            return (
                "is missing; null means no value" if reader.column.takes_missing else "is missing"
            )
        if error["input"] is None and reader:
            return reader.refusal_of_gap(document[reader.column.name])
        if error["type"] == "literal_error" and reader and isinstance(error["input"], str):
            try:
                reader.read(error["input"])
            except ValueError as unknown:
                return str(unknown)
        return error["msg"].removeprefix(OURS)

    def _name_values(self, values: list[Json], where: str) -> JsonObject:
        if len(values) != len(self.columns):
            problem = f"has {len(values)} values; the model has {len(self.columns)} columns"
            raise wrong_field(where or "body", problem)
        return {column.name: value for column, value in zip(self.columns, values, strict=True)}


schema_of = once_a_model(RowSchema)  # made for the first row that FastAPI's routes read


def example_row(manifest: Manifest) -> JsonObject:
    """Return a row that the model answers: the training part's medians and most frequent values."""
    return {column.name: column.typical for column in manifest.columns}


def _row_model(manifest: Manifest, readers: Mapping[str, TextReader]) -> type[BaseModel]:
    # Named f0, f1, ...: a column may be called anything, `model_config` or `class` too.
    fields: JsonObject = {
        f"f{i}": (
            _cell_type(column, readers[column.name]),
            Field(alias=column.name, **_documentation(column)),
        )
        for i, column in enumerate(manifest.columns)
    }
    for i, name in enumerate(manifest.ignored):
        about = Field(default=None, alias=name, description="accepted, not used by the model")
        fields[f"i{i}"] = (Any, about)
    config = ConfigDict(extra="forbid", json_schema_extra={"examples": [example_row(manifest)]})
    model: type[BaseModel] = create_model("Row", __config__=config, **fields)
    return model


def _cell_type(column: Column, reader: TextReader) -> CellType:
    cell_type = COLUMN_KINDS[column.kind].cell_type(column)
    return Annotated[cell_type, AfterValidator(reader.read_cell)] if reader.any_text else cell_type


def _prediction_model(manifest: Manifest) -> type[BaseModel]:
    digest = Field(description="sha256 of the model package that answered")
    fields: JsonObject = {
        "p": (
            float | int | str | bool,
            Field(alias=manifest.prediction, description=f"predicted {manifest.target}"),
        ),
        "v": (str, Field(alias="model_version", description=digest.description)),
    }
    if manifest.classes:
        shares = Field(alias="probabilities", description="share of each class")
        fields["s"] = (dict[str, float], shares)
    return create_model("Prediction", **fields)


def _documentation(column: Column) -> JsonObject:
    kind = COLUMN_KINDS[column.kind]
    if column.minimum is None or column.maximum is None:
        return {"description": kind.documentation(column)}
    low, high = (kind.format_bound(column, bound) for bound in (column.minimum, column.maximum))
    seen = f"seen in training: {low} to {high}"
    return {
        "description": f"{seen}; other values are answered with a warning header",
        "json_schema_extra": {
            "x-training-minimum": kind.json_bound(column, column.minimum),
            "x-training-maximum": kind.json_bound(column, column.maximum),
        },
    }
