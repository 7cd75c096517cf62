"""A study from Python, and the same run seen by the command line; and the reverse."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
import yaml
from support.cli import small_experiment, tunegate

import tunegate as tg

TRIALS = 2


class Place:
    """A current folder with one finished and promoted study of iris-like size."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / ".tunegate"
        document = yaml.safe_load(
            small_experiment(folder, trials=TRIALS, trees=100, data="diabetes").read_text()
        )
        self.study = tg.tune(document)
        self.decision = self.study.promote()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    before = Path.cwd()
    folder = tmp_path_factory.mktemp("study")
    os.chdir(folder)
    try:
        yield Place(folder)
    finally:
        os.chdir(before)


def test_trials_are_a_data_frame(place: Place) -> None:
    trials = place.study.trials
    assert list(trials.columns[:2]) == ["trial", "status"]
    assert list(trials.columns[-3:]) == ["mse", "mae", "seconds"]
    assert list(trials["status"]) == ["Succeeded"] * TRIALS
    assert pd.api.types.is_numeric_dtype(trials["max_features"])
    best = place.study.best
    assert best.value == trials["mse"].min() == best.metrics["mse"]
    assert isinstance(best.parameters["max_depth"], int)
    assert place.study.package.manifest.provenance.trial == best.name


def test_a_study_draws_and_shows_itself(place: Place) -> None:
    figure = place.study.plot()
    assert [trace.name for trace in figure.data][:2] == ["trial", "best so far"]
    shown = place.study._repr_html_()
    assert place.study.best.name in shown
    assert "<script" not in shown
    assert place.decision.verdict.verdict in place.decision._repr_html_()
    assert "checks" in place.decision.verdict._repr_html_()


def test_what_a_cell_ends_with_is_shown_in_a_few_words(place: Place) -> None:
    study = place.study
    for shown in (place.decision, place.decision.verdict, study.package, study.experiment):
        assert len(repr(shown)) < 600
    assert repr(study.experiment) == "<Experiment boston-forest: minimize mse by tpe>"
    assert repr(study.package) == f"<ModelPackage {study.package.digest[:12]} of diabetes>"


def test_the_command_line_sees_what_python_did(place: Place) -> None:
    done = tunegate("history", "--json", cwd=place.folder)
    entries = json.loads(done.stdout)
    assert [entry["promotion"]["model"] for entry in entries] == ["diabetes"]
    judged = tunegate("gate", "--trial", place.study.best.name, "--json", cwd=place.folder)
    assert judged.returncode in {0, 10, 11, 12}
    assert json.loads(judged.stdout)["model"] == "diabetes"
    assert place.study.verdict is not None


def test_a_rollback_of_a_first_model_says_that_there_is_nothing_to_return_to(place: Place) -> None:
    done = tunegate("rollback", "--dry-run", cwd=place.folder)
    assert done.returncode == 1
    assert "diabetes cannot be rolled back: no other package" in done.stderr


def test_python_sees_what_the_command_line_did(place: Place) -> None:
    file = small_experiment(place.folder, trials=1, trees=5, data="diabetes", parallel=1)
    document = yaml.safe_load(file.read_text())
    document["metadata"]["name"] = "other"
    document["spec"]["maxFailedTrialCount"] = 1
    file.write_text(yaml.safe_dump(document))
    done = tunegate("tune", file, cwd=place.folder)
    assert done.returncode == 0, done.stderr
    study = tg.Study.newest()
    assert study.experiment.name == "other"
    assert study.verdict is None
    assert study.best.name in done.stderr
    assert tg.Study.newest("boston-forest").folder == place.study.folder
    assert study.judge().model == "diabetes"  # by the run's own data, with nothing named


def test_the_model_in_production_predicts_any_kind_of_frame(place: Place) -> None:
    model = tg.load("diabetes")
    golden = model.package.golden
    rows = [dict(row) for row in golden.rows]
    expected = [value for (value,) in golden.predictions]
    frame = pd.DataFrame(rows, index=[f"r{i}" for i in range(len(rows))])
    predicted = model.predict(frame)
    assert list(predicted.index) == list(frame.index)
    assert predicted.name == model.manifest.prediction
    for given in (frame[frame.columns[::-1]], pl.DataFrame(rows), rows):
        assert model.predict(given).tolist() == pytest.approx(expected)
    assert model.predict(rows[0]).tolist() == pytest.approx(expected[:1])
    interval = model.predict_interval(frame)
    assert (interval["low"] < interval["predicted"]).all()
    assert "diabetes" in model.card
    assert model.version[:12] in model._repr_html_()


def test_the_newest_runs_model_is_the_default(place: Place) -> None:
    assert tg.load().manifest.name == "diabetes"
    folder = place.study.package.path
    assert tg.load(folder).manifest.name == "diabetes"


def test_errors_carry_a_hint_that_tracebacks_show(place: Place) -> None:
    with pytest.raises(tg.UsageError, match="nothing of horses is in production") as caught:
        tg.load("horses")
    assert caught.value.hint == "in production: diabetes"
    assert caught.value.__notes__ == ["hint: in production: diabetes"]
    with pytest.raises(tg.DataError, match="no column"):
        tg.load("diabetes").predict(pd.DataFrame({"age": [1.0]}))
    with pytest.raises(tg.UsageError, match="no probabilities"):
        tg.load("diabetes").predict_proba(pd.DataFrame(tg.load("diabetes").package.golden.rows))


def test_history_is_a_data_frame(place: Place) -> None:
    told = tg.history("diabetes")
    assert list(told["number"]) == list(range(1, len(told) + 1))
    assert told["kind"].iloc[0] == "first"


def test_a_server_runs_while_its_block_does(place: Place) -> None:
    import httpx

    with tg.serve("diabetes", port=0) as server:
        row = dict(tg.load("diabetes").package.golden.rows[0])
        answer = httpx.post(f"{server.url}/predict", json=row)
        assert answer.status_code == 200
        assert server.url in server._repr_html_()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/version")


def test_a_state_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(tg.UsageError, match="no such folder"):
        tg.history(state=tmp_path / "nothere")
    done = tunegate("history", "--state", tmp_path / "nothere")
    assert done.returncode == 2
    assert "no such folder" in done.stderr


def test_a_trial_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    done = tunegate("gate", "--trial", "nothere", "--state", tmp_path)
    assert done.returncode == 2
    assert "no trial nothere" in done.stderr


def test_folders_may_have_any_name(tmp_path: Path) -> None:
    """Katib joins a trial's words by spaces and runs them in a shell, and so do local trials."""
    sizes = [(37 * i) % 61 + 0.5 for i in range(80)]
    rows = pd.DataFrame({"size": sizes, "rent": [3 * size + 7 for size in sizes]})
    folder = tmp_path / "it's mine"
    folder.mkdir()
    rows.to_csv(folder / "all rents.csv", index=False)
    study = tg.tune(
        folder / "all rents.csv", target="rent", trials=1, state=folder / "state, the first"
    )
    assert study.best.value < 1000
    assert list(study.trials["status"]) == ["Succeeded"]
