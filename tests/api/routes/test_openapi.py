"""The OpenAPI document is valid, its examples work, and answers are as it says."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator, ValidationError
from openapi_spec_validator import OpenAPIV31SpecValidator
from support.registry import toy_data as toy
from support.serving.servers import await_true, in_process, put, serving

from api import create_app
from registry import ModelStore
from registry.package import ModelPackage

JSON = "application/json"
PROBLEM = "application/problem+json"
Session = tuple[httpx.Client, ModelPackage]


@pytest.fixture(params=["homes", "flowers"])
def served(request: pytest.FixtureRequest, store: ModelStore) -> Iterator[Session]:
    package: ModelPackage = request.getfixturevalue(request.param)
    with serving(store, package) as session:
        yield session, package


def document(session: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = session.get("/openapi.json").raise_for_status().json()
    return found


def validator(found: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    """Return a validator of a schema of the document, with its references to components."""
    return Draft202012Validator({**schema, "components": found.get("components", {})})


def predict_content(found: dict[str, Any]) -> dict[str, Any]:
    """Return schema and examples of a request for `/predict`."""
    content: dict[str, Any] = found["paths"]["/predict"]["post"]["requestBody"]["content"][JSON]
    return content


def row_schema(found: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = found["components"]["schemas"]["Row"]
    return row


def examples(found: dict[str, Any]) -> list[tuple[str, dict[str, Any], Any]]:
    """Return path, operation and body of every example of a request."""
    return [
        (path, operation, example["value"])
        for path, operations in found["paths"].items()
        for operation in operations.values()
        for content in operation.get("requestBody", {}).get("content", {}).values()
        for example in content.get("examples", {}).values()
    ]


def check_answer(found: dict[str, Any], operation: dict[str, Any], answer: httpx.Response) -> None:
    """Check that the document knows this status with this media type, and that the body fits it."""
    content = operation["responses"][str(answer.status_code)].get("content", {})
    kind = answer.headers["content-type"].partition(";")[0]
    assert kind in content, f"{answer.status_code} {kind}"
    if kind in (JSON, PROBLEM):
        validator(found, content[kind].get("schema", {})).validate(answer.json())


def test_the_document_is_openapi_3_1(served: Session) -> None:
    found = document(served[0])
    assert found["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(found).validate()


def test_the_document_is_valid_before_there_is_a_model(store: ModelStore) -> None:
    with in_process(create_app(store, "homes")) as session:
        OpenAPIV31SpecValidator(document(session)).validate()


def test_every_example_is_answered_as_documented(served: Session) -> None:
    session, package = served
    found = document(session)
    asked = examples(found)
    assert {"/predict"} <= {path for path, _, _ in asked}
    for path, operation, body in asked:
        address = path.replace("{name}", package.manifest.name).replace("{version}", package.digest)
        answer = session.post(address, json=body)
        assert answer.status_code == 200, (path, answer.text)
        assert "X-Model-Warning" not in answer.headers
        check_answer(found, operation, answer)


def test_the_examples_are_whole_rows_and_lists_of_them(served: Session) -> None:
    session, package = served
    bodies = [body for path, _, body in examples(document(session)) if path == "/predict"]
    names = [column.name for column in package.manifest.columns]
    assert any(isinstance(body, list) for body in bodies)
    assert all(
        list(row) == names
        for body in bodies
        for row in (body if isinstance(body, list) else [body])
    )


def test_what_has_no_parameters_answers_as_documented(served: Session) -> None:
    session, _ = served
    found = document(session)
    paths = [
        path
        for path, operations in found["paths"].items()
        if "get" in operations and "{" not in path
    ]
    assert {"/healthz", "/readyz", "/version", "/v1/models", "/v2/health/ready"} <= set(paths)
    for path in paths:
        answer = session.get(path)
        assert answer.status_code == 200
        if answer.headers["content-type"].startswith(JSON):
            check_answer(found, found["paths"][path]["get"], answer)


def test_refusals_are_as_documented(served: Session) -> None:
    session, _ = served
    found = document(session)
    operation = found["paths"]["/predict"]["post"]
    for body in (b"", b"{}", b"[]", b'{"colour": NaN}', b"[[1, 2, 3, 4, 5]]", b" " * (17 << 20)):
        answer = session.post("/predict", content=body)
        assert answer.status_code in (413, 422)
        check_answer(found, operation, answer)


def test_what_there_is_no_model_for_is_refused_as_documented(store: ModelStore) -> None:
    with in_process(create_app(store, "homes")) as session:
        found = document(session)
        check_answer(
            found, found["paths"]["/predict"]["post"], session.post("/predict", json={"x": 1})
        )
        check_answer(found, found["paths"]["/readyz"]["get"], session.get("/readyz"))


def test_the_schema_judges_as_the_server_does(served: Session) -> None:
    session, package = served
    found = document(session)
    check = validator(found, predict_content(found)["schema"])
    row = row_schema(found)["examples"][0]
    first = package.manifest.columns[0].name
    for good in (row, [row], [row, row], {**row, first: -1e30}, dict(reversed(row.items()))):
        check.validate(good)
        assert session.post("/predict", json=good).status_code == 200
    wrong: list[Any] = [{}, [], None, "x", [row, {}], {**row, "colour": 1}, {**row, "f0": 1}]
    wrong += [{**row, first: value} for value in ("0.5", None, True, [1.0], {}, 3.5e38, -3.5e38)]
    wrong += [{name: value for name, value in row.items() if name != missing} for missing in row]
    for bad in wrong:
        assert session.post("/predict", json=bad).status_code == 422, bad
        with pytest.raises(ValidationError):
            check.validate(bad)


def test_columns_are_documented_with_what_training_saw(served: Session) -> None:
    session, package = served
    properties = row_schema(document(session))["properties"]
    for column in package.manifest.columns:
        shown = properties[column.name]
        if column.kind == "numeric":
            assert (shown["x-training-minimum"], shown["x-training-maximum"]) == (
                column.minimum,
                column.maximum,
            )
        if column.kind == "categorical":
            assert tuple(shown["enum"]) == column.categories


def test_problems_are_documented_with_their_media_type(served: Session) -> None:
    responses = document(served[0])["paths"]["/predict"]["post"]["responses"]
    assert all(PROBLEM in responses[code]["content"] for code in ("413", "422", "503"))


def test_the_document_follows_the_model_to_another_schema(
    store: ModelStore, homes: ModelPackage, tmp_path: Path
) -> None:
    fewer = toy.homes().drop(columns=["region", "age"])
    smaller = toy.package(toy.dataset(tmp_path / "data", fewer), tmp_path / "homes-small", toy.GOOD)
    with in_process(create_app(store, "homes")) as session:
        assert not examples(document(session))
        for number, package in enumerate((homes, smaller), start=1):
            put(store, package, number=number)
            digest = package.digest
            await_true(
                lambda digest=digest: session.get("/version").json()["model_version"] == digest,
                "the swap",
            )
            found = document(session)
            OpenAPIV31SpecValidator(found).validate()
            names = {column.name for column in package.manifest.columns}
            assert set(row_schema(found)["properties"]) == names | {"note"}
            row = row_schema(found)["examples"][0]
            assert session.post("/predict", json=row).status_code == 200
        assert session.post("/predict", json={**row, "region": "north"}).status_code == 422


def test_it_is_made_once_for_a_model(served: Session) -> None:
    session, _ = served
    assert document(session) == document(session)


def test_the_interactive_page_needs_nothing_from_elsewhere(served: Session) -> None:
    session, _ = served
    page = session.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "//" not in page.text.replace("<!doctype html>", "")
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(named) == 4
    for path in named:
        assert session.get(f"/{path}").is_success
        assert session.head(f"/{path}").is_success
    assert '"openapi.json"' in session.get("/docs/start.js").text


def test_a_path_with_a_slash_at_its_end_is_unknown(served: Session) -> None:
    assert served[0].post("/predict/", json={}).status_code == 404
    assert served[0].get("/healthz/").status_code == 404


def test_a_query_that_is_wrong_is_refused_as_a_problem(served: Session) -> None:
    session, package = served
    answer = session.post("/predict?interval=perhaps", json=dict(package.golden.rows[0]))
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert answer.json()["errors"][0]["field"] == "query.interval"
