"""Several models in one server, each with a pointer of its own."""

from collections.abc import Iterator

import pytest
from support.serving.servers import Running, await_true, put, running

from registry import ModelStore
from registry.package import ModelPackage


@pytest.fixture
def server(store: ModelStore, toys: list[ModelPackage], flowers: ModelPackage) -> Iterator[Running]:
    put(store, toys[0])
    put(store, flowers)
    with running(store, "toy", also=["flowers", "late"]) as found:
        yield found


def test_each_answers_under_its_name(
    server: Running, toys: list[ModelPackage], flowers: ModelPackage
) -> None:
    client = server.client
    row = flowers.golden.rows[0]
    assert client.get("/v1/models").json() == {"models": ["toy", "flowers"]}
    assert client.post("/predict", json={"x": 0.25}).headers["x-model-version"] == toys[0].digest
    answer = client.post("/v1/models/flowers:predict", json={"instances": [row]})
    assert answer.headers["x-model-version"] == flowers.digest
    assert client.post("/v1/models/toy:predict", json={"instances": [row]}).status_code == 422
    assert client.get("/v2/models/flowers").json()["versions"] == [flowers.digest]


def test_one_that_is_not_there_yet_is_not_ready_and_comes(
    server: Running,
    store: ModelStore,
    toys: list[ModelPackage],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    from support.registry.package_variants import tiny

    client = server.client
    assert client.get("/readyz").status_code == 503
    assert client.get("/v2/health/ready").status_code == 503
    assert client.get("/v1/models/late").status_code == 503
    assert client.get("/v1/models/never").status_code == 404
    put(store, tiny(tmp_path_factory.mktemp("late") / "late", name="late", low=9.0))
    await_true(lambda: client.get("/readyz").is_success, "all to be there")
    assert client.post("/v1/models/late:predict", json={"instances": [[0.25]]}).json() == {
        "predictions": [9.0]
    }


def test_a_swap_of_one_leaves_the_other(
    server: Running, store: ModelStore, toys: list[ModelPackage], flowers: ModelPackage
) -> None:
    put(store, toys[1], number=2)
    server.await_version(model_version=toys[1].digest)
    assert server.client.get("/v1/models/flowers").headers["x-model-version"] == flowers.digest
