"""`Allow` names the methods that a path has, as the OpenAPI document does."""

import pytest
from support.serving.servers import Running


def test_allow_names_just_the_documented_methods(homes_server: Running) -> None:
    document = homes_server.client.get("/openapi.json").json()
    paths = document["paths"]
    assert len(paths) > 20
    for template, operations in paths.items():
        path = template.format(name="homes", version="1")
        answer = homes_server.client.delete(path)
        documented = {method.upper() for method in operations}
        if "GET" in documented:
            documented.add("HEAD")
        assert answer.status_code == 405
        assert set(answer.headers["allow"].split(", ")) == documented, path


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
        ("/static/app.js", "GET, HEAD"),
        ("/v1/models/no-such-model:predict", "POST"),
    ],
)
def test_pages_and_unknown_models_have_methods_too(
    homes_server: Running, path: str, allowed: str
) -> None:
    answer = homes_server.client.options(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_a_path_that_does_not_exist_allows_nothing(homes_server: Running) -> None:
    answer = homes_server.client.put("/nowhere")
    assert answer.status_code == 404
    assert "allow" not in answer.headers


def test_a_slash_too_many_gets_a_hint(homes_server: Running) -> None:
    answer = homes_server.client.get("/healthz/", headers={"Host": "evil.example"})
    assert answer.status_code == 404
    assert "slash" in answer.json()["detail"]
    assert "location" not in answer.headers
