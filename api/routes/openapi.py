"""The OpenAPI document: FastAPI's, with the models' own schemas, examples and errors filled in."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from msgspec.json import schema_components

from api.codecs.tensors import SHOWN
from api.problems import MEDIA_TYPE
from api.routes.row_schema import answer_model, example, schema_of
from api.serving.card import Card
from api.serving.served import Served, Slots
from api.serving.state import State
from registry.record import Record
from registry.shadow import ShadowStatus

JSON = "application/json"
Document = dict[str, Any]
PROBLEM: Document = {
    "type": "object",
    "required": ["title", "status"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "problem"],
                "properties": {"field": {"type": "string"}, "problem": {"type": "string"}},
            },
        },
    },
}
V2_PROBLEM: Document = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}},
}
TENSOR: Document = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}},
        "datatype": {"type": "string"},
        "data": {"type": "array"},
        "parameters": {"type": "object"},
    },
}
REFUSALS = {
    "400": "The request was cut short",
    "404": "No such model here",
    "408": "The body did not arrive in time",
    "413": "The body is too large, or has too many rows",
    "422": "The request does not fit the model; `errors` names the fields",
    "503": "No model is loaded, or too many requests are being answered",
}
RECORDS: Sequence[type[Record]] = (Card, ShadowStatus)
COMPONENT = "#/components/schemas/{name}"
POSTED = ("400", "408", "413", "422", "503")


class Documents:
    """Gives the document for the models that serve now, and makes it anew when they change.

    Args:
        app: whose routes it describes.
        state: which models serve.
    """

    def __init__(self, app: FastAPI, state: State) -> None:
        self.app = app
        self.state = state
        self._made: tuple[Sequence[str], Document] | None = None

    def __call__(self) -> Document:
        """Return the document."""
        serving = [
            slot.served.package.digest if slot.served else "" for slot in self.state.slots.values()
        ]
        if self._made is None or self._made[0] != serving:
            self._made = serving, document(self.app, self.state.slots, self.state.model)
        return self._made[1]


def document(app: FastAPI, slots: Slots, model: str) -> Document:
    """Make the document for the models that serve now; `/predict` takes rows of `model`."""
    found = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    serving = {name: slot.served for name, slot in slots.items() if slot.served}
    schemas = found["components"]["schemas"]
    schemas |= schema_components(RECORDS, ref_template=COMPONENT)[1]
    schemas |= {"Problem": PROBLEM, "InferenceProblem": V2_PROBLEM, "Tensor": TENSOR}
    schemas |= {"Row": {"type": "object"}, "Prediction": {"type": "object"}}
    for name, served in serving.items():
        own = "" if name == model else f"{name}."
        schemas |= {
            f"{own}Row": _row(served),
            f"{own}Prediction": answer_model(served.package.manifest).model_json_schema(),
        }
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            _fill(operation, path, method, serving, model)
    found["paths"]["/readyz"]["get"]["responses"] |= _refusals(("503",))
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return found


def documented(record: type[Record]) -> dict[int | str, Document]:
    """Return what a route's decorator is to say of an answer that is a record, one of `RECORDS`."""
    return {200: {"content": {JSON: {"schema": _schema(record.__name__)}}}}


def _fill(
    operation: Document, path: str, method: str, serving: Mapping[str, Served], model: str
) -> None:
    """Say what a route takes and how it refuses; FastAPI's own 422 is never sent."""
    operation["responses"].pop("422", None)
    statuses = (
        *(("404", "503") if "{name}" in path else ()),
        *(POSTED if method == "post" else ()),
    )
    operation["responses"] |= _refusals(statuses, v2=path.startswith("/v2"))
    rows = {name: example(served.package.manifest) for name, served in serving.items()}
    if path == "/predict":
        row = rows.get(model)
        examples = {"one row": row, "rows": [row, row]} if row else {}
        operation["requestBody"] = _body(_one_or_many("Row"), examples)
        operation["responses"]["200"] = _response(
            "The prediction, or a list of them", JSON, _one_or_many("Prediction")
        )
    elif path == "/v1/models/{name}:predict":
        examples = {name: {"instances": [row]} for name, row in rows.items()}
        operation["requestBody"] = _body(
            _listed("instances", {"type": ["object", "array"]}), examples
        )
        operation["responses"]["200"] = _response(
            "The predictions", JSON, _listed("predictions", {})
        )
    elif path.endswith("/infer"):
        examples = {name: _inference(served) for name, served in serving.items()}
        operation["requestBody"] = _body(_listed("inputs", _schema("Tensor")), examples)
        operation["responses"]["200"] = _response(
            "The outputs", JSON, _listed("outputs", _schema("Tensor"))
        )


def _row(served: Served) -> Document:
    found: Document = schema_of(served).model.model_json_schema(by_alias=True)
    return found | {
        "examples": [example(served.package.manifest)]
    }  # pydantic would sort the fields


def _inference(served: Served) -> Document:
    columns = served.package.manifest.columns
    return {
        "inputs": [
            {
                "name": column.name,
                "shape": [1],
                "datatype": SHOWN[column.kind],
                "data": [column.typical],
            }
            for column in columns
        ]
    }


def _body(schema: Document, examples: Mapping[str, Any]) -> Document:
    content = {
        "schema": schema,
        "examples": {name: {"value": value} for name, value in examples.items()},
    }
    return {"required": True, "content": {JSON: content}}


def _listed(name: str, items: Document) -> Document:
    array = {"type": "array", "items": items, "minItems": 1}
    return {"type": "object", "required": [name], "properties": {name: array}}


def _one_or_many(name: str) -> Document:
    return {"oneOf": [_schema(name), {"type": "array", "items": _schema(name), "minItems": 1}]}


def _schema(name: str) -> Document:
    return {"$ref": COMPONENT.format(name=name)}


def _refusals(statuses: tuple[str, ...], *, v2: bool = False) -> Document:
    media, schema = (JSON, "InferenceProblem") if v2 else (MEDIA_TYPE, "Problem")
    return {status: _response(REFUSALS[status], media, _schema(schema)) for status in statuses}


def _response(description: str, media_type: str, schema: Document) -> Document:
    return {"description": description, "content": {media_type: {"schema": schema}}}
