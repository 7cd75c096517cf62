"""FastAPI's OpenAPI document, with examples of the models that serve, made again when others do."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from fastapi import FastAPI
from msgspec.json import schema_components
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.problems import MEDIA_TYPE
from api.routes.row_schema import example_row
from api.serving.card import Card
from api.serving.model_list import ModelList
from api.serving.served import Served
from api.serving.state import State
from registry.package import COLUMN_KINDS
from registry.record import Record
from registry.shadow import ShadowStatus

JSON = "application/json"
Document = dict[str, Any]
Responses = dict[int | str, Document]
REFUSALS: Mapping[int, str] = {
    400: "The request was cut short",
    404: "No such model here",
    401: "An API key is needed",
    408: "The body did not arrive in time",
    413: "The body is too large, or has too many rows",
    415: "The body is compressed",
    422: "The request does not fit the model; `errors` names the fields",
    503: "No model is loaded, or too many requests are being answered",
}
POSTED = (400, 408, 413, 415, 422, 503)  # how a request with a body may be refused
RECORDS: Sequence[type[Record]] = (Card, ModelList, ShadowStatus)
COMPONENT = "#/components/schemas/{name}"
KEY_SCHEMES: Mapping[str, Document] = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}
IsOpen = Callable[[str], bool]


class FieldProblem(BaseModel):
    """One field that is wrong."""

    field: str
    problem: str


class ProblemDetails(BaseModel):
    """A refusal (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    errors: list[FieldProblem] = []


class InferenceError(ProblemDetails):
    """A refusal (RFC 9457) with the member that the Open Inference Protocol has."""

    error: str


def problem_responses(*statuses: int, v2: bool = False) -> Responses:
    """Return what a route's decorator says of its refusals."""
    model: type[BaseModel] = InferenceError if v2 else ProblemDetails
    content = {MEDIA_TYPE: {"schema": _reference(model.__name__)}}
    return {status: {"description": REFUSALS[status], "content": content} for status in statuses}


def record_response(record: type[Record]) -> Responses:
    """Return what a route's decorator says of an answer that is one of `RECORDS`."""
    return {200: {"content": {JSON: {"schema": _reference(record.__name__)}}}}


class ModelDocument:
    """Makes the application's OpenAPI document for the models that serve now.

    Args:
        app: whose routes it describes.
        state: which models serve.
        is_open: whether a path is answered without a key; None where there is no key.
        always: paths that are answered however many requests are in flight.
    """

    def __init__(
        self, app: FastAPI, state: State, *, is_open: IsOpen | None, always: AbstractSet[str]
    ) -> None:
        self.app = app
        self.state = state
        self.is_open = is_open
        self.always = always
        self._digests: Sequence[str] = ()

    def __call__(self) -> Document:
        """Return the document; FastAPI keeps it until other models serve."""
        served = [slot.served for slot in self.state.slots.values()]
        digests = [each.package.digest if each else "" for each in served]
        if self.app.openapi_schema is None or digests != self._digests:
            self.app.openapi_schema = None
            document = FastAPI.openapi(self.app)
            _add_components(document)
            _drop_unsent_refusals(document)
            if self.is_open:
                _add_key(document, self.is_open)
            _add_busy(document, self.always)
            _add_examples(document, [each for each in served if each], self.state)
            self._digests = digests
            self.app.openapi_schema = document
        return self.app.openapi_schema


def _add_components(document: Document) -> None:
    """Add what routes refer to by name: FastAPI knows no msgspec records, and one media type."""
    schemas = document["components"]["schemas"]
    schemas |= schema_components(RECORDS, ref_template=COMPONENT)[1]
    template = COMPONENT.replace("name", "model")
    problems = models_json_schema(
        [(ProblemDetails, "serialization"), (InferenceError, "serialization")],
        ref_template=template,
    )
    schemas |= problems[1]["$defs"]


def _drop_unsent_refusals(document: Document) -> None:
    """Drop FastAPI's own 422, which is never sent: refusals have one form."""
    for operations in document["paths"].values():
        for operation in operations.values():
            if JSON in operation["responses"].get("422", {}).get("content", {}):
                schema = operation["responses"]["422"]["content"][JSON]["schema"]
                if schema.get("$ref", "").endswith("/HTTPValidationError"):
                    del operation["responses"]["422"]
    for unused in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(unused, None)


def _add_key(document: Document, is_open: IsOpen) -> None:
    """Add that paths need the key, as a header of its own or as a bearer token."""
    document["components"]["securitySchemes"] = dict(KEY_SCHEMES)
    for path, operations in document["paths"].items():
        if is_open(path):
            continue
        for operation in operations.values():
            operation["security"] = [{name: []} for name in KEY_SCHEMES]
            _add_refusal(operation, path, 401)
            _add_refusal(operation, path, 503)  # where the key cannot be read


def _add_busy(document: Document, always: AbstractSet[str]) -> None:
    """Add the refusal that every path but the probes has while the server is busy."""
    for path, operations in document["paths"].items():
        if path not in always:
            for operation in operations.values():
                _add_refusal(operation, path, 503)


def _add_refusal(operation: Document, path: str, status: int) -> None:
    for code, response in problem_responses(status, v2=path.startswith("/v2")).items():
        operation["responses"].setdefault(str(code), response)


def _add_examples(document: Document, serving: Sequence[Served], state: State) -> None:
    """Add bodies that the models answer, so that `Try it out` works at once."""
    rows = {each.package.manifest.name: example_row(each.package.manifest) for each in serving}
    row = rows.get(state.model)
    examples: dict[str, Document] = {
        "/predict": {"one row": row, "rows": [row, row]} if row else {},
        "/v1/models/{name}:predict": {name: {"instances": [row]} for name, row in rows.items()},
    }
    for path in document["paths"]:
        if path.endswith("/infer"):
            examples[path] = {each.package.manifest.name: _inference(each) for each in serving}
    for path, bodies in examples.items():
        content = document["paths"][path]["post"]["requestBody"]["content"][JSON]
        content["examples"] = {name: {"value": body} for name, body in bodies.items()}


def _inference(served: Served) -> Document:
    columns = served.package.manifest.columns
    return {
        "inputs": [
            {
                "name": column.name,
                "shape": [1],
                "datatype": COLUMN_KINDS[column.kind].tensor_datatype,
                "data": [column.typical],
            }
            for column in columns
        ]
    }


def _reference(name: str) -> Document:
    return {"$ref": COMPONENT.format(name=name)}
