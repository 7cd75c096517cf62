"""A run as an Optuna study, read back with Optuna itself."""

import sqlite3
import warnings
from datetime import UTC, datetime
from pathlib import Path

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from support.katib.search_spaces import PARAMETERS, parameter

from katib.errors import EngineError
from katib.search.optuna_study import Study, StudyTrial, dashboard_address, write_study

BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ENDED = datetime(2026, 1, 2, 3, 5, 5, tzinfo=UTC)
SPACE = (
    parameter("double", "rate", min="0.001", max="1", distribution="logUniform"),
    parameter("int", "leaf", min="1", max="20", distribution="logUniform"),
    parameter("int", "depth", min="2", max="10", step="2"),
    parameter("double", "share", min="0.1", max="1", step="0.1"),
    parameter("discrete", "batch", list=["32", "16"]),
    parameter("categorical", "kind", list=["a", "b"]),
)
POINT = {"rate": "0.01", "leaf": "3", "depth": "4", "share": "0.3", "batch": "16", "kind": "b"}
TRIALS = (
    StudyTrial(
        POINT,
        "Succeeded",
        2.5,
        BEGAN,
        ENDED,
        reports=(3.0, 2.5),
        notes={"trial": "tiny-a", "mae": 1.5},
    ),
    StudyTrial(
        POINT, "Failed", None, BEGAN, ENDED, notes={"trial": "tiny-b", "message": "exit code 3"}
    ),
    StudyTrial(POINT, "MetricsUnavailable", None, BEGAN, ENDED),
    StudyTrial(POINT, "Succeeded", None, BEGAN, ENDED),
    StudyTrial(POINT, "EarlyStopped", 9.0, BEGAN, ENDED),
    StudyTrial(POINT, "Running", None, BEGAN),
    StudyTrial(POINT, "Created"),
)


def study(**changes: object) -> Study:
    fields = {
        "name": "tiny",
        "metric": "mse",
        "minimize": True,
        "parameters": SPACE,
        "trials": TRIALS,
    }
    return Study(**{**fields, **changes})  # type: ignore[arg-type] # a test's own fields


def load(path: Path) -> optuna.Study:
    storage: object = dashboard_address(path)
    if path.suffix == ".log":
        storage = optuna.storages.JournalStorage(
            optuna.storages.journal.JournalFileBackend(str(path))
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # names of metrics
        return optuna.load_study(study_name="tiny", storage=storage)  # type: ignore[arg-type] # one of the two


@pytest.mark.parametrize("name", ["study.db", "study.log"])
def test_optuna_reads_back_every_trial_and_a_second_time_writes_the_same(
    tmp_path: Path, name: str
) -> None:
    target = tmp_path / name
    for _ in range(2):
        write_study(study(notes={"run": "0001"}), target)
    found = load(target)
    assert found.direction == optuna.study.StudyDirection.MINIMIZE
    assert found.user_attrs["run"] == "0001"
    assert found.metric_names == ["mse"]
    complete = TrialState.COMPLETE
    fail = TrialState.FAIL
    pruned = TrialState.PRUNED
    states = [complete, fail, fail, fail, pruned, TrialState.RUNNING, TrialState.WAITING]
    assert [trial.state for trial in found.trials] == states
    assert [trial.number for trial in found.trials] == list(range(7))
    first = found.best_trial
    assert first.params == {
        "rate": 0.01,
        "leaf": 3,
        "depth": 4,
        "share": 0.3,
        "batch": 16.0,
        "kind": "b",
    }
    assert first.user_attrs == {"trial": "tiny-a", "mae": 1.5}
    assert first.intermediate_values == {0: 3.0, 1: 2.5}
    assert first.datetime_start == BEGAN.astimezone().replace(tzinfo=None)
    assert first.duration
    assert first.duration.total_seconds() == 60
    assert found.trials[1].user_attrs["message"] == "exit code 3"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_log_scales_steps_and_choices_are_kept(tmp_path: Path) -> None:
    write_study(study(), tmp_path / "study.db")
    assert load(tmp_path / "study.db").trials[0].distributions == {
        "rate": FloatDistribution(0.001, 1, log=True),
        "leaf": IntDistribution(1, 20, log=True),
        "depth": IntDistribution(2, 10, step=2),
        "share": FloatDistribution(0.1, 1.0, step=0.1),
        "batch": CategoricalDistribution([16.0, 32.0]),
        "kind": CategoricalDistribution(["a", "b"]),
    }


def test_values_beside_the_steps_and_beyond_the_bounds_are_kept_too(tmp_path: Path) -> None:
    """Katib's own services do not mind the steps."""
    beside = {**POINT, "share": "0.333", "depth": "12", "kind": "c"}
    write_study(
        study(trials=[StudyTrial(beside, "Succeeded", 1.0, BEGAN, ENDED)]), tmp_path / "study.db"
    )
    (trial,) = load(tmp_path / "study.db").trials
    assert trial.params["share"] == 0.333
    assert trial.params["depth"] == 12
    assert trial.params["kind"] == "c"
    assert trial.distributions["share"] == FloatDistribution(0.1, 1.0)


@settings(max_examples=40)
@given(space=PARAMETERS, units=st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_any_space_can_be_written(
    tmp_path_factory: pytest.TempPathFactory, space: object, units: list[float]
) -> None:
    points = [{"x": space.from_unit(u)} for u in units]  # type: ignore[attr-defined] # a Parameter
    target = tmp_path_factory.mktemp("any") / "study.log"
    trials = [
        StudyTrial(point, "Succeeded", float(i), BEGAN, ENDED) for i, point in enumerate(points)
    ]
    write_study(study(parameters=[space], trials=trials), target)
    read = [trial.params["x"] for trial in load(target).trials]
    assert [type(value)(point["x"]) for value, point in zip(read, points, strict=True)] == read


def test_a_file_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "notes.db"
    text.write_text("my notes")
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE mine (x)")
    database.close()
    theirs = tmp_path / "theirs.db"
    optuna.create_study(study_name="tiny", storage=dashboard_address(theirs))
    lines = tmp_path / "lines.log"
    lines.write_text("one\ntwo\n")
    for path in (text, other, theirs, lines):
        before = path.read_bytes()
        with pytest.raises(EngineError, match=r"another kind|would be replaced"):
            write_study(study(), path)
        assert path.read_bytes() == before


def test_an_experiment_of_another_name_is_not_written_over(tmp_path: Path) -> None:
    write_study(study(), tmp_path / "study.db")
    with pytest.raises(EngineError, match="holds tiny"):
        write_study(study(name="other"), tmp_path / "study.db")
    assert len(load(tmp_path / "study.db").trials) == 7


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "study.db"
    write_study(study(), target)
    bad = StudyTrial(POINT, "Succeeded", 1.0, BEGAN, ENDED, notes={"what": object()})
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_study(study(trials=[*TRIALS, bad]), target)
    assert len(load(target).trials) == 7
    with pytest.raises(EngineError, match="No such file"):
        write_study(study(), tmp_path / "none" / "study.db")
