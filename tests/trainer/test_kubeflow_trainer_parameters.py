"""Hyperparameters as variables of the environment."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.package import load_package
from trainer.__main__ import main
from trainer.errors import ParameterError
from trainer.hyperparameters import flag_name, hyperparameter_names
from trainer.kubeflow_trainer import (
    PREFIX,
    errors_naming_variables,
    hyperparameters_from,
    variable_name,
)

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch
NAMES = sorted(hyperparameter_names())


def error_of_trial(capsys: Capture, *argv: str) -> str:
    assert main(["--data", "iris", *argv]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err


def test_variables_reach_the_package_and_flags_win(monkeypatch: Patch, tmp_path: Path) -> None:
    for name, value in {
        "N_ESTIMATORS": "4",
        "MAX_DEPTH": "2.6",
        "BOOTSTRAP": "false",
        "CRITERION": "entropy",
    }.items():
        monkeypatch.setenv(PREFIX + name, value)
    assert main(["--data", "iris", "--max-depth", "5", "--output", str(tmp_path / "package")]) == 0
    parameters = load_package(tmp_path / "package").manifest.parameters
    found = [parameters[name] for name in ("n_estimators", "max_depth", "bootstrap", "criterion")]
    assert found == [4, 5, False, "entropy"]


def test_an_unknown_variable_is_named_with_what_is_known(
    monkeypatch: Patch, capsys: Capture
) -> None:
    monkeypatch.setenv(PREFIX + "TREES", "4")
    error = error_of_trial(capsys)
    assert error.startswith(f"error: {PREFIX}TREES: not a hyperparameter\nhint: known: ")
    assert "N_ESTIMATORS" in error


def test_a_bad_value_is_blamed_on_where_it_came_from(monkeypatch: Patch, capsys: Capture) -> None:
    monkeypatch.setenv(PREFIX + "MAX_DEPTH", "deep")
    monkeypatch.setenv(PREFIX + "LEARNING_RATE", "0.1")
    error = error_of_trial(capsys, "--n-estimators", "0")
    assert f"{PREFIX}MAX_DEPTH: 'deep' is not allowed: an integer from 1 to 1000, or none" in error
    assert f"{PREFIX}LEARNING_RATE: not a parameter of random_forest" in error
    assert "--n-estimators: '0' is not allowed" in error


def test_a_value_that_does_not_fit_the_task_is_too(monkeypatch: Patch, capsys: Capture) -> None:
    monkeypatch.setenv(PREFIX + "CRITERION", "poisson")
    assert f"error: {PREFIX}CRITERION: poisson is not for classification" in error_of_trial(capsys)


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=5)))
def test_every_hyperparameter_has_one_variable(values: dict[str, str]) -> None:
    environment = {variable_name(name): value for name, value in values.items()} | {"PATH": "/bin"}
    assert hyperparameters_from(environment) == values


@given(st.sets(st.sampled_from(NAMES)), st.sampled_from(NAMES))
def test_only_what_came_from_the_environment_is_renamed(variables: set[str], wrong: str) -> None:
    flag = flag_name(wrong)
    with pytest.raises(ParameterError) as caught, errors_naming_variables(variables):
        raise ParameterError(f"{flag}: bad", hint="fix it")
    assert str(caught.value) == (
        f"{variable_name(wrong)}: bad" if wrong in variables else f"{flag}: bad"
    )
    assert caught.value.hint == "fix it"
