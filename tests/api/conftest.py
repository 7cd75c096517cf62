"""Fitted packages and running servers, made once a session."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.clocks import Seconds
from support.registry import toy_data as toy
from support.registry.package_variants import tiny
from support.serving.servers import Running, put, running, serving

from api import Follower, Slot
from registry import ModelStore
from registry.package import ModelPackage
from trainer.dataset import Dataset


@pytest.fixture(scope="session")
def homes_data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return toy.dataset(tmp_path_factory.mktemp("homes"), toy.homes())


@pytest.fixture(scope="session")
def homes(homes_data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    """A regression: a number, one that may be missing, a category, a flag, an ignored column."""
    return toy.package(homes_data, tmp_path_factory.mktemp("homes") / "homes-good", toy.GOOD)


@pytest.fixture(scope="session")
def flowers_data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return toy.dataset(tmp_path_factory.mktemp("flowers"), toy.flowers(), name="flowers")


@pytest.fixture(scope="session")
def flowers(flowers_data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    return toy.package(
        flowers_data, tmp_path_factory.mktemp("flowers") / "flowers-good", toy.CAREFUL
    )


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> list[ModelPackage]:
    """Three packages of one model; each answers something else to x = 0.25."""
    folder = tmp_path_factory.mktemp("toys")
    return [
        tiny(folder / f"toy-{name}", low=low) for name, low in (("a", 1.0), ("b", 3.0), ("c", 5.0))
    ]


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "store")


@pytest.fixture(scope="session")
def homes_server(
    homes: ModelPackage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    store = ModelStore(tmp_path_factory.mktemp("served") / "store")
    put(store, homes)
    with running(store, "homes") as server:
        yield server


@pytest.fixture
def server(store: ModelStore, toys: list[ModelPackage]) -> Iterator[Running]:
    """A process that serves the first of the toys."""
    put(store, toys[0])
    with running(store, "toy") as found:
        yield found


@pytest.fixture
def slot() -> Slot:
    return Slot()


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def follower(store: ModelStore, slot: Slot, clock: Seconds) -> Follower:
    """Follows the model `toy`, one look at a time."""
    return Follower(store, "toy", slot, clock=clock)


@pytest.fixture
def client(homes_server: Running) -> httpx.Client:
    return homes_server.client


@pytest.fixture(scope="module")
def flowers_client(
    flowers: ModelPackage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    with serving(ModelStore(tmp_path_factory.mktemp("flowers") / "store"), flowers) as client:
        yield client
