"""What the room shows to the others."""

import inspect
import subprocess
import sys
from types import ModuleType

import pytest

import registry
from registry import RegistryError, errors, package

ERRORS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize("room", [registry, package])
def test_what_is_exported_exists_and_is_everything_public(room: ModuleType) -> None:
    public = {
        name for name, value in vars(room).items() if name[0] != "_" and not inspect.ismodule(value)
    }
    assert set(room.__all__) == public
    assert len(set(room.__all__)) == len(room.__all__)


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_is_of_one_family_is_exported_and_drawn_in_the_tree(
    kind: type[Exception],
) -> None:
    assert issubclass(kind, RegistryError)
    assert kind.__name__ in registry.__all__
    assert f" {kind.__name__}" in str(errors.__doc__)


def test_an_error_says_what_is_wrong_and_what_to_do_next() -> None:
    error = RegistryError("the disk is full", hint="free some space")
    assert (str(error), error.hint) == ("the disk is full", "free some space")
    assert RegistryError("the disk is full").hint == ""


def test_it_runs_without_the_training_libraries() -> None:
    program = (
        "import registry, registry.sqlite, sys; "
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "numpy" in loaded
    assert not {
        "sklearn",
        "pandas",
        "scipy",
        "optuna",
        "fastapi",
        "kubernetes",
        "model_registry",
    } & set(loaded)
