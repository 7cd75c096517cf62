"""The document that describes the server is valid, and its example works."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.openapi.models import OpenAPI
from jsonschema import Draft202012Validator, ValidationError
from support.servers import await_true, in_process, put, serving

from api import create_app
from registry import ModelStore
from registry.package import ModelPackage


@pytest.fixture(params=["homes", "flowers"])
def served(request: pytest.FixtureRequest, store: ModelStore) -> Iterator[tuple[httpx.Client, ModelPackage]]:
    package: ModelPackage = request.getfixturevalue(request.param)
    with serving(store, package) as session:
        yield session, package


def document(session: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = session.get("/openapi.json").json()
    OpenAPI.model_validate(found)
    return found


def request_of(session: httpx.Client) -> dict[str, Any]:
    """Return schema and example of a request."""
    content: dict[str, Any] = document(session)["paths"]["/predict"]["post"]["requestBody"]["content"]
    return content["application/json"]


def answer_schema(session: httpx.Client) -> dict[str, Any]:
    responses = document(session)["paths"]["/predict"]["post"]["responses"]
    found: dict[str, Any] = responses["200"]["content"]["application/json"]["schema"]
    return found


def test_the_example_is_answered(served: tuple[httpx.Client, ModelPackage]) -> None:
    session, package = served
    example = request_of(session)["example"]
    assert set(example) == {column.name for column in package.manifest.columns}
    answer = session.post("/predict", json=example)
    assert answer.status_code == 200
    assert "X-Model-Warning" not in answer.headers


def test_the_schemas_are_valid_and_fit_the_example_and_its_answer(served: tuple[httpx.Client, ModelPackage]) -> None:
    session, _ = served
    schema, example = request_of(session)["schema"], request_of(session)["example"]
    for each in (schema, answer_schema(session)):
        Draft202012Validator.check_schema(each)
    Draft202012Validator(schema).validate(example)
    answer = session.post("/predict", json=example).json()
    Draft202012Validator(answer_schema(session)).validate(answer)
    assert set(answer_schema(session)["properties"]) == set(answer)


def test_the_schema_refuses_what_the_server_refuses(served: tuple[httpx.Client, ModelPackage]) -> None:
    session, package = served
    validator = Draft202012Validator(request_of(session)["schema"])
    example = request_of(session)["example"]
    first = package.manifest.columns[0].name
    for wrong in ({**example, "colour": 1}, {**example, first: "0.5"}, {**example, first: None}, {}):
        assert session.post("/predict", json=wrong).status_code == 422
        with pytest.raises(ValidationError):
            validator.validate(wrong)


def test_columns_are_documented_with_what_training_saw(served: tuple[httpx.Client, ModelPackage]) -> None:
    session, package = served
    properties = request_of(session)["schema"]["properties"]
    for column in package.manifest.columns:
        shown = properties[column.name]
        if column.kind == "numeric":
            assert (shown["x-training-minimum"], shown["x-training-maximum"]) == (column.minimum, column.maximum)
        if column.kind == "categorical":
            assert tuple(shown["enum"]) == column.categories


def test_problems_are_documented_with_their_media_type(served: tuple[httpx.Client, ModelPackage]) -> None:
    responses = document(served[0])["paths"]["/predict"]["post"]["responses"]
    assert all("application/problem+json" in responses[code]["content"] for code in ("413", "422", "503"))


def test_the_document_follows_the_model(store: ModelStore, homes: ModelPackage) -> None:
    with in_process(create_app(store, "homes")) as session:
        assert "example" not in request_of(session)
        put(store, homes)
        await_true(lambda: session.get("/readyz").is_success, "the model to be loaded")
        assert "region" in request_of(session)["schema"]["properties"]


def test_the_page_for_people_is_there(served: tuple[httpx.Client, ModelPackage]) -> None:
    assert "swagger" in served[0].get("/docs").text.lower()
