"""Every test of a protocol runs with the fast path and without it: answers are the same."""

from collections.abc import Iterator

import pytest
from support.serving.servers import DEFAULTS, Running, put, running

from registry import ModelStore
from registry.package import ModelPackage


@pytest.fixture(scope="session", params=[True, False], ids=["fast", "plain"], autouse=True)
def fast_path(request: pytest.FixtureRequest) -> Iterator[bool]:
    DEFAULTS["fast_path"] = request.param
    yield request.param
    DEFAULTS["fast_path"] = True


@pytest.fixture(scope="session")
def homes_server(
    fast_path: bool,  # noqa: FBT001 - a fixture
    homes: ModelPackage,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Running]:
    store = ModelStore(tmp_path_factory.mktemp("served") / "store")
    put(store, homes)
    with running(store, "homes") as server:
        yield server
